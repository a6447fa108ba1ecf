"""What each neuron receives on average over the final window, from what was recorded of it.

Synapses are linear: the mean of a neuron's recurrent input is J C s̄, s̄ the means of what the others send. Those are
their mean rates; of plastic pairs they follow from the means of u and x. So no executor has to sum inputs.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from neuroflame.core import reference
from neuroflame.core.external import External
from neuroflame.core.feedforward import step_feedforward
from neuroflame.core.statistics.view import SILENT
from neuroflame.core.statistics.windows import FINAL
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.spec.parts import ODD_TRANSFERS

if TYPE_CHECKING:
    from torch import Tensor

    from neuroflame.core.program import PairProgram, Program, StpProgram
    from neuroflame.core.recorder import Window
    from neuroflame.core.state import State
    from neuroflame.core.statistics.view import View


def active(view: View) -> dict[str, Tensor]:
    """Return the share of neurons whose mean input without noise exceeds threshold, by population, (P,).

    It exceeds it where it would make the neuron fire at `SILENT` or more above its rate at threshold: inputs that
    decay to a threshold without reaching it are not above it. Where rates take both signs, in magnitude; where the
    population spikes, if a constant input like the mean would bring the voltage to threshold. A threshold that adapts
    counts with its mean.
    """
    program, final = view.program, view.recording.final
    assert program is not None
    assert final is not None
    rates = {name: view.profile(name, FINAL).to(program.dtype) for name in program.populations}
    totals = mean_inputs(view, rates)
    found = {}
    for name, population in program.populations.items():
        threshold = population.threshold
        if population.adapt_strength is not None:
            threshold = population.adapt_rest + population.adapt_strength * rates[name]
        if population.spiking is not None:
            found[name] = mean_neurons((population.spiking.rest + totals[name] > threshold).double())
            continue
        held = replace(final, thresholds={**final.thresholds, name: threshold})
        aims, rests = (
            population.rate_max_start * reference.transferred(program, held, name, value)
            for value in (totals[name], threshold)
        )
        rise = (aims - rests).abs() if population.transfer in ODD_TRANSFERS else aims - rests
        found[name] = mean_neurons((rise >= SILENT).double())
    return found


def mean_inputs(view: View, rates: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return each neuron's input without noise, mean over the final window, (P, N) or (P, 1), by population.

    Exact but for the following. What filters hold at the window's two ends is left out: a share τ_syn/W (τ_NMDA/W of
    slow input) of the difference between the two. A plastic pair's share of each presynaptic neuron is that of its
    mean rate at steady state (`sent`). Weights that learn, and an external input's own dynamics, are those of the end.

    Parameters
    ----------
    view : View
    rates : mapping of Tensor, (P, N), Hz
        Mean rates over the final window.
    """
    program, final = view.program, view.recording.final
    assert program is not None
    assert final is not None
    sources = dict(rates)
    for pair in program.pairs:
        if pair.stp is not None:
            sources[f"{pair.name}.stp"] = sent(view, pair, rates[pair.pre])
    fast, excitatory = reference.synaptic(program, sources, final.weights)
    external = mean_external(program, view.final, final)
    found = {}
    for name in program.populations:
        total = external[name]
        if name in fast:
            total = total + fast[name]
        if program.nmda is not None and name in excitatory:
            total = total + program.nmda.ratio[name] * excitatory[name]
        found[name] = total
    return found


def mean_external(program: Program, window: Window, final: State) -> dict[str, Tensor]:
    """Return the mean over a window of the external input without noise, (P, N) or (P, 1), by population."""
    begin, end = (
        torch.as_tensor(edge, device=program.device).reshape(-1) for edge in (window.start, window.stop)
    )
    first, last = int(begin.min()), int(end.max())
    moves = program.inputs is not None or any(stimulus.hold for stimulus in program.stimuli)
    edges = {first, *(step for step in program.boundaries() if first < step < last)}
    steps = [*(range(first, last) if moves else sorted(edges)), last]
    schedule, width = External(program), (end - begin).clamp(min=1)
    found: dict[str, Tensor] = {}
    for step, after in itertools.pairwise(steps):
        inside = (end.clamp(max=after) - begin.clamp(min=step)).clamp(min=0)
        share = (inside.double() / width).to(program.dtype)[:, None]
        for name, value in schedule.at(step).items():
            part = value * share
            found[name] = found[name] + part if name in found else part
    return step_feedforward(program, final.feedforward, found)[0]


def sent(view: View, pair: PairProgram, rates: Tensor) -> Tensor:
    """Return what each presynaptic neuron of a plastic pair sends, mean over the final window, (P, N), Hz.

    The population's mean is that of the balance of its resources, or without depression of its utilisation. Neurons
    share it like u x r at rest at their mean rates: exact where rates are steady, or all alike.
    """
    s = pair.stp
    assert s is not None
    shape = _at_rest(s, rates)
    kept = view.plastic_course(pair.name)  # (P, samples, 2)
    if kept.shape[1] < 2 or not bool((s.gain_rec + s.gain_fac > 0).any()):
        return shape
    course = kept.to(rates.device)
    mean, moved = course.mean(dim=1), course[:, -1] - course[:, 0]
    change = moved / ((course.shape[1] - 1) * view.sampling.every)  # a step
    balance = _balance(s, mean, change, mean_neurons(rates.double())[:, None])
    level = mean_neurons(shape.double())[:, None]
    known = ((s.gain_rec > 0) | (s.gain_fac > 0)) & (s.U > 0) & (level > 0)
    factor = torch.where(known, balance.clamp(min=0.0) / level, 1.0)
    return shape * factor.to(shape.dtype)


def _at_rest(s: StpProgram, rates: Tensor) -> Tensor:
    """Return u x r at rest for a presynaptic rate."""
    fac, rec = (
        gain / torch.where(relax > 0, relax, torch.ones_like(relax))  # τ, 0 where there is none
        for gain, relax in ((s.gain_fac, s.relax_fac), (s.gain_rec, s.relax_rec))
    )
    u = s.U * (1.0 + fac * rates) / (1.0 + s.U * fac * rates)
    return u * rates / (1.0 + rec * u * rates)


def _balance(s: StpProgram, mean: Tensor, change: Tensor, rate: Tensor) -> Tensor:
    """Return the mean of u x r of a population, (P, 1), Hz, by what its variables gain and lose, in float64.

    Resources are used up by what is sent and recover by (1 − x)/τ_rec. Without depression utilisation gains
    U (1 − u) r and loses (u − U)/τ_fac.

    Parameters
    ----------
    mean, change : Tensor, (P, 2)
        Means of u and x over the window, and by how much they change a step.
    rate : Tensor, (P, 1), Hz
    """
    U, relax_fac, gain_fac, relax_rec, gain_rec = (
        value.double() for value in (s.U, s.relax_fac, s.gain_fac, s.relax_rec, s.gain_rec)
    )

    def over(value: Tensor, divisor: Tensor) -> Tensor:
        return value / torch.where(divisor > 0, divisor, torch.ones_like(divisor))

    (u, x), (u_change, x_change) = mean.split(1, dim=1), change.split(1, dim=1)
    used = over((1.0 - x) * relax_rec - x_change, gain_rec)
    raised = over(over((u - U) * relax_fac + u_change, gain_fac), U)  # ⟨(1 − u) r⟩
    sent_before = rate - raised
    facilitated = sent_before + U * raised if s.rule == "stp_event" else sent_before
    return torch.where(gain_rec > 0, used, facilitated)
