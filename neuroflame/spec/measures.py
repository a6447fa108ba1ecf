"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

MeasureName = Literal["rates", "bump", "spikes"]

_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
    "spikes": ("spikes.{}.cv", "spikes.{}.cv2", "spikes.{}.sync", "spikes.{}.active"),
}
_IN_EPOCHS = ("before", "during", "after")


def spiking(network: NetworkSpec) -> list[str]:
    """Return the names of the populations that spike."""
    return [name for name, population in network.populations.items() if population.spiking]


def check_applicable(measure: Iterable[str], network: NetworkSpec) -> None:
    """Raise `SpecError` if a measure has nothing to look at in the network."""
    if "spikes" in measure and not spiking(network):
        raise SpecError(
            "needs a population that spikes", got="spikes", path="measure", remedy="see populations.*.spiking"
        )


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
        for pattern in _BY_POPULATION[kind]:
            for population in spiking(network) if kind == "spikes" else network.populations:
                name = pattern.format(population)
                names.append(name)
                if kind == "bump" and network.stimuli and not name.endswith(".trend"):
                    names.extend(f"{name}.{epoch}" for epoch in _IN_EPOCHS)
    return names
