"""What `Network` does beyond one run: keep states, move a value there and back, kick and follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from neuroflame.core.batch import Batch, home_of
from neuroflame.core.labels import assignments
from neuroflame.core.measure import PRECISIONS, check_batchable
from neuroflame.core.protocols import Chain, loops_of, measure_protocols, run_ramp
from neuroflame.core.reference import initial_state
from neuroflame.core.starts import cues_of
from neuroflame.core.state import State
from neuroflame.errors import SpecError
from neuroflame.spec import find_path
from neuroflame.spec.kicks import parse_kick
from neuroflame.spec.protocols import check_protocols
from neuroflame.spec.ramps import DIRECTIONS, Ramp
from neuroflame.spec.starts import named_starts
from neuroflame.spec.state_file import StateFile, read_state_file

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr
    from torch import nn

    from neuroflame.core.program import Program
    from neuroflame.spec import NetworkSpec

Start = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] | State


class Simulates(Protocol):
    """What the tools need of a network."""

    spec: NetworkSpec
    seed: int
    precision: str
    executor: str
    operators: nn.ModuleDict

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    def simulate(self, sweep: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Simulate points; see `neuroflame.Network.simulate`."""

    def count(self, values: Mapping[str, Any], inputs: Mapping[str, Any], initial: Any, seeds: Any) -> int:
        """Return the number of points; see `neuroflame.Network.count`."""

    def program(self, *arguments: Any, **options: Any) -> Program:
        """Return what an executor runs; see `neuroflame.Network.program`."""


