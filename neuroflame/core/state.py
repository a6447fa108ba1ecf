"""The state of a network at one time: everything that the next step needs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class State:
    """State of P points; mappings are by population (``E``) or by pair (``EE``).

    Parameters
    ----------
    step : int
        Number of steps done.
    rates : mapping of Tensor, (P, N_A), Hz
    currents : mapping of Tensor, (P, N_A)
        Recurrent input h of each population.
    slow : mapping of Tensor, (P, N_A)
        NMDA input g; empty without NMDA.
    thresholds : mapping of Tensor, (P, N_A)
        Adaptive thresholds, of the populations that have them.
    u, x : mapping of Tensor, (P, N_pre)
        Utilisation and resources, of the pairs with short-term plasticity.
    noise : mapping of Tensor, (P, N_A)
        Ornstein–Uhlenbeck variables, by source and population (``0.E``).
    feedforward : mapping of Tensor, (P, N_A)
        Variables of the external input's own dynamics, by population and variable (``E.filtered``).
    weights : mapping of Tensor, (P, connections)
        Weights in units of J, of the pairs with Hebbian plasticity; connections as in
        `neuroflame.core.connectivity.edges`.
    averages : mapping of Tensor, (P, N_A) or (P, connections)
        Running means of those pairs, by pair and quantity (``EE.post_mean``).
    voltage : mapping of Tensor, (P, N_A)
        Membrane voltages of the populations that spike; their ``rates`` are 1/dt after a step with a spike, else 0.
    refractory : mapping of Tensor, (P, N_A)
        Refractory time left, steps.
    """

    step: int
    rates: dict[str, Tensor]
    currents: dict[str, Tensor]
    slow: dict[str, Tensor] = field(default_factory=dict)
    thresholds: dict[str, Tensor] = field(default_factory=dict)
    u: dict[str, Tensor] = field(default_factory=dict)
    x: dict[str, Tensor] = field(default_factory=dict)
    noise: dict[str, Tensor] = field(default_factory=dict)
    feedforward: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    averages: dict[str, Tensor] = field(default_factory=dict)
    voltage: dict[str, Tensor] = field(default_factory=dict)
    refractory: dict[str, Tensor] = field(default_factory=dict)

    def map(self, function: Callable[[Tensor], Tensor]) -> State:
        """Return the state with a function applied to every tensor."""
        groups = {
            f.name: {key: function(value) for key, value in getattr(self, f.name).items()}
            for f in fields(self)
            if f.name != "step"
        }
        return State(step=self.step, **groups)

    def named(self) -> dict[str, Tensor]:
        """Return every tensor under a name such as ``rates.E`` or ``stp.EE.u``."""
        found = {}
        for f in fields(self):
            if f.name != "step":
                for key, value in getattr(self, f.name).items():
                    found[f"stp.{key}.{f.name}" if f.name in {"u", "x"} else f"{f.name}.{key}"] = value
        return found

    def renamed(self, values: dict[str, Tensor], *, step: int) -> State:
        """Return a state with the tensors of `named`, at a step."""
        groups = {}
        for f in fields(self):
            if f.name != "step":
                keys = getattr(self, f.name)
                label = "stp.{}." + f.name if f.name in {"u", "x"} else f.name + ".{}"
                groups[f.name] = {key: values[label.format(key)] for key in keys}
        return State(step=step, **groups)

    def where(self, mask: Tensor, other: State) -> State:
        """Return this state at the points of the mask, (P,), and the other one elsewhere."""
        groups = {
            f.name: {
                key: torch.where(mask[:, None], value, getattr(other, f.name)[key])
                for key, value in getattr(self, f.name).items()
            }
            for f in fields(self)
            if f.name != "step"
        }
        return State(step=self.step, **groups)
