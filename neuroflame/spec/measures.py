"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from neuroflame.spec.stimuli import span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.stimuli import Stimulus

MeasureName = Literal["rates", "bump", "oscillation", "memory", "convergence", "stp", "regime"]
MEASURE_NAMES: tuple[str, ...] = get_args(MeasureName)
"""What ``measure:`` may name; ``regime`` stands for all of them, and the label that follows from them."""

_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
    "oscillation": ("sync.{}", "osc.{}.frequency", "osc.{}.q", "osc.{}.growth", "osc.{}.growth.se"),
    "convergence": (
        "rate.{}.active",
        "rate.{}.trend",
        "rate.{}.crossings",
        "bump.{}.floor",
        "bump.{}.velocity",
        "bump.{}.velocity.se",
    ),
}
_OF_THE_RUN: dict[str, tuple[str, ...]] = {
    "convergence": (
        "residual",
        "residual.window",
        "residual.rotating",
        "residual.tolerance",
        "converged",
        "noisy",
        "growth",
        "elapsed",
    ),
    "memory": ("memory.error", "memory.lifetime", "memory.censored"),
}
_IN_EPOCHS = ("before", "during", "after")


def expanded(measure: Iterable[str]) -> tuple[str, ...]:
    """Return the measures that are computed: ``regime`` needs all others."""
    names = tuple(measure)
    return MEASURE_NAMES if "regime" in names else names


def cue_of(network: NetworkSpec) -> tuple[str, Stimulus] | None:
    """Return the dotted path and the stimulus of the last cue that ends before the run does; None without one.

    A cue has a phase: it is a cosine or a Gaussian.
    """
    ended = [
        (f"stimuli.{stimulus.name or i}", stimulus)
        for i, stimulus in enumerate(network.stimuli)
        if stimulus.shape in ("cosine", "gaussian") and span(stimulus, network.dt).end < network.duration
    ]
    return max(ended, key=lambda found: span(found[1], network.dt).end, default=None)


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
    for kind in expanded(measure):
        for pattern in _BY_POPULATION.get(kind, ()):
            for population in network.populations:
                name = pattern.format(population)
                names.append(name)
                if kind == "bump" and network.stimuli and not name.endswith(".trend"):
                    names.extend(f"{name}.{epoch}" for epoch in _IN_EPOCHS)
        if kind != "memory" or cue_of(network) is not None:
            names.extend(_OF_THE_RUN.get(kind, ()))
        if kind == "stp":
            names.extend(f"stp.{pair}.{what}" for pair in network.stp for what in ("u", "x", "ux"))
        if kind == "regime":
            names.append("regime.confidence")
    jittered = [(i, s.name) for i, s in enumerate(network.stimuli) if s.jitter is not None]
    return names + [f"stimulus.{name or i}.onset" for i, name in jittered]
