"""Leaky integrate-and-fire populations: their fields, and what has no effect on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, quantity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.spec.network import NetworkSpec


class Spiking(Spec):
    """Leaky integrate-and-fire neurons: tau dV/dt = −(V − V_rest) + I, a spike where V reaches V_threshold."""

    V_rest: Real = quantity("Voltage without input, in the unit of the input.", default=0.0)
    V_threshold: Real = quantity("Voltage at which a neuron fires.", default=1.0)
    V_reset: Real = quantity("Voltage after a spike, kept during tau_ref.", default=0.0)
    tau_ref: Real = quantity(
        "Refractory time, any fraction of steps; may be 0.", default=0.002, unit="s", ge=0
    )
    V_start: Real | None = quantity(
        "Voltage at time 0; by default drawn between V_reset and V_threshold from the point's seed.",
        default=None,
    )

    @model_validator(mode="after")
    def _fires_above_reset(self) -> Spiking:
        if self.V_threshold <= self.V_reset:
            raise SpecError(
                f"must be above V_reset, {self.V_reset:g}", got=self.V_threshold, path="V_threshold"
            )
        return self


def check_spiking(network: NetworkSpec) -> None:
    """Raise `SpecError` where a value has no effect on, or makes no sense for, populations that spike."""
    names = [name for name, population in network.populations.items() if population.spiking]
    if not names:
        return
    for name in names:
        for field, got, neutral, remedy in _rate_fields(network, name):
            if got != neutral:
                raise SpecError(
                    "has no effect on a population that spikes",
                    got=got,
                    remedy=remedy,
                    path=f"populations.{name}.{field}",
                )
        if network.populations[name].tau == 0:
            raise SpecError(
                "must be greater than 0 in a population that spikes", got=0.0, path=f"populations.{name}.tau"
            )
        if isinstance(network.transfer, dict) and name in network.transfer:
            raise SpecError("has no effect on a population that spikes", path=f"transfer.{name}")
    if len(names) == len(network.populations):
        for field, value, default in (
            ("transfer", network.transfer, "relu"),
            ("rate_limit", network.rate_limit, 1e4),
        ):
            if value != default:
                raise SpecError("has no effect where all populations spike", got=value, path=field)
    for i, noise in enumerate(network.noise):
        hit = [name for name in names if not isinstance(noise.sigma, dict) or name in noise.sigma]
        if noise.on == "rates" and hit:
            raise SpecError(
                f"must be input for {hit[0]}, which spikes",
                got="rates",
                remedy="name other populations in sigma, or use on: input",
                path=f"noise.{i}.on",
            )
    for pair in network.pairs:
        if pair.pre in names and pair.name in network.stp and network.stp[pair.name].kind != "markram":
            raise SpecError(
                f"has no effect on the synapses of {pair.pre}, which spikes: they relax exactly between spikes",
                got=network.stp[pair.name].kind,
                remedy="leave it out",
                path=f"stp.{pair.name}.kind",
            )


def _rate_fields(network: NetworkSpec, name: str) -> Iterator[tuple[str, Any, float, str]]:
    population = network.populations[name]
    yield "threshold", population.threshold, 0.0, "use spiking.V_threshold"
    yield "gain", population.gain, 1.0, "scale J and J0 instead"
    yield "rate_max", population.rate_max, 1.0, "use spiking.tau_ref"
