"""Which executor runs a program: the one asked for, or the fastest that can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from neuroflame.core import reference
from neuroflame.core.own_windows import OwnRecorder
from neuroflame.core.recorder import Recorder, Recording, RecordPlan
from neuroflame.core.stepped import SteppedExecutor
from neuroflame.core.trajectory.gpu import TrajectoryExecutor
from neuroflame.errors import SimulationError
from neuroflame.spec.base import suggestion
from neuroflame.spec.kernels import executor_error

if TYPE_CHECKING:
    from neuroflame.core.program import Program
    from neuroflame.core.state import State


class Executor(Protocol):
    """Something that can advance a program."""

    name: str

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return why this executor cannot run the program, None if it can."""

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""


class ReferenceExecutor:
    """Eager torch: runs everything; see `neuroflame.core.reference`."""

    name = "reference"

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return None: nothing is refused."""
        return None

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""
        recorder = OwnRecorder(program, plan) if plan.own else Recorder(program, plan)
        return recorder.finish(reference.run(program, state, steps, recorder))


REFERENCE = ReferenceExecutor()
SHORT_RUN = 1000
"""Steps below which compiling a kernel to look at whole variables costs more than it saves."""

EXECUTORS: tuple[Executor, ...] = (TrajectoryExecutor(), SteppedExecutor(), REFERENCE)
"""Fastest first."""


def _carries_gradients(state: State) -> bool:
    return torch.is_grad_enabled() and any(value.requires_grad for value in state.named().values())


def choose(name: str, program: Program, plan: RecordPlan, state: State | None = None) -> Executor:
    """Return the executor of a name, or for ``auto`` the fastest that can run the program.

    The choice does not depend on the number of points: neither may a point's numbers.

    Parameters
    ----------
    name : str
    program : Program
    plan : RecordPlan
    state : State, optional
        Where the run starts: only the reference executor carries gradients through it.

    Raises
    ------
    SimulationError
        If there is no such executor, or it cannot run this program.
    """
    reasons = {}
    if name == "auto" and plan.variables and program.spec.steps < SHORT_RUN:
        return REFERENCE
    through_start = state is not None and _carries_gradients(state)
    for executor in EXECUTORS:
        if name in {"auto", executor.name}:
            reason = executor.refuses(program, plan)
            if through_start and executor is not REFERENCE:
                reason = "gradients through the start are asked for"
            if reason is None:
                return executor
            reasons[executor.name] = reason
    if name in reasons:
        raise executor_error(name, reasons[name])
    known = ["auto", *(executor.name for executor in EXECUTORS)]
    raise SimulationError("there is no such executor", got=name, remedy=suggestion(name, known))
