"""Dynamics of the external input: short-term plasticity of its afferents, a low-pass filter, adaptation."""

from __future__ import annotations

from pydantic import field_validator, model_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, quantity
from neuroflame.spec.parts import PerName, Plasticity


class AfferentPlasticity(Plasticity):
    """Short-term plasticity of the afferents of one population: they transmit (static + u x) times their drive."""

    static: Real = quantity("Share of the drive that is transmitted without plasticity.", default=0.0, ge=0)


class InputAdaptation(Spec):
    """Adaptation of the input to one population: it is cut at a level that relaxes to strength times what passes."""

    tau: Real = quantity("Time constant of the level.", unit="s", gt=0)
    strength: Real = quantity("Level over what passes, at steady state.", ge=0)


class Feedforward(Spec):
    """Dynamics of the external input: plasticity, then the filter, then adaptation."""

    tau: PerName | None = quantity(
        "Time constant of the low-pass filter, for all populations or by population; 0 for none.",
        default=None,
        unit="s",
        structural=False,
    )
    stp: dict[str, AfferentPlasticity] = quantity(
        "Short-term plasticity of the afferents by population.", default={}, structural=True
    )
    adaptation: dict[str, InputAdaptation] = quantity(
        "Adaptation of the input by population.", default={}, structural=True
    )

    @field_validator("tau")
    @classmethod
    def _nonnegative(cls, value: float | dict[str, float] | None) -> float | dict[str, float] | None:
        for number in value.values() if isinstance(value, dict) else [value]:
            if number is not None and number < 0:
                raise SpecError("must be at least 0", got=number)
        return value

    @model_validator(mode="after")
    def _something(self) -> Feedforward:
        if self.tau is None and not self.stp and not self.adaptation:
            raise SpecError("must have one of tau, stp and adaptation", remedy="or leave feedforward out")
        return self

    def tau_path(self, population: str) -> str | None:
        """Return the path of a population's filter below ``feedforward``, None where it has none."""
        if isinstance(self.tau, dict):
            return f"tau.{population}" if population in self.tau else None
        return None if self.tau is None else "tau"

    def slowest(self) -> float:
        """Return the slowest time constant, seconds."""
        taus = list(self.tau.values()) if isinstance(self.tau, dict) else [self.tau or 0.0]
        taus += [t for s in self.stp.values() for t in (s.tau_fac, s.tau_rec)]
        return max([*taus, *(a.tau for a in self.adaptation.values())])
