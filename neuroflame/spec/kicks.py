"""Kicks after each point's run, from which it recovers or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Discriminator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, quantity, suggestion
from neuroflame.spec.ramps import FEWEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from neuroflame.spec.network import NetworkSpec

RECOVERY = ("time", "peak", "difference", "returned", "phase")
"""What is told of each kick."""
_WINDOW = 0.1  # share of what follows a kick over which the end is averaged
_SETTLED = 20.0  # slowest time constants that a kick is followed for


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
