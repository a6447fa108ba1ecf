"""The tools of dynamics as methods of `Network`: exponents, eigenvalues, fixed points, continuation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from neuroflame.core import dynamics
from neuroflame.core.dynamics.fixed_points import summaries
from neuroflame.core.labels import assignments
from neuroflame.core.measure import check_batchable
from neuroflame.core.starts import cues_of
from neuroflame.core.state import State
from neuroflame.errors import SimulationError
from neuroflame.spec import find_path
from neuroflame.spec.dynamics import FixedPointOptions, LyapunovOptions, SpectrumOptions
from neuroflame.spec.measures import check_constant_weights
from neuroflame.spec.starts import named_starts

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from neuroflame.spec import NetworkSpec

_NEAR = 0.5
"""max |x* − x|/(1 + |x|) between the end of a run and the fixed point that it is near."""
Start = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | State


class Simulates(Protocol):
    """What the tools need of a network."""

    spec: NetworkSpec
    seed: int
    operators: nn.ModuleDict

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    @property
    def simulate(self) -> Callable[..., Any]:
        """Simulate points; see `neuroflame.Network.simulate`."""

    def count(self, values: Mapping[str, Any], inputs: Mapping[str, Any], initial: Any, seeds: Any) -> int:
        """Return the number of points; see `neuroflame.Network.count`."""


@dataclass(frozen=True)
class LabelledStates:
    """States, and a table with one row for each.

    Attributes
    ----------
    table : DataFrame
        Units in ``attrs["units"]``.
    states : State
        Row by row; `Network` takes it, or one of it, as ``initial`` or ``start``.
    """

    table: pd.DataFrame
    states: State

    def state(self, row: int) -> State:
        """Return the state of one row."""
        if not -len(self.table) <= row < len(self.table):
            raise SimulationError("is not a row", got=row, remedy=f"there are {len(self.table)}")
        at = row % len(self.table)
        return self.states.map(lambda value: value[at : at + 1])


class DynamicsTools:
    """What `Network` inherits from here; formulas and sources in docs/dynamics.md.

    All of it raises `SpecError` where weights learn.
    """

    def lyapunov(
        self: Simulates,
        sweep: Mapping[str, Any] | None = None,
        *,
        start: Start = "network",
        seeds: Sequence[int] | None = None,
        pairwise: bool = False,
        **options: Any,
    ) -> pd.DataFrame:
        """Return the largest Lyapunov exponents of points, ``lyapunov.1``, … and their standard errors, 1/s.

        ``lyapunov.duration`` is the time that they were averaged over, seconds.

        Parameters
        ----------
        sweep, seeds, pairwise
            As in `Network.simulate`.
        start : str, mapping, sequence of them, or State
            A state, or initial conditions (see `Network.forward`) from which the network first runs.
        **options
            Fields of `neuroflame.spec.dynamics.LyapunovOptions`: ``k``, ``transient``, ``duration``,
            ``longest``, ``precision``, ``blocks``.
        """
        check_constant_weights(self.spec, "lyapunov")
        chosen = LyapunovOptions.parse(options)
        values, points, state = _begin(self, sweep, start, seeds, pairwise)
        found = dynamics.lyapunov(_ensemble(self, values, points, start, seeds), state, chosen)
        columns = {}
        for i in range(chosen.k):
            columns[f"lyapunov.{i + 1}"] = found.exponents[:, i]
            columns[f"lyapunov.{i + 1}.se"] = found.errors[:, i]
        units = dict.fromkeys(columns, "1/s") | {"lyapunov.duration": "s"}
        columns["lyapunov.duration"] = found.durations.cpu().numpy()
        return _table(self, values, points, columns, units)

    def spectrum(
        self: Simulates,
        sweep: Mapping[str, Any] | None = None,
        *,
        start: Start = "network",
        newton: bool = True,
        pairwise: bool = False,
        **options: Any,
    ) -> dynamics.Spectrum:
        """Return the leading eigenvalues of the step's Jacobian, one row a point.

        Parameters
        ----------
        sweep, pairwise
            As in `Network.simulate`.
        start : str, mapping, sequence of them, or State
            A state, or initial conditions (see `Network.forward`) from which the network first runs.
        newton : bool
            Whether to go to the fixed point near that state first; where there is none, the row is undefined.
        **options
            Fields of `neuroflame.spec.dynamics.SpectrumOptions`: ``k`` and ``basis``.
        """
        check_constant_weights(self.spec, "spectrum")
        chosen = SpectrumOptions.parse(options)
        values, points, state = _begin(self, sweep, start, None, pairwise)
        ensemble = _ensemble(self, values, points, start, None)
        owner = torch.arange(points, device=self.device)
        flat = dynamics.StepMap(ensemble.quiet(), at=state.step).flatten(state)
        if newton:
            found = dynamics.solve(ensemble, owner, flat, at=state.step)
            flat = torch.where(found.converged[:, None], found.flat, torch.nan)
        return dynamics.spectrum(ensemble, owner, flat, at=state.step, options=chosen)

    def fixed_points(
        self: Simulates,
        sweep: Mapping[str, Any] | None = None,
        *,
        states: Sequence[State] = (),
        time: float | None = None,
        seeds: Sequence[int] | None = None,
        pairwise: bool = False,
        **options: Any,
    ) -> LabelledStates:
        """Return the fixed points of points, stable and unstable, with their stability.

        Parameters
        ----------
        sweep, pairwise
            As in `Network.simulate`.
        states : sequence of State
            Starts of your own, a row a point each.
        time : float, optional
            Seconds; the external input of this time is held. By default that at the end of the run.
        seeds : sequence of int, optional
            Seed of each point's random starts.
        **options
            Fields of `neuroflame.spec.dynamics.FixedPointOptions`: ``levels``, ``random``, ``tolerance``.

        Returns
        -------
        LabelledStates
            Columns ``point``, the swept paths, ``residual``, ``found`` (starts that led there), mean rate and
            bump of each population, ``alpha``, ``alpha.goldstone``, ``frequency``, ``unstable`` and ``kind``.
        """
        check_constant_weights(self.spec, "fixed_points")
        chosen = FixedPointOptions.parse(options)
        values, points = _assignments(self, sweep, seeds, pairwise)
        at = self.spec.steps if time is None else round(time / self.spec.dt)
        ensemble = _ensemble(self, values, points, "network", seeds)
        found = dynamics.fixed_points(ensemble, at=at, options=chosen, states=states)
        modes = dynamics.spectrum(ensemble, found.owner, found.flat, at=at, options=SpectrumOptions())
        step_map = dynamics.StepMap(ensemble.quiet(found.owner), at=at)
        owner = found.owner.cpu().numpy()
        shown = {path: np.broadcast_to(value, points)[owner] for path, value in values.items()}
        columns = {
            "point": owner,
            "residual": found.residual.cpu().numpy(),
            "found": found.found.cpu().numpy(),
            **{name: value.cpu().numpy() for name, value in summaries(step_map, found.flat).items()},
            "alpha": modes.alpha,
            "alpha.goldstone": modes.alpha_goldstone,
            "frequency": modes.alpha_frequency,
            "unstable": modes.unstable(),
            "kind": modes.classify(),
        }
        return LabelledStates(
            _table(self, shown, len(owner), columns, _units(columns)), step_map.state(found.flat)
        )

    def continue_state(
        self: Simulates,
        path: str,
        to: float,
        *,
        start: Start = "network",
        values: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> LabelledStates:
        """Follow a fixed point along a parameter until it ends, and say how it does.

        Parameters
        ----------
        path : str
            Batchable path, such as ``J0.E``.
        to : float
            Value to go to.
        start : State, or str or mapping
            One state near the fixed point, at the network's own value of the path, or at that in ``values``; or an
            initial condition (see `Network.forward`) from which the network first runs: where it ends must be near
            a stable fixed point.
        values : mapping, optional
            Numbers of the network that differ from its file, by path.
        **options
            ``step``, ``longest``, ``steps``, ``folds``, ``precision``: see
            `neuroflame.core.dynamics.continue_fixed_point`.

        Returns
        -------
        LabelledStates
            Columns: the path, ``error``, mean rate and bump of each population, ``alpha``, ``alpha.goldstone``,
            ``frequency``, ``unstable``, ``kind``, and ``event`` (`neuroflame.core.dynamics.continuation.EVENTS`).
        """
        check_constant_weights(self.spec, "continue_state")
        check_batchable(self.spec, [path])
        given = {path: self.spec.get(path)} | dict(values or {})
        numbers = {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in given.items()}
        rows = len(next(iter(start.rates.values()))) if isinstance(start, State) else 1
        if rows != 1 or any(len(value) != 1 for value in numbers.values()):
            raise SimulationError("must be one state of one point", got=f"{rows} rows", path="start")
        dynamics.check_range(path, float(numbers[path][0]), float(to))
        ensemble = _ensemble(self, numbers, 1, start, None)
        state = start if isinstance(start, State) else _begin(self, numbers, start, None, pairwise=True)[2]
        step_map = dynamics.StepMap(ensemble.quiet(), at=state.step)
        flat = step_map.flatten(state)
        if state is not start:
            _check_ends_at_rest(ensemble, flat, at=state.step)
        branch = dynamics.continue_fixed_point(ensemble, flat, path, to, at=state.step, **options)
        table = branch.to_pandas()
        table.attrs["units"] = {path: find_path(self.spec, path).unit} | _units(list(table.columns))
        return LabelledStates(table, step_map.state(torch.cat(branch.flat)))


def _begin(
    model: Simulates,
    sweep: Mapping[str, Any] | None,
    start: Start,
    seeds: Sequence[int] | None,
    pairwise: bool,
) -> tuple[dict[str, np.ndarray], int, State]:
    """Return the values, the number of points, and the states where they begin."""
    values, points = _assignments(model, sweep, seeds, pairwise, start)
    if not isinstance(start, State):
        _, state = model.simulate(
            values, initial=start, seeds=seeds, pairwise=True, every=model.spec.steps, return_state=True
        )
        return values, points, state
    return values, points, start.map(lambda value: value.expand(points, -1))


def _check_ends_at_rest(ensemble: dynamics.Ensemble, flat: torch.Tensor, *, at: int) -> None:
    """Raise SimulationError unless a run that ended there ended near a stable fixed point."""
    owner = torch.zeros(1, dtype=torch.int64, device=flat.device)
    found = dynamics.solve(ensemble, owner, flat, at=at)
    seen = "Newton's method finds none"
    if bool(found.converged[0]):
        distance = float(((found.flat - flat).abs() / (1.0 + flat.abs())).max())
        modes = dynamics.spectrum(ensemble, owner, found.flat, at=at, options=SpectrumOptions())
        if distance <= _NEAR and not modes.unstable()[0]:
            return
        seen = f"{modes.classify()[0]} at a distance of {distance:.2g}"
    raise SimulationError(
        "the network ends near no fixed point that is stable, as where it oscillates",
        got=seen,
        remedy="another start, a longer duration, or in Python a state of fixed_points",
    )


def _assignments(
    model: Simulates,
    sweep: Mapping[str, Any] | None,
    seeds: Sequence[int] | None,
    pairwise: bool,
    start: Start = "network",
) -> tuple[dict[str, np.ndarray], int]:
    values = assignments(sweep or {}, pairwise=pairwise)
    check_batchable(model.spec, list(values))
    return values, model.count(values, {}, start, seeds)


def _ensemble(
    model: Simulates,
    values: Mapping[str, np.ndarray],
    points: int,
    start: Start,
    seeds: Sequence[int] | None,
) -> dynamics.Ensemble:
    names, starts = named_starts("network" if isinstance(start, State) else start)
    stimulated, turned = cues_of(names, model.device, starts)
    return dynamics.Ensemble(
        model.spec,
        dict(model.operators.items()),  # type: ignore[arg-type]
        {path: torch.as_tensor(v, dtype=torch.float64, device=model.device) for path, v in values.items()},
        torch.as_tensor([model.seed] * points if seeds is None else list(seeds), device=model.device),
        stimulated.expand(points),
        model.device,
        turned.expand(points),
    )


def _table(
    model: Simulates,
    values: Mapping[str, np.ndarray],
    rows: int,
    columns: Mapping[str, Any],
    units: Mapping[str, str],
) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame({path: np.broadcast_to(v, rows) for path, v in values.items()} | dict(columns))
    frame.attrs["units"] = {path: find_path(model.spec, path).unit for path in values} | dict(units)
    return frame


def _units(columns: Sequence[str] | Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name in columns:
        if name.startswith("alpha"):
            found[name] = "1/s"
        elif name == "frequency" or name.startswith(("rate.", "bump.")):
            found[name] = "Hz"
    return found
