"""How points recover from a kick: each beside itself without the kick, with the same noise."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.protocols.kicks import kicked, turned
from neuroflame.core.recorder import fourier_mode
from neuroflame.core.statistics import FINAL
from neuroflame.core.statistics.view import SILENT
from neuroflame.core.torch_physics import mean_neurons
from neuroflame.regimes import SMALLEST

if TYPE_CHECKING:
    from neuroflame.core.protocols.chain import Chain
    from neuroflame.core.state import State
    from neuroflame.core.statistics.view import View
    from neuroflame.spec.kicks import Perturbation

Array = np.ndarray
BUMP = 0.1
"""Ratio from which a population has a bump that may have been displaced."""
NOTHING = 1e-6
"""Hz, over 1 + the mean rate: distances below it are rounding."""


@dataclass(frozen=True)
class Recovery:
    """What became of P points after a kick; arrays are (P,).

    Attributes
    ----------
    time : ndarray, seconds
        From when on the distance stays below its largest times the tolerance; 0 where nothing but a bump's place was
        changed, NaN where it does not get there.
    peak : ndarray, Hz
        Largest distance.
    difference : ndarray
        Largest relative difference of the states at the end, in mean rates and bump ratios.
    returned : ndarray of bool, or None where a point diverged
    phase : ndarray, degrees
        By how much the bump was displaced, in (−180, 180]; NaN without a bump.
    """

    time: Array
    peak: Array
    difference: Array
    returned: Array
    phase: Array


def recover(chain: Chain, state: State, kick: Perturbation) -> Recovery:
    """Kick points and follow them.

    The distance of two states is the root of the mean square difference of rates over all neurons, after a bump has
    been turned to where it is without the kick: a ring's bump does not come back from a displacement.

    Parameters
    ----------
    chain : Chain
        The points, with room for ``kick.steps`` more steps.
    state : State
        Where they are.
    kick : Perturbation
    """
    points, spec = chain.batch.points, chain.batch.spec
    pair = chain.twice()
    before, after = state.named(), kicked(kick, chain.batch.program(), state).named()
    both = state.renamed({name: torch.cat([before[name], after[name]]) for name in before}, step=state.step)
    steps = (0, *kick.sample_steps(spec))
    distances = [_distance(both, points)]
    view: View | None = None
    for last, step in itertools.pairwise(steps):
        window = step - last if step == steps[-1] else 0
        both, view = pair.run(both, step - last, window)
        distances.append(_distance(both, points))
    assert view is not None
    course = torch.stack(distances, dim=1).cpu().numpy()
    mean = torch.stack([mean_neurons(rates.double()) for rates in state.rates.values()]).amax(dim=0)
    peak, time = _time(
        np.array(steps) * spec.dt, course, kick.tolerance, NOTHING * (1.0 + mean.cpu().numpy())
    )
    difference, phase = _difference(view, points)
    known = np.isfinite(difference)
    returned = (difference <= kick.same).astype(object)
    returned[~known] = None
    return Recovery(np.where(known, time, np.nan), np.where(known, peak, np.nan), difference, returned, phase)


def _distance(both: State, points: int) -> Tensor:
    """Return the distance of kicked points from the others, (P,), Hz."""
    modes = {name: fourier_mode(rates.double()) for name, rates in both.rates.items()}
    shift = _shift({name: (mode[:points], mode[points:]) for name, mode in modes.items()})
    total, size = torch.zeros(points, dtype=torch.float64, device=shift.device), 0
    for rates in both.rates.values():
        plain, other = rates[:points].double(), rates[points:].double()
        moved = turned(other, -torch.nan_to_num(shift)[:, None])
        apart = torch.where(torch.isnan(shift)[:, None], other, moved) - plain
        total, size = total + mean_neurons(apart * apart) * rates.shape[1], size + rates.shape[1]
    return torch.sqrt(total / size)


def _shift(modes: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
    """Return by how much bumps are displaced, (P,), degrees: of the population whose bump is largest; NaN without one.

    Parameters
    ----------
    modes : mapping of (Tensor, Tensor), (P, 3) each
        By population the mean and first Fourier mode without and with the kick.
    """
    best = None
    for plain, other in modes.values():
        ratio = torch.minimum(_ratio(plain), _ratio(other))
        turn = np.rad2deg(_angle(other) - _angle(plain))
        turn = torch.from_numpy(180.0 - np.remainder(180.0 - turn, 360.0)).to(ratio.device)
        if best is None:
            best, shift = ratio, turn
        shift = torch.where(ratio > best, turn, shift)
        best = torch.maximum(ratio, best)
    assert best is not None
    return torch.where(best > BUMP, shift, torch.nan)


def _ratio(mode: Tensor) -> Tensor:
    amplitude = 2.0 * torch.sqrt(mode[:, 1] * mode[:, 1] + mode[:, 2] * mode[:, 2])
    return torch.where(mode[:, 0] > SILENT, amplitude / mode[:, 0], 0.0)


def _angle(mode: Tensor) -> Array:
    """Return the angle of a mode, by NumPy: torch's arctangent rounds the last points of a tile in another way."""
    kept = mode.cpu().numpy()
    return np.arctan2(kept[:, 2], kept[:, 1])


def _time(times: Array, course: Array, tolerance: float, nothing: Array) -> tuple[Array, Array]:
    """Return the largest distance and the time from which on it stays below its share, (P,) each."""
    peak = course.max(axis=1)
    limit = tolerance * peak
    found = np.zeros(len(peak))
    for i in range(len(peak)):
        if not peak[i] > nothing[i]:
            continue
        last = int(np.flatnonzero(course[i] > limit[i])[-1])
        if last + 1 == len(times):
            found[i] = np.nan
            continue
        high, low = course[i, last], max(course[i, last + 1], 1e-300)
        share = np.log(high / limit[i]) / np.log(high / low)  # an exponential between two samples
        found[i] = times[last] + share * (times[last + 1] - times[last])
    return peak, found


def _difference(view: View, points: int) -> tuple[Array, Array]:
    """Return by how much the states at the end differ, and the displacement of a bump in degrees, (P,) each."""
    worst = np.zeros(points)
    modes = {}
    for name in view.spec.populations:
        mode = view.reduced(name).modes[FINAL].mT
        plain, other = mode[:points], mode[points:]
        modes[name] = plain, other
        for kind, (a, b) in (
            ("mean", (plain[:, 0], other[:, 0])),
            ("ratio", (_ratio(plain), _ratio(other))),
        ):
            size = torch.maximum(torch.maximum(a.abs(), b.abs()), torch.full_like(a, SMALLEST[kind]))
            worst = np.maximum(worst, ((a - b).abs() / size).numpy())
    return worst, _shift(modes).cpu().numpy()
