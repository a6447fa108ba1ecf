"""Stability of a state in which all neurons of a population are alike: what holds it may be its symmetry alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity import RingOperator, make_operator
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.spec import NetworkSpec

if TYPE_CHECKING:
    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.core.state import State

ALIKE = 0.1
"""Largest |x − ⟨x⟩|/(1 + ⟨x⟩) of a neuron among neurons that are alike."""
_FEWEST = 8
_NEUTRAL = 1e-9
"""1/s. A growth below it is rounding."""


@torch.no_grad()
def symmetric_growth(ensemble: Ensemble, final: State) -> np.ndarray:
    """Return the growth of the perturbation that grows fastest about a state in which neurons are alike, 1/s, (P,).

    max ln|μ|/dt over all eigenvalues μ of the step's Jacobian. Of connectivity that depends on the difference of angles
    alone, and a state that does not depend on the angle, the Jacobian is made of blocks, one for each Fourier mode.
    The same blocks are those of a network with few neurons; they follow from how it answers a kick of each variable of
    one neuron.

    Parameters
    ----------
    ensemble : Ensemble
        P points of a network for which `neuroflame.spec.measures.symmetric` holds.
    final : State
        Where they are at rest, after their last stimulus.

    Returns
    -------
    ndarray
        NaN where neurons differ, or there are fewer than twice the modes.
    """
    smallest = min(population.size for population in ensemble.spec.populations.values())
    count = _FEWEST
    small = _with_size(ensemble, count)
    modes = _modes(small)
    if 2 * modes + 4 > count:
        count = 2 * modes + 4
        small = _with_size(ensemble, count)
    if count > smallest:
        return np.full(ensemble.points, np.nan)
    step_map = StepMap(small.quiet(), at=final.step)
    named, alike = final.named(), torch.ones(ensemble.points, dtype=torch.bool, device=ensemble.device)
    parts: list[Tensor] = []
    for name, size in step_map.sizes.items():
        value = named[name].double()
        mean = mean_neurons(value)[:, None]
        alike &= ((value - mean).abs() <= ALIKE * (1.0 + mean.abs())).all(dim=1)
        parts.append(mean.expand(-1, size))
    flat = torch.where(alike[:, None], torch.cat(parts, dim=1), 0.0)
    answers = []  # to a kick of each variable of neuron 0, (P, variables, N)
    for k in range(len(parts)):
        kick = torch.zeros_like(flat)
        kick[:, k * count] = 1.0
        kick = torch.where(step_map.held, 0.0, kick)
        answers.append(step_map.derivative(flat, kick).view(len(flat), -1, count))
    spectra = np.fft.fft(torch.stack(answers, dim=2).cpu().numpy(), axis=-1)  # (P, to, from, mode)
    blocks = np.moveaxis(spectra, -1, 1)[:, : count // 2]
    largest = np.abs(np.linalg.eigvals(np.ascontiguousarray(blocks))).max(axis=(1, 2))
    with np.errstate(divide="ignore"):
        growth = np.log(largest) / ensemble.spec.dt
    growth = np.where(np.abs(growth) < _NEUTRAL, 0.0, growth)
    return np.where(alike.cpu().numpy(), growth, np.nan)


def _with_size(ensemble: Ensemble, count: int) -> Ensemble:
    """Return the same network with few neurons in each population, after its stimuli and without noise."""
    data = ensemble.spec.to_dict() | {"stimuli": []}
    for population in data["populations"].values():
        population["size"] = count
    spec = NetworkSpec.parse(data)
    operators = {pair.name: make_operator(spec, pair, graph=0, device=ensemble.device) for pair in spec.pairs}
    values = {path: value for path, value in ensemble.values.items() if not path.startswith("stimuli.")}
    return replace(ensemble, spec=spec, operators=operators, values=values)


def _modes(ensemble: Ensemble) -> int:
    """Return the number of Fourier modes of the connectivity."""
    operators = [pair.operator for pair in ensemble.program().pairs]
    return max((one.series.modes for one in operators if isinstance(one, RingOperator)), default=0)
