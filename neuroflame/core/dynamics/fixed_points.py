"""All fixed points that many starts lead to, stable or not, each once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.dynamics.newton import Solution, solve
from neuroflame.core.random import START, uniforms
from neuroflame.core.recorder import bump_amplitude, fourier_mode
from neuroflame.core.reference import initial_state
from neuroflame.physics.transfer import BOUNDED
from neuroflame.spec.parts import ODD_TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.core.state import State
    from neuroflame.spec.dynamics import FixedPointOptions

_LOWEST, _HIGHEST = 0.1, 100.0
_SAME = 1e-4
_SAME_FAMILY = 1e-2
_BETWEEN = (0.25, 0.5, 0.75)
_ROUNDS = 2


@dataclass(frozen=True)
class FixedPoints:
    """The fixed points of P points, those of a point in order of their mean rate.

    Attributes
    ----------
    points : int
        P.
    owner : Tensor, (Q,), int64
        The point that each belongs to, ascending.
    flat : Tensor, (Q, D)
        Where they are; see `StepMap.state`.
    residual : Tensor, (Q,)
        max |dx/dt| τ / (1 + |x|).
    found : Tensor, (Q,), int64
        How many starts led there.
    failed : Tensor, (P,), int64
        How many starts led nowhere.
    """

    points: int
    owner: Tensor
    flat: Tensor
    residual: Tensor
    found: Tensor
    failed: Tensor

    def count(self) -> np.ndarray:
        """Return the number of fixed points of each point, (P,)."""
        return np.bincount(self.owner.cpu().numpy(), minlength=self.points)


@dataclass
class _Collected:
    """The distinct fixed points of one point so far."""

    flat: list[Tensor] = field(default_factory=list)
    summary: list[Tensor] = field(default_factory=list)
    residual: list[Tensor] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    failed: int = 0


@torch.no_grad()
def fixed_points(
    ensemble: Ensemble,
    *,
    at: int,
    options: FixedPointOptions,
    states: Sequence[State] = (),
) -> FixedPoints:
    """Return the fixed points of the step without noise, with the external input of one step held.

    Newton's method from homogeneous states at several rates, from random ones (mean rates spread evenly in the
    logarithm over 0.1 to 100 Hz, with a random first Fourier mode), and from given states, each with all other
    variables at rest for its rates; then twice from between neighbouring fixed points, where saddles lie. Where
    rates have both signs (`tanh`, `erf_odd`), each homogeneous and each random start is also taken with those
    rates reversed. No method finds all for certain: more starts find more.

    Parameters
    ----------
    ensemble : Ensemble
    at : int
        Step whose external input is held.
    options : FixedPointOptions
        Rates of the homogeneous starts, number of random ones, tolerance of the residual.
    states : sequence of State
        Starts of their own, each with a row a point; taken as they are.

    Notes
    -----
    Two solutions count as one if they differ by less than 1e-4 of 1 + |x|; on a ring, with all connectivity
    all to all, also if they are turned copies: if the mean and the next three Fourier amplitudes of every variable
    agree within 1 % of its largest one, and the first is above a tenth of the mean.
    """
    step_map = StepMap(ensemble.quiet(), at=at)
    everyone = torch.arange(ensemble.points, device=ensemble.device)
    collected = [_Collected() for _ in range(ensemble.points)]
    starts = [_homogeneous(ensemble, step_map, level) for level in options.levels]
    starts += [_random(ensemble, step_map, number) for number in range(options.random)]
    starts += [_reversed(step_map, start) for start in starts if _has_both_signs(step_map)]
    if starts:
        owner = everyone.repeat(len(starts))
        rates = [name for name in step_map.sizes if name.startswith("rates.")]
        calm = solve(ensemble, owner, torch.cat(starts), at=at, tolerance=1e-6, iterations=10, held=rates)
        finite = torch.isfinite(calm.flat).all(dim=1)
        begin = torch.where(finite[:, None], calm.flat, torch.cat(starts))
        _collect(
            collected,
            ensemble,
            step_map,
            owner,
            solve(ensemble, owner, begin, at=at, tolerance=options.tolerance),
        )
    for state in states:
        flat = step_map.flatten(state)
        good = torch.isfinite(flat).all(dim=1)
        if bool(good.any()):
            owner = everyone[good]
            found = solve(ensemble, owner, flat[good], at=at, tolerance=options.tolerance)
            _collect(collected, ensemble, step_map, owner, found)
    for _ in range(_ROUNDS):
        owner, begin = _between(collected)
        if not len(owner):
            break
        found = solve(ensemble, owner, begin, at=at, tolerance=options.tolerance)
        _collect(collected, ensemble, step_map, owner, found)
    return _joined(collected, step_map)


def _homogeneous(ensemble: Ensemble, step_map: StepMap, level: float) -> Tensor:
    rates = {
        name: torch.full((ensemble.points,), 1.0, dtype=torch.float64, device=ensemble.device)
        * level
        * _unit_rate(step_map, name)
        for name in step_map.program.populations
    }
    return step_map.flatten(initial_state(step_map.program, rates))


def _random(ensemble: Ensemble, step_map: StepMap, number: int) -> Tensor:
    flat = step_map.parts(_homogeneous(ensemble, step_map, 1.0))
    for name in step_map.program.populations:
        drawn = uniforms(ensemble.seeds, f"start.{number}.{name}", START, 3, torch.float64)
        size = flat[f"rates.{name}"].shape[1]
        theta = torch.arange(size, dtype=torch.float64, device=flat[f"rates.{name}"].device) * (
            2 * torch.pi / size
        )
        level = _LOWEST * (_HIGHEST / _LOWEST) ** drawn[:, :1]
        profile = 1.0 + drawn[:, 1:2] * torch.cos(theta - 2.0 * torch.pi * drawn[:, 2:3])
        flat[f"rates.{name}"] = flat[f"rates.{name}"] * level * profile
    return torch.cat(list(flat.values()), dim=1)


def _has_both_signs(step_map: StepMap) -> bool:
    return any(population.transfer in ODD_TRANSFERS for population in step_map.program.populations.values())


def _reversed(step_map: StepMap, start: Tensor) -> Tensor:
    """Return a start with the opposite sign of all rates that can have both, (P, D)."""
    flat = step_map.parts(start)
    for name, population in step_map.program.populations.items():
        if population.transfer in ODD_TRANSFERS:
            flat[f"rates.{name}"] = -flat[f"rates.{name}"]
    return torch.cat(list(flat.values()), dim=1)


def _unit_rate(step_map: StepMap, name: str) -> Tensor:
    """Return what 1 Hz of a start means to a population, (P,) or (1,)."""
    population = step_map.program.populations[name]
    if population.transfer in BOUNDED:
        return population.rate_max_start[:, 0] / 50.0
    return torch.ones_like(population.rate_max_start[:, 0])


def _collect(
    collected: list[_Collected], ensemble: Ensemble, step_map: StepMap, owner: Tensor, solution: Solution
) -> None:
    """Add what was found to the points' lists, unless it is there already."""
    turns = all(pair.kind == "all_to_all" for pair in ensemble.spec.pairs)
    summaries = _amplitudes(step_map, solution.flat)
    for row, point in enumerate(owner.tolist()):
        own = collected[point]
        if not bool(solution.converged[row]):
            own.failed += 1
            continue
        flat, summary = solution.flat[row], summaries[row]
        for i, other in enumerate(own.flat):
            near = bool(((flat - other).abs() <= _SAME * (1.0 + other.abs())).all())
            if near or (turns and _turned(summary, own.summary[i])):
                own.found[i] += 1
                if solution.residual[row] < own.residual[i]:
                    own.flat[i], own.residual[i] = flat, solution.residual[row]
                break
        else:
            own.flat.append(flat)
            own.summary.append(summary)
            own.residual.append(solution.residual[row])
            own.found.append(1)


