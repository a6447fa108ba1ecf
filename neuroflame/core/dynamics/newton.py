"""Newton's method without matrices, for the fixed points of many rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.dynamics.krylov import gmres, norm
from neuroflame.core.dynamics.map import StepMap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from neuroflame.core.dynamics.ensemble import Ensemble

KRYLOV = 80
"""Largest dimension of the subspace in which a Newton step is sought."""
_HALVINGS = 8
_BEYOND = 100.0
_WALK, _LONGER = 10, 4  # steps taken where Newton's method finds no descent, and how often they are doubled
_FORCING = 1e-8  # relative residual of the linear solves: so small that convergence stays quadratic


@dataclass(frozen=True)
class Solution:
    """Where Newton's method went, row by row.

    Attributes
    ----------
    flat : Tensor, (rows, D)
    residual : Tensor, (rows,)
        max |dx/dt| τ / (1 + |x|); infinite where the iteration left the finite numbers.
    converged : Tensor, (rows,), bool
    """

    flat: Tensor
    residual: Tensor
    converged: Tensor


@torch.no_grad()
def solve(
    ensemble: Ensemble,
    owner: Tensor,
    flat: Tensor,
    *,
    at: int,
    tolerance: float = 1e-9,
    iterations: int = 25,
    held: Iterable[str] = (),
) -> Solution:
    """Return fixed points of the step near the given states.

    Newton–Krylov (Knoll & Keyes 2004, J. Comput. Phys. 193:357): (I − DF) δ = F(x) − x is solved by GMRES,
    each equation divided by 1 − exp(−dt/τ) and by 1 + |x|, each unknown by 1 + |x|, so that slow and fast,
    small and large variables weigh alike. A step is halved until the residual falls; where it does not, the
    row takes steps of the network instead, each time twice as many.

    Parameters
    ----------
    ensemble : Ensemble
    owner : Tensor, (rows,), int64
        The point that each row belongs to.
    flat : Tensor, (rows, D)
        Where to begin.
    at : int
        Step whose external input is held.
    tolerance : float
        Of the residual max |dx/dt| τ / (1 + |x|).
    iterations : int
        Most Newton steps.
    held : iterable of str
        Variables that keep their values.
    """
    flat = flat.clone()
    residual = torch.full_like(flat[:, 0], torch.inf)
    kept = tuple(held)
    rows = torch.arange(len(flat), device=flat.device)
    stuck = torch.zeros_like(owner)
    for iteration in range(iterations + 1):
        step_map = StepMap(ensemble.quiet(owner[rows]), at=at, held=kept)
        here = flat[rows]
        after = step_map(here)
        found = step_map.residual(here, after)
        residual[rows] = torch.where(torch.isfinite(found), found, torch.inf)
        open_ = torch.isfinite(found) & (found > tolerance) & ~_out_of_range(step_map, here)
        if iteration == iterations or not bool(open_.any()):
            break
        if not bool(open_.all()):
            rows, here = rows[open_], here[open_]
            step_map = StepMap(ensemble.quiet(owner[rows]), at=at, held=kept)
            after = after[open_]
        better, found_none = _improved(step_map, here, after)
        flat[rows] = torch.where(found_none[:, None], _walked(step_map, here, _WALK << stuck[rows]), better)
        stuck[rows] = (stuck[rows] + found_none).clamp(max=_LONGER)
    return Solution(flat, residual, residual <= tolerance)


def _improved(step_map: StepMap, here: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Return the states after one Newton step, shortened until the residual falls, and where it did not."""
    scale = 1.0 + here.abs()

    def missing(flat: Tensor) -> Tensor:
        return step_map.distance_to_target(flat, step_map(flat)) / scale

    def operator(direction: Tensor) -> Tensor:
        along = direction * scale
        return step_map.distance_to_target(step_map.derivative(here, along), along) / scale

    right = step_map.distance_to_target(here, after) / scale
    size = min(KRYLOV, here.shape[1])
    delta = gmres(operator, right, size=size, tolerance=_FORCING) * scale
    before, taken, length = norm(right), here, 1.0
    left = torch.ones_like(before, dtype=torch.bool)
    for _ in range(_HALVINGS):
        trial = step_map.confined(here + length * delta)
        good = left & (norm(missing(trial)) < (1.0 - 1e-4 * length) * before)
        taken = torch.where(good[:, None], trial, taken)
        left = left & ~good
        if not bool(left.any()):
            break
        length *= 0.5
    return taken, left


def _out_of_range(step_map: StepMap, here: Tensor) -> Tensor:
    """Return where the iteration has gone so far beyond ``rate_limit`` that it is given up, (rows,)."""
    return here.abs().amax(dim=1) > _BEYOND * step_map.program.number("rate_limit")


def _walked(step_map: StepMap, here: Tensor, steps: Tensor) -> Tensor:
    """Return the states that the network reaches in so many steps, (rows,), of its own."""
    for done in range(int(steps.max())):
        here = torch.where((done < steps)[:, None], step_map(here), here)
    return here
