"""Runs one after the other, the state carried over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from neuroflame.core.executors import choose
from neuroflame.core.recorder import RecordPlan, Window
from neuroflame.core.statistics import FINAL, View, final_windows
from neuroflame.spec.protocols import lasting

if TYPE_CHECKING:
    from neuroflame.core.batch import Batch
    from neuroflame.core.state import State


@dataclass(frozen=True)
class Chain:
    """Points that go on after their run.

    Parameters
    ----------
    batch : Batch
        The points.
    executor : str
        ``auto`` or the name of an executor.
    """

    batch: Batch
    executor: str

    @classmethod
    def after(cls, batch: Batch, state: State, steps: int, executor: str) -> Chain:
        """Return points that go on from a state for some steps; stimuli that are on at the end of the run stay on."""
        past = max(0, state.step - batch.spec.steps)
        return cls(replace(batch, spec=lasting(batch.spec, past + steps)), executor)

    def at(self, path: str, value: float) -> Chain:
        """Return the points with one value for all at a path."""
        return replace(self, batch=self.batch.at(path, value))

    def twice(self) -> Chain:
        """Return the points, and after them the same points again."""
        return replace(self, batch=self.batch.twice())

    def run(self, state: State, steps: int, window: int = 0) -> tuple[State, View]:
        """Go on for some steps.

        Parameters
        ----------
        state : State
        steps : int
        window : int
            Steps at the end over which rates are averaged, as `neuroflame.core.statistics.FINAL`; 0 for none.

        Returns
        -------
        State
            At the end; undefined where a point has diverged, from where it never comes back.
        View
            What was recorded.
        """
        program = self.batch.program()
        stop = state.step + steps
        windows: tuple[Window, ...] = final_windows(stop, window) if window else ()
        plan = RecordPlan(windows=windows, temporal=frozenset({FINAL} if window else ()), final_state=True)
        recording = choose(self.executor, program, plan).run(program, state, steps, plan)
        assert recording.final is not None
        return recording.final, View(self.batch.spec, recording, program)
