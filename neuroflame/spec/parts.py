"""The parts of a network's specification: populations, connectivity, plasticity, noise, start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Tag, field_validator

from neuroflame.errors import SpecError
from neuroflame.spec.base import Real, Spec, Whole, quantity
from neuroflame.spec.spiking import Spiking


def _number_or_mapping(value: object) -> str:
    return "mapping" if isinstance(value, Mapping) else "number"


PerName = Annotated[
    Annotated[Real, Tag("number")] | Annotated[dict[str, Real], Tag("mapping")],
    Discriminator(_number_or_mapping),
]
"""One number for all, or a mapping from population or pair names to numbers."""

TransferName = Literal["relu", "erf", "erf_odd", "tanh", "brunel"]
ODD_TRANSFERS = frozenset({"erf_odd", "tanh"})
"""Transfer functions whose rates have both signs."""


class Adaptation(Spec):
    """Threshold adaptation: theta starts at threshold and relaxes to threshold + strength * rate."""

    tau: Real = quantity("Time constant of the threshold.", unit="s", gt=0)
    strength: Real = quantity("Rise of the threshold for each Hz of the neuron's rate.", unit="1/Hz")
    relative_to: Literal["threshold", "zero"] = quantity(
        "What a silent neuron's threshold relaxes to: threshold, or 0.", default="threshold", structural=True
    )


class Population(Spec):
    """One population of identical neurons, with preferred angles 2πi/size."""

    size: Whole = quantity("Number of neurons.", structural=True, gt=0)
    tau: Real = quantity(
        "Time constant of the rates; 0 makes them instantaneous. With spiking, that of the membrane, above 0.",
        default=0.02,
        unit="s",
        ge=0,
    )
    tau_syn: Real = quantity(
        "Time constant of the recurrent input that the population receives; 0 makes it instantaneous.",
        default=0.0,
        unit="s",
        ge=0,
    )
    threshold: Real = quantity("Threshold that is subtracted from the input.", default=0.0)
    gain: Real = quantity("Factor on input minus threshold.", default=1.0)
    rate_max: Real = quantity("Factor on the transfer function's value.", default=1.0, unit="Hz", gt=0)
    adaptation: Adaptation | None = quantity("Threshold adaptation.", default=None, structural=True)
    spiking: Spiking | None = quantity(
        "Makes the neurons leaky integrate-and-fire neurons instead of rate units; {} takes all defaults.",
        default=None,
        structural=True,
    )


class Plasticity(Spec):
    """Short-term plasticity of one pair (Markram, Wang & Tsodyks 1998, mean-field)."""

    kind: Literal["markram", "markram_exp", "markram_lagged"] = quantity(
        "Euler for the relaxation too, or its exact exponential; lagged: Euler, what is transmitted uses the "
        "utilisation from before the step, and that starts as after one spike, at U (2 − U), or at U where tau_fac "
        "is 0.",
        default="markram",
        structural=True,
    )
    U: Real = quantity("Utilisation of a synapse at rest.", gt=0, le=1)
    tau_fac: Real = quantity("Facilitation time constant; 0 for depression only.", unit="s", ge=0)
    tau_rec: Real = quantity("Recovery time constant; 0 for facilitation only.", unit="s", ge=0)


class NMDA(Spec):
    """Slow recurrent currents from excitatory populations, beside the fast ones."""

    ratio: Real = quantity("Slow current over fast current at steady state.", default=1.0)
    tau: PerName = quantity(
        "Time constant, for all populations that receive the currents or by population.",
        default=0.1,
        unit="s",
    )
    sources: tuple[str, ...] = quantity("Presynaptic populations.", default=("E",), structural=True)

    @field_validator("tau")
    @classmethod
    def _nonnegative(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        for number in value.values() if isinstance(value, dict) else [value]:
            if number < 0:
                raise SpecError("must be at least 0", got=number)
        return value


NoiseTarget = Literal["input", "rates", "external"]


class WhiteNoise(Spec):
    """White noise of intensity sigma: its integral over a time T has standard deviation sigma √T."""

    kind: Literal["white"] = quantity("The noise's name.", structural=True)
    on: NoiseTarget = quantity(
        "What it is added to; external: the external input before its feed-forward dynamics.",
        default="input",
        structural=True,
    )
    sigma: PerName = quantity("Intensity, for all populations or by population.", unit="input·√s or Hz/√s")


class OrnsteinUhlenbeckNoise(Spec):
    """Exponentially correlated noise with standard deviation sigma."""

    kind: Literal["ou"] = quantity("The noise's name.", structural=True)
    on: NoiseTarget = quantity(
        "What it is added to; external: the external input before its feed-forward dynamics.",
        default="input",
        structural=True,
    )
    sigma: PerName = quantity("Standard deviation, for all populations or by population.", unit="input or Hz")
    tau: Real = quantity("Correlation time.", unit="s", gt=0)


class PerStepNoise(Spec):
    """Independent normal numbers at every step, whatever dt: its effect depends on dt."""

    kind: Literal["per_step"] = quantity("The noise's name.", structural=True)
    on: NoiseTarget = quantity(
        "What it is added to; external: the external input before its feed-forward dynamics.",
        default="input",
        structural=True,
    )
    sigma: PerName = quantity("Standard deviation, for all populations or by population.", unit="input or Hz")


Noise = Annotated[WhiteNoise | OrnsteinUhlenbeckNoise | PerStepNoise, Discriminator("kind")]


class ConstantStart(Spec):
    """All neurons start at one rate; currents at 0, STP at rest."""

    kind: Literal["constant"] = quantity("The start's name.", default="constant", structural=True)
    rate: PerName = quantity("Initial rate, for all populations or by population.", default=0.0, unit="Hz")


class UniformStart(Spec):
    """Rates start uniformly distributed, drawn from the point's seed."""

    kind: Literal["uniform"] = quantity("The start's name.", structural=True)
    low: Real = quantity("Lowest initial rate.", default=0.0, unit="Hz")
    high: Real = quantity("Highest initial rate.", unit="Hz")


class NormalStart(Spec):
    """Recurrent inputs, fast and slow, start as normal noise, rates as the transfer function of the fast input."""

    kind: Literal["normal"] = quantity("The start's name.", structural=True)
    sigma: Real = quantity("Standard deviation of the initial recurrent inputs.", default=1.0, ge=0)


Start = Annotated[ConstantStart | UniformStart | NormalStart, Discriminator("kind")]
