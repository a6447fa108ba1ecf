"""Gradients through long runs: only the states between stretches are kept, and a stretch is run again for its gradient.

Of T steps in stretches of √T, memory holds √T states and one stretch's intermediate values, for one more forward run
(Griewank & Walther 2000, ACM Trans. Math. Softw. 26:19, with one level).
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.program import Program
    from neuroflame.core.recorder import Recorder
    from neuroflame.core.state import State

    Advance = Callable[[Program, State, int, Recorder], State]


def tracks_gradients(*values: Any) -> bool:
    """Return whether gradients are asked for with respect to anything that programs or states hold."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in _tensors(values))


def run_in_stretches(
    advance: Advance, program: Program, state: State, steps: int, recorder: Recorder
) -> State:
    """Advance the state as a function does, keeping for the gradient only the states between stretches.

    Parameters
    ----------
    advance : callable
        Takes a program, a state, a number of steps and a recorder; returns the new state.
    """
    stretch = max(1, math.isqrt(steps))
    last = state.step + steps
    while state.step < last and not recorder.all_diverged:
        state = _stretch(advance, program, state, min(stretch, last - state.step), recorder)
    return replace(state, step=last)


def _stretch(advance: Advance, program: Program, state: State, steps: int, recorder: Recorder) -> State:
    names = list(state.named())
    before = recorder.copy()
    recorders = [recorder]

    def run(*values: Tensor) -> tuple[Tensor, ...]:
        here = state.renamed(dict(zip(names, values, strict=True)), step=state.step)
        watching = recorders.pop() if recorders else before.copy()  # run again, it must not record again
        return tuple(advance(program, here, steps, watching).named().values())

    values = checkpoint(run, *state.named().values(), use_reentrant=False, preserve_rng_state=False)
    return state.renamed(dict(zip(names, values, strict=True)), step=state.step + steps)


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
        yield from (tensor for held in vars(value).values() for tensor in _tensors(held))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for f in fields(value):
            yield from _tensors(getattr(value, f.name))
