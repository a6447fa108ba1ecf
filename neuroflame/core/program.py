"""From a specification and the numbers of P points to the coefficients that an executor needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.connectivity.make import bind_operator, scaling
from neuroflame.core.feedforward import FeedforwardProgram, make_feedforward
from neuroflame.core.hebbian import HebbianProgram, hebbian_program
from neuroflame.core.stimuli import StimulusProgram, make_stimuli
from neuroflame.core.surrogate import STEEPNESS
from neuroflame.spec import NetworkSpec, paths
from neuroflame.spec.parts import PerStepNoise, WhiteNoise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from neuroflame.core.connectivity import Operator
    from neuroflame.core.connectivity.edges import Edges
    from neuroflame.core.inputs import Inputs


@dataclass(frozen=True)
class SpikingProgram:
    """Coefficients of `neuroflame.physics.spiking.lif_step`, (P, 1) or (1, 1), and where the voltage starts.

    ``start`` is None where it is drawn between reset and threshold.
    """

    rest: Tensor
    reset: Tensor
    leak: Tensor
    hold: Tensor
    height: Tensor
    start: Tensor | None


@dataclass(frozen=True)
class PopulationProgram:
    """Coefficients of one population; every Tensor is (P, 1) or (1, 1).

    ``threshold`` is that of the voltage where ``spiking`` is not None; ``transfer`` is then empty. ``rate_max`` is
    the factor on the transfer function in a step, with the integrator's weight folded in; ``rate_max_start`` is that
    of the specification. ``adapt_rest`` is what a silent neuron's threshold relaxes to.
    """

    name: str
    size: int
    transfer: str
    decay: Tensor
    decay_syn: Tensor
    threshold: Tensor
    gain: Tensor
    rate_max: Tensor
    rate_max_start: Tensor
    drive: Tensor
    adapt_rest: Tensor
    adapt_decay: Tensor | None
    adapt_strength: Tensor | None
    spiking: SpikingProgram | None = None


@dataclass(frozen=True)
class StpProgram:
    """Coefficients of a step of short-term plasticity for one pair, (P, 1) or (1, 1).

    ``start`` is the utilisation at step 0; ``rule`` the function of `neuroflame.physics` that takes the step:
    ``stp_step``, ``stp_step_lagged``, or ``stp_event`` where the presynaptic population spikes.
    """

    U: Tensor
    relax_fac: Tensor
    gain_fac: Tensor
    relax_rec: Tensor
    gain_rec: Tensor
    start: Tensor
    rule: str


@dataclass(frozen=True)
class PairProgram:
    """One connected pair: the coupling with its scaling and the integrator's weight, and the connectivity.

    Of a pair with Hebbian plasticity ``weight`` leaves out the coupling, which is in each connection's own weight.
    """

    name: str
    post: str
    pre: str
    weight: Tensor
    operator: Operator
    stp: StpProgram | None
    hebbian: HebbianProgram | None


@dataclass(frozen=True)
class NoiseProgram:
    """One noise source: by population its amplitude a step, and for a correlated one its decay."""

    name: str
    on: str
    amplitude: dict[str, Tensor]
    decay: Tensor | None


@dataclass(frozen=True)
class NMDAProgram:
    """Slow currents: by population that receives them, the ratio to the weighted sources, and the decay."""

    ratio: dict[str, Tensor]
    decay: dict[str, Tensor]
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """What an executor runs: P points of one structure.

    Numbers derived from the specification are computed in float64 and then rounded to ``dtype``.

    Attributes
    ----------
    points : int
        P.
    number : callable
        From dotted path to its value at each point, float64, (P,) or (1,).
    seeds : Tensor, (P,), int64
        Seeds of noise and of random starts.
    feedforward : mapping of FeedforwardProgram
        Dynamics of the external input, of the populations that have them.
    inputs : Inputs, optional
        External input that was given as arrays.
    fast : bool
        Whether recurrent input may be rounded to 11 bits where that is faster.
    steepness : float
        Of the surrogate gradient of a spike, see `neuroflame.core.surrogate`.
    host : Program, optional
        The same on the CPU, of a program that was built there.
    """

    spec: NetworkSpec
    points: int
    dtype: torch.dtype
    device: torch.device
    seeds: Tensor
    number: Callable[[str], Tensor]
    populations: dict[str, PopulationProgram]
    pairs: tuple[PairProgram, ...]
    stimuli: tuple[StimulusProgram, ...]
    noise: tuple[NoiseProgram, ...]
    nmda: NMDAProgram | None
    feedforward: dict[str, FeedforwardProgram]
    inputs: Inputs | None = None
    fast: bool = False
    steepness: float = STEEPNESS
    host: Program | None = None

    @property
    def edges(self) -> dict[str, Edges]:
        """Connections by pair whose weights learn."""
        return {pair.name: pair.hebbian.edges for pair in self.pairs if pair.hebbian is not None}

    def boundaries(self) -> list[int]:
        """Return the steps at which a stimulus starts or ends, ascending, beginning with 0."""
        return sorted({0, *(step for s in self.stimuli for step in s.edges())})

    @property
    def shared_times(self) -> bool:
        """Whether all points receive every stimulus at the same time."""
        return all(stimulus.shared for stimulus in self.stimuli)


def build_program(
    spec: NetworkSpec,
    operators: Mapping[str, Operator],
    values: Mapping[str, Tensor],
    *,
    points: int,
    seeds: Tensor,
    dtype: torch.dtype,
    device: torch.device,
    stimulated: Tensor | None = None,
    turned: Tensor | None = None,
    fast: bool = False,
    steepness: float = STEEPNESS,
) -> Program:
    """Return the program of P points.

    Parameters
    ----------
    spec : NetworkSpec
        The structure, and the numbers that all points share.
    operators : mapping
        By pair, as `make_operator` returns them.
    values : mapping of Tensor, (P,)
        Batchable path to its value at each point; may require gradients.
    stimulated : Tensor, (P,), optional
        1 for the points that receive the stimuli, 0 for the others.
    turned : Tensor, (P,), degrees, optional
        By how much each point's stimuli are turned.
    fast : bool
        Whether recurrent input may be rounded to 11 bits where that is faster.
    steepness : float
        Of the surrogate gradient of a spike.
    """
    known = paths(spec)
    cache: dict[str, Tensor] = {}

    def number(path: str) -> Tensor:
        if path not in cache:
            value = values[path] if path in values else known[path].value
            cache[path] = torch.as_tensor(value, dtype=torch.float64, device=device).reshape(-1)
        return cache[path]

    def column(value: Tensor) -> Tensor:
        return value.to(dtype)[:, None]

    dt = spec.dt

    def decay(path: str) -> Tensor:
        return torch.exp(-dt / number(path))

    def weight(path: str) -> Tensor:
        """Return the integrator's weight of a target over 1 − exp(−dt/τ), which `relax` gives it."""
        tau = number(path)
        if spec.integrator == "exponential":
            return torch.ones_like(tau)
        x = dt / torch.where(tau > 0, tau, torch.ones_like(tau))
        return torch.where(tau > 0, x / -torch.expm1(-x), torch.ones_like(tau))

    external = spec.external_scale * number("M0")
    populations = {}
    for name, population in spec.populations.items():
        base = f"populations.{name}"
        adapts = population.adaptation is not None
        from_zero = population.adaptation is not None and population.adaptation.relative_to == "zero"
        spiking = population.spiking is not None
        threshold = number(f"{base}.spiking.V_threshold" if spiking else f"{base}.threshold")
        rate_max = number(f"{base}.rate_max")
        populations[name] = PopulationProgram(
            name=name,
            size=population.size,
            transfer="" if spiking else spec.transfer_of(name),
            decay=column(decay(f"{base}.tau")),
            decay_syn=column(decay(f"{base}.tau_syn")),
            threshold=column(threshold),
            gain=column(number(f"{base}.gain")),
            rate_max=column(rate_max * weight(f"{base}.tau")),
            rate_max_start=column(rate_max),
            drive=column(external * number(f"J0.{name}") if name in spec.J0 else torch.zeros_like(external)),
            adapt_rest=column(torch.zeros_like(threshold) if from_zero else threshold),
            adapt_decay=column(decay(f"{base}.adaptation.tau")) if adapts else None,
            adapt_strength=column(number(f"{base}.adaptation.strength")) if adapts else None,
            spiking=_spiking(spec, base, name, number, column) if spiking else None,
        )

    pairs = []
    for pair in spec.pairs:
        scale = scaling(spec, pair)
        learns = pair.name in spec.hebbian
        coupling = number(f"J.{pair.name}")
        coupling = torch.ones_like(coupling) if learns else coupling
        operator = bind_operator(operators[pair.name], spec, pair, number, dtype)
        pairs.append(
            PairProgram(
                name=pair.name,
                post=pair.post,
                pre=pair.pre,
                weight=column(coupling * scale * weight(f"populations.{pair.post}.tau_syn")),
                operator=operator,
                stp=_plasticity(
                    spec,
                    spec.stp[pair.name].kind,
                    f"stp.{pair.name}",
                    number,
                    column,
                    events=spec.populations[pair.pre].spiking is not None,
                )
                if pair.name in spec.stp
                else None,
                hebbian=hebbian_program(spec, pair, operator, number, column) if learns else None,
            )
        )

    nmda = None
    if spec.nmda is not None:
        tau = {n: f"nmda.tau.{n}" if isinstance(spec.nmda.tau, dict) else "nmda.tau" for n in populations}
        ratio = {
            n: number("nmda.ratio") * weight(tau[n]) / weight(f"populations.{n}.tau_syn") for n in populations
        }
        nmda = NMDAProgram(
            ratio={name: column(value) for name, value in ratio.items()},
            decay={name: column(decay(path)) for name, path in tau.items()},
            sources=spec.nmda.sources,
        )
    return Program(
        spec=spec,
        points=points,
        dtype=dtype,
        device=device,
        seeds=seeds,
        fast=fast,
        number=number,
        populations=populations,
        pairs=tuple(pairs),
        stimuli=make_stimuli(
            spec,
            number,
            swept=list(values),
            external=external,
            gate=torch.ones(1, device=device) if stimulated is None else stimulated,
            turned=turned,
            seeds=seeds,
            device=device,
        ),
        noise=tuple(_noise(spec, i, number, column) for i in range(len(spec.noise))),
        nmda=nmda,
        feedforward=make_feedforward(
            spec, number, column, lambda kind, base: _plasticity(spec, kind, base, number, column)
        ),
        steepness=steepness,
    )


