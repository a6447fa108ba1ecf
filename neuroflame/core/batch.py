"""Points of one structure, from which programs are made: as they are, or with other values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from neuroflame.core.connectivity import RingOperator, SparseOperator
from neuroflame.core.placing import moved
from neuroflame.core.program import Program, build_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from neuroflame.core.connectivity import Operator
    from neuroflame.spec import NetworkSpec


@dataclass(frozen=True)
class Batch:
    """P points of one structure.

    Parameters
    ----------
    spec : NetworkSpec
        The structure, and the numbers that all points share.
    operators : mapping of Operator
        By pair, as `make_operator` returns them.
    values : mapping of Tensor, (P,) or (1,), float64
        Batchable path to its value at each point; these and the next three are on `home`.
    seeds : Tensor, (P,), int64
    stimulated : Tensor, (P,), bool
        Which points receive the stimuli.
    turned : Tensor, (P,), degrees
        By how much each point's stimuli are turned.
    dtype : torch.dtype
    device : torch.device
        Where the points run.
    fast : bool
        Whether recurrent input may be rounded to 11 bits where that is faster.
    """

    spec: NetworkSpec
    operators: Mapping[str, Operator]
    values: Mapping[str, Tensor]
    seeds: Tensor
    stimulated: Tensor
    turned: Tensor
    dtype: torch.dtype
    device: torch.device
    fast: bool = False

    @property
    def points(self) -> int:
        """P."""
        return len(self.seeds)

    @property
    def home(self) -> torch.device:
        """Where programs are made."""
        return self.seeds.device

    def at(self, path: str, value: float) -> Batch:
        """Return the points with one value for all at a path."""
        one = torch.tensor([value], dtype=torch.float64, device=self.home)
        return replace(self, values={**self.values, path: one})

    def twice(self) -> Batch:
        """Return the points, and after them the same points again."""

        def doubled(value: Tensor) -> Tensor:
            return torch.cat([value, value]) if len(value) == self.points > 1 else value

        pair = {path: doubled(value) for path, value in self.values.items()}
        seeds, stimulated, turned = (torch.cat([v, v]) for v in (self.seeds, self.stimulated, self.turned))
        return replace(self, values=pair, seeds=seeds, stimulated=stimulated, turned=turned)

    def program(self) -> Program:
        """Return what an executor runs."""
        elsewhere = self.home.type != self.device.type
        program = build_program(
            self.spec,
            {name: _unbound(operator) for name, operator in self.operators.items()}
            if elsewhere
            else self.operators,
            self.values,
            points=self.points,
            seeds=self.seeds,
            dtype=self.dtype,
            fast=self.fast,
            device=self.home,
            stimulated=self.stimulated,
            turned=self.turned,
        )
        return replace(moved(program, self.device), host=program) if elsewhere else program


def home_of(device: torch.device, spec: NetworkSpec, operators: Mapping[str, Operator]) -> torch.device:
    """Return where programs are made: on the CPU, where small arithmetic is cheap, if they hold few numbers.

    Random topology stays where it is, and is no part of this; weights that learn are as many as it.
    """
    few = not spec.hebbian and all(isinstance(o, RingOperator | SparseOperator) for o in operators.values())
    return torch.device("cpu") if few and device.type == "cuda" else device


def _unbound(operator: Operator) -> Operator:
    """Return an operator without numbers of points, on no device but that of its topology."""
    return RingOperator(operator.post, operator.pre) if isinstance(operator, RingOperator) else operator
