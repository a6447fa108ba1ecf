"""One step of the reference executor as a map of flat states, and its derivative along a direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuroflame.core.dual import Dual, tangent_of, value_of
from neuroflame.core.external import External
from neuroflame.core.reference import initial_state, step
from neuroflame.core.replay import Replay
from neuroflame.errors import SimulationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from neuroflame.core.program import Program
    from neuroflame.core.state import State


class StepMap:
    """F: the state after a step, for the state before, both flat, (rows, D).

    The equations are those of `neuroflame.core.reference.step`; the derivative is that same function of dual
    numbers. Variables that no step moves (the utilisation where τ_fac is 0, the
    resources where τ_rec is 0) are held: they have no direction and no eigenvalue.

    Parameters
    ----------
    program : Program
        The rows. Noise, where it has any, is added by `walk` and left out by the map itself.
    at : int
        Step whose external input is held.
    held : iterable of str
        Names of further variables (`State.named`) to hold.

    Attributes
    ----------
    sizes : mapping of str to int
        Number of neurons by variable, in the order of the flat state.
    share : Tensor, (rows or 1, D)
        Part of the way to its target that a variable goes in a step: 1 − exp(−dt/τ), 1 where τ is 0 or held.
    held : Tensor, (rows or 1, D), bool
    """

    def __init__(self, program: Program, *, at: int, held: Iterable[str] = ()) -> None:
        self.program, self.step = program, at
        self._schedule = External(program)
        self._external = self._schedule.at(at)
        self._template = initial_state(program)
        self._replay: Replay | None = None
        self._take = self._replayed if program.device.type == "cuda" else self._along
        named = self._template.named()
        self.sizes = {name: value.shape[1] for name, value in named.items() if not name.startswith("noise.")}
        shares = _shares(program)
        unknown = self.sizes.keys() - shares.keys()
        if unknown:
            raise SimulationError(
                "is a variable that the tools of dynamics do not know", got=sorted(unknown)[0]
            )
        wide = [shares[name].expand(-1, size) for name, size in self.sizes.items()]
        rows = max(len(part) for part in wide)
        self.share = torch.cat([part.expand(rows, -1) for part in wide], dim=1)
        kept = set(held)
        by_name = torch.cat(
            [torch.full((size,), name in kept, device=program.device) for name, size in self.sizes.items()]
        )
        self.held = (self.share == 0) | by_name
        self.share = torch.where(self.held, 1.0, self.share)

    @property
    def dimension(self) -> int:
        """D."""
        return sum(self.sizes.values())

    def flatten(self, state: State) -> Tensor:
        """Return the variables side by side, (rows, D), in double precision; noise is left out."""
        named = state.named()
        return torch.cat([named[name].to(torch.float64) for name in self.sizes], dim=1)

    def parts(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the variables of a flat state by name."""
        return dict(zip(self.sizes, flat.split(list(self.sizes.values()), dim=1), strict=True))

    def state(self, flat: Tensor | Mapping[str, Any], noise: Mapping[str, Tensor] | None = None) -> State:
        """Return the state that `flatten` made flat, or that has such parts, at the map's step."""
        parts = self.parts(flat) if isinstance(flat, Tensor) else dict(flat)
        named = parts | {f"noise.{key}": value for key, value in (noise or {}).items()}
        absent = {name: value for name, value in self._template.named().items() if name not in named}
        return self._template.renamed(named | absent, step=self.step)

    def __call__(self, flat: Tensor) -> Tensor:
        """Return the state one step later."""
        after = self.flatten(step(self.program, self.state(flat), self._external))
        return torch.where(self.held, flat, after)

    def derivative(self, flat: Tensor, direction: Tensor) -> Tensor:
        """Return DF(x) v, (rows, D), for states x and directions v of the same shape."""
        _, moved, _ = self._along(flat, direction, {})
        return moved

    def confined(self, flat: Tensor) -> Tensor:
        """Return the states with utilisation and resources put into [0, 1], where fixed points have them."""
        return torch.cat(
            [
                part.clamp(0.0, 1.0) if name.endswith((".u", ".x")) else part
                for name, part in self.parts(flat).items()
            ],
            dim=1,
        )

    def jacobian(self, flat: Tensor) -> Tensor:
        """Return DF(x), (rows, D, D), column by column: the oracle of the tests, D² numbers a row."""
        units = torch.eye(self.dimension, dtype=flat.dtype, device=flat.device)
        columns = [self.derivative(flat, unit.expand_as(flat)) for unit in units]
        return torch.stack(columns, dim=2)

    def walk(
        self, flat: Tensor, direction: Tensor, noise: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Take a step in time with its own noise and external input; carry a direction along.

        Returns
        -------
        tuple
            State and direction one step later, (rows, D), and the correlated noise.
        """
        found = self._take(flat, direction, noise)
        self.step += 1
        self._external = self._schedule.at(self.step)
        return found

    def _replayed(
        self, flat: Tensor, direction: Tensor, noise: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return what `_along` does, to the last bit, by a step that is captured at its first call."""
        given = {"flat": flat, "direction": direction, **noise}
        if self._replay is None:
            self._replay = Replay(self._later, given, self._schedule.widest(self.step), self.step)
        self._replay.put(given)
        self._replay.advance(self._external)
        after = {name: value.clone() for name, value in self._replay.state.items()}
        return after.pop("flat"), after.pop("direction"), after

    def _later(
        self, now: Mapping[str, Tensor], external: Mapping[str, Tensor], number: Tensor
    ) -> dict[str, Tensor]:
        noise = {name: value for name, value in now.items() if name not in {"flat", "direction"}}
        flat, direction, noise = self._along(now["flat"], now["direction"], noise, external, number)
        return {"flat": flat, "direction": direction, **noise}

    def residual(self, flat: Tensor, after: Tensor) -> Tensor:
        """Return max |dx/dt| τ / (1 + |x|) over the variables, (rows,), for a state and the next."""
        return self.distance_to_target(flat, after).abs().div(1.0 + flat.abs()).amax(dim=1)

    def distance_to_target(self, flat: Tensor, after: Tensor) -> Tensor:
        """Return what each variable still has to go, τ dx/dt = (F(x) − x)/(1 − exp(−dt/τ)), (rows, D)."""
        return (after - flat) / self.share

    def _along(
        self,
        flat: Tensor,
        direction: Tensor,
        noise: dict[str, Tensor],
        external: Mapping[str, Tensor] | None = None,
        number: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return state, direction and noise one step later, by the map's own input and step or by others."""
        received = self._external if external is None else dict(external)
        parts = self.parts(direction)
        before = {name: Dual(value, parts[name]) for name, value in self.parts(flat).items()}
        later = step(self.program, self.state(before, noise), received, number)
        after, moved = self.flatten(later.map(value_of)), self.flatten(later.map(_moved))
        return torch.where(self.held, flat, after), torch.where(self.held, 0.0, moved), later.noise


def _moved(x: Any) -> Tensor:
    tangent = tangent_of(x)
    value: Tensor = value_of(x)
    return torch.zeros_like(value) if tangent is None else tangent.expand_as(value)


def _shares(program: Program) -> dict[str, Tensor]:
    """Return the part of the way that each variable goes in a step, (rows or 1, 1); 0 if it never moves."""
    found = {}
    for name, population in program.populations.items():
        found[f"rates.{name}"] = 1.0 - population.decay
        found[f"currents.{name}"] = 1.0 - population.decay_syn
        if population.adapt_decay is not None:
            found[f"thresholds.{name}"] = 1.0 - population.adapt_decay
        if program.nmda is not None:
            found[f"slow.{name}"] = 1.0 - program.nmda.decay[name]
    for name, dynamics in program.feedforward.items():
        if dynamics.stp is not None:
            found[f"feedforward.{name}.u"] = dynamics.stp.relax_fac
            found[f"feedforward.{name}.x"] = dynamics.stp.relax_rec
        if dynamics.decay is not None:
            found[f"feedforward.{name}.filtered"] = 1.0 - dynamics.decay
        if dynamics.level_decay is not None:
            found[f"feedforward.{name}.level"] = 1.0 - dynamics.level_decay
    for pair in program.pairs:
        if pair.stp is not None:
            found[f"stp.{pair.name}.u"] = pair.stp.relax_fac
            found[f"stp.{pair.name}.x"] = pair.stp.relax_rec
    return found
