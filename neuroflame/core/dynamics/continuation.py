"""A fixed point followed along one parameter: where it ends, folds or loses stability, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.dynamics.fixed_points import summaries
from neuroflame.core.dynamics.krylov import dot, gmres
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.dynamics.newton import KRYLOV, solve
from neuroflame.core.dynamics.spectrum import Spectrum, spectrum
from neuroflame.errors import SimulationError
from neuroflame.spec.dynamics import SpectrumOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from neuroflame.core.dynamics.ensemble import Ensemble

EVENTS = {
    "start": "the first point",
    "end": "the end of the range is reached",
    "fold": "the branch turns back: two fixed points meet and vanish",
    "hopf": "a complex pair of eigenvalues crosses |μ| = 1",
    "branch": "a real eigenvalue crosses 1 without a fold (pitchfork or transcritical)",
    "flip": "a real eigenvalue crosses −1",
    "lost": "the branch ends without a fold, where a neuron crosses its threshold",
    "diverged": "rates exceed rate_limit",
    "steps": "the number of steps is used up",
}
_CROSSINGS = {"complex": "hopf", "flip": "flip", "real": "branch"}
_TOLERANCE = 1e-10
_CORRECTIONS = 8
_EASY = 3
_SHORTEST = 1e-7
_STRAIGHT = 0.9  # cosine between tangents of neighbouring points; a step that turns more is shortened
_KINK = (
    1e-4  # steps below it are taken whatever they turn: the branch of a threshold-linear network has kinks
)
_REFINEMENTS = 40
_CLOSE = 1e-3  # of length: at a fold the parameter is equal on both sides, near or far
_EIGENVALUES = SpectrumOptions(k=8, basis=40)


@dataclass
class _Point:
    """A fixed point on the branch, with the tangent and the metric there.

    Parameters
    ----------
    flat : Tensor, (1, D)
    value : float
        Of the parameter.
    tangent : Tensor, (1, D + 1)
        Direction of the branch, of length 1 in the metric of the point before.
    turn : float
        Cosine between it and the tangent before.
    scale : Tensor, (1, D)
        Units of the variables: (1 + |x|) √D.
    sought : callable
        Returns the eigenvalues; asked at most once.
    """

    flat: Tensor
    value: float
    tangent: Tensor
    turn: float
    scale: Tensor
    sought: Callable[[], Spectrum]

    @cached_property
    def spectrum(self) -> Spectrum:
        """The leading eigenvalues."""
        return self.sought()

    @property
    def unstable(self) -> int:
        """The number of growing directions, Goldstone mode apart."""
        return int(self.spectrum.unstable()[0])

    def growth(self, rank: int) -> float:
        """Return ln|μ|/dt of an eigenvalue, Goldstone mode apart, by its rank: 0 is the leading one."""
        return float(self._ranked(self.spectrum.growth)[rank])

    def frequency(self, rank: int) -> float:
        """Return the frequency of that eigenvalue, Hz."""
        return float(self._ranked(self.spectrum.frequency)[rank])

    def kind(self, rank: int) -> str:
        """Return whether that eigenvalue is ``real``, ``flip`` or ``complex``."""
        return str(self._ranked(self.spectrum.kinds)[rank])

    def _ranked(self, table: np.ndarray) -> np.ndarray:
        found: np.ndarray = table[0][~self.spectrum.goldstone[0]]
        return found


@dataclass
class Branch:
    """A continued fixed point.

    Attributes
    ----------
    path : str
        What varied.
    rows : list of dict
        In the order in which they were met: the parameter, ``error`` (half the interval in which an event was
        located, 0 for other points), m0 and m1 of each population, ``alpha``, ``alpha.goldstone``,
        ``frequency``, ``unstable``, ``kind`` and ``event``. The frequency is the leading eigenvalue's, at an
        event that of the one that crosses.
    flat : list of Tensor, (1, D)
        The states.
    """

    path: str
    rows: list[dict[str, object]] = field(default_factory=list)
    flat: list[Tensor] = field(default_factory=list)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows)


@torch.no_grad()
def continue_fixed_point(
    ensemble: Ensemble,
    flat: Tensor,
    path: str,
    to: float,
    *,
    at: int,
    step: float = 0.02,
    longest: float = 0.1,
    steps: int = 200,
    folds: int = 0,
    precision: float = 1e-6,
) -> Branch:
    """Follow a fixed point along a parameter, by pseudo-arclength.

    Keller 1977, in Applications of Bifurcation Theory, 359. Length along the branch is measured with the
    parameter in units of the range and each variable in units of 1 + |x|, root mean square.

    Parameters
    ----------
    ensemble : Ensemble
        One point.
    flat : Tensor, (1, D)
        A state near the fixed point.
    path : str
        Batchable path.
    to : float
        Value to go to from the ensemble's own; the branch may go back as far as where it began.
    at : int
        Step whose external input is held.
    step, longest : float
        First and longest step, of the range.
    steps : int
        Most steps.
    folds : int
        How many folds to go around before stopping.
    precision : float
        Of the position of events, of the range.

    Raises
    ------
    SimulationError
        If Newton's method finds no fixed point near the state.
    """
    follower = _Follower(ensemble, path, to, at=at, precision=precision)
    return follower.follow(flat, step=step, longest=longest, steps=steps, folds=folds)


def check_range(path: str, begin: float, to: float) -> None:
    """Raise SimulationError if there is no way between two values of a parameter."""
    if begin == to:
        raise SimulationError("must differ from the value to begin with", got=to, path=path)


class _Follower:
    def __init__(self, ensemble: Ensemble, path: str, to: float, *, at: int, precision: float) -> None:
        self.ensemble, self.path, self.at = ensemble, path, at
        self.begin, self.to = float(ensemble.program().number(path)[0]), float(to)
        check_range(path, self.begin, self.to)
        self.range = abs(self.to - self.begin)
        self.precision = precision * self.range
        self.limit = float(ensemble.program().number("rate_limit")[0])
        self.owner = torch.zeros(1, dtype=torch.int64, device=ensemble.device)
        self.branch = Branch(path)

    def follow(self, flat: Tensor, *, step: float, longest: float, steps: int, folds: int) -> Branch:
        first = self._first(flat)
        self._note(first, "start")
        here, length, turned = first, step, 0
        for _ in range(steps):
            found = self._advance(here, length)
            if found is None:
                self._note(here, "lost", error=length * self.range)
                return self.branch
            there, length = found
            for name, point, error, rank in self._events(here, there):
                self._note(point, name, error=error, rank=rank)
                turned += name == "fold"
            if turned > folds:
                return self.branch
            if self._left(there):
                return self.branch
            if not self._bounded(there):
                self._note(there, "diverged", error=abs(there.value - here.value))
                return self.branch
            self._note(there, "")
            here = there
            length = min(length * self._growth, longest)
        self._note(here, "steps")
        return self.branch

    def _first(self, flat: Tensor) -> _Point:
        found = solve(self.ensemble, self.owner, flat, at=self.at, tolerance=_TOLERANCE)
        if not bool(found.converged[0]):
            raise SimulationError(
                "there is no fixed point near the state that was given",
                got=f"residual {float(found.residual[0]):.2g}",
                remedy="start from the end of a longer run, or from fixed_points",
            )
        scale = self._scale(found.flat)
        ahead = torch.zeros(1, found.flat.shape[1] + 1, dtype=torch.float64, device=flat.device)
        ahead[0, -1] = 1.0 if self.to > self.begin else -1.0
        return self._point(found.flat, self.begin, ahead, scale)

    def _advance(self, here: _Point, length: float) -> tuple[_Point, float] | None:
        """Return the next point and the length of the step that led there; None if there is none."""
        while length >= _SHORTEST:
            there, corrections = self._corrected(here, length)
            if there is not None and (there.turn > _STRAIGHT or length < _KINK):
                self._growth = 1.5 if corrections <= _EASY and there.turn > 0.98 else 1.0
                return there, length
            length *= 0.5
        return None

    def _corrected(self, here: _Point, length: float) -> tuple[_Point | None, int]:
        """Return the fixed point on the plane that is a length ahead, by Newton's method, and its steps."""
        ahead = here.tangent * length
        flat = here.flat + ahead[:, :-1] * here.scale
        value = here.value + float(ahead[0, -1]) * self.range
        for correction in range(_CORRECTIONS + 1):
            step_map = self._map(value)
            after = step_map(flat)
            residual = float(step_map.residual(flat, after)[0])
            if not np.isfinite(residual):
                return None, correction
            moved = torch.cat([(flat - here.flat) / here.scale, self._number(value - here.value)], dim=1)
            short = length - float(dot(moved, here.tangent)[0])
            if residual < _TOLERANCE and abs(short) < 1e-9:
                return self._point(flat, value, here.tangent, self._scale(flat)), correction
            if correction == _CORRECTIONS:
                break
            right = torch.cat(
                [step_map.distance_to_target(flat, after) / here.scale, torch.full_like(flat[:, :1], short)],
                dim=1,
            )
            delta = self._solved(flat, value, here.tangent, here.scale, right)
            flat = step_map.confined(flat + delta[:, :-1] * here.scale)
            value += float(delta[0, -1]) * self.range
        return None, _CORRECTIONS

    def _point(self, flat: Tensor, value: float, before: Tensor, scale: Tensor) -> _Point:
        right = torch.zeros_like(before)
        right[0, -1] = 1.0
        tangent = self._solved(flat, value, before, scale, right)
        tangent = tangent / torch.sqrt(dot(tangent, tangent))[:, None]
        turn = float(dot(tangent, before)[0] / torch.sqrt(dot(before, before))[0])

        def sought() -> Spectrum:
            ensemble = self.ensemble.at(self.path, self._tensor(value))
            return spectrum(ensemble, self.owner, flat, at=self.at, options=_EIGENVALUES)

        return _Point(flat, value, tangent, turn, scale, sought)

    def _solved(self, flat: Tensor, value: float, tangent: Tensor, scale: Tensor, right: Tensor) -> Tensor:
        """Solve (x − F)/(1 − e) = right and tangent · δ = right, linearised in state and parameter."""
        step_map = self._map(value)
        nudge = 1e-6 * self.range
        ahead, behind = (
            m.distance_to_target(flat, m(flat)) for m in (self._map(value + nudge), self._map(value - nudge))
        )
        slope = (ahead - behind) / (2.0 * nudge) * self.range / scale

        def operator(delta: Tensor) -> Tensor:
            along = delta[:, :-1] * scale
            image = step_map.distance_to_target(step_map.derivative(flat, along), along) / scale
            return torch.cat([image - delta[:, -1:] * slope, dot(delta, tangent)[:, None]], dim=1)

        return gmres(operator, right, size=min(KRYLOV, right.shape[1]), tolerance=1e-10)

    def _events(self, here: _Point, there: _Point) -> list[tuple[str, _Point, float, int]]:
        """Return what happens between two neighbouring points, in the order in which it happens.

        That is its name, the point, its error, and the rank of the eigenvalue that crosses, 0 for a fold.
        """
        found: list[tuple[str, _Point, float, int]] = []
        folded = _sign(here.tangent[0, -1]) != _sign(there.tangent[0, -1])
        if folded:
            ends, error = self._located(here, there, lambda point: float(point.tangent[0, -1]))
            found.append(("fold", ends[0], error, 0))
        rank, most = sorted((here.unstable, there.unstable))
        if folded and most - rank == 1:
            rank = most  # a fold takes one real eigenvalue across
        while rank < most:  # growth by rank is continuous, also where a pair becomes two real eigenvalues
            ends, error = self._located(here, there, partial(_Point.growth, rank=rank))
            name = _CROSSINGS[ends[0].kind(rank)]
            if not (folded and name == "branch"):
                found.append((name, ends[0], error, rank))
            rank = max(rank + 1, *(end.unstable for end in ends))
        found = [event for event in found if self._inside(event[1])]
        return sorted(found, key=lambda event: float(self._along(here, event[1])))

    def _located(
        self, here: _Point, there: _Point, test: Callable[[_Point], float]
    ) -> tuple[list[_Point], float]:
        """Return the points between which a test function changes sign, and half the range of the parameter between.

        The first is the one where the function is closer to 0.
        """
        low, high = 0.0, self._along(here, there)
        ends = [here, there]
        values = [test(here), test(there)]
        positive = values[0] > 0
        for refinement in range(_REFINEMENTS):
            share = 0.5
            if all(np.isfinite(values)) and refinement % 3:
                share = min(0.95, max(0.05, values[0] / (values[0] - values[1])))
            middle, _ = self._corrected(here, low + share * (high - low))
            if middle is None:
                break
            side = 0 if (test(middle) > 0) == positive else 1
            ends[side], values[side] = middle, test(middle)
            low, high = (low + share * (high - low), high) if side == 0 else (low, low + share * (high - low))
            if high - low < _CLOSE and abs(ends[0].value - ends[1].value) < self.precision:
                break
        steepest = max(abs(float(end.tangent[0, -1])) for end in ends)
        spread = max(abs(ends[0].value - ends[1].value), (high - low) * steepest * self.range)
        return ends[:: -1 if abs(values[1]) < abs(values[0]) else 1], 0.5 * spread

    def _along(self, here: _Point, there: _Point) -> float:
        moved = torch.cat(
            [(there.flat - here.flat) / here.scale, self._number(there.value - here.value)], dim=1
        )
        return float(dot(moved, here.tangent)[0])

    def _left(self, point: _Point) -> bool:
        """Note the end of the range if the branch has left it."""
        if self._inside(point):
            return False
        edge = self.to if (point.value - self.to) * (self.to - self.begin) > 0 else self.begin
        ensemble = self.ensemble.at(self.path, self._tensor(edge))
        found = solve(ensemble, self.owner, point.flat, at=self.at, tolerance=_TOLERANCE)
        if bool(found.converged[0]):
            point = self._point(found.flat, edge, point.tangent, self._scale(found.flat))
        self._note(point, "end")
        return True

    def _inside(self, point: _Point) -> bool:
        return min(self.begin, self.to) <= point.value <= max(self.begin, self.to)

    def _bounded(self, point: _Point) -> bool:
        parts = self._map(point.value).parts(point.flat)
        return all(float(p.abs().max()) <= self.limit for n, p in parts.items() if n.startswith("rates."))

    def _note(self, point: _Point, event: str, *, error: float = 0.0, rank: int = 0) -> None:
        step_map, found = self._map(point.value), point.spectrum
        self.branch.rows.append(
            {
                self.path: point.value,
                "error": error,
                **{name: float(value[0]) for name, value in summaries(step_map, point.flat).items()},
                "alpha": float(found.alpha[0]),
                "alpha.goldstone": float(found.alpha_goldstone[0]),
                "frequency": point.frequency(rank),
                "unstable": int(found.unstable()[0]),
                "kind": found.classify()[0],
                "event": event,
            }
        )
        self.branch.flat.append(point.flat)

    def _map(self, value: float) -> StepMap:
        return StepMap(self.ensemble.at(self.path, self._tensor(value)).quiet(self.owner), at=self.at)

    def _scale(self, flat: Tensor) -> Tensor:
        return (1.0 + flat.abs()) * flat.shape[1] ** 0.5

    def _tensor(self, value: float) -> Tensor:
        return torch.tensor([value], dtype=torch.float64, device=self.ensemble.device)

    def _number(self, difference: float) -> Tensor:
        return self._tensor(difference / self.range)[:, None]


def _sign(value: Tensor) -> bool:
    return bool(value > 0)
