"""The reference executor: eager torch, any dtype and device, differentiable. Every other one is held to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.checkpointing import run_in_stretches, tracks_gradients
from neuroflame.core.connectivity import RingOperator
from neuroflame.core.dual import linear
from neuroflame.core.external import External
from neuroflame.core.feedforward import start_feedforward, step_feedforward
from neuroflame.core.hebbian import start_averages, start_weights, step_hebbian
from neuroflame.core.random import NOISE, START, normals, uniforms
from neuroflame.core.replay import WORTH_CAPTURING, Replay
from neuroflame.core.spiking import fire, spikes_at_start, voltage_at_start
from neuroflame.core.state import State
from neuroflame.core.torch_physics import physics
from neuroflame.spec.parts import ConstantStart, NormalStart, UniformStart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.core.program import NoiseProgram, PairProgram, PopulationProgram, Program
    from neuroflame.core.recorder import Recorder


def initial_state(program: Program, rates: dict[str, Tensor] | None = None) -> State:
    """Return the state at step 0.

    Parameters
    ----------
    program : Program
        The points.
    rates : mapping of Tensor, (P,) or (P, N), Hz, optional
        Initial rates by population, instead of the specification's start.
    """
    spec, start = program.spec, program.spec.initial
    shape = {name: (program.points, p.size) for name, p in program.populations.items()}
    zeros = {name: torch.zeros(s, dtype=program.dtype, device=program.device) for name, s in shape.items()}
    first, currents = dict(zeros), dict(zeros)
    for name, population in program.populations.items():
        if rates is not None:
            given = rates[name].to(program.dtype)
            first[name] = (given if given.dim() == 2 else given[:, None]).expand(shape[name])
        elif isinstance(start, ConstantStart):
            path = f"initial.rate.{name}" if isinstance(start.rate, dict) else "initial.rate"
            if not isinstance(start.rate, dict) or name in start.rate:
                first[name] = program.number(path).to(program.dtype)[:, None].expand(shape[name])
        elif isinstance(start, UniformStart):
            drawn = uniforms(program.seeds, f"rates.{name}", START, population.size, program.dtype)
            low, high = (
                program.number(f"initial.{end}").to(program.dtype)[:, None] for end in ("low", "high")
            )
            first[name] = low + (high - low) * drawn
        elif isinstance(start, NormalStart):
            drawn = normals(program.seeds, f"currents.{name}", START, 0, population.size, program.dtype)
            currents[name] = program.number("initial.sigma").to(program.dtype)[:, None] * drawn
    voltage, refractory = {}, {}
    for name, population in program.populations.items():
        if population.spiking is not None:
            first[name] = spikes_at_start(program, population, first[name])
            voltage[name] = voltage_at_start(program, population)
            refractory[name] = zeros[name]
    state = State(step=0, rates=first, currents=currents)
    slow = dict(zeros) if spec.nmda is not None else {}
    if rates is None and isinstance(start, NormalStart):
        external = External(program).at(0)
        for name, population in program.populations.items():
            if population.spiking is None:
                first[name] = population.rate_max_start * transferred(
                    program, state, name, external[name] + currents[name]
                )
            if spec.nmda is not None:
                drawn = normals(program.seeds, f"slow.{name}", START, 0, population.size, program.dtype)
                slow[name] = program.number("initial.sigma").to(program.dtype)[:, None] * drawn
    plastic = {pair.name: pair for pair in program.pairs if pair.stp is not None}
    u, x = {}, {}
    for name, pair in plastic.items():
        assert pair.stp is not None
        x[name] = torch.ones_like(zeros[pair.pre])
        u[name] = pair.stp.start * x[name]
    thresholds = {
        name: p.threshold.expand(shape[name])
        for name, p in program.populations.items()
        if p.adapt_decay is not None
    }
    correlated = {
        f"{noise.name}.{name}": amplitude
        / torch.sqrt(1.0 - noise.decay**2)
        * normals(
            program.seeds,
            f"noise.{noise.name}.{name}",
            START,
            0,
            program.populations[name].size,
            program.dtype,
        )
        for noise in program.noise
        if noise.decay is not None
        for name, amplitude in noise.amplitude.items()
    }
    weights = start_weights(program)
    return replace(
        state,
        slow=slow,
        thresholds=thresholds,
        u=u,
        x=x,
        noise=correlated,
        feedforward=start_feedforward(program),
        weights=weights,
        averages=start_averages(program, first, weights),
        voltage=voltage,
        refractory=refractory,
    )


def step(
    program: Program, state: State, external: dict[str, Tensor], number: int | Tensor | None = None
) -> State:
    """Return the state one step later.

    Order, part of the model: weights that learn and STP from the rates, synapses from what is transmitted, the
    external input's own dynamics, rates (or voltages and spikes) from the new currents, thresholds from the new rates.

    Parameters
    ----------
    external : mapping of Tensor, (P, N) or (P, 1)
        External input of each population during the step, without noise.
    number : int or Tensor, optional
        Of the step, where it is not the state's: noise is drawn, and weights learn, by it.
    """
    number = state.step if number is None else number
    sources, u, x = _transmit(program, state)
    weights, averages = step_hebbian(program, number, state.rates, state.weights, state.averages)
    fast, excitatory = synaptic(program, sources, weights)
    noise, kicks = _draw(program, state, number)
    external = {name: sum(kicks["external"][name], received) for name, received in external.items()}
    external, feedforward = step_feedforward(program, state.feedforward, external)

    rates, currents, slow, thresholds, voltage, refractory = {}, {}, {}, {}, {}, {}
    for name, population in program.populations.items():
        received = fast.get(name, torch.zeros_like(state.currents[name]))
        currents[name] = physics.relax(state.currents[name], received, population.decay_syn)
        total = external[name] + currents[name]
        if program.nmda is not None:
            target = program.nmda.ratio[name] * excitatory.get(name, torch.zeros_like(received))
            slow[name] = physics.relax(state.slow[name], target, program.nmda.decay[name])
            total = total + slow[name]
        for kick in kicks["input"][name]:
            total = total + kick
        if population.spiking is not None:
            voltage[name], refractory[name], rates[name] = fire(program, population, state, total)
        else:
            goal = population.rate_max * transferred(program, state, name, total)
            for kick in kicks["target"][name]:
                goal = goal + kick
            rates[name] = physics.relax(state.rates[name], goal, population.decay)
            for kick in kicks["rates"][name]:
                rates[name] = rates[name] + kick
        if population.adapt_decay is not None and population.adapt_strength is not None:
            raised = population.adapt_rest + population.adapt_strength * rates[name]
            thresholds[name] = physics.relax(state.thresholds[name], raised, population.adapt_decay)
    return State(
        step=state.step + 1,
        rates=rates,
        currents=currents,
        slow=slow,
        thresholds=thresholds,
        u=u,
        x=x,
        noise=noise,
        feedforward=feedforward,
        weights=weights,
        averages=averages,
        voltage=voltage,
        refractory=refractory,
    )


def run(program: Program, state: State, steps: int, recorder: Recorder) -> State:
    """Advance the state by a number of steps, showing each to the recorder.

    A lane whose rates leave the finite range below ``rate_limit``, or whose voltages are not finite, is reported to
    the recorder and put to rest; its neighbours are not touched. Where gradients are asked for, the run is made in
    stretches (see `neuroflame.core.checkpointing`). On a CUDA device the steps of a longer run are replayed.
    """
    if tracks_gradients(program, state):
        return run_in_stretches(walk, program, state, steps, recorder)
    if program.device.type == "cuda" and steps >= WORTH_CAPTURING:
        return replay(program, state, steps, recorder)
    return walk(program, state, steps, recorder)


def replay(program: Program, state: State, steps: int, recorder: Recorder) -> State:
    """Do as `run` does, to the last bit, by steps that overwrite one state; see `Replay`."""

    def later(
        named: Mapping[str, Tensor], received: Mapping[str, Tensor], number: Tensor
    ) -> dict[str, Tensor]:
        here = start.renamed(dict(named), step=start.step)
        return step(program, here, dict(received), number).named()

    external, start, last = External(program), state, state.step + steps
    moving = Replay(later, state.named(), external.widest(state.step), state.step)
    recorder.overwritten = True
    while state.step < last:
        moving.advance(external.at(state.step))
        fresh = state.renamed(moving.state, step=state.step + 1)
        state = recorder.observe(fresh)
        if state is not fresh:
            moving.put(state.named())
        if recorder.all_diverged:
            return replace(state, step=last)
    return state


def walk(program: Program, state: State, steps: int, recorder: Recorder) -> State:
    """Do as `run` does, by steps that each make a state of their own."""
    external = External(program)
    last = state.step + steps
    while state.step < last:
        state = step(program, state, external.at(state.step))
        state = recorder.observe(state)
        if recorder.all_diverged:
            return replace(state, step=last)
    return state


def transferred(program: Program, state: State, name: str, total: Tensor) -> Tensor:
    """Return a population's transfer function of its input, (P, N), for the thresholds of a state."""
    population = program.populations[name]
    transfer = getattr(physics, f"transfer_{population.transfer}")
    threshold = state.thresholds.get(name, population.threshold)
    value: Tensor = transfer(population.gain * (total - threshold))
    return value


