"""Leaky integrate-and-fire populations in the reference executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.random import START, uniforms
from neuroflame.core.surrogate import surrogate
from neuroflame.core.torch_physics import physics

if TYPE_CHECKING:
    from neuroflame.core.program import PopulationProgram, Program
    from neuroflame.core.state import State


def voltage_at_start(program: Program, population: PopulationProgram) -> Tensor:
    """Return the voltages at step 0, (P, N): ``V_start``, or uniform between reset and threshold."""
    spiking, size = population.spiking, population.size
    assert spiking is not None
    if spiking.start is not None:
        return spiking.start.expand(program.points, size).contiguous()
    drawn = uniforms(program.seeds, f"voltage.{population.name}", START, size, program.dtype)
    return population.threshold + (spiking.reset - population.threshold) * drawn


def spikes_at_start(program: Program, population: PopulationProgram, rates: Tensor) -> Tensor:
    """Return the spikes at step 0, (P, N), Hz: with probability min(1, r τ), for rates r of (P, N).

    A rate unit that starts at r transmits r τ while it decays.
    """
    spiking = population.spiking
    assert spiking is not None
    drawn = uniforms(program.seeds, f"spikes.{population.name}", START, population.size, program.dtype)
    expected = rates / (spiking.leak * spiking.height)
    return torch.where(drawn <= expected, spiking.height, 0.0)


def fire(
    program: Program, population: PopulationProgram, state: State, total: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return voltages, refractory times left and spike trains (Hz) one step later, each (P, N).

    `lif_step`, but for its gradient: that of a spike is the surrogate's, and spike times within the step are
    constants, so that no gradient passes through a reset.

    Parameters
    ----------
    total : Tensor, (P, N)
        Input with noise.
    """
    name, spiking = population.name, population.spiking
    assert spiking is not None
    target = spiking.rest + total
    wait = state.refractory[name]
    threshold = state.thresholds.get(name, population.threshold)
    drifted = physics.lif_drift(state.voltage[name], wait, target, spiking.leak)
    with torch.no_grad():
        since = physics.lif_since_spike(drifted, wait, target, threshold, spiking.leak)
        sent: Tensor = torch.where(since >= 0.0, spiking.height, 0.0)
    if drifted.requires_grad:
        distance = (population.threshold - spiking.reset).detach()
        excess = (drifted - threshold) / distance
        sent = sent + spiking.height * surrogate(excess, program.steepness)
    voltage, wait = physics.lif_reset(drifted, wait, since, target, spiking.reset, spiking.leak, spiking.hold)
    return voltage, wait, sent