class ProtocolTools:
    """What `Network` inherits from here; docs/protocols.md."""

    def ramp(
        self: Simulates,
        path: str,
        start: float,
        stop: float,
        *,
        sweep: Mapping[str, Any] | None = None,
        initial: Start = "network",
        seeds: Sequence[int] | None = None,
        pairwise: bool = False,
        **options: Any,
    ) -> xr.Dataset:
        """Move a value there and back, the state carried over, and return what the points do at each level.

        Parameters
        ----------
        path : str
            The value, by its dotted path.
        start, stop : float
            First value, and last value of the way there.
        sweep, seeds, pairwise
            As in `Network.simulate`.
        initial : str, mapping, sequence of them, or State
            A state, or initial conditions (see `Network.forward`) from which the network first runs at the first value.
        **options
            Further fields of `neuroflame.spec.ramps.Ramp`: ``hold`` or ``rate``, ``num``, ``window``, ``on``, ….

        Returns
        -------
        Dataset
            Dimensions ``point``, ``direction`` (``up`` there, ``down`` back) and ``level``: the statistics of each
            level; ``jump`` and ``jump.error`` (point, direction); ``width``, ``width.error`` and ``area`` of the
            hysteresis loop (point).

        Raises
        ------
        SpecError
            If a field is wrong, or the value cannot be ramped.
        """
        import xarray as xr

        ramp = Ramp.parse({"path": path, "from": start, "to": stop, **options})
        values = assignments(sweep or {}, pairwise=pairwise)
        check_protocols(self.spec, ramp, (), list(values))
        points = self.count(values, {}, initial, seeds)
        at_start = {**values, path: np.full(points, float(start))}
        batch, state = _settled(self, at_start, points, initial, seeds)
        with torch.no_grad():
            course = run_ramp(Chain.after(batch, state, ramp.steps(self.spec.dt), self.executor), state, ramp)
        name = ramp.observable(self.spec)
        found = loops_of(course, ramp, name)
        unit = find_path(self.spec, path).unit
        ways = ("point", "direction")
        arrays: dict[str, Any] = {
            stat: ((*ways, "level"), cells, {"units": "" if stat.endswith(".sd_t") else "Hz"})
            for stat, cells in course.statistics.items()
        }
        arrays["jump"] = ways, np.stack([found.up_jump, found.down_jump], axis=1), {"units": unit}
        arrays["jump.error"] = ways, np.stack([found.up_error, found.down_error], axis=1), {"units": unit}
        arrays["width"] = "point", found.width, {"units": unit}
        arrays["width.error"] = "point", found.width_error, {"units": unit}
        arrays["area"] = "point", found.area, {"units": f"Hz·{unit}" if unit else "Hz"}
        coordinates: dict[str, Any] = {
            "direction": list(DIRECTIONS),
            path: ("level", course.levels, {"units": unit}),
        }
        for swept, value in values.items():
            about = {"units": find_path(self.spec, swept).unit}
            coordinates[swept] = "point", np.broadcast_to(value, points), about
        return xr.Dataset(arrays, coords=coordinates, attrs={"spec": self.spec.digest(), "on": name})

    def perturb(
        self: Simulates,
        kind: str,
        *,
        sweep: Mapping[str, Any] | None = None,
        initial: Start = "network",
        seeds: Sequence[int] | None = None,
        pairwise: bool = False,
        **options: Any,
    ) -> pd.DataFrame:
        """Kick points, follow them beside themselves without the kick, and return one row for each.

        Parameters
        ----------
        kind : {"rates", "rotation", "stp", "random"}
        sweep, seeds, pairwise
            As in `Network.simulate`.
        initial : str, mapping, sequence of them, or State
            A state, or initial conditions (see `Network.forward`) from which the network first runs.
        **options
            Further fields of the kick, see `neuroflame.spec.kicks`: ``add``, ``angle``, ``size``, ``duration``, ….

        Returns
        -------
        DataFrame
            ``recovery.time`` (s), ``recovery.peak`` (Hz), ``recovery.difference``, ``recovery.returned``,
            ``recovery.phase`` (degrees); units in ``attrs["units"]``.

        Raises
        ------
        SpecError
            If a field is wrong, or the network cannot be kicked so.
        """
        import pandas as pd

        kick = parse_kick({"kind": kind, **options})
        values = assignments(sweep or {}, pairwise=pairwise)
        check_protocols(self.spec, None, (kick,), list(values))
        points = self.count(values, {}, initial, seeds)
        batch, state = _settled(self, values, points, initial, seeds)
        with torch.no_grad():
            found = measure_protocols(batch, state, self.executor, None, (kick,))
        swept = {path: np.broadcast_to(v, points) for path, v in values.items()}
        frame = pd.DataFrame(swept | {column.name: cells for column, cells in found})
        units = {path: find_path(self.spec, path).unit for path in values}
        frame.attrs["units"] = units | {column.name: column.unit for column, _ in found}
        return frame

    def save_state(self: Simulates, path: str | Path, state: State) -> None:
        """Write states to a .npz file, from which `load_state` and sweeps start.

        Parameters
        ----------
        path : path
        state : State
            As ``simulate(..., return_state=True)`` returns it; a row a point.

        Raises
        ------
        SpecError
            If it is not one of this network, or a point of it diverged.
        """
        values = {name: value.detach().cpu().numpy() for name, value in state.named().items()}
        found = StateFile.of(values, state.step)
        found.check(self.spec)
        found.write(path)

    def load_state(self: Simulates, path: str | Path) -> State:
        """Return the states of a file that `save_state` wrote: ``initial`` of a run that continues to the last bit.

        Raises
        ------
        SpecError
            If there is no such file, or it lacks a variable of this network or holds one of another.
        """
        found = read_state_file(path)
        found.check(self.spec)
        seeds = torch.full((found.rows,), self.seed, dtype=torch.int64, device=self.device)
        start = initial_state(self.program({}, found.rows, seeds))
        for name, value in start.named().items():
            if name not in found.values:
                raise SpecError(f"lacks the variable {name}", got=str(path), path="file")
            if found.values[name].shape[1] != value.shape[1]:
                rule = f"must hold {value.shape[1]} values of {name} for each state"
                raise SpecError(rule, got=found.values[name].shape[1], path="file")
        kind = PRECISIONS[self.precision]
        values = {
            name: torch.as_tensor(rows, dtype=kind, device=self.device) for name, rows in found.values.items()
        }
        return start.renamed(values, step=found.step)


def _settled(
    model: Simulates,
    values: Mapping[str, np.ndarray],
    points: int,
    initial: Start,
    seeds: Sequence[int] | None,
) -> tuple[Batch, State]:
    """Return points as a batch, and the state in which they begin or, from initial conditions, in which they end."""
    check_batchable(model.spec, list(values))
    if isinstance(initial, State):
        state = initial.map(lambda value: value.expand(points, -1))
    else:
        _, state = model.simulate(
            values, initial=initial, seeds=seeds, pairwise=True, every=model.spec.steps, return_state=True
        )
    operators: Any = dict(model.operators.items())
    home = home_of(model.device, model.spec, operators)
    names, starts = named_starts("network" if isinstance(initial, State) else initial)
    stimulated, turned = cues_of(names, home, starts)
    batch = Batch(
        model.spec,
        operators,
        {path: torch.as_tensor(v, dtype=torch.float64, device=home) for path, v in values.items()},
        torch.as_tensor([model.seed] * points if seeds is None else list(seeds), device=home),
        stimulated.expand(points),
        turned.expand(points),
        dtype=PRECISIONS[model.precision],
        device=model.device,
        fast=model.precision == "fast",
    )
    return batch, state