def _amplitudes(step_map: StepMap, flat: Tensor) -> Tensor:
    """Return the mean and the next three Fourier amplitudes of every variable along its ring, (rows, variables, 4)."""
    found = []
    for part in step_map.parts(flat).values():
        complete = torch.fft.rfft(part, dim=1)[:, :4] / part.shape[1]
        modes = torch.cat([complete[:, :1].real, complete[:, 1:].abs()], dim=1)
        found.append(torch.nn.functional.pad(modes, (0, 4 - modes.shape[1])))
    return torch.stack(found, dim=1)


def _turned(one: Tensor, other: Tensor) -> bool:
    """Whether two states with structure along the ring differ by a rotation."""
    structured = bool(((one[:, 1] > 0.1 * one[:, 0].abs()) & (other[:, 1] > 0.1 * other[:, 0].abs())).any())
    largest = 1e-6 + torch.maximum(one.abs(), other.abs()).amax(dim=1, keepdim=True)
    return structured and bool(((one - other).abs() <= _SAME_FAMILY * largest).all())


def _between(collected: list[_Collected]) -> tuple[Tensor, Tensor]:
    """Return starts on the lines between neighbouring fixed points of each point, and whose they are."""
    owner, begin = [], []
    for point, own in enumerate(collected):
        ordered = sorted(own.flat, key=_mean)
        for low, high in itertools.pairwise(ordered):
            for share in _BETWEEN:
                owner.append(point)
                begin.append(low + share * (high - low))
    if not owner:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.float64)
    return torch.tensor(owner, device=begin[0].device), torch.stack(begin)


def _mean(flat: Tensor) -> float:
    return float(flat.mean())


def _joined(collected: list[_Collected], step_map: StepMap) -> FixedPoints:
    device = step_map.share.device
    rows: list[tuple[int, Tensor, Tensor, int]] = []
    for point, own in enumerate(collected):
        order = sorted(range(len(own.flat)), key=lambda i: _mean(own.flat[i]))
        rows += [(point, own.flat[i], own.residual[i], own.found[i]) for i in order]
    flat = torch.stack([row[1] for row in rows]) if rows else step_map.share.new_zeros(0, step_map.dimension)
    return FixedPoints(
        points=len(collected),
        owner=torch.tensor([row[0] for row in rows], dtype=torch.int64, device=device),
        flat=flat,
        residual=torch.tensor([float(row[2]) for row in rows], dtype=torch.float64, device=device),
        found=torch.tensor([row[3] for row in rows], dtype=torch.int64, device=device),
        failed=torch.tensor([own.failed for own in collected], dtype=torch.int64, device=device),
    )


def summaries(step_map: StepMap, flat: Tensor) -> dict[str, Tensor]:
    """Return mean rate and bump of each population in some states, by column name, (rows,)."""
    found = {}
    for name, part in step_map.parts(flat).items():
        if name.startswith("rates."):
            mode = fourier_mode(part)
            found[f"rate.{name[6:]}.mean"] = mode[:, 0]
            found[f"bump.{name[6:]}.m1"] = bump_amplitude(mode)
    return found
