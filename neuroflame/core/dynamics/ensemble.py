"""Points of one structure, from which the program of any selection of them can be made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.program import Program, build_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.core.batch import Batch
    from neuroflame.core.connectivity import Operator
    from neuroflame.spec import NetworkSpec


@dataclass(frozen=True)
class Ensemble:
    """P points of one structure, in double precision.

    Parameters
    ----------
    spec : NetworkSpec
        The structure, and the numbers that all points share.
    operators : mapping of Operator
        By pair, as `make_operator` returns them.
    values : mapping of Tensor, (P,) or (1,)
        Batchable path to its value at each point.
    seeds : Tensor, (P,), int64
        Seeds of noise and of random starts.
    stimulated : Tensor, (P,), bool
        Which points receive the stimuli.
    device : torch.device
    turned : Tensor, (P,), degrees, optional
        By how much each point's stimuli are turned.
    """

    spec: NetworkSpec
    operators: Mapping[str, Operator]
    values: Mapping[str, Tensor]
    seeds: Tensor
    stimulated: Tensor
    device: torch.device
    turned: Tensor | None = None

    @classmethod
    def of(cls, batch: Batch) -> Ensemble:
        """Return the points of a batch."""
        place = batch.device
        return cls(
            batch.spec,
            batch.operators,
            {path: value.to(place) for path, value in batch.values.items()},
            seeds=batch.seeds.to(place),
            stimulated=batch.stimulated.to(place),
            device=place,
            turned=batch.turned.to(place),
        )

    @property
    def points(self) -> int:
        """P."""
        return len(self.seeds)

    def program(self, owner: Tensor | None = None) -> Program:
        """Return the program of some points, one row for each entry of ``owner``, (rows,); of all by default."""
        rows = torch.arange(self.points, device=self.device) if owner is None else owner
        return build_program(
            self.spec,
            self.operators,
            {path: value if len(value) == 1 else value[rows] for path, value in self.values.items()},
            points=len(rows),
            seeds=self.seeds[rows],
            dtype=torch.float64,
            device=self.device,
            stimulated=self.stimulated[rows],
            turned=None if self.turned is None else self.turned[rows],
        )

    def quiet(self, owner: Tensor | None = None) -> Program:
        """Return the program of some points without its noise: what fixed points are defined by."""
        return replace(self.program(owner), noise=())

    def at(self, path: str, value: Tensor) -> Ensemble:
        """Return the points with another value, (P,) or (1,), at a path."""
        return replace(self, values={**self.values, path: value})
