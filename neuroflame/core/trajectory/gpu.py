"""The trajectory executor for GPUs: one program a point, from first step to last, its state in registers."""

from __future__ import annotations

import importlib.util
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity import SparseOperator
from neuroflame.core.placing import moved
from neuroflame.core.trajectory.arguments import Arguments, Stretch
from neuroflame.core.trajectory.cpu import CpuTrajectoryExecutor, Job, Results
from neuroflame.core.trajectory.gpu_kernels import GpuKernel, gpu_kernel_for
from neuroflame.core.trajectory.gpu_registers import WARPS, warps_for
from neuroflame.core.trajectory.gpu_source import FIRST, QUIET, SQUARES, SUMS, GpuSource
from neuroflame.core.trajectory.structure import MODES_LIMIT, SQUARED, is_modal, refusal, shape_of
from neuroflame.spec.kernels import GPU_ONLY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recording, RecordPlan
    from neuroflame.core.state import State
    from neuroflame.core.trajectory.structure import Shape

SIZE_LIMIT = 4096


class GpuTrajectoryExecutor:
    """Runs every point in a program of its own, of one to eight warps.

    A point's numbers are made in one program, in an order that its network's shape alone decides.

    Parameters
    ----------
    warps : int, optional
        Warps of a program, instead of the fewest whose registers hold its state.
    """

    name = "trajectory"

    def __init__(self, warps: int | None = None) -> None:
        self.warps = warps

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return why this executor cannot run the program, None if it can."""
        if program.device.type != "cuda":
            return GPU_ONLY.format(program.device.type)
        reason = refusal(program) or _too_large(program, plan)
        if reason is None and importlib.util.find_spec("triton") is None:
            return "triton is not installed"
        return reason

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""
        job = self.prepare(program, state, steps, plan)
        job.launch()
        return job.recording(state.step + steps)

    def prepare(self, program: Program, state: State, steps: int, plan: RecordPlan) -> GpuJob:
        """Return the run, with everything on the device and ready to be launched."""
        return GpuJob(program, host_of(program), state, plan, steps, self.warps)


def lasting_shape(program: Program, plan: RecordPlan, *, modal: bool) -> Shape:
    """Return the shape of a program on the CPU, which does not follow from the values of its tile's points.

    Gain and maximum are factors even where all are 1, and profiles are turned even by 0: a compiler that fuses
    products and sums rounds a kernel without them differently, and whether another point of the tile needs them
    may change no bit.
    """
    shape = shape_of(program, modal=modal, temporal=bool(plan.temporal), evidence=plan.evidence)
    return replace(
        shape,
        populations=tuple(replace(p, gained=True, scaled=True) for p in shape.populations),
        pairs=tuple(replace(pair, phased=pair.modes > 0) for pair in shape.pairs),
    )


def _modes_at_most(program: Program) -> int:
    """Return the modes that any point of this network's sweeps can have."""
    return MODES_LIMIT if any(pair.profile.kind == "von_mises" for pair in program.spec.pairs) else 1


def _too_large(program: Program, plan: RecordPlan) -> str | None:
    for pair in program.pairs:
        if isinstance(pair.operator, SparseOperator):
            return f"the connectivity of {pair.name} is sparse"
    sizes = tuple(population.size for population in program.populations.values())
    if max(sizes) > SIZE_LIMIT:
        return f"a population has more than {SIZE_LIMIT} neurons"
    modal = not plan.final_state and not plan.variables
    if _fits(lasting_shape(program.host or program, plan, modal=modal), sizes):
        return None
    return "its state does not fit in a program's registers"


@lru_cache(maxsize=64)
def _fits(shape: Shape, sizes: tuple[int, ...]) -> bool:
    return warps_for(GpuSource(shape, sizes)) is not None


def host_of(program: Program) -> Program:
    """Return a program with its tensors on the CPU, where small arithmetic is cheaper."""
    return program.host or moved(program, torch.device("cpu"))


def intervals(stretch: Stretch) -> np.ndarray:
    """Return the kernel's intervals: steps, row of the input, segment, what is recorded, trace sample; int32.

    A segment's first state is an interval of its own, so that the sums need not ask whether they have begun.
    """
    rows: list[tuple[int, int, int, int, int]] = []
    step = stretch.start
    for steps, row, segment, squared, sample, first in stretch.rows.tolist():
        left = steps
        if segment >= 0 and step + 1 == first:
            rows.append((1, row, segment, FIRST, sample if steps == 1 else -1))
            left -= 1
        if left:
            kind = QUIET if segment < 0 else SQUARES if squared & SQUARED else SUMS
            rows.append((left, row, max(segment, 0), kind, sample))
        step += steps
    return np.array(rows, dtype=np.int32).reshape(-1, 5)


