"""States at step 0: from the network, from named initial conditions, from a caller's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroflame.core.inputs import as_rows
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.core.program import Program
    from neuroflame.core.state import State


def given_state(program: Program, given: Mapping[str, Any]) -> State:
    """Return the network's start with some variables replaced.

    Parameters
    ----------
    program : Program
    given : mapping
        Name of a variable, as `State.named` gives it (``rates.E``, ``stp.EE.u``), to an array or Tensor, (N,) or
        (P, N); gradients flow through it.

    Raises
    ------
    SpecError
        If there is no such variable, or an array does not fit.
    """
    start = initial_state(program)
    named = start.named()
    for name, value in given.items():
        if name not in named:
            raise SpecError("is not a variable", path=f"initial.{name}", remedy=suggestion(name, named))
        points, size = named[name].shape
        rows = as_rows(value, f"initial.{name}", program.dtype, program.device)
        if tuple(rows.shape) not in {(size,), (1, size), (points, size)}:
            raise SpecError(
                f"must have the shape ({size},) or ({points}, {size})",
                got=f"shape {tuple(rows.shape)}",
                path=f"initial.{name}",
            )
        named[name] = rows.expand(points, size)
    return start.renamed(named, step=0)
