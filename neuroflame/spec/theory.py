"""Names of the columns that theory predicts, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

TheoryName = Literal["homogeneous", "modes", "balance", "folds", "random"]
THEORY_TEXTS = ("theory.regime", "theory.reason")
"""Columns of names; all others are numbers."""


RANDOM = ("radius", "outlier", "alpha", "variance", "exponent", "kappa")
"""What is predicted of random connectivity."""


def theory_columns(network: NetworkSpec, theory: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Return the columns that theory adds to a sweep of a network.

    Parameters
    ----------
    network : NetworkSpec
        The network.
    theory : iterable of str
        What is predicted, names among `TheoryName`.
    paths : iterable of str
        The batchable paths that are swept, along which folds are sought.
    """
    kinds = set(theory)
    found = ["theory.reason"] if kinds else []
    if kinds & {"homogeneous", "modes"}:
        found += [f"theory.rate.{name}" for name in network.populations]
        found += ["theory.states", "theory.states.stable", "theory.alpha.mode0"]
    if "modes" in kinds:
        found += ["theory.regime", "theory.alpha.mode1", "theory.mode", "theory.frequency"]
        found += ["theory.bumps", "theory.bumps.stable"]
    if "random" in kinds:
        found += [] if "modes" in kinds else ["theory.regime"]
        found += [f"theory.random.{what}" for what in RANDOM]
    if "balance" in kinds:
        found += [f"theory.balance.{name}" for name in network.populations] + ["theory.balance.states"]
    if "folds" in kinds:
        found += [f"theory.fold.{path}" for path in paths]
    return found
