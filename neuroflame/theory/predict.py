"""Predicted columns of the points of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.columns import Column
from neuroflame.spec.paths import paths
from neuroflame.spec.theory import THEORY_TEXTS, theory_columns
from neuroflame.theory.balance import balance
from neuroflame.theory.disorder import predict_disorder
from neuroflame.theory.folds import nearest_fold
from neuroflame.theory.homogeneous import homogeneous_states
from neuroflame.theory.meanfield import MeanField, NotCovered, mean_field
from neuroflame.theory.modes import mode_eigenvalues
from neuroflame.theory.regime import predict_regime
from neuroflame.theory.step import growth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.spec.network import NetworkSpec

Array = np.ndarray[Any, Any]
Cells = dict[str, Any]

UNKNOWN = "unknown"
_DOCS = {
    "theory.reason": ("", "Why theory is silent or what it leaves out; nothing where it holds as it stands."),
    "theory.states": ("", "Predicted number of homogeneous steady states."),
    "theory.states.stable": ("", "Those that no homogeneous perturbation makes grow."),
    "theory.alpha.mode0": ("1/s", "Predicted growth of mode 0 (amplitude) about the homogeneous state."),
    "theory.alpha.mode1": ("1/s", "Predicted growth of mode 1 (pattern) about the homogeneous state."),
    "theory.mode": ("", "Fourier mode that grows fastest about the homogeneous state."),
    "theory.frequency": ("Hz", "Frequency of the fastest-growing mode, 0 where it does not oscillate."),
    "theory.bumps": ("", "Predicted number of stationary bumps, turned copies as one."),
    "theory.bumps.stable": ("", "Those that are stable but for their rotation."),
    "theory.regime": ("", "Predicted regime: all stable states that theory finds."),
    "theory.random.radius": (
        "",
        "Radius of the disc of eigenvalues, slope at rest included: chaos from 1 on.",
    ),
    "theory.random.outlier": (
        "",
        "Real part of the eigenvalue of low rank that grows most, slope at rest included.",
    ),
    "theory.random.alpha": ("1/s", "Predicted growth of the perturbation of rest that grows fastest."),
    "theory.random.variance": ("Hz²", "Predicted variance of rates over neurons (and time)."),
    "theory.random.exponent": (
        "1/s",
        "Predicted largest Lyapunov exponent, of small dt, without slower variables.",
    ),
    "theory.random.kappa": ("", "Predicted strength of the state along the vector m, of rank 1."),
    "theory.balance.states": ("", "Number of balanced states with positive rates, to leading order in √K."),
}


@dataclass(frozen=True)
class Predicted:
    """Predictions for P points.

    Parameters
    ----------
    columns : tuple of Column
    data : mapping of str to list
        P entries for each column.
    """

    columns: tuple[Column, ...]
    data: dict[str, list[Any]]


def predict(
    spec: NetworkSpec,
    values: Mapping[str, Sequence[Any] | Array],
    theory: Sequence[str],
    *,
    points: int,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Predicted:
    """Return what theory predicts for points that share a structure.

    Parameters
    ----------
    spec : NetworkSpec
        With all structural values applied.
    values : mapping of sequence, (P,)
        Batchable path to the value at each point.
    theory : sequence of str
        Among ``homogeneous``, ``modes``, ``balance``, ``folds`` and ``random``.
    points : int
        P.
    ranges : mapping, optional
        Path to the range along which folds are sought.

    Returns
    -------
    Predicted
        NaN, and `unknown` as the regime, where the theory does not apply; ``theory.reason`` says why.
    """
    reaches = dict(ranges or {})
    names = theory_columns(spec, theory, reaches)
    known = paths(spec)
    base = {path: info.value for path, info in known.items() if info.numeric}
    rows: dict[tuple[float, ...], Cells] = {}
    keys = list(zip(*(np.asarray(column, dtype=float).tolist() for column in values.values()), strict=True))
    for key in keys or [()] * points:
        if key not in rows:
            own = dict(zip(values, key, strict=True))
            rows[key] = _Point(spec, {**base, **own}).cells(theory, reaches)
    data = {name: [rows[key].get(name, _missing(name)) for key in keys or [()] * points] for name in names}
    return Predicted(tuple(_column(name, known) for name in names), data)


def unknown(
    spec: NetworkSpec, theory: Sequence[str], reason: str, *, points: int, folds: Sequence[str] = ()
) -> Predicted:
    """Return the columns of `predict` for points of which nothing can be said, with the reason."""
    known = paths(spec)
    names = theory_columns(spec, theory, folds)
    data = {name: [reason if name == "theory.reason" else _missing(name)] * points for name in names}
    return Predicted(tuple(_column(name, known) for name in names), data)


def _missing(name: str) -> Any:
    return {"theory.regime": UNKNOWN, "theory.reason": None}.get(name, float("nan"))


def _column(name: str, known: Mapping[str, Any]) -> Column:
    if name in _DOCS:
        unit, doc = _DOCS[name]
        return Column(name, "str" if name in THEORY_TEXTS else "float", unit, doc)
    if name.startswith("theory.fold."):
        path = name.removeprefix("theory.fold.")
        return Column(
            name, "float", known[path].unit, f"Distance to the nearest fold along {path}, with its sign."
        )
    order = " in balance, to leading order in √K" if name.startswith("theory.balance.") else ""
    return Column(name, "float", "Hz", f"Predicted mean rate{order or ' of the homogeneous state'}.")


class _Point:
    """The predictions for one point."""

    def __init__(self, spec: NetworkSpec, numbers: Mapping[str, float]) -> None:
        self.spec, self.numbers = spec, numbers

    def field(self, changes: Mapping[str, float] | None = None) -> MeanField:
        """Return the mean field, with some numbers changed."""
        changed = {**self.numbers, **(changes or {})}
        return mean_field(self.spec, lambda path: float(changed[path]))

    def cells(self, theory: Sequence[str], ranges: Mapping[str, tuple[float, float]]) -> Cells:
        """Return the cells of the point; what is missing is not known."""
        random, told = self._random() if "random" in theory else ({}, [])
        try:
            field = self.field()
        except NotCovered as why:
            others = [str(why)] if set(theory) != {"random"} or not random else []
            return {**random, "theory.reason": "; ".join(dict.fromkeys([*told, *others]))}
        found: Cells = {}
        notes = [*told, *field.neglected]
        parts = {"modes": _modes} if "modes" in theory else {"homogeneous": _homogeneous}
        for name, part in {**parts, "balance": _balance}.items():
            if name in theory:
                try:
                    cells, said = part(field)
                except NotCovered as why:
                    cells, said = {}, [str(why)]
                found |= cells
                notes += said
        if "folds" in theory:
            for path, (low, high) in ranges.items():
                try:
                    at = self.numbers[path]
                    found[f"theory.fold.{path}"] = nearest_fold(self._counter(path), at, low, high)
                except NotCovered as why:
                    notes.append(f"folds along {path} were not sought: {why}")
        found["theory.reason"] = "; ".join(dict.fromkeys(notes)) or None
        return found

    def _random(self) -> tuple[Cells, list[str]]:
        try:
            return predict_disorder(self.spec, lambda path: float(self.numbers[path]))
        except NotCovered as why:
            return {}, [str(why)]

    def _counter(self, path: str) -> Any:
        """Return the function that counts homogeneous states at a value of a path."""
        known: dict[float, int] = {}

        def count(value: float) -> int:
            if value not in known:
                states = homogeneous_states(self.field({path: value}))
                if not states.exhaustive:
                    raise NotCovered("steady states cannot be enumerated")
                known[value] = len(states.rates)
            return known[value]

        return count


def _homogeneous(field: MeanField) -> tuple[Cells, list[str]]:
    states = homogeneous_states(field)
    alphas = [growth(mode_eigenvalues(field, rates, 0), field.dt).alpha for rates in states.rates]
    stable = [i for i, alpha in enumerate(alphas) if alpha < 0.0]
    at = stable[0] if stable else 0 if alphas else None
    cells: Cells = {"theory.states": float(len(alphas)), "theory.states.stable": float(len(stable))}
    if at is not None:
        cells |= _rates(field, states.rates[at], "theory.rate")
        cells["theory.alpha.mode0"] = alphas[at]
    return cells, [] if states.exhaustive else ["steady states were searched, not enumerated"]


def _modes(field: MeanField) -> tuple[Cells, list[str]]:
    found = predict_regime(field)
    stable = sum(modes.growth[0].alpha < 0.0 for modes in found.modes)
    cells: Cells = {
        "theory.states": float(len(found.modes)),
        "theory.states.stable": float(stable),
        "theory.regime": found.regime,
    }
    if found.reference is not None:
        modes = found.modes[found.reference]
        cells |= _rates(field, found.states.rates[found.reference], "theory.rate")
        cells["theory.alpha.mode0"] = modes.growth[0].alpha
        cells["theory.alpha.mode1"] = modes.growth[1].alpha
        cells["theory.mode"] = float(modes.leading)
        cells["theory.frequency"] = modes.growth[modes.leading].frequency
    if found.bumps is not None:
        cells["theory.bumps"] = float(len(found.bumps))
        cells["theory.bumps.stable"] = float(sum(bump.growth.alpha < 0.0 for bump in found.bumps))
    return cells, list(found.notes)


def _balance(field: MeanField) -> tuple[Cells, list[str]]:
    found = balance(field).rates
    cells: Cells = {"theory.balance.states": float(len(found))}
    if len(found) == 0:
        return cells, ["no balance with positive rates"]
    return cells | _rates(field, found[0], "theory.balance"), []


def _rates(field: MeanField, rates: Array, name: str) -> Cells:
    return {f"{name}.{population}": float(r) for population, r in zip(field.names, rates, strict=True)}
