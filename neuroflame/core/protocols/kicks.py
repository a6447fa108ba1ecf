"""States that are kicked: rates, a turn of the ring, plastic variables, or everything at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroflame.core.random import KICK, normals, uniforms
from neuroflame.spec.kicks import Kick, PlasticityKick, RandomKick, RateKick, Rotation
from neuroflame.spec.parts import ODD_TRANSFERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.program import Program
    from neuroflame.core.state import State
    from neuroflame.spec.kicks import Perturbation


def _rates(kick: RateKick, program: Program, state: State) -> dict[str, Tensor]:
    found = {}
    for name in kick.populations or list(state.rates)[:1]:
        before = state.rates[name]
        if kick.factor is not None:
            after = before * kick.factor
        else:
            after = _allowed(program, name, before + float(kick.add or 0.0))
        here = _chosen(kick, program, f"rates.{name}", before)
        found[f"rates.{name}"] = torch.where(here, after, before)
    return found


def _rotation(kick: Rotation, program: Program, state: State) -> dict[str, Tensor]:
    still = ("noise.", "feedforward.")
    return {n: turned(v, kick.angle) for n, v in state.named().items() if not n.startswith(still)}


def _plasticity(kick: PlasticityKick, program: Program, state: State) -> dict[str, Tensor]:
    found = {}
    for pair in kick.pairs or list(state.u):
        here = _chosen(kick, program, f"stp.{pair}", state.u[pair])
        for letter, before, value in (("u", state.u[pair], kick.u), ("x", state.x[pair], kick.x)):
            if value is not None:
                found[f"stp.{pair}.{letter}"] = torch.where(here, torch.full_like(before, value), before)
    return found


def _random(kick: RandomKick, program: Program, state: State) -> dict[str, Tensor]:
    still = ("noise.", "weights.", "averages.")
    found = {}
    for name, value in state.named().items():
        if not name.startswith(still):
            stream = f"kick.{kick.name}.{name}"
            drawn = normals(program.seeds, stream, KICK, 0, value.shape[1], value.dtype)
            moved = value * (1.0 + kick.size * drawn)
            if name.endswith((".u", ".x")):
                moved = torch.clamp(moved, 0.0, 1.0)
            elif name.startswith("rates."):
                moved = _allowed(program, name.removeprefix("rates."), moved)
            found[name] = moved
    return found


_KICKS: dict[type[Kick], Callable[[Any, Program, State], dict[str, Tensor]]] = {
    RateKick: _rates,
    Rotation: _rotation,
    PlasticityKick: _plasticity,
    RandomKick: _random,
}


def kicked(kick: Perturbation, program: Program, state: State) -> State:
    """Return a state after a kick; random numbers follow from each point's seed and the kick's name.

    Parameters
    ----------
    kick : Perturbation
    program : Program
        The points.
    state : State
    """
    return state.renamed(state.named() | _KICKS[type(kick)](kick, program, state), step=state.step)


def turned(value: Tensor, angle: float | Tensor) -> Tensor:
    """Return what stands on a ring, (P, N), turned by an angle in degrees, (P, 1) or a number.

    Between neurons it is interpolated linearly: exact for whole steps of 360°/N, and never below 0 where nothing is.
    """
    points, size = value.shape
    steps = torch.as_tensor(angle, dtype=torch.float64, device=value.device) * (size / 360.0)
    nearest = torch.round(steps)
    steps = torch.where((steps - nearest).abs() < 1e-9, nearest, steps)
    place = torch.arange(size, device=value.device) - steps  # from where each neuron takes its value
    below = torch.floor(place)
    share = (place - below).to(value.dtype).expand(points, size)
    low = torch.remainder(below.long(), size).expand(points, size)
    high = torch.remainder(low + 1, size)
    return value.gather(1, low) * (1.0 - share) + value.gather(1, high) * share


def _allowed(program: Program, population: str, rates: Tensor) -> Tensor:
    """Return rates, at least 0 where the population's transfer function is."""
    odd = program.populations[population].transfer in ODD_TRANSFERS
    return rates if odd else torch.clamp(rates, min=0.0)


def _chosen(kick: RateKick | PlasticityKick, program: Program, what: str, like: Tensor) -> Tensor:
    """Return which neurons are kicked, (P, N): each with the probability that is asked for."""
    if kick.fraction == 1.0:
        return torch.ones_like(like, dtype=torch.bool)
    drawn = uniforms(program.seeds, f"kick.{kick.name}.{what}", KICK, like.shape[1], torch.float64)
    return drawn <= kick.fraction
