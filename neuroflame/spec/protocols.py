"""What may follow the run of each point: a ramp of one value there and back, and kicks from which it recovers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, quantity, suggestion
from neuroflame.spec.paths import find_path
from neuroflame.spec.stimuli import ArrayStimulus, is_time, span

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from neuroflame.spec.network import NetworkSpec

LEVEL_STATISTICS = ("rate.{}.mean", "rate.{}.sd_t", "bump.{}.m1")
"""What is recorded of each population at each level of a ramp."""
DIRECTIONS = ("up", "down")
"""Names of the way from the first value of a ramp to the last, and of the way back, whichever is larger."""
_OF_A_RAMP = (
    "ramp.up.jump",
    "ramp.up.jump.error",
    "ramp.down.jump",
    "ramp.down.jump.error",
    "ramp.hysteresis.width",
    "ramp.hysteresis.width.error",
    "ramp.hysteresis.area",
    "ramp.diverged",
)
RECOVERY = ("time", "peak", "difference", "returned", "phase")
"""What is told of each kick."""
FEWEST = 2
"""Steps of a window, at least: it has two halves."""
_WINDOW = 0.1  # share of what follows a kick over which the end is averaged
_SETTLED = 20.0  # slowest time constants that a kick is followed for
_AT_START = ("initial.", "rate_limit")


class Ramp(Spec):
    """A value that moves from one end to the other and back after the run, the state carried over.

    The run itself is at the first value. With `hold` the value stays at each level for that time; with `rate` it moves
    from level to level in small steps. Noise, and stimuli that are on at the end of the run, go on.
    """

    path: str = quantity("The value, by its dotted path: a batchable number.")
    from_: Real = Field(description="First value.", alias="from")
    to: Real = quantity("Last value of the way there.")
    num: Whole = quantity("Number of levels, ends included, on each of the two ways.", default=41, ge=3)
    hold: Real | None = quantity("Time at each level.", default=None, unit="s", gt=0)
    rate: Real | None = quantity(
        "Change of the value in a second, in place of hold.", default=None, unit="value/s", gt=0
    )
    pieces: Whole | None = quantity(
        "Small steps from level to level, with rate; by default 20.", default=None, ge=1
    )
    window: Real | None = quantity(
        "Time at the end of each level over which its statistics are taken; by default half of hold, with rate the "
        "last small step.",
        default=None,
        unit="s",
        gt=0,
    )
    on: str | None = quantity(
        "The statistic whose loop is measured: `rate.A.mean`, `rate.A.sd_t` or `bump.A.m1`; by default the first "
        "population's mean rate.",
        default=None,
    )
    same: Real = quantity(
        "Relative difference between the two ways from which they count as different.", default=0.02, gt=0
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.from_ == self.to:
            raise SpecError("must differ from `from`", got=self.to, path="to")
        if (self.hold is None) == (self.rate is None):
            raise SpecError("must be given, or rate: one of the two", path="hold")
        if self.pieces is not None and self.rate is None:
            raise SpecError("has no effect without rate", got=self.pieces, path="pieces")
        if self.window is not None and self.hold is None:
            raise SpecError("has no effect with rate", got=self.window, path="window")
        return self

    @property
    def levels(self) -> tuple[float, ...]:
        """The values at which statistics are taken, in the order of the way there."""
        return tuple(float(value) for value in np.linspace(self.from_, self.to, self.num))

    @property
    def moves(self) -> int:
        """Number of small steps from level to level."""
        return 1 if self.rate is None else self.pieces or 20

    def pieces_steps(self, dt: float) -> tuple[int, ...]:
        """Return the steps of the network for which the value stays after each small step; their sum is a level's."""
        spacing = abs(self.to - self.from_) / (self.num - 1)
        seconds = spacing / self.rate if self.rate is not None else self.hold or 0.0
        ends = [round(seconds / dt * (k + 1) / self.moves) for k in range(self.moves)]
        return tuple(end - begin for begin, end in zip([0, *ends], ends, strict=False))

    def window_steps(self, dt: float) -> int:
        """Return the steps over which a level's statistics are taken."""
        last = self.pieces_steps(dt)[-1]
        if self.rate is not None:
            return last
        return max(FEWEST, last // 2) if self.window is None else round(self.window / dt)

    def steps(self, dt: float) -> int:
        """Return the steps of the network that it takes: the first level of each way has the last small step alone."""
        pieces = self.pieces_steps(dt)
        return 2 * ((self.num - 1) * sum(pieces) + pieces[-1])

    def observable(self, network: NetworkSpec) -> str:
        """Return the statistic whose loop is measured."""
        return self.on or LEVEL_STATISTICS[0].format(next(iter(network.populations)))

    def check(self, network: NetworkSpec, swept: Collection[str] = ()) -> None:
        """Raise `SpecError` if a network cannot be ramped so; ``swept`` are the paths that differ between points."""
        try:
            info = find_path(network, self.path)
        except SpecError as error:
            raise SpecError(error.rule, got=self.path, remedy=error.remedy, path="path") from None
        taken = next((path for path in swept if f"{self.path}." == f"{path}."), None)
        if taken is not None:
            raise SpecError("is swept and ramped at once", got=self.path, path="path")
        if info.structural or info.integer or is_time(self.path):
            rule = "must be a batchable number: this one is decided once for a run"
            raise SpecError(rule, got=self.path, path="path")
        learned = self.path.startswith("J.") and self.path[2:] in network.hebbian
        if self.path.startswith(_AT_START) or self.path.endswith(".V_start") or learned:
            rule = "counts at the start of a run only: a ramp of it changes nothing"
            raise SpecError(rule, got=self.path, path="path")
        for value, key in ((self.from_, "from"), (self.to, "to")):
            try:
                network.with_values({self.path: value})
            except SpecError as error:
                raise SpecError(error.rule, got=value, remedy=error.remedy, path=key) from None
        known = [name.format(a) for name in LEVEL_STATISTICS for a in network.populations]
        if self.on is not None and self.on not in known:
            remedy = suggestion(self.on, known)
            raise SpecError("is not a statistic of a ramp's levels", got=self.on, remedy=remedy, path="on")
        pieces = self.pieces_steps(network.dt)
        if min(pieces) < FEWEST:
            key = "hold" if self.rate is None else "rate"
            rule = f"must leave each value for at least {FEWEST} steps of dt, {FEWEST * network.dt:g} s"
            slower = None if self.rate is None else "lower it, num or pieces"
            raise SpecError(rule, got=getattr(self, key), remedy=slower, path=key)
        if not FEWEST <= self.window_steps(network.dt) <= pieces[-1]:
            rule = f"must be at least {FEWEST} steps of dt and at most hold"
            raise SpecError(rule, got=self.window, path="window")


class Kick(Spec):
    """What every kick has: for how long it is followed, and what counts as recovered."""

    name: str | None = quantity(
        "Name in the columns, `recovery.NAME.time`; needed where there are several.", default=None
    )
    duration: Real | None = quantity(
        "Time that is followed; by default 20 times the slowest time constant.", default=None, unit="s", gt=0
    )
    tolerance: Real = quantity(
        "Share of its largest distance at which a point has recovered; by default 1/e.",
        default=float(np.exp(-1.0)),
        gt=0,
        lt=1,
    )
    same: Real = quantity(
        "Relative difference in mean rates and bump ratios up to which the end is the same state.",
        default=0.02,
        gt=0,
    )
    samples: Whole = quantity(
        "Number of times at which the distance is taken, spaced evenly in their logarithm.",
        default=100,
        ge=10,
    )

    def steps(self, network: NetworkSpec) -> int:
        """Return the steps that are followed."""
        seconds = _SETTLED * network.slowest() if self.duration is None else self.duration
        return round(seconds / network.dt)

    def window_steps(self, network: NetworkSpec) -> int:
        """Return the steps at the end over which the state is averaged."""
        return max(FEWEST, round(_WINDOW * self.steps(network)))

    def sample_steps(self, network: NetworkSpec) -> tuple[int, ...]:
        """Return after how many steps the distance is taken, ascending, the last at the end."""
        last = self.steps(network) - self.window_steps(network)
        spaced = np.geomspace(1, last, self.samples)
        return (*dict.fromkeys(int(step) for step in np.round(spaced)), self.steps(network))

    def check(self, network: NetworkSpec) -> None:
        """Raise `SpecError` if a network cannot be kicked so."""
        spikes = next((name for name, p in network.populations.items() if p.spiking is not None), None)
        if spikes is not None:
            raise SpecError(f"is for rate units, and {spikes} spikes")
        if self.steps(network) < 10 * FEWEST:
            rule = f"must be at least {10 * FEWEST} steps of dt, {10 * FEWEST * network.dt:g} s"
            raise SpecError(rule, got=self.duration, path="duration")


class RateKick(Kick):
    """Rates of some populations, or of some of their neurons, are raised, or multiplied."""

    kind: Literal["rates"] = quantity("The kick's kind.")
    add: Real | None = quantity(
        "What is added to the rates, which stay at least 0 where the transfer function does.",
        default=None,
        unit="Hz",
    )
    factor: Real | None = quantity("By what they are multiplied.", default=None, ge=0)
    populations: tuple[str, ...] | None = quantity(
        "Which populations; by default the first.", default=None, min_length=1
    )
    fraction: Real = quantity("Share of the neurons, drawn from the point's seed.", default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.add is None) == (self.factor is None):
            raise SpecError("must be given, or factor: one of the two", path="add")
        return self

    def check(self, network: NetworkSpec) -> None:
        """Raise `SpecError` if a network cannot be kicked so."""
        super().check(network)
        _known(self.populations, network.populations, "populations", "population")


class Rotation(Kick):
    """The state of every population, and of plastic pairs, is turned around the ring."""

    kind: Literal["rotation"] = quantity("The kick's kind.")
    angle: Real = quantity("By how much.", unit="degrees")

    def check(self, network: NetworkSpec) -> None:
        """Raise `SpecError` if a network cannot be kicked so."""
        super().check(network)
        if network.hebbian:
            raise SpecError("cannot turn weights that learn", got=next(iter(network.hebbian)), path="kind")


class PlasticityKick(Kick):
    """Utilisation or resources of plastic pairs are set."""

    kind: Literal["stp"] = quantity("The kick's kind.")
    u: Real | None = quantity("The new utilisation.", default=None, ge=0, le=1)
    x: Real | None = quantity("The new resources.", default=None, ge=0, le=1)
    pairs: tuple[str, ...] | None = quantity(
        "Which pairs; by default all plastic ones.", default=None, min_length=1
    )
    fraction: Real = quantity(
        "Share of the presynaptic neurons, drawn from the point's seed.", default=1.0, gt=0, le=1
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.u is None and self.x is None:
            raise SpecError("must be given, or x", path="u")
        return self

    def check(self, network: NetworkSpec) -> None:
        """Raise `SpecError` if a network cannot be kicked so."""
        super().check(network)
        if not network.stp:
            raise SpecError("needs a pair with short-term plasticity", got=self.kind, path="kind")
        _known(self.pairs, network.stp, "pairs", "plastic pair")


class RandomKick(Kick):
    """Every state variable of every neuron is multiplied by 1 + size ξ, ξ standard normal from the point's seed.

    Rates stay at least 0 where the transfer function does, u and x between 0 and 1. Noise and weights are left alone.
    """

    kind: Literal["random"] = quantity("The kick's kind.")
    size: Real = quantity("Standard deviation of the relative change.", gt=0)


_KICKS: dict[str, type[RateKick | Rotation | PlasticityKick | RandomKick]] = {
    "rates": RateKick,
    "rotation": Rotation,
    "stp": PlasticityKick,
    "random": RandomKick,
}
Perturbation = Annotated[RateKick | Rotation | PlasticityKick | RandomKick, Discriminator("kind")]


def parse_kick(data: Mapping[str, Any]) -> Perturbation:
    """Return the kick of plain data.

    Raises
    ------
    SpecError
        If its kind or one of its fields is wrong.
    """
    if data.get("kind") not in _KICKS:
        remedy = suggestion(str(data.get("kind")), _KICKS)
        raise SpecError("is not a kick", got=data.get("kind"), remedy=remedy, path="kind")
    return _KICKS[data["kind"]].parse(data)


def _known(given: Iterable[str] | None, valid: Iterable[str], path: str, what: str) -> None:
    pool = list(valid)
    for i, name in enumerate(given or ()):
        if name not in pool:
            raise SpecError(f"is not a {what}", got=name, remedy=suggestion(name, pool), path=f"{path}.{i}")


def check_protocols(
    network: NetworkSpec, ramp: Ramp | None, perturb: Sequence[Perturbation], swept: Collection[str] = ()
) -> None:
    """Raise `SpecError` if a ramp or a kick does not fit a network, or stimuli cannot go on after the run.

    Parameters
    ----------
    network : NetworkSpec
    ramp : Ramp, optional
    perturb : sequence of Perturbation
    swept : collection of str
        Paths that differ between points.
    """
    parts: list[tuple[str, Any]] = [("ramp", ramp)] if ramp is not None else []
    alone = len(perturb) == 1
    parts += [("perturb" if alone else f"perturb.{i}", kick) for i, kick in enumerate(perturb)]
    for path, part in parts:
        try:
            _check_times(network, swept)
            if isinstance(part, Ramp):
                part.check(network, swept)
            else:
                part.check(network)
        except SpecError as error:
            error.path = f"{path}.{error.path}" if error.path else path
            raise
    names = [kick.name for kick in perturb]
    for i, name in enumerate(names):
        if len(names) > 1 and name is None:
            raise SpecError("is required where there are several kicks", path=f"perturb.{i}.name")
        if name is not None and (not name.isidentifier() or name in RECOVERY):
            rule = f"must be letters, digits and _, and none of {', '.join(RECOVERY)}"
            raise SpecError(rule, got=name, path="perturb.name" if alone else f"perturb.{i}.name")
        if name in names[:i]:
            raise SpecError("must differ between kicks", got=name, path=f"perturb.{i}.name")


def _check_times(network: NetworkSpec, swept: Collection[str]) -> None:
    if any(stimulus.jitter is not None for stimulus in network.stimuli) or any(map(is_time, swept)):
        raise SpecError("cannot follow runs whose stimuli have times of each point's own")
    for i, stimulus in enumerate(network.stimuli):
        lasts = span(stimulus, network.dt).end >= network.duration - 0.5 * network.dt
        if lasts and isinstance(stimulus, ArrayStimulus) and stimulus.lasting:
            name = stimulus.name or i
            raise SpecError(f"cannot go on with the time course of stimuli.{name}, which ends with the run")


def lasting(network: NetworkSpec, steps: int) -> NetworkSpec:
    """Return a network whose run takes so many more steps; stimuli that are on at its end stay on."""
    more = steps * network.dt
    changes: dict[str, Any] = {"duration": network.duration + more}
    for i, stimulus in enumerate(network.stimuli):
        if span(stimulus, network.dt).end >= network.duration - 0.5 * network.dt:
            key = "offset" if stimulus.offset is not None else "duration"
            changes[f"stimuli.{stimulus.name or i}.{key}"] = getattr(stimulus, key) + more
    return network.with_values(changes)


def protocol_steps(
    network: NetworkSpec, ramp: Ramp | None, perturb: Sequence[Perturbation]
) -> dict[str, int]:
    """Return the steps of the network that a point takes after its run; a kicked point runs beside one that is not."""
    found = {} if ramp is None else {"ramp": ramp.steps(network.dt)}
    kicks = sum(2 * kick.steps(network) for kick in perturb)
    return found | ({"perturb": kicks} if perturb else {})


def protocol_columns(ramp: Ramp | None, perturb: Sequence[Perturbation]) -> list[str]:
    """Return the columns of numbers that a ramp and kicks add; a ramp's levels are series."""
    found = [] if ramp is None else list(_OF_A_RAMP)
    return found + [f"{recovery_of(kick)}.{what}" for kick in perturb for what in RECOVERY]


def recovery_of(kick: Perturbation) -> str:
    """Return what the columns of a kick begin with."""
    return "recovery" if kick.name is None else f"recovery.{kick.name}"
