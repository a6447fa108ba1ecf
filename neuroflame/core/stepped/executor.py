"""The stepped executor: networks with sparse connectivity, or too large for a program's registers, on a GPU."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from neuroflame.core.trajectory.structure import refusal
from neuroflame.spec.kernels import GPU_ONLY

if TYPE_CHECKING:
    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recording, RecordPlan
    from neuroflame.core.state import State
    from neuroflame.core.stepped.job import SteppedJob
    from neuroflame.core.stepped.tiling import Crew


class SteppedExecutor:
    """Advances blocks of points, the neurons of each shared among programs that wait for each other at every step.

    Parameters
    ----------
    crew : Crew, optional
        Who advances the tiles, instead of the crew that does it soonest; it changes no number.
    density_min : float, optional
        Density of connections from which they are multiplied by, instead of the device's: for measurements.
    """

    name = "stepped"

    def __init__(self, crew: Crew | None = None, density_min: float | None = None) -> None:
        self.crew, self.density_min = crew, density_min

    def refuses(self, program: Program, plan: RecordPlan) -> str | None:
        """Return why this executor cannot run the program, None if it can."""
        if program.device.type != "cuda":
            return GPU_ONLY.format(program.device.type)
        if importlib.util.find_spec("triton") is None:
            return "triton is not installed"
        return refusal(program)

    def run(self, program: Program, state: State, steps: int, plan: RecordPlan) -> Recording:
        """Advance the state by a number of steps and return what the plan asks for."""
        job = self.prepare(program, state, steps, plan)
        job.launch()
        return job.recording(state.step + steps)

    def prepare(self, program: Program, state: State, steps: int, plan: RecordPlan) -> SteppedJob:
        """Return the run, with everything on the device and ready to be launched."""
        from neuroflame.core.stepped.job import SteppedJob

        return SteppedJob(program, state, plan, steps, self.crew, self.density_min)
