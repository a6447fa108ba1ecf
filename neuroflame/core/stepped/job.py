"""One run of the stepped executor: its inputs and what it leaves, on the device, [neuron][point]."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity import SparseOperator
from neuroflame.core.stepped.arguments import SteppedArguments
from neuroflame.core.stepped.kernels import name_of, programs_at_once, stepped_kernel_for
from neuroflame.core.stepped.tiled import Layout
from neuroflame.core.stepped.tiling import Crew, crew_for, density_min, steps_at_once, tiling_of
from neuroflame.core.stepped.topology import matrix, reads_one_by_one
from neuroflame.core.trajectory.cpu import Job, Results
from neuroflame.core.trajectory.gpu import current, host_of, intervals, lasting_shape, means_of_sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recording, RecordPlan
    from neuroflame.core.state import State
    from neuroflame.core.stepped.kernels import SteppedKernel

NEVER = 2**31 - 1
LINE = 32
"""Words between two counters that programs wait at: a cache line."""
AHEAD = 2
"""Launches that are queued while the host goes on: an interrupt is heard when the first of them has ended."""


class SteppedJob(Job):
    """One run; the points are rounded up to whole blocks by repeating the last one.

    Parameters
    ----------
    program : Program
        On the device.
    crew : Crew, optional
        Who advances the tiles, instead of the crew that does it soonest; it changes no number.
    least : float, optional
        Density of connections from which they are multiplied by, instead of the device's.
    """

    kernel: SteppedKernel

    def __init__(
        self,
        program: Program,
        state: State,
        plan: RecordPlan,
        steps: int,
        crew: Crew | None = None,
        least: float | None = None,
    ) -> None:
        host = host_of(program)
        sizes = tuple(population.size for population in host.populations.values())
        operators = [pair.operator for pair in program.pairs]
        tiling = tiling_of(sizes)
        if least is None:
            least = density_min(tiling, name_of(program.device))
        layout = Layout(
            sizes=sizes,
            tiling=tiling,
            gathered=tuple(
                isinstance(o, SparseOperator) and reads_one_by_one(o, program.dtype, least) for o in operators
            ),
            terms=1 if program.fast else 2,
        )
        shape = lasting_shape(host, plan, modal=False)
        kernel = stepped_kernel_for(shape, layout)
        self.layout = layout
        self.blocks = -(-program.points // layout.tiling.points)
        self.width = self.blocks * layout.tiling.points
        super().__init__(program, state, plan, shape, kernel, steps)
        self.arguments = SteppedArguments(host, shape, kernel.parameters, kernel.modes, self.inputs)
        self._crew = crew
        self._pool = self._arrays(state)

    def _allocate(self, state: State) -> Results:
        points, dtype, device = self.program.points, self.program.dtype, self.program.device
        count, squares = len(self.segments), len(self.segments) if self.plan.temporal else 0

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        sizes = self.layout.sizes
        return Results(
            failed=torch.full((self.width,), NEVER, dtype=torch.int32, device=device),
            first=[zeros(count, n, self.width) for n in sizes],
            total=[zeros(count, n, self.width) for n in sizes],
            squares=[zeros(squares, n, self.width) for n in sizes],
            means=zeros(squares, len(sizes), 3, self.width),
            traces=zeros(len(self.samples), self.rows, 3, self.width),
            variables={
                name: zeros(points, len(self.variable_steps), state.named()[name].shape[1])
                for name in self.plan.variables
            },
            final=dict.fromkeys(state.named(), zeros(0))
            if self.plan.final_state or self.plan.evidence
            else {},
        )

    def _arrays(self, state: State) -> dict[str, Any]:
        """Return the kernel's arguments by name, but for those that differ between its launches."""
        device, dtype, tiling = self.program.device, self.program.dtype, self.layout.tiling
        points = np.minimum(np.arange(self.width), self.program.points - 1)
        numbers = self.arguments.block(points)
        pool: dict[str, Any] = {
            f"at_{name}" if name.startswith("pat") else name: torch.as_tensor(value).to(device)
            for name, value in numbers.items()
        }
        pool |= {f"tab{a}": torch.as_tensor(t).to(device) for a, t in enumerate(self.arguments.tables)}
        pool |= {name: torch.as_tensor(v).to(device) for name, v in self.arguments.vectors.items()}
        pool |= {"failed": self.out.failed, "means": self.out.means, "traces": self.out.traces}
        parts = {"first": self.out.first, "total": self.out.total, "squares": self.out.squares}
        pool |= {f"at_{kind}{a}": array for kind, arrays in parts.items() for a, array in enumerate(arrays)}
        index = torch.as_tensor(points, device=device)
        source = self.kernel.source
        for name, value in state.named().items():
            if (array := self._array_of(name)) in source.state:
                pool[f"at_{array}"] = value.detach().to(dtype)[index].T.contiguous()
        for kind, i in source.plain:
            size = self.layout.sizes[i if kind == "r" else source.shape.pairs[i].pre]
            pool[f"plain_{kind}{i}"] = torch.zeros(2, size, self.width, dtype=dtype, device=device)
        operators = [pair.operator for pair in self.program.pairs]
        for i, operator in enumerate(operators):
            if self.layout.gathered[i] and isinstance(operator, SparseOperator):
                pool[f"off{i}"], pool[f"idx{i}"] = operator.offsets, operator.indices
        for name, pairs in source.products.items():
            shape = (2, self.blocks, source.deep(pairs), tiling.points * self.layout.terms)
            terms = torch.zeros(shape, dtype=torch.float16, device=device)
            whole = torch.int32 if self.layout.terms == 2 else torch.float16
            pool |= {f"terms_{name}": terms, f"to_{name}": terms.view(whole)}
            pool[f"topo_{name}"] = matrix([operators[i] for i in pairs], tiling)  # type: ignore[misc]
        tiles = source.first_tile(len(self.layout.sizes))
        pool["sums"] = torch.zeros(2, len(source.slots), tiles, self.width, dtype=dtype, device=device)
        pool["counters"] = torch.zeros(self.blocks * LINE, dtype=torch.int32, device=device)
        return pool | {"blocks": self.blocks, "width": self.width, "end": self.program.spec.steps}

    def _launches(self) -> Iterator[tuple[int, int, np.ndarray, bool]]:
        """Yield start, stop and intervals of each launch, and whether whole variables are kept after it."""
        longest = steps_at_once(self.layout.sizes)
        for stretch in self.stretches:
            begin, rows = stretch.start, list[list[int]]()
            for row in intervals(stretch).tolist():
                left = row[0]
                while left:
                    taken = min(left, longest - sum(r[0] for r in rows))
                    sample = row[4] if taken == left else -1
                    rows.append([taken, *row[1:4], sample])
                    left -= taken
                    stop = begin + sum(r[0] for r in rows)
                    if stop == stretch.stop or stop - begin == longest:
                        yield begin, stop, np.array(rows, dtype=np.int32), stop in self.variable_steps
                        begin, rows = stop, []

    def launch(self) -> Any:
        """Put the kernel on the device's queue, for every launch and every group of blocks.

        Returns
        -------
        object
            What Triton compiled.
        """
        device = self.program.device
        launches = [
            (start, stop, torch.as_tensor(rows).to(device), kept)  # here: it waits for what is on the queue
            for start, stop, rows, kept in self._launches()
        ]
        queued: deque[torch.cuda.Event] = deque()
        with current(device):
            crew = self._crew or self._soonest()
            compiled = None
            for start, stop, rows, kept in launches:
                if len(queued) == AHEAD:
                    queued.popleft().synchronize()
                pool = self._pool | {
                    "iv": rows,
                    "intervals": len(rows),
                    "start": start,
                    "stop": stop,
                    "members": crew.members,
                }
                for first in range(0, self.blocks, crew.blocks):
                    pool["counters"].zero_()
                    arguments = [(pool | {"begin_block": first})[name] for name in self.kernel.arrays]
                    programs = min(crew.blocks, self.blocks - first) * crew.members
                    compiled = self.kernel.launch(programs, arguments)
                if kept:
                    sample = self.variable_steps.index(stop)
                    for name in self.plan.variables:
                        self.out.variables[name][:, sample] = self._rows(name)
                if device.type == "cuda":
                    queued.append(torch.cuda.Event())
                    queued[-1].record()
        return compiled

    def _soonest(self) -> Crew:
        """Return the best crew, by what the compiled kernel takes: known after a launch of no steps."""
        nothing = torch.zeros(1, 5, dtype=torch.int32, device=self.program.device)
        pool = self._pool | {"iv": nothing, "intervals": 0, "start": self.start.step, "stop": self.start.step}
        pool |= {"members": 1, "begin_block": 0}
        compiled = self.kernel.launch(1, [pool[name] for name in self.kernel.arrays])
        capacity = programs_at_once(compiled, self.layout.tiling.warps, self.program.device)
        tiles = self.kernel.source.first_tile(len(self.layout.sizes))
        return crew_for(tiles, self.blocks, capacity)

    def _rows(self, name: str) -> Tensor:
        """Return a state variable as it is now, (P, N)."""
        rows: Tensor = self._pool[f"at_{self._array_of(name)}"][:, : self.program.points].T
        return rows

    def recording(self, stop: int) -> Recording:
        """Return what the launches left, with the sums over neurons made means."""
        out, points = self.out, self.program.points
        failed = out.failed[:points].to(torch.int64)
        out.failed = torch.where(failed == NEVER, torch.full_like(failed, -1), failed)
        for parts in (out.first, out.total, out.squares):
            parts[:] = [part[..., :points].transpose(1, 2) for part in parts]
        out.means, out.traces = out.means[..., :points], out.traces[..., :points]
        sent = [self.layout.sizes[self.shape.pairs[i].pre] for i in self.shape.traced_pairs]
        means_of_sums(out, self.layout.sizes, sent)
        for name in out.final:
            out.final[name] = self._rows(name)
        return super().recording(stop)
