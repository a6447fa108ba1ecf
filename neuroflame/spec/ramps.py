"""A value that moves there and back after each point's run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, is_number, quantity, suggestion
from neuroflame.spec.paths import find_path
from neuroflame.spec.stimuli import is_time

if TYPE_CHECKING:
    from collections.abc import Collection

    from neuroflame.spec.network import NetworkSpec

LEVEL_STATISTICS = ("rate.{}.mean", "rate.{}.sd_t", "bump.{}.m1")
"""What is recorded of each population at each level of a ramp."""
DIRECTIONS = ("up", "down")
"""Names of the way from the first value of a ramp to the last, and of the way back, whichever is larger."""
LOOP = (
    "ramp.up.jump",
    "ramp.up.jump.error",
    "ramp.down.jump",
    "ramp.down.jump.error",
    "ramp.hysteresis.width",
    "ramp.hysteresis.width.error",
    "ramp.hysteresis.area",
    "ramp.diverged",
)
"""The columns of numbers that a ramp adds."""
FEWEST = 2
"""Steps of a window, at least: it has two halves."""
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


def first_value(ramp: object) -> dict[str, float]:
    """Return the path and the first value of a ramp, or of its plain data; nothing where they are not there."""
    if isinstance(ramp, Ramp):
        return {ramp.path: ramp.from_}
    if isinstance(ramp, Mapping) and isinstance(ramp.get("path"), str) and is_number(ramp.get("from")):
        return {ramp["path"]: ramp["from"]}
    return {}
