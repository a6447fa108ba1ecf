"""Names of the statistics that each measure gives, without the code that computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from neuroflame.errors import SpecError
from neuroflame.spec.dynamics import DynamicsOptions
from neuroflame.spec.stimuli import span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.spec.network import NetworkSpec
    from neuroflame.spec.stimuli import Stimulus

MeasureName = Literal[
    "rates",
    "bump",
    "spikes",
    "oscillation",
    "memory",
    "convergence",
    "stp",
    "weights",
    "lyapunov",
    "spectrum",
    "fixed_points",
    "diffusion",
    "regime",
]
MEASURE_NAMES: tuple[str, ...] = get_args(MeasureName)
"""What ``measure:`` may name; ``regime`` stands for all that is recorded, and the label that follows from the row."""
DYNAMIC = ("lyapunov", "spectrum", "fixed_points", "diffusion")
"""Those that go on from the end of the run, not from what was recorded of it."""
_SUMMED = ("rates", "bump", "spikes", "weights")
"""Those that need no more of a recording than its sums over windows, or the weights at its end."""
_OF_RATE_UNITS = ("lyapunov", "spectrum", "fixed_points")
"""Those that need the step's derivative, which spikes have not."""

DEFAULTS = DynamicsOptions()
_BY_POPULATION: dict[str, tuple[str, ...]] = {
    "rates": ("rate.{}.mean", "rate.{}.cv", "rate.{}.sd_t", "rate.{}.sd_i", "rate.{}.max"),
    "bump": ("bump.{}.m0", "bump.{}.m1", "bump.{}.ratio", "bump.{}.phase", "bump.{}.trend"),
    "spikes": ("spikes.{}.cv", "spikes.{}.cv2", "spikes.{}.sync", "spikes.{}.active"),
    "oscillation": (
        "sync.{}",
        "osc.{}.frequency",
        "osc.{}.q",
        "osc.{}.slow",
        "osc.{}.growth",
        "osc.{}.growth.se",
    ),
    "convergence": (
        "rate.{}.active",
        "rate.{}.error",
        "rate.{}.trend",
        "rate.{}.trend.se",
        "rate.{}.crossings",
        "bump.{}.floor",
        "bump.{}.error",
        "bump.{}.trend.se",
        "bump.{}.velocity",
        "bump.{}.velocity.se",
        "bump.{}.acceleration",
        "bump.{}.acceleration.se",
        "bump.{}.rotating",
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
        "apart",
    ),
    "memory": ("memory.error", "memory.lifetime", "memory.censored"),
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
_OF_DIFFUSION = ("bump.{}.diffusion", "bump.{}.diffusion.se", "bump.{}.drift", "bump.{}.drift.se")


def spiking(network: NetworkSpec) -> list[str]:
    """Return the names of the populations that spike."""
    return [name for name, population in network.populations.items() if population.spiking]


def symmetric(network: NetworkSpec) -> bool:
    """Whether all neurons of a population are alike at the end: no disorder, no noise, no stimulus."""
    return not (
        network.noise
        or network.hebbian
        or spiking(network)
        or any(pair.kind != "all_to_all" or pair.random for pair in network.pairs)
        or any(span(stimulus, network.dt).end >= network.duration for stimulus in network.stimuli)
    )


def expanded(measure: Iterable[str]) -> tuple[str, ...]:
    """Return the measures that are computed: ``regime`` needs all that is recorded of rates and plasticity.

    Measures of dynamics it uses if they are asked for.
    """
    names = tuple(measure)
    if "regime" not in names:
        return names
    return tuple(name for name in MEASURE_NAMES if name not in {*DYNAMIC, "weights"} or name in names)


def samples_course(measure: Iterable[str]) -> bool:
    """Whether measures need samples of a run's course, or its end, beside sums over windows."""
    return not set(expanded(measure)) <= {*_SUMMED, *DYNAMIC}


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
    for kind in expanded(measure):
        if kind == "diffusion":
            names.extend(pattern.format(name) for name in network.populations for pattern in _OF_DIFFUSION)
            continue
        if kind in DYNAMIC:
            names.extend(dynamic_statistics(kind, dynamics))
            continue
        for pattern in _BY_LEARNING_PAIR.get(kind, ()):
            names.extend(pattern.format(pair.name) for pair in network.pairs if pair.name in network.hebbian)
        for pattern in _BY_POPULATION.get(kind, ()):
            for population in spiking(network) if kind == "spikes" else network.populations:
                name = pattern.format(population)
                names.append(name)
                if kind == "bump" and network.stimuli and not name.endswith(".trend"):
                    names.extend(f"{name}.{epoch}" for epoch in _IN_EPOCHS)
        if kind != "memory" or cue_of(network) is not None:
            names.extend(_OF_THE_RUN.get(kind, ()))
        if kind == "convergence" and symmetric(network):
            names.append("alpha.symmetric")
        if kind == "stp":
            names.extend(f"stp.{pair}.{what}" for pair in network.stp for what in ("u", "x", "ux"))
        if kind == "regime":
            names.append("regime.confidence")
    jittered = [(i, s.name) for i, s in enumerate(network.stimuli) if s.jitter is not None]
    return names + [f"stimulus.{name or i}.onset" for i, name in jittered]


def dynamic_statistics(kind: str, dynamics: DynamicsOptions) -> tuple[str, ...]:
    """Return the columns of a measure among `DYNAMIC` that are not of a population."""
    if kind == "lyapunov":
        exponents = (f"lyapunov.{i + 1}" for i in range(dynamics.lyapunov.k))
        return (
            *(name for exponent in exponents for name in (exponent, f"{exponent}.se")),
            "lyapunov.duration",
        )
    return _OF_DYNAMICS[kind]


def check_applicable(network: NetworkSpec, measure: Iterable[str]) -> None:
    """Raise `SpecError` if a measure is of something that the network has not, or cannot be taken of it."""
    names = spiking(network)
    for kind in measure:
        if kind == "spikes" and not names:
            raise SpecError(
                "needs a population that spikes", got=kind, path="measure", remedy="see populations.*.spiking"
            )
        if kind in _OF_RATE_UNITS and names:
            raise SpecError(f"is for rate units, and {names[0]} spikes", got=kind, path="measure")
        if kind == "diffusion" and not network.noise:
            raise SpecError(
                "needs noise: without it trials do not differ", got=kind, path="measure", remedy="give noise"
            )
        if kind == "weights" and not network.hebbian:
            raise SpecError(
                "weights has no effect: no weights learn",
                path="measure",
                remedy="leave it out, or give hebbian",
            )
        if kind in DYNAMIC:
            check_constant_weights(network, kind, path="measure")


def check_window(measure: Iterable[str]) -> None:
    """Raise `SpecError` if measures look at the course of a final window whose length would depend on a point's times.

    By default it reaches back to the middle between a point's last stimulus and the end: points of one tile, which are
    sampled alike, would have windows of their own.
    """
    courses = [name for name in measure if samples_course([name])]
    if courses:
        raise SpecError(
            "must be given where the times of stimuli are swept or jittered, for what looks at a window's course",
            got=courses,
            path="window",
            remedy="window: 2.0, or do not measure it",
        )


def check_constant_weights(network: NetworkSpec, tool: str, *, path: str | None = None) -> None:
    """Raise `SpecError` if weights learn, for a tool of dynamics by its name."""
    if network.hebbian:
        raise SpecError(
            f"{tool} needs constant weights, and those of {', '.join(network.hebbian)} learn",
            path=path,
            remedy="leave it out, or leave out hebbian" if path else "leave out hebbian",
        )