def _transmit(
    program: Program, state: State
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Return what each pair transmits, by pair if plastic and by population otherwise, and the new u and x."""
    sources, u, x = dict(state.rates), {}, {}
    for pair in program.pairs:
        if pair.stp is not None:
            s = pair.stp
            advance = getattr(physics, s.rule)
            u[pair.name], x[pair.name], sources[f"{pair.name}.stp"] = advance(
                state.u[pair.name],
                state.x[pair.name],
                state.rates[pair.pre],
                s.U,
                s.relax_fac,
                s.gain_fac,
                s.relax_rec,
                s.gain_rec,
            )
    return sources, u, x


def synaptic(
    program: Program, sources: dict[str, Tensor], weights: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return Σ_B J_AB C_AB s_B by postsynaptic population, of all and of NMDA's sources."""
    fast: dict[str, Tensor] = {}
    excitatory: dict[str, Tensor] = {}
    moments: dict[tuple[str, int], Tensor] = {}
    for pair in program.pairs:
        current = pair.weight * _product(pair, sources, weights, moments)
        fast[pair.post] = fast[pair.post] + current if pair.post in fast else current
        if program.nmda is not None and pair.pre in program.nmda.sources:
            excitatory[pair.post] = excitatory[pair.post] + current if pair.post in excitatory else current
    return fast, excitatory


def _product(
    pair: PairProgram,
    sources: dict[str, Tensor],
    weights: dict[str, Tensor],
    moments: dict[tuple[str, int], Tensor],
) -> Tensor:
    source = f"{pair.name}.stp" if pair.stp is not None else pair.pre
    if pair.hebbian is not None:
        return pair.hebbian.edges.receive(weights[pair.name], sources[source])
    if not isinstance(pair.operator, RingOperator):
        return linear(pair.operator.apply, sources[source])
    key = (source, pair.operator.series.modes)
    if key not in moments:
        moments[key] = linear(pair.operator.moments, sources[source])
    return linear(pair.operator.expand, moments[key])


Kicks = dict[str, dict[str, list[Tensor]]]


def _draw(program: Program, state: State, number: int | Tensor) -> tuple[dict[str, Tensor], Kicks]:
    """Return the new correlated noise, and what is added: to external, input, target (Φ) or rates, by population."""
    kicks: Kicks = {
        what: {name: [] for name in program.populations} for what in ("external", "input", "target", "rates")
    }
    fresh: dict[str, Tensor] = {}
    for noise in program.noise:
        for name in noise.amplitude:
            value = _noise_value(program, state, noise, program.populations[name], number)
            if noise.decay is not None:
                fresh[f"{noise.name}.{name}"] = value
            correlated = noise.on == "rates" and noise.decay is not None
            kicks["target" if correlated else noise.on][name].append(value)
    return fresh, kicks


def _noise_value(
    program: Program, state: State, noise: NoiseProgram, population: PopulationProgram, number: int | Tensor
) -> Tensor:
    name = f"noise.{noise.name}.{population.name}"
    drawn = normals(program.seeds, name, NOISE, number, population.size, program.dtype)
    kick = noise.amplitude[population.name] * drawn
    if noise.decay is None:
        return kick
    return state.noise[f"{noise.name}.{population.name}"] * noise.decay + kick
