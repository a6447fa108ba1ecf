"""Dynamics of the external input: plasticity of its afferents, then a low-pass filter, then adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.torch_physics import physics

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.program import Program, StpProgram
    from neuroflame.spec import NetworkSpec

    Column = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FeedforwardProgram:
    """Coefficients of one population's external input, (P, 1) or (1, 1); None where it has no such dynamics.

    Attributes
    ----------
    scale : float
        √K, which turns the afferents' rates into input.
    static : Tensor
        Share of the input that passes plastic afferents unchanged.
    stp : StpProgram
    decay : Tensor
        Of the filter, a step.
    level_decay, strength : Tensor
        Of the adaptation.
    """

    scale: float
    static: Tensor | None = None
    stp: StpProgram | None = None
    decay: Tensor | None = None
    level_decay: Tensor | None = None
    strength: Tensor | None = None


def make_feedforward(
    spec: NetworkSpec,
    number: Callable[[str], Tensor],
    column: Column,
    plasticity: Callable[[str, str], StpProgram],
) -> dict[str, FeedforwardProgram]:
    """Return the dynamics of the external input of each population that has some.

    Parameters
    ----------
    spec : NetworkSpec
    number : callable
        From dotted path to its value at each point.
    column : callable
        Makes a coefficient of it.
    plasticity : callable
        From kind and path of a plasticity to its coefficients.
    """
    given, found = spec.feedforward, {}
    if given is None:
        return {}

    def decay(path: str) -> Tensor:
        return column(torch.exp(-spec.dt / number(f"feedforward.{path}")))

    for name in spec.populations:
        stp, adaptation, filtered = given.stp.get(name), given.adaptation.get(name), given.tau_path(name)
        if stp or adaptation or filtered:
            base = f"feedforward.stp.{name}"
            found[name] = FeedforwardProgram(
                scale=spec.external_scale,
                static=column(number(f"{base}.static")) if stp else None,
                stp=plasticity(stp.kind, base) if stp else None,
                decay=decay(filtered) if filtered else None,
                level_decay=decay(f"adaptation.{name}.tau") if adaptation else None,
                strength=column(number(f"feedforward.adaptation.{name}.strength")) if adaptation else None,
            )
    return found


def start_feedforward(program: Program) -> dict[str, Tensor]:
    """Return the variables at step 0: filter and level of adaptation at 0, plasticity at rest; (P, N)."""
    found = {}
    for name, dynamics in program.feedforward.items():
        zero = torch.zeros(
            program.points, program.populations[name].size, dtype=program.dtype, device=program.device
        )
        if dynamics.stp is not None:
            found[f"{name}.u"], found[f"{name}.x"] = zero + dynamics.stp.start, zero + 1.0
        if dynamics.decay is not None:
            found[f"{name}.filtered"] = zero
        if dynamics.level_decay is not None:
            found[f"{name}.level"] = zero
    return found


def step_feedforward(
    program: Program, state: dict[str, Tensor], external: dict[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what reaches the neurons of the external input, and the variables one step later.

    Parameters
    ----------
    program : Program
    state : mapping of Tensor, (P, N)
        By population and variable: ``E.u``, ``E.x``, ``E.filtered``, ``E.level``.
    external : mapping of Tensor, (P, N) or (P, 1)
        External input of each population during the step.
    """
    reached, fresh = dict(external), {}
    for name, dynamics in program.feedforward.items():
        drive = external[name]
        if dynamics.stp is not None:
            s = dynamics.stp
            advance = getattr(physics, s.rule)
            rate = physics.afferent_rate(drive, dynamics.scale)
            u, x, sent = advance(
                state[f"{name}.u"],
                state[f"{name}.x"],
                rate,
                s.U,
                s.relax_fac,
                s.gain_fac,
                s.relax_rec,
                s.gain_rec,
            )
            fresh[f"{name}.u"], fresh[f"{name}.x"] = u, x
            drive = physics.afferent_drive(drive, sent, dynamics.scale, dynamics.static)
        if dynamics.decay is not None:
            drive = fresh[f"{name}.filtered"] = physics.relax(
                state[f"{name}.filtered"], drive, dynamics.decay
            )
        if dynamics.level_decay is not None:
            level = state[f"{name}.level"]
            drive = physics.adapted_drive(drive, level)
            fresh[f"{name}.level"] = physics.relax(level, dynamics.strength * drive, dynamics.level_decay)
        reached[name] = drive
    return reached, fresh
