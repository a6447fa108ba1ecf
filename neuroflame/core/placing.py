"""A program on another device: all of its tensors in one copy for each type of number."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroflame.core.connectivity import Operator
from neuroflame.core.stimuli import Times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from neuroflame.core.program import Program

ALIGNED = 64
"""Numbers to whose multiple each tensor begins: kernels are compiled for the alignment of what they are given."""


def moved(program: Program, device: torch.device) -> Program:
    """Return a program with its tensors on a device, without their gradients; random topologies stay where they are."""
    found = {id(value): value for value in _tensors(program)}
    kinds: dict[tuple[torch.dtype, torch.device], dict[int, Tensor]] = {}
    for key, value in found.items():
        kinds.setdefault((value.dtype, value.device), {})[key] = value
    there: dict[int, Tensor] = {}
    for (_, place), values in kinds.items():
        there |= _copied(values, device) if place != device else values
    number: Callable[[str], Tensor] = program.number
    placed: Program = _placed(program, there)
    return replace(placed, device=device, number=cache(lambda path: number(path).detach().to(device)))


def _copied(values: dict[int, Tensor], device: torch.device) -> dict[int, Tensor]:
    """Return tensors of one type on a device, views of one array there."""
    flat = {key: value.detach().reshape(-1) for key, value in values.items()}
    lengths = {key: -(-len(value) // ALIGNED) * ALIGNED for key, value in flat.items()}
    gap = next(iter(flat.values())).new_zeros(ALIGNED)
    pieces = [part for key, value in flat.items() for part in (value, gap[: lengths[key] - len(value)])]
    parts = torch.cat(pieces).to(device).split(list(lengths.values()))
    return {
        key: part[: len(flat[key])].view(value.shape)
        for (key, value), part in zip(values.items(), parts, strict=True)
    }


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Operator):
        yield from value.numbers()
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _tensors(item)
    elif _is_part(value):
        for item in vars(value).values():
            yield from _tensors(item)


def _placed(value: Any, there: dict[int, Tensor]) -> Any:
    if isinstance(value, Tensor):
        return there[id(value)]
    if isinstance(value, Operator):
        return value.with_numbers(tuple(there[id(number)] for number in value.numbers()))
    if isinstance(value, dict):
        return {key: _placed(item, there) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_placed(item, there) for item in value)
    if _is_part(value):
        return type(value)(**{name: _placed(item, there) for name, item in vars(value).items()})
    return value


def _is_part(value: Any) -> bool:
    """Whether something is a part of a program, with its tensors in fields: but for times, which stay on the CPU."""
    return is_dataclass(value) and not isinstance(value, type | Times)
