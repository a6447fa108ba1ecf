"""Lyapunov exponents of the step, from tangent vectors carried along the trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.dynamics.krylov import dot, norm
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.random import START, normals

if TYPE_CHECKING:
    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.core.state import State
    from neuroflame.spec import NetworkSpec
    from neuroflame.spec.dynamics import LyapunovOptions


@dataclass(frozen=True)
class Lyapunov:
    """The k largest Lyapunov exponents of P points.

    Attributes
    ----------
    blocks : Tensor, (P, blocks, k), 1/s
        Mean growth of the k directions over each stretch of the trajectory; NaN where the point diverged.
    """

    blocks: Tensor

    @property
    def exponents(self) -> np.ndarray:
        """λ_1 ≥ … ≥ λ_k, 1/s, (P, k)."""
        found: np.ndarray = self.blocks.cpu().numpy().mean(axis=1)
        return found

    @property
    def errors(self) -> np.ndarray:
        """Standard errors from the spread of the blocks, 1/s, (P, k)."""
        values = self.blocks.cpu().numpy()
        found: np.ndarray = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
        return found


@torch.no_grad()
def lyapunov(
    ensemble: Ensemble,
    state: State,
    options: LyapunovOptions,
) -> Lyapunov:
    """Return the largest Lyapunov exponents of the step as iterated, noise and stimuli included.

    Tangent vectors evolve by the step's Jacobian and are made orthonormal every few steps; their mean growth
    gives the exponents (Benettin, Galgani, Giorgilli & Strelcyn 1980, Meccanica 15:9). In a noisy network they
    are those of two trajectories that receive the same noise.

    Parameters
    ----------
    ensemble : Ensemble
    state : State
        Where the P points begin.
    options : LyapunovOptions
        Number of exponents, transient, duration and blocks.
    """
    spec, k = ensemble.spec, options.k
    every = spacing(spec)
    transient, duration = options.times(spec)
    before, counted = (time / (every * spec.dt) for time in (transient, duration / options.blocks))
    lanes = torch.arange(ensemble.points, device=ensemble.device).repeat_interleave(k)
    program = ensemble.program(lanes)
    step_map = StepMap(program, at=state.step)
    lost = ~torch.isfinite(step_map.flatten(state)).all(dim=1)
    flat = torch.where(lost[:, None], 0.0, step_map.flatten(state))[lanes]
    lost = lost[lanes]
    noise = {key: value.to(flat.dtype)[lanes] for key, value in state.noise.items()}
    names = [name for name in step_map.sizes if name.startswith("rates.")]
    limit = program.number("rate_limit")
    limit = limit[:, None] if len(limit) == len(lanes) else limit
    dimension = step_map.dimension
    drawn = [
        normals(
            torch.zeros(1, dtype=torch.int64, device=flat.device), "tangent", START, j, dimension, flat.dtype
        )
        for j in range(k)
    ]
    directions = torch.cat(drawn).expand(ensemble.points, k, dimension)
    directions = torch.where(step_map.held[: len(lanes) : k, None], 0.0, directions)
    directions, _ = _orthonormal(directions)
    stretches = [max(0, round(before)), *[max(1, round(counted))] * options.blocks]
    means = []
    for stretch in stretches:
        growth = torch.zeros(ensemble.points, k, dtype=flat.dtype, device=flat.device)
        for _ in range(stretch):
            moved = directions.reshape(-1, dimension)
            for _ in range(every):
                flat, moved, noise = step_map.walk(flat, moved, noise)
            high = torch.cat([step_map.parts(flat)[name] for name in names], dim=1).abs()
            lost = lost | ~(high <= limit).all(dim=1)
            flat = torch.where(lost[:, None], 0.0, flat)
            moved = torch.where(lost[:, None], 0.0, moved)
            directions, lengths = _orthonormal(moved.view(-1, k, dimension))
            growth = growth + torch.log(lengths)
        means.append(growth / (max(1, stretch) * every * spec.dt))
    found = torch.stack(means[1:], dim=1)
    return Lyapunov(torch.where(lost.view(-1, k)[:, None], torch.nan, found))


def spacing(spec: NetworkSpec) -> int:
    """Return the steps between two orthonormalisations: at most 10, at most the fastest time constant."""
    fastest = min((tau for tau in spec.time_constants() if tau > 0), default=spec.dt)
    return max(1, min(10, round(fastest / spec.dt)))


def _orthonormal(directions: Tensor) -> tuple[Tensor, Tensor]:
    """Return orthonormal directions, (P, k, D), and the lengths that were taken out, (P, k); Gram–Schmidt."""
    columns = list(directions.unbind(dim=1))
    lengths = []
    for i, column in enumerate(columns):
        length = norm(column)
        unit = torch.where(length[:, None] > 0, column / length.clamp(min=1e-300)[:, None], 0.0)
        columns[i] = unit
        lengths.append(length)
        for j in range(i + 1, len(columns)):
            columns[j] = columns[j] - dot(columns[j], unit)[:, None] * unit
    return torch.stack(columns, dim=1), torch.stack(lengths, dim=1)
