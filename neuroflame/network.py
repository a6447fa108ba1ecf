"""One network on one machine: simulate it at one point or many, differentiate through it, save it."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from neuroflame.core.connectivity import make_operator
from neuroflame.core.connectivity.edges import edges_of
from neuroflame.core.connectivity.given import blocks_of, operator_of, with_blocks
from neuroflame.core.executors import choose
from neuroflame.core.inputs import points_of, read_inputs
from neuroflame.core.labels import GROUPS, assignments, label, side_by_side
from neuroflame.core.measure import (
    PRECISIONS,
    EngineCache,
    check_batchable,
    measure_points,
    resolve_device,
)
from neuroflame.core.program import Program, build_program
from neuroflame.core.recorder import Recording, RecordPlan
from neuroflame.core.starts import cues_of, given_state, start_states
from neuroflame.core.state import State
from neuroflame.core.surrogate import STEEPNESS
from neuroflame.diagnostics import Diagnostics
from neuroflame.errors import SimulationError, SpecError
from neuroflame.network_dynamics import DynamicsTools
from neuroflame.network_protocols import ProtocolTools
from neuroflame.spec import NetworkSpec, find_path, load_network
from neuroflame.spec.base import suggestion
from neuroflame.spec.dynamics import DynamicsOptions
from neuroflame.spec.legacy import import_legacy
from neuroflame.spec.starts import named_starts

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from neuroflame.spec.legacy import LegacyReport
    from neuroflame.spec.starts import RandomStart, Supplied

Values = Mapping[str, Any]
Arrays = Mapping[str, Any]
Starts = str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
Initial = Starts | State
SAMPLES_MAX = 1000


class Network(DynamicsTools, ProtocolTools, Diagnostics, nn.Module):
    """A recurrent network, ready to run.

    Parameters
    ----------
    network : path or NetworkSpec
        A network file, or what `load_network` returns.
    device : str
        ``cpu``, ``cuda`` or ``auto``: CUDA where there is one.
    precision : {"exact", "fast", "double"}
        float32, float32 with recurrent inputs rounded to 11 bits where a GPU multiplies sparse connectivity, or
        float64.
    executor : str
        ``auto``, ``reference``, ``trajectory``, or ``stepped``, which is for CUDA devices.
    graph : int
        Which draw of the random connectivity.
    seed : int
        Seed of noise and of random starts.
    steepness : float
        Of the gradient that stands in for that of a spike, see `neuroflame.core.surrogate`.
    **overrides
        Values that replace the file's: ``J={"EE": 8.0}`` or ``**{"J.EE": 8.0}``. Under ``connectivity`` a pair's
        name may be given a block of weights, post by pre, which J multiplies as it is: an array or Tensor, a
        scipy sparse matrix, or the arrays (post, pre) or (post, pre, weight) of its connections.

    Raises
    ------
    SpecError
        If the file or an override is wrong; one line that says where and why.

    Examples
    --------
    >>> model = Network("conf/ring_EI.yml", duration=0.1, stimuli=[], device="cpu", **{"J.EE": 8.0})
    >>> rates = model()
    >>> tuple(rates.shape)  # points, steps, neurons
    (1, 100, 1000)
    """

    def __init__(
        self,
        network: str | Path | NetworkSpec,
        *,
        device: str = "auto",
        precision: str = "exact",
        executor: str = "auto",
        graph: int = 0,
        seed: int = 0,
        steepness: float = STEEPNESS,
        **overrides: Any,
    ) -> None:
        super().__init__()
        if precision not in PRECISIONS:
            raise SimulationError(
                "is not a precision", got=precision, remedy=suggestion(precision, PRECISIONS)
            )
        spec = network if isinstance(network, NetworkSpec) else load_network(network)
        overrides, blocks = blocks_of(overrides)
        spec = spec.with_values(overrides, file=_file(network)) if overrides else spec
        self.spec, given = with_blocks(spec, blocks)
        self.precision, self.executor, self.graph, self.seed = precision, executor, graph, seed
        self.steepness = steepness
        place = resolve_device(device)
        self.operators = nn.ModuleDict(
            {
                p.name: operator_of(given[p.name], device=place, dtype=PRECISIONS[precision])
                if p.name in given
                else make_operator(self.spec, p, graph=graph, device=place, dtype=PRECISIONS[precision])
                for p in self.spec.pairs
            }
        )
        self.register_buffer("_place", torch.zeros((), device=place), persistent=False)

    legacy_report: LegacyReport | None = None
    """What became of every key of the file, of a network that `from_legacy` made."""

    @classmethod
    def from_legacy(
        cls,
        path: str | Path,
        *,
        defaults: str | Path | None = None,
        version: str | None = None,
        partial: bool = False,
        device: str = "auto",
        precision: str = "exact",
        executor: str = "auto",
        graph: int = 0,
        seed: int = 0,
        **legacy_keys: Any,
    ) -> Network:
        """Return the network that a file of the original NeuroFlame describes.

        Parameters
        ----------
        path : path
            A YAML file of the original.
        defaults : path, optional
            What it is merged over; by default the ``defaults.yml`` beside it, where there is one.
        version : {"2024", "2026"}, optional
            As which version of the original to read it; by default as its keys tell.
        partial : bool
            Whether to go on, with a warning, without what cannot carry over.
        device, precision, executor, graph, seed
            As in `Network`.
        **legacy_keys
            Values that replace the file's, by the original's names: ``Jab=[1, -1.5, 1, -1]``.

        Raises
        ------
        SpecError
            If the file is wrong, or something in it cannot carry over; it names the keys.
        """
        found = import_legacy(path, legacy_keys, defaults=defaults, version=version, partial=partial)
        if not found.report.complete:
            lost = "; ".join(f"{note.key}: {note.text}" for note in found.report.cannot)
            warnings.warn(f"{path}: not carried over: {lost}", stacklevel=2)
        model = cls(found.spec, device=device, precision=precision, executor=executor, graph=graph, seed=seed)
        model.legacy_report = found.report
        return model

    @property
    def device(self) -> torch.device:
        """Where the network runs; ``model.to("cuda")`` moves it."""
        place: Tensor = self._place  # type: ignore[assignment]
        return place.device

    @property
    def slices(self) -> dict[str, slice]:
        """Where each population's neurons stand on the neuron axis."""
        ends = list(itertools.accumulate(p.size for p in self.spec.populations.values()))
        starts = [0, *ends]
        return {name: slice(starts[i], ends[i]) for i, name in enumerate(self.spec.populations)}

    def forward(
        self,
        values: Values | None = None,
        *,
        inputs: Arrays | None = None,
        initial: Initial = "network",
        seeds: Sequence[int] | Tensor | None = None,
        every: int = 1,
        steps: int | None = None,
    ) -> Tensor:
        """Simulate and return the rates; differentiable in values, inputs and the variables of the start.

        Parameters
        ----------
        values : mapping, optional
            Batchable path to a number or a vector (P,), Tensors with gradients included.
        inputs : mapping, optional
            Population to an array or Tensor that is added to its external input: (N,), (T, N) with T the number of
            steps of this run, or (P, T, N).
        initial : str, mapping, sequence of them, or State
            Initial condition, one for all or one a point, as in a sweep: ``network``, ``cold``, ``hot``, ``cued``, or
            ``{"kind": "random", "num": 8}`` (`neuroflame.spec.starts.RandomStart`), ``{"cued": 8}`` and
            ``{"kind": "state", "file": ...}`` for as many points as they are starts; a state to continue from; or
            variables of the network's start to replace, by name (``rates.E``, ``stp.EE.u``), with arrays or
            Tensors, (N,) or (P, N).
        seeds : sequence of int, optional
            Seed of each point's noise and start; the network's seed by default.
        every : int
            Steps between two samples, counted from time 0; at least one must lie in the run.
        steps : int, optional
            Number of steps; the file's duration by default.

        Returns
        -------
        Tensor, (P, samples, N), Hz
            All populations side by side, see `slices`. NaN from where a point diverged on. Of populations that
            spike the mean since the last sample: 1/dt for each spike, where ``every`` is 1.
        """
        recording = self._run(values or {}, inputs or {}, initial, seeds, GROUPS[:1], every, steps)
        return side_by_side(self.spec, recording, "rates")

    def simulate(
        self,
        sweep: Values | None = None,
        *,
        record: Sequence[str] = ("rates",),
        every: int | None = None,
        inputs: Arrays | None = None,
        initial: Initial = "network",
        seeds: Sequence[int] | None = None,
        duration: float | None = None,
        pairwise: bool = False,
        return_state: bool = False,
    ) -> xr.Dataset | tuple[xr.Dataset, State]:
        """Simulate points and return labelled arrays.

        Parameters
        ----------
        sweep : mapping, optional
            Batchable path to a vector of values. Several paths make their grid, the last varying fastest, or
            with ``pairwise`` go together.
        record : sequence of str
            ``rates``, ``currents`` (recurrent input), ``slow`` (NMDA), ``spikes`` (number since the last sample) and
            ``voltage`` of the populations that spike, or one variable such as ``rates.E``, ``stp.EE.u`` or
            ``weights.EE`` (one value a connection: take few samples).
        every : int, optional
            Steps between two samples; by default at most 1,000 samples are kept.
        inputs, initial, seeds
            As in `forward`.
        duration : float, optional
            Seconds to simulate; the file's duration by default.
        pairwise : bool
            Whether vectors of equal length go together instead of making a grid.
        return_state : bool
            Whether to return the final state too, to continue from.

        Returns
        -------
        Dataset
            Dimensions ``point``, ``time`` (seconds) and ``neuron``; each swept path, the population and the
            preferred angle (degrees) of the neurons are coordinates, units are in the attributes.
        State
            Only with ``return_state``.

        Raises
        ------
        SpecError
            If a path does not exist or is structural.
        SimulationError
            If a variable to record does not exist.
        """
        values = assignments(sweep or {}, pairwise=pairwise)
        steps = self.spec.steps if duration is None else round(duration / self.spec.dt)
        every = every or max(1, -(-steps // SAMPLES_MAX))
        with torch.no_grad():
            recording = self._run(values, inputs or {}, initial, seeds, record, every, steps)
        assert recording.final is not None
        edges = {name: edges_of(self.operators[name], self.device) for name in self.spec.hebbian}
        found = label(self.spec, recording, record, values, edges)
        return (found, recording.final) if return_state else found

    def measure(
        self,
        sweep: Values | None = None,
        *,
        measure: Sequence[str] = ("rates", "bump"),
        dynamics: Mapping[str, Any] | DynamicsOptions | None = None,
        window: float | None = None,
        initial: Starts = "network",
        seeds: Sequence[int] | None = None,
        pairwise: bool = False,
    ) -> pd.DataFrame:
        """Simulate points and return one row of statistics for each; units in ``attrs["units"]``.

        Parameters are those of `simulate` and of `neuroflame.core.measure.measure_points`; ``dynamics`` may be
        plain data, ``{"lyapunov": {"k": 2}}``.
        """
        import pandas as pd

        values = assignments(sweep or {}, pairwise=pairwise)
        points = self.count(values, {}, initial, seeds)
        names, starts = _each(initial, points)
        engines = EngineCache()
        engines.put(
            self.spec, self.graph, self.device, PRECISIONS[self.precision], dict(self.operators.items())
        )
        measured = measure_points(
            self.spec,
            values,
            graph=self.graph,
            seeds=np.full(points, self.seed) if seeds is None else np.asarray(seeds),
            initial=names,
            starts=starts,
            measure=measure,
            dynamics=dynamics
            if isinstance(dynamics, DynamicsOptions)
            else DynamicsOptions.parse(dynamics or {}),
            window=window,
            device=str(self.device),
            precision=self.precision,
            executor=self.executor,
            engines=engines,
        )
        frame = pd.DataFrame({path: np.broadcast_to(v, points) for path, v in values.items()} | measured.data)
        units = {path: find_path(self.spec, path).unit for path in values}
        frame.attrs["units"] = units | {column.name: column.unit for column in measured.columns}
        return frame

    def program(
        self,
        values: Values,
        points: int,
        seeds: Tensor,
        stimulated: Tensor | None = None,
        turned: Tensor | None = None,
    ) -> Program:
        """Return what an executor runs: the coefficients of P points on this network's connectivity."""
        check_batchable(self.spec, list(values))
        return build_program(
            self.spec,
            self.operators,
            {path: torch.as_tensor(v, dtype=torch.float64, device=self.device) for path, v in values.items()},
            points=points,
            seeds=seeds,
            dtype=PRECISIONS[self.precision],
            fast=self.precision == "fast",
            device=self.device,
            stimulated=stimulated,
            steepness=self.steepness,
            turned=turned,
        )

    def _run(
        self,
        values: Values,
        inputs: Arrays,
        initial: Initial,
        seeds: Sequence[int] | Tensor | None,
        record: Sequence[str],
        every: int,
        steps: int | None,
    ) -> Recording:
        points = self.count(values, inputs, initial, seeds)
        keys = torch.as_tensor(
            [self.seed] * points if seeds is None else seeds, dtype=torch.int64, device=self.device
        )
        steps = self.spec.steps if steps is None else steps
        given = isinstance(initial, State) or _replaces(initial)
        names, starts = _each("network" if given else initial, points)
        program = self.program(values, points, keys, *cues_of(names, self.device, starts))
        if isinstance(initial, State):
            state = initial
        elif given:
            state = given_state(program, initial)  # type: ignore[arg-type]
        else:
            state = start_states(program, names, starts)
        if state.step // every == (state.step + steps) // every:
            raise SpecError(
                f"must leave a sample: there is none in steps {state.step + 1} to {state.step + steps}",
                got=every,
                path="every",
                remedy="samples are taken after every so many steps, counted from time 0",
            )
        added = read_inputs(
            self.spec,
            inputs,
            start=state.step,
            steps=steps,
            points=points,
            dtype=program.dtype,
            device=self.device,
        )
        program = replace(program, inputs=added)
        plan = RecordPlan(variables=self._variables(state, record), variables_every=every, final_state=True)
        return choose(self.executor, program, plan, state).run(program, state, steps, plan)

    def count(self, values: Values, inputs: Arrays, initial: Any, seeds: Any) -> int:
        """Return for how many points values, starts and seeds are given; SpecError if they differ."""
        lengths = {path: np.size(v) if not isinstance(v, Tensor) else v.numel() for path, v in values.items()}
        if isinstance(initial, State):
            lengths["initial"] = next(iter(initial.rates.values())).shape[0]
        elif _replaces(initial):
            lengths |= {f"initial.{name}": len(v) for name, v in initial.items() if np.ndim(v) == 2}
        else:
            lengths["initial"] = len(named_starts(initial)[0])
        lengths |= points_of(inputs)
        if seeds is not None:
            lengths["seeds"] = len(seeds)
        longest = max(lengths.values(), default=1)
        for name, length in lengths.items():
            if length not in {1, longest}:
                raise SpecError(
                    f"must have one value or {longest}, as many as the others", got=length, path=name
                )
        return longest

    def _variables(self, state: State, record: Sequence[str]) -> tuple[str, ...]:
        named = [*state.named(), *(f"spikes.{name}" for name in state.voltage)]
        found: list[str] = []
        for name in record:
            members = [
                known for known in named if known == name or (name in GROUPS and known.startswith(f"{name}."))
            ]
            if not members:
                valid = [*(g for g in GROUPS if any(known.startswith(f"{g}.") for known in named)), *named]
                raise SimulationError("there is no such variable", got=name, remedy=suggestion(name, valid))
            found += members
        return tuple(dict.fromkeys(found))

    def extra_repr(self) -> str:
        """Return the sizes of the populations, for ``print``."""
        return ", ".join(f"{name}: {p.size}" for name, p in self.spec.populations.items())


def _each(initial: Any, points: int) -> tuple[list[str], dict[str, RandomStart | Supplied]]:
    """Return the initial condition of each point, and what names that are drawn or supplied mean."""
    names, starts = named_starts(initial)
    return names if len(names) == points else names * points, starts


def _replaces(initial: Any) -> bool:
    """Whether a mapping holds variables of the network's start, and is not itself a start."""
    return isinstance(initial, Mapping) and not {"kind", "cued"} & set(initial)


def _file(network: str | Path | NetworkSpec) -> str | None:
    return None if isinstance(network, NetworkSpec) else str(network)
