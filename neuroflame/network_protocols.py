"""What `Network` does with states beyond one run: keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from neuroflame.core.measure import PRECISIONS
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
from neuroflame.spec.state_file import StateFile, read_state_file

if TYPE_CHECKING:
    from pathlib import Path

    from neuroflame.core.program import Program
    from neuroflame.core.state import State
    from neuroflame.spec import NetworkSpec


class Simulates(Protocol):
    """What the tools need of a network."""

    spec: NetworkSpec
    seed: int
    precision: str

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    def program(self, *arguments: Any, **options: Any) -> Program:
        """Return what an executor runs; see `neuroflame.Network.program`."""


class ProtocolTools:
    """What `Network` inherits from here."""

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
