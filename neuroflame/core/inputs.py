"""External input that a caller gives as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.spec import NetworkSpec


@dataclass(frozen=True)
class Inputs:
    """What is added to the external input of populations.

    Attributes
    ----------
    start : int
        Step that the first value over time is for.
    values : mapping of Tensor, (P or 1, T or 1, N)
        By population.
    """

    start: int
    values: dict[str, Tensor]

    def at(self, population: str, step: int) -> Tensor:
        """Return what is added during a step, (P or 1, N)."""
        rows = self.values[population]
        return rows[:, step - self.start if rows.shape[1] > 1 else 0]


def read_inputs(
    spec: NetworkSpec,
    given: Mapping[str, Any],
    *,
    start: int,
    steps: int,
    points: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Inputs | None:
    """Return arrays as external input, None if there are none.

    Parameters
    ----------
    spec : NetworkSpec
    given : mapping
        Population to an array or Tensor, (N,), (T, N) or (P, T, N); gradients flow through it.
    start, steps, points : int
        First step of the run, its number of steps T, and P.

    Raises
    ------
    SpecError
        If a name is no population, or an array does not fit.
    """
    found = {}
    for name, value in given.items():
        if name not in spec.populations:
            remedy = suggestion(name, spec.populations)
            raise SpecError("is not a population", path=f"inputs.{name}", remedy=remedy)
        size = spec.populations[name].size
        rows = as_rows(value, f"inputs.{name}", dtype, device)
        shape = tuple(rows.shape)
        if shape not in {(size,), (steps, size), (1, steps, size), (points, steps, size)}:
            raise SpecError(
                f"must have the shape ({size},), ({steps}, {size}) or ({points}, {steps}, {size})",
                got=f"shape {shape}",
                path=f"inputs.{name}",
                remedy="neurons; steps and neurons; or points, steps and neurons",
            )
        found[name] = rows.reshape(shape[0] if rows.dim() == 3 else 1, -1, size)
    return Inputs(start, found) if found else None


def as_rows(value: Any, path: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a caller's array as a Tensor of its own; a Tensor keeps its gradients.

    Raises
    ------
    SpecError
        If it is no array of numbers.
    """
    if isinstance(value, Tensor):
        return value.to(device, dtype)
    try:
        return torch.from_numpy(np.array(value, dtype=np.float64)).to(device, dtype)
    except (TypeError, ValueError):
        raise SpecError("must be an array of numbers", got=value, path=path) from None


def points_of(given: Mapping[str, Any]) -> dict[str, int]:
    """Return by path how many points arrays of inputs are for."""
    shapes = {name: tuple(getattr(value, "shape", ())) for name, value in given.items()}
    return {f"inputs.{name}": shape[0] for name, shape in shapes.items() if len(shape) == 3}