class GpuJob(Job):
    """One run on a GPU: its inputs and what it leaves, on the device.

    Parameters
    ----------
    program : Program
        On the device.
    host : Program
        The same on the CPU.
    """

    kernel: GpuKernel

    def __init__(
        self, program: Program, host: Program, state: State, plan: RecordPlan, steps: int, warps: int | None
    ) -> None:
        shape = lasting_shape(host, plan, modal=is_modal(host, state, plan))
        sizes = tuple(population.size for population in host.populations.values())
        kernel = gpu_kernel_for(shape, sizes, _modes_at_most(host))
        super().__init__(program, state, plan, shape, kernel, steps)
        self.warps = warps or kernel.warps or WARPS[-1]
        self.arguments = Arguments(host, shape, kernel.parameters, kernel.modes, self.inputs)
        self._pool = self._arrays(state)
        self._intervals = [self._on_device(intervals(stretch)) for stretch in self.stretches]

    def _allocate(self, state: State) -> Results:
        with self.program.device:
            return super()._allocate(state)

    def _on_device(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values).to(self.program.device)

    def _arrays(self, state: State) -> dict[str, Any]:
        """Return the kernel's arguments by name, but for those that differ between its launches."""
        numbers = self.arguments.block(np.arange(self.program.points))
        pool: dict[str, Any] = {
            f"at_{name}" if name.startswith("pat") else name: self._on_device(value)
            for name, value in numbers.items()
        }
        pool |= {f"tab{a}": self._on_device(table) for a, table in enumerate(self.arguments.tables)}
        pool |= {name: self._on_device(vectors) for name, vectors in self.arguments.vectors.items()}
        pool |= {"failed": self.out.failed, "means": self.out.means, "traces": self.out.traces}
        for kind, arrays in (
            ("first", self.out.first),
            ("total", self.out.total),
            ("squares", self.out.squares),
        ):
            pool |= {f"at_{kind}{a}": array for a, array in enumerate(arrays)}
        for name, value in state.named().items():
            if (array := self._array_of(name)) in self.kernel.state:
                pool[f"at_{array}"] = (
                    value.detach().to(self.program.dtype).clone(memory_format=torch.contiguous_format)
                )
        held = torch.zeros(len(self.kernel.modal), self.program.points, dtype=self.program.dtype)
        return pool | {"coefficients": held.to(self.program.device), "points": self.program.points}

    def launch(self) -> Any:
        """Put the kernel on the device's queue, once for each stretch between samples of whole variables.

        Returns
        -------
        object
            What Triton compiled.
        """
        compiled = None
        with current(self.program.device):
            for (start, stop, _), rows in zip(self.stretches, self._intervals, strict=True):
                pool = self._pool | {
                    "iv": rows,
                    "intervals": len(rows),
                    "start": start,
                    "end": self.program.spec.steps,
                }
                arguments = [pool[name] for name in self.kernel.arrays]
                compiled = self.kernel.launch(self.program.points, arguments, self.warps)
                if stop in self.variable_steps:
                    sample = self.variable_steps.index(stop)
                    for name in self.plan.variables:
                        self.out.variables[name][:, sample] = self._pool[f"at_{self._array_of(name)}"]
        for name in self.out.final:
            array = self._array_of(name)
            held = array in self.kernel.state
            self.out.final[name] = self._pool[f"at_{array}"] if held else self._series_of(array)
        return compiled

    def _series_of(self, array: str) -> Tensor:
        """Return a current, such as ``h0``, from the Fourier coefficients that the kernel left of it."""
        rows = [i for i, name in enumerate(self.kernel.modal) if name.startswith(f"{array}_")]
        kept = self._pool["coefficients"][rows].cpu().numpy()
        return self._on_device(self._series(int(array[1:]), kept))

    def recording(self, stop: int) -> Recording:
        """Return what the launches left, with the sums over neurons made means."""
        sizes = self.arguments.sizes()
        sent = [sizes[self.shape.pairs[i].pre] for i in self.shape.traced_pairs]
        means_of_sums(self.out, sizes, sent)
        return super().recording(stop)


def means_of_sums(out: Results, sizes: Sequence[int], plastic: Sequence[int] = ()) -> None:
    """Divide sums over neurons, in traces and in what is kept of the populations' means, by their number.

    ``plastic`` are the neurons of each plastic pair that is sampled with the traces.
    """
    for row, size in enumerate([*sizes, *plastic]):
        out.traces[:, row] /= size
    for a, size in enumerate(sizes):
        out.means[:, a, :2] /= size
        out.means[:, a, 2] /= size**2


def current(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which a device is the current one; on a CPU, for tests, one that does nothing."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


class TrajectoryExecutor:
    """The trajectory executor of a program's device."""

    name = "trajectory"

    def __init__(self) -> None:
        self._cpu, self._gpu = CpuTrajectoryExecutor(), GpuTrajectoryExecutor()

    def _of(self, program: Program) -> CpuTrajectoryExecutor | GpuTrajectoryExecutor:
        return self._gpu if program.device.type == "cuda" else self._cpu

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return why this executor cannot run the program, None if it can."""
        return self._of(program).refuses(program, plan)

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""
        return self._of(program).run(program, state, steps, plan)
