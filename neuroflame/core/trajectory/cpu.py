"""The trajectory executor for CPUs: blocks of 16 points (8 in float64), one core each, from first step to last."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.recorder import Recording, RecordPlan, Sums, segments
from neuroflame.core.spike_record import Bins, Intervals, bin_steps
from neuroflame.core.trajectory.arguments import Arguments, Array, aligned, timetable
from neuroflame.core.trajectory.kernels import kernel_for
from neuroflame.core.trajectory.structure import is_modal, refusal, shape_of, trains_of
from neuroflame.core.trajectory.turns import run_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.state import State
    from neuroflame.core.trajectory.arguments import Stretch
    from neuroflame.core.trajectory.structure import Shape

MODAL = {"currents": "h", "slow": "g"}
"""State variables that a kernel may keep as Fourier coefficients, with its letter for them."""


LETTERS = {"rates": "r", "thresholds": "q", "voltage": "v", "refractory": "f", **MODAL}
"""Kernels' names of the variables of a population."""


class CpuTrajectoryExecutor:
    """Runs blocks of points through a compiled kernel, as many at once as torch has threads.

    A block's last lanes repeat its last point where points do not fill it; a lane's numbers do not depend on
    its neighbours or on its place.
    """

    name = "trajectory"

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return why this executor cannot run the program, None if it can."""
        if program.device.type != "cpu":
            return f"it is for CPUs, and the network is on {program.device.type}"
        return refusal(program)

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""
        modal = is_modal(program, state, plan)
        shape = shape_of(
            program,
            modal=modal,
            temporal=bool(plan.temporal),
            evidence=plan.evidence,
            trains=trains_of(program, plan),
        )
        kernel = kernel_for(shape)
        job = Job(program, state, plan, shape, kernel, steps)
        job.arguments = Arguments(program, shape, kernel.parameters, kernel.modes, job.inputs)
        run_blocks(job, -(-program.points // kernel.lanes), torch.get_num_threads())
        return job.recording(state.step + steps)


@dataclass
class Results:
    """Arrays that a run fills; see `Recording` for what they hold."""

    failed: Tensor
    first: list[Tensor]
    total: list[Tensor]
    squares: list[Tensor]
    means: Tensor
    traces: Tensor
    variables: dict[str, Tensor]
    final: dict[str, Tensor]
    edges: list[Tensor] = field(default_factory=list)
    intervals: list[Tensor] = field(default_factory=list)


@dataclass
class Block:
    """Some points on their way through a run.

    Attributes
    ----------
    begin, count : int
        The first of the points, and how many there are.
    pool : dict of ndarray
        The kernel's arrays by name.
    failed, means, traces : ndarray
        What the kernel fills; see `Results`.
    """

    begin: int
    count: int
    pool: dict[str, Array]
    failed: Array
    means: Array
    traces: Array


class Job:
    """One run: its inputs, and the arrays that the blocks fill."""

    arguments: Arguments

    def __init__(
        self, program: Program, state: State, plan: RecordPlan, shape: Shape, kernel: Any, steps: int
    ) -> None:
        self.program, self.start, self.plan, self.shape, self.kernel = program, state, plan, shape, kernel
        self.rows = len(shape.populations) + len(shape.traced_pairs)
        self.segments = segments(plan)
        table = timetable(program, plan, self.segments, state.step, state.step + steps)
        self.inputs, self.samples, self.stretches = table.inputs, table.samples, table.stretches
        stops = [stretch.stop for stretch in self.stretches]
        self.variable_steps = [n for n in stops if plan.variables and n % plan.variables_every == 0]
        self.out = self._allocate(state)

    def _allocate(self, state: State) -> Results:
        points, dtype = self.program.points, self.program.dtype
        sizes = [p.size for p in self.program.populations.values()]
        count = len(self.segments)
        squares = count if self.plan.temporal else 0
        spiking = [p.spiking is not None for p in self.program.populations.values()]
        kept = bool(self.plan.intervals)
        named = state.named() | {f"spikes.{name}": state.rates[name] for name in state.voltage}
        return Results(
            failed=torch.full((points,), -1, dtype=torch.int64),
            first=[torch.zeros(count, points, n, dtype=dtype) for n in sizes],
            total=[torch.zeros(count, points, n, dtype=dtype) for n in sizes],
            squares=[torch.zeros(squares, points, n, dtype=dtype) for n in sizes],
            edges=[
                torch.zeros(squares * s, points, n, dtype=dtype) for n, s in zip(sizes, spiking, strict=True)
            ],
            intervals=[
                torch.zeros(7 * s * kept, points, n, dtype=dtype) for n, s in zip(sizes, spiking, strict=True)
            ],
            means=torch.zeros(squares, len(sizes), 3, points, dtype=dtype),
            traces=torch.zeros(len(self.samples), self.rows, 3, points, dtype=dtype),
            variables={
                name: torch.zeros(points, len(self.variable_steps), named[name].shape[1], dtype=dtype)
                for name in self.plan.variables
            },
            final={name: torch.zeros(value.shape, dtype=dtype) for name, value in state.named().items()}
            if self.plan.final_state or self.plan.evidence
            else {},
        )

    def open(self, number: int) -> Block:
        """Return a block of lanes before its first step."""
        lanes, dtype = self.kernel.lanes, self.arguments.dtype
        begin = number * lanes
        count = min(lanes, self.program.points - begin)
        points = begin + np.minimum(np.arange(lanes), count - 1)
        sizes, segment_count = self.arguments.sizes(), len(self.segments)
        pool: dict[str, Array] = self.arguments.block(points) | self.arguments.state(self.start, points)
        shared = self.arguments.topology | self.arguments.vectors
        failed = np.full(lanes, -1, dtype=np.int64)
        means = np.zeros(self.out.means.shape[0] * len(sizes) * 3 * lanes, dtype)
        traces = np.zeros(max(1, len(self.samples)) * self.rows * 3 * lanes, dtype)
        for name in self.kernel.arrays:
            if name not in pool | shared:
                pool[name] = np.zeros(self._length(name, sizes, segment_count) * lanes, dtype)
        placed = {name: aligned(array) for name, array in pool.items()}
        return Block(begin, count, placed | shared, failed, means, traces)

    def advance(self, block: Block, stretches: Sequence[Stretch]) -> None:
        """Run some of a block's stretches."""
        begin, count, pool = block.begin, block.count, block.pool
        arrays = [pool[name] for name in self.kernel.arrays]
        for start, stop, rows in stretches:
            clock = np.array([start, self.program.spec.steps, stop], dtype=np.int64)
            self.kernel.run(
                pool["par"], pool["ext"], rows, clock, block.failed, block.means, block.traces, pool["keys"],
                pool["limit"],
                *self.arguments.tables, *arrays,
            )  # fmt: skip
            if stop in self.variable_steps:
                sample = self.variable_steps.index(stop)
                before = self.variable_steps[sample - 1] if sample else self.start.step
                for name in self.plan.variables:
                    found = self._sampled(pool, name, count, stop - before)
                    self.out.variables[name][begin : begin + count, sample] = found
                for name in self.start.voltage:
                    pool[f"seen{list(self.program.populations).index(name)}"][:] = 0.0

    def close(self, block: Block) -> None:
        """Keep what a block leaves."""
        count, pool = block.count, block.pool
        lanes, span = self.kernel.lanes, slice(block.begin, block.begin + count)
        for name, value in self.out.final.items():
            value[span] = self._lane_rows(pool, name, count)
        self.out.failed[span] = torch.as_tensor(block.failed[:count])
        for kind, parts in (
            ("first", self.out.first),
            ("total", self.out.total),
            ("squares", self.out.squares),
            ("edge", self.out.edges),
            ("isi", self.out.intervals),
        ):
            for a, part in enumerate(parts):
                if part.shape[0]:
                    filled = pool[f"{kind}{a}"].reshape(part.shape[0], part.shape[2], lanes)
                    part[:, span] = torch.as_tensor(filled[:, :, :count].swapaxes(1, 2))
        shape = self.out.means.shape
        self.out.means[..., span] = torch.as_tensor(block.means.reshape(*shape[:3], lanes)[..., :count])
        if self.samples:
            shape = self.out.traces.shape
            self.out.traces[..., span] = torch.as_tensor(block.traces.reshape(*shape[:3], lanes)[..., :count])

    def _length(self, name: str, sizes: list[int], segment_count: int) -> int:
        """Return the rows of an array that the state does not bring."""
        kind, index = name.rstrip("0123456789"), int(name[len(name.rstrip("0123456789")) :])
        if kind in {"first", "total", "squares", "edge"}:
            return max(1, segment_count) * sizes[index]
        if kind == "isi":
            return 7 * sizes[index]
        if kind in {"hm", "gm"}:
            return 2 * self.kernel.modes + 1
        populations = list(self.program.populations)
        if kind == "s":
            return sizes[populations.index(self.program.pairs[index].pre)]
        if kind == "sum":
            return sizes[populations.index(self.program.pairs[index].post)]
        if kind in {"draw", "eta"}:
            return sizes[populations.index(self.arguments.noise_names()[index].split(".")[1])]
        return sizes[index]

    def _sampled(self, pool: dict[str, Array], name: str, count: int, steps: int) -> Tensor:
        """Return a variable for the points of a block; of spike trains what came since the sample before."""
        group, owner = name.split(".", 1)
        if group not in {"rates", "spikes"} or owner not in self.start.voltage:
            return self._lane_rows(pool, name, count)
        spiking = self.program.populations[owner].spiking
        assert spiking is not None
        seen = pool[f"seen{list(self.program.populations).index(owner)}"].reshape(-1, self.kernel.lanes)
        total = torch.as_tensor(seen[:, :count].T)
        return total / steps if group == "rates" else total / spiking.height[0]

    def _lane_rows(self, pool: dict[str, Array], name: str, count: int) -> Tensor:
        group, _, population = name.partition(".")
        if group in MODAL:
            a = list(self.program.populations).index(population)
            if self.shape.populations[a].modal:
                kept = pool[f"{MODAL[group]}m{a}"].reshape(-1, self.kernel.lanes)[:, :count]
                return torch.as_tensor(self._series(a, kept))
        flat = pool[self._array_of(name)].reshape(-1, self.kernel.lanes)
        return torch.as_tensor(flat[:, :count].T)

    def _series(self, a: int, coefficients: Array) -> Array:
        """Return a population's current, (points, N), from its Fourier coefficients, (modes, points)."""
        modes = self.shape.populations[a].modes
        table = self.arguments.tables[a].reshape(-1, 2 * self.kernel.modes)
        total = np.repeat(coefficients[0][:, None], len(table), axis=1)
        for k in range(modes):
            total += coefficients[1 + k][:, None] * table[:, k]
            total += coefficients[1 + modes + k][:, None] * table[:, self.kernel.modes + k]
        return total

    def _array_of(self, name: str) -> str:
        """Return the kernel's name of a state variable such as ``rates.E`` or ``stp.EE.u``."""
        group, rest = name.split(".", 1)
        if group == "stp":
            pair, variable = rest.split(".")
            return f"{variable}{[p.name for p in self.program.pairs].index(pair)}"
        if group == "noise":
            return f"eta{self.arguments.noise_names().index(rest)}"
        letter = LETTERS[group]
        return f"{letter}{list(self.program.populations).index(rest)}"

    def recording(self, stop: int) -> Recording:
        """Return what the blocks left."""
        names = list(self.program.populations)
        sums = []
        for i, segment in enumerate(self.segments):
            begin, end = max(segment.start, self.start.step), min(segment.stop, stop)
            if end <= begin:
                continue
            row = {}
            for a, name in enumerate(names):
                row[name] = Sums(end - begin, self.out.first[a][i], self.out.total[a][i])
                if segment.temporal and name in self.start.voltage:
                    steps = bin_steps(self.program.spec.dt)
                    row[name].bins = Bins(steps, (end - begin) // steps, self.out.edges[a][i])
                if segment.temporal:
                    row[name].squares = self.out.squares[a][i]
                    first, total, squares = self.out.means[i, a]
                    row[name].mean_first, row[name].mean_total, row[name].mean_squares = first, total, squares
            sums.append(row)
        return Recording(
            plan=self.plan,
            segments=self.segments,
            sums=sums,
            fail_step=self.out.failed,
            trace_steps=self.samples,
            traces=self._traces(),
            plastic_steps=[n + 1 for n in self.samples if n < stop] if self.shape.traced_pairs else [],
            plastic=self._plastic(stop),
            variable_steps=self.variable_steps,
            variables=self.out.variables,
            final=self._final(stop),
            intervals={
                name: Intervals(*kept)
                for name, kept in zip(names, self.out.intervals, strict=False)
                if len(kept)
            },
        )

    def _traces(self) -> dict[str, Tensor]:
        if not self.samples:
            return {}
        gaps = torch.tensor([b - a for a, b in itertools.pairwise([self.start.step, *self.samples])])
        found = {}
        for a, name in enumerate(self.program.populations):
            trace = self.out.traces[:, a]
            if name in self.start.voltage:
                trace = trace / gaps[:, None, None]
            found[name] = trace.permute(2, 0, 1)
        return found

    def _plastic(self, stop: int) -> dict[str, Tensor]:
        """Return the samples of plastic pairs; after the last step a kernel holds back what the next one changes."""
        count = sum(n < stop for n in self.samples)
        if not count:
            return {}
        rows = enumerate(self.shape.traced_pairs, start=len(self.shape.populations))
        pairs = self.program.pairs
        return {pairs[i].name: self.out.traces[:count, row].permute(2, 0, 1) for row, i in rows}

    def _final(self, stop: int) -> State | None:
        if not self.out.final:
            return None
        bad = (self.out.failed >= 0)[:, None]
        values = {n: torch.where(bad, torch.full_like(v, torch.nan), v) for n, v in self.out.final.items()}
        return self.start.renamed(values, step=stop)
