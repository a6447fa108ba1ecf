"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from neuroflame.errors import SpecError
from neuroflame.spec.dynamics import DynamicsOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

MeasureName = Literal["rates", "bump", "spikes", "lyapunov", "spectrum", "fixed_points"]
DYNAMIC = ("lyapunov", "spectrum", "fixed_points")
"""Those that need the network's equations, not what was recorded."""

DEFAULTS = DynamicsOptions()
_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
    "spikes": ("spikes.{}.cv", "spikes.{}.cv2", "spikes.{}.sync", "spikes.{}.active"),
}
_IN_EPOCHS = ("before", "during", "after")
_OF_DYNAMICS: dict[str, tuple[str, ...]] = {
    "spectrum": (
        "alpha",
        "alpha.error",
        "alpha.goldstone",
        "spectrum.frequency",
        "spectrum.unstable",
        "spectrum.distance",
    ),
    "fixed_points": ("fixed_points.count", "fixed_points.stable"),
}


def spiking(network: NetworkSpec) -> list[str]:
    """Return the names of the populations that spike."""
    return [name for name, population in network.populations.items() if population.spiking]


def check_applicable(measure: Iterable[str], network: NetworkSpec) -> None:
    """Raise `SpecError` if a measure is not one of this network."""
    names = spiking(network)
    for kind in measure:
        if kind == "spikes" and not names:
            raise SpecError(
                "needs a population that spikes", got=kind, path="measure", remedy="see populations.*.spiking"
            )
        if kind in DYNAMIC and names:
            raise SpecError(f"is for rate units, and {names[0]} spikes", got=kind, path="measure")


def statistics(
    network: NetworkSpec, measure: Iterable[str], dynamics: DynamicsOptions = DEFAULTS
) -> list[str]:
    """Return the numeric columns that a sweep of the network can have, besides the point's own.

    Parameters
    ----------
    network : NetworkSpec
        The network.
    measure : iterable of str
        Names of measures.
    dynamics : DynamicsOptions
        Options of those among `DYNAMIC`.
    """
    names = ["t_fail"]
    for kind in measure:
        if kind in DYNAMIC:
            names.extend(dynamic_statistics(kind, dynamics))
            continue
        for pattern in _BY_POPULATION[kind]:
            for population in spiking(network) if kind == "spikes" else network.populations:
                name = pattern.format(population)
                names.append(name)
                if kind == "bump" and network.stimuli and not name.endswith(".trend"):
                    names.extend(f"{name}.{epoch}" for epoch in _IN_EPOCHS)
    jittered = [(i, s.name) for i, s in enumerate(network.stimuli) if s.jitter is not None]
    return names + [f"stimulus.{name or i}.onset" for i, name in jittered]


def dynamic_statistics(kind: str, dynamics: DynamicsOptions) -> tuple[str, ...]:
    """Return the columns of a measure among `DYNAMIC`."""
    if kind == "lyapunov":
        exponents = (f"lyapunov.{i + 1}" for i in range(dynamics.lyapunov.k))
        return tuple(name for exponent in exponents for name in (exponent, f"{exponent}.se"))
    return _OF_DYNAMICS[kind]