def _spiking(
    spec: NetworkSpec,
    base: str,
    name: str,
    number: Callable[[str], Tensor],
    column: Callable[[Tensor], Tensor],
) -> SpikingProgram:
    population = spec.populations[name].spiking
    assert population is not None
    tau = number(f"{base}.tau")
    return SpikingProgram(
        rest=column(number(f"{base}.spiking.V_rest")),
        reset=column(number(f"{base}.spiking.V_reset")),
        leak=column(spec.dt / tau),
        hold=column(number(f"{base}.spiking.tau_ref") / spec.dt),
        height=column(torch.full_like(tau, 1.0 / spec.dt)),
        start=None if population.V_start is None else column(number(f"{base}.spiking.V_start")),
    )


def _plasticity(
    spec: NetworkSpec,
    kind: str,
    base: str,
    number: Callable[[str], Tensor],
    column: Callable[[Tensor], Tensor],
    *,
    events: bool = False,
) -> StpProgram:
    dt = spec.dt
    exact, lagged = events or kind == "markram_exp", kind == "markram_lagged"

    def relax_and_gain(path: str) -> tuple[Tensor, Tensor]:
        tau = number(path)
        on = tau > 0
        safe = torch.where(on, tau, torch.ones_like(tau))
        relax = -torch.expm1(-dt / safe) if exact else dt / safe
        zero = torch.zeros_like(tau)
        return torch.where(on, relax, zero), torch.where(on, zero + dt, zero)

    relax_fac, gain_fac = relax_and_gain(f"{base}.tau_fac")
    relax_rec, gain_rec = relax_and_gain(f"{base}.tau_rec")
    rest = number(f"{base}.U")
    # The lagged kind starts after a jump of u from U, but where nothing would bring u back.
    start = torch.where(relax_fac > 0, rest * (2.0 - rest), rest) if lagged else rest
    return StpProgram(
        column(rest),
        column(relax_fac),
        column(gain_fac),
        column(relax_rec),
        column(gain_rec),
        column(start),
        "stp_event" if events else "stp_step_lagged" if lagged else "stp_step",
    )


def _noise(
    spec: NetworkSpec, i: int, number: Callable[[str], Tensor], column: Callable[[Tensor], Tensor]
) -> NoiseProgram:
    noise, dt = spec.noise[i], spec.dt
    by_name = isinstance(noise.sigma, dict)
    names = list(noise.sigma) if isinstance(noise.sigma, dict) else list(spec.populations)
    decay: Tensor | None = None
    if isinstance(noise, WhiteNoise):
        scale = torch.tensor(dt**0.5 if noise.on == "rates" else dt**-0.5, dtype=torch.float64)
    elif isinstance(noise, PerStepNoise):
        scale = torch.tensor(1.0, dtype=torch.float64)
    else:
        decay = torch.exp(-dt / number(f"noise.{i}.tau"))
        scale = torch.sqrt(1.0 - decay**2)
    amplitude = {
        name: column(number(f"noise.{i}.sigma.{name}" if by_name else f"noise.{i}.sigma") * scale)
        for name in names
    }
    return NoiseProgram(str(i), noise.on, amplitude, None if decay is None else column(decay))
