"""States at step 0: from the network, from named initial conditions, from a caller's arrays."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.connectivity.base import angles
from neuroflame.core.hebbian import start_averages
from neuroflame.core.inputs import as_rows
from neuroflame.core.random import START, uniforms
from neuroflame.core.reference import initial_state
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.starts import RandomStart, Supplied, origin_of, turn_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from neuroflame.core.program import Program
    from neuroflame.core.state import State

NO_STARTS: Mapping[str, RandomStart | Supplied] = MappingProxyType({})
"""Where no name of a start is one that is drawn or supplied."""
COLD_RATE, HOT_RATE = 1e-3, 50.0
"""Rates at which ``cold``, ``cued`` and ``hot`` points start, Hz."""
APART = 0.01
"""Hz, and share of the rates, by which neurons start apart, at most, where a run is made again for it."""
UNCUED = ("cold", "hot")
"""The named initial conditions without stimuli."""


def start_states(
    program: Program,
    names: Sequence[str],
    starts: Mapping[str, RandomStart | Supplied] = NO_STARTS,
    apart: np.ndarray | None = None,
) -> State:
    """Return the state at step 0 of points with the given initial conditions.

    Parameters
    ----------
    program : Program
    names : sequence of str, P
    starts : mapping
        What the names of drawn and supplied starts mean, without the number that follows ``@``.
    apart : ndarray of bool, (P,), optional
        Points whose neurons start a little apart from each other: by up to `APART`, drawn from the point's seed.

    Raises
    ------
    SpecError
        If a supplied state does not fit the network.
    """
    start = _start_states(program, names, starts)
    if apart is None or not apart.any():
        return start
    mask = torch.as_tensor(apart, device=program.device)[:, None]
    rates = {
        name: value
        + torch.where(mask, APART, 0.0)
        * (1.0 + value)
        * uniforms(program.seeds, f"apart.{name}", START, value.shape[1], program.dtype)
        for name, value in start.rates.items()
    }
    return replace(start, rates=rates)


def _start_states(
    program: Program, names: Sequence[str], starts: Mapping[str, RandomStart | Supplied]
) -> State:
    chosen = np.asarray(names)
    if (chosen == "network").all():
        return initial_state(program)
    own = torch.as_tensor(chosen == "network", device=program.device)
    level = torch.as_tensor(np.where(chosen == "hot", HOT_RATE, COLD_RATE), device=program.device)
    preset = initial_state(program, dict.fromkeys(program.populations, level))
    found = initial_state(program).where(own, preset)
    for name in dict.fromkeys(names):
        base, number = origin_of(name)
        if base in starts:
            start = starts[base]
            here = torch.as_tensor(chosen == name, device=program.device)
            there = (
                _drawn(program, start, f"{base}.{number}")
                if isinstance(start, RandomStart)
                else _supplied(program, start, number)
            )
            found = there.where(here, found)
    return found


def cues_of(
    names: Sequence[str], device: torch.device, starts: Mapping[str, RandomStart | Supplied] = NO_STARTS
) -> tuple[Tensor, Tensor]:
    """Return which points receive the stimuli, and by how many degrees these are turned, (P,) each."""

    def receives(name: str) -> bool:
        start = starts.get(origin_of(name)[0])
        return name not in UNCUED if start is None else start.stimuli

    kinds = {
        name: (receives(name), turn_of(name, defined=starts, path="initial")) for name in dict.fromkeys(names)
    }
    stimulated, turned = zip(*(kinds[name] for name in names), strict=True) if names else ((), ())
    return (
        torch.as_tensor(np.array(stimulated, dtype=bool), device=device),
        torch.as_tensor(np.array(turned, dtype=np.float64), device=device),
    )


def _drawn(program: Program, start: RandomStart, name: str) -> State:
    """Return states drawn as `RandomStart` says, each point's from its own seed."""
    rates = {}
    for population, own in program.populations.items():
        stream = f"start.{name}.{population}"
        level, size, phase = uniforms(program.seeds, stream, START, 3, torch.float64).unsqueeze(-1).unbind(1)
        mean = start.low * torch.exp(
            math.log(start.high / start.low) * level
        )  # pow: its tails round differently
        theta = angles(own.size, program.device)
        profile = 1.0 + start.modulation * size * torch.cos(theta - 2.0 * torch.pi * phase)
        if start.spread:
            each = uniforms(program.seeds, f"{stream}.each", START, own.size, torch.float64)
            profile = profile * (1.0 + start.spread * (2.0 * each - 1.0))
        rates[population] = mean * profile
    state = initial_state(program, rates)
    if not start.stp or not state.u:
        return state
    named = state.named()
    for pair, u in state.u.items():
        drawn = uniforms(program.seeds, f"start.{name}.{pair}", START, 2, torch.float64)
        rest = program.number(f"stp.{pair}.U")[:, None]
        named[f"stp.{pair}.u"] = (rest + (1.0 - rest) * drawn[:, :1]).to(program.dtype).expand(u.shape)
        named[f"stp.{pair}.x"] = drawn[:, 1:].to(program.dtype).expand(u.shape)
    return state.renamed(named, step=0)


def _supplied(program: Program, start: Supplied, row: int) -> State:
    start.file.check(program.spec)
    return given_state(program, {name: rows[row] for name, rows in start.file.values.items()})


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
    replaced = start.renamed(named, step=0)
    averages = start_averages(program, replaced.rates, replaced.weights)  # begin as the rates given
    fitting = {f"averages.{name}": value for name, value in averages.items()}
    return replaced.renamed(named | {n: v for n, v in fitting.items() if n not in given}, step=0)
