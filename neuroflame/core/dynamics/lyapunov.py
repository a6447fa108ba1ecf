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
    durations : Tensor, (P,), seconds
        Time over which growth was averaged; NaN where the point diverged.
    """

    blocks: Tensor
    durations: Tensor

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
    are those of two trajectories that receive the same noise. Points go on, for as long again each time, until the
    standard error of λ_1 is small enough or time is up; each by itself, whatever the others do.

    Parameters
    ----------
    ensemble : Ensemble
    state : State
        Where the P points begin.
    options : LyapunovOptions
        Number of exponents, transient, durations, precision and blocks.
    """
    transient, duration, longest = options.times(ensemble.spec)
    every = spacing(ensemble.spec) * ensemble.spec.dt
    length = max(
        1, round(duration / options.blocks / every)
    )  # of a block, in stretches between orthonormalisations
    walk = _Walk.start(ensemble, state, options.k)
    walk.grow(max(0, round(transient / every)))
    blocks = torch.stack([walk.grow(length) for _ in range(options.blocks)], dim=1)
    counted = torch.full_like(blocks[:, 0, 0], length * options.blocks * every)
    lost, rows = walk.lost.clone(), torch.arange(ensemble.points, device=ensemble.device)
    times = 1
    while 2 * times * duration <= longest * (1 + 1e-9):
        kept = ~walk.lost & _rough(blocks[rows], counted[rows], options.precision)
        if not bool(kept.any()):
            break
        walk, rows = walk.of(kept), rows[kept]
        more = torch.stack([walk.grow(times * length) for _ in range(options.blocks)], dim=1)
        pairs = torch.cat([blocks[rows], more], dim=1).unflatten(1, (options.blocks, 2))
        blocks[rows], counted[rows], lost[rows] = pairs.mean(dim=2), 2 * counted[rows], walk.lost
        times *= 2
    blocks = torch.where(lost[:, None, None], torch.nan, blocks)
    return Lyapunov(blocks, torch.where(lost, torch.nan, counted))


def _rough(blocks: Tensor, counted: Tensor, precision: float) -> Tensor:
    """Return whether λ_1 is not known well enough yet, (P,): relative to itself, or to what could be told from 0."""
    first = blocks[:, :, 0].contiguous()
    error = first.std(dim=1) / first.shape[1] ** 0.5
    return error > precision * torch.maximum(first.mean(dim=1).abs(), 1.0 / counted)


@dataclass
class _Walk:
    """Trajectories of some points and their tangent vectors, k a point, all at the same step.

    Attributes
    ----------
    flat : Tensor, (P k, D)
    directions : Tensor, (P, k, D)
    noise : mapping of Tensor, (P k, N)
    lost : Tensor, (P,), bool
        Where a point has diverged.
    """

    ensemble: Ensemble
    owner: Tensor
    step_map: StepMap
    flat: Tensor
    directions: Tensor
    noise: dict[str, Tensor]
    lost: Tensor
    limit: Tensor

    @classmethod
    def start(cls, ensemble: Ensemble, state: State, k: int) -> _Walk:
        """Return points at a state, with directions drawn at random, the same for all."""
        owner = torch.arange(ensemble.points, device=ensemble.device)
        lanes = owner.repeat_interleave(k)
        step_map, limit = _mapped(ensemble, lanes, state.step)
        lost = ~torch.isfinite(step_map.flatten(state)).all(dim=1)
        flat = torch.where(lost[:, None], 0.0, step_map.flatten(state))[lanes]
        noise = {key: value.to(flat.dtype)[lanes] for key, value in state.noise.items()}
        dimension, seed = step_map.dimension, torch.zeros(1, dtype=torch.int64, device=flat.device)
        drawn = [normals(seed, "tangent", START, j, dimension, flat.dtype) for j in range(k)]
        directions = torch.cat(drawn).expand(ensemble.points, k, dimension)
        directions = torch.where(step_map.held[: len(lanes) : k, None], 0.0, directions)
        return cls(ensemble, owner, step_map, flat, _orthonormal(directions)[0], noise, lost, limit)

    def of(self, kept: Tensor) -> _Walk:
        """Return some of the points, where they are."""
        k = self.directions.shape[1]
        lanes, owner = kept.repeat_interleave(k), self.owner[kept]
        step_map, limit = _mapped(self.ensemble, owner.repeat_interleave(k), self.step_map.step)
        noise = {key: value[lanes] for key, value in self.noise.items()}
        return _Walk(
            self.ensemble,
            owner,
            step_map,
            self.flat[lanes],
            self.directions[kept],
            noise,
            self.lost[kept],
            limit,
        )

    def grow(self, stretches: int) -> Tensor:
        """Go on, and return the mean growth of each direction on the way, (P, k), 1/s."""
        points, k, dimension = self.directions.shape
        every, dt = spacing(self.ensemble.spec), self.ensemble.spec.dt
        growth = torch.zeros(points, k, dtype=self.flat.dtype, device=self.flat.device)
        names = [name for name in self.step_map.sizes if name.startswith("rates.")]
        for _ in range(stretches):
            moved = self.directions.reshape(-1, dimension)
            for _ in range(every):
                self.flat, moved, self.noise = self.step_map.walk(self.flat, moved, self.noise)
            high = torch.cat([self.step_map.parts(self.flat)[name] for name in names], dim=1).abs()
            self.lost = self.lost | ~(high <= self.limit).all(dim=1).view(points, k).all(dim=1)
            lanes = self.lost.repeat_interleave(k)[:, None]
            self.flat, moved = torch.where(lanes, 0.0, self.flat), torch.where(lanes, 0.0, moved)
            self.directions, lengths = _orthonormal(moved.view(points, k, dimension))
            growth = growth + torch.log(lengths)
        return growth / (max(1, stretches) * every * dt)


def _mapped(ensemble: Ensemble, lanes: Tensor, at: int) -> tuple[StepMap, Tensor]:
    """Return the step of some rows of an ensemble, and the rates from which they have diverged, (rows or 1, 1)."""
    program = ensemble.program(lanes)
    return StepMap(program, at=at), program.number("rate_limit")[:, None]


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
