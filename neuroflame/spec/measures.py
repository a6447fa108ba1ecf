"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from neuroflame.errors import SpecError
from neuroflame.spec.dynamics import DynamicsOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec

MeasureName = Literal["rates", "bump", "weights", "lyapunov", "spectrum", "fixed_points"]
DYNAMIC = ("lyapunov", "spectrum", "fixed_points")
"""Those that need the network's equations, not what was recorded."""

DEFAULTS = DynamicsOptions()
_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
}
_BY_LEARNING_PAIR = {"weights": ("weight.{}.mean", "weight.{}.sd", "weight.{}.zero", "weight.{}.ratio")}
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


def dynamic_statistics(kind: str, dynamics: DynamicsOptions) -> tuple[str, ...]:
    """Return the columns of a measure among `DYNAMIC`."""
    if kind == "lyapunov":
        exponents = (f"lyapunov.{i + 1}" for i in range(dynamics.lyapunov.k))
        return tuple(name for exponent in exponents for name in (exponent, f"{exponent}.se"))
    return _OF_DYNAMICS[kind]


def check_applicable(network: NetworkSpec, measure: Iterable[str]) -> None:
    """Raise `SpecError` if a measure is of something that the network has not, or cannot be taken of it."""
    for kind in measure:
        if kind == "weights" and not network.hebbian:
            raise SpecError(
                "weights has no effect: no weights learn",
                path="measure",
                remedy="leave it out, or give hebbian",
            )
        if kind in DYNAMIC:
            check_constant_weights(network, kind, path="measure")


def check_constant_weights(network: NetworkSpec, tool: str, *, path: str | None = None) -> None:
    """Raise `SpecError` if weights learn, for a tool of dynamics by its name."""
    if network.hebbian:
        raise SpecError(
            f"{tool} needs constant weights, and those of {', '.join(network.hebbian)} learn",
            path=path,
            remedy="leave it out, or leave out hebbian" if path else "leave out hebbian",
        )
