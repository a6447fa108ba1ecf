"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

MeasureName = Literal["rates", "bump", "weights"]

_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
}
_BY_LEARNING_PAIR = {"weights": ("weight.{}.mean", "weight.{}.sd", "weight.{}.zero", "weight.{}.ratio")}
_IN_EPOCHS = ("before", "during", "after")


def statistics(network: NetworkSpec, measure: Iterable[str]) -> list[str]:
    """Return the numeric columns that a sweep of the network can have, besides the point's own.

    Parameters
    ----------
    network : NetworkSpec
        The network.
    measure : iterable of str
        Names of measures.
    """
    names = ["t_fail"]
    for kind in measure:
        for pattern in _BY_LEARNING_PAIR.get(kind, ()):
            names.extend(pattern.format(pair.name) for pair in network.pairs if pair.name in network.hebbian)
        for pattern in _BY_POPULATION.get(kind, ()):
            for population in network.populations:
                name = pattern.format(population)
                names.append(name)
                if kind == "bump" and network.stimuli and not name.endswith(".trend"):
                    names.extend(f"{name}.{epoch}" for epoch in _IN_EPOCHS)
    jittered = [(i, s.name) for i, s in enumerate(network.stimuli) if s.jitter is not None]
    return names + [f"stimulus.{name or i}.onset" for i, name in jittered]


def check_applicable(network: NetworkSpec, measure: Iterable[str]) -> None:
    """Raise `SpecError` if a measure is of something that the network has not."""
    if "weights" in measure and not network.hebbian:
        raise SpecError(
            "weights has no effect: no weights learn", path="measure", remedy="leave it out, or give hebbian"
        )
