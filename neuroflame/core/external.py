"""The external input of P points step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from neuroflame.core.program import Program


class External:
    """External input without noise and before its own dynamics.

    It is made anew only at steps where it changes; patterns that do not move are kept.

    Parameters
    ----------
    program : Program
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._edges = set(program.boundaries())
        self._patterns: dict[tuple[int, str], Tensor] = {}
        self._current: dict[str, Tensor] | None = None

    def at(self, step: int) -> dict[str, Tensor]:
        """Return the external input of each population during a step, (P, N) or (P, 1)."""
        if self._current is None or step in self._edges:
            self._current = self._stimulated(step, moving=False)
        moved = self._stimulated(step, moving=True)
        if self._program.inputs is not None:
            for name in self._program.inputs.values:
                moved[name] = moved[name] + self._program.inputs.at(name, step)
        return moved

    def widest(self, step: int) -> dict[str, Tensor]:
        """Return the same for each neuron and point, (P, N)."""
        program = self._program
        return {
            name: received.expand(program.points, program.populations[name].size)
            for name, received in self.at(step).items()
        }

    def _stimulated(self, step: int, *, moving: bool) -> dict[str, Tensor]:
        """Return the input with the stimuli that have a time course, on top of the others, or without."""
        program = self._program
        if moving:
            assert self._current is not None
            found = dict(self._current)
        else:
            found = {name: population.drive for name, population in program.populations.items()}
        for i, stimulus in enumerate(program.stimuli):
            on = stimulus.on(step)
            if bool(stimulus.hold) is not moving or on is False:
                continue
            for name in stimulus.targets:
                received = stimulus.course(name, step).to(program.dtype) if moving else self._pattern(i, name)
                raised = found[name] + received
                found[name] = raised if on is True else torch.where(on[:, None], raised, found[name])
        return found

    def _pattern(self, i: int, name: str) -> Tensor:
        if (i, name) not in self._patterns:
            program = self._program
            pattern = program.stimuli[i].pattern(name, program.populations[name].size)
            self._patterns[i, name] = pattern.to(program.dtype)
        return self._patterns[i, name]
