"""What a stepped kernel is called with, beside what every kernel is: factors of what is sent in float16."""

from __future__ import annotations

import torch
from torch import Tensor

from neuroflame.core.trajectory.arguments import Arguments

HALF_RANGE = 2.0**14
"""What a rate at its limit is scaled to, at most, where it is sent in float16, whose range ends at 65,504."""


class SteppedArguments(Arguments):
    """Numbers of all points, with each pair's weight in the scale in which its sources are sent."""

    def _parameters(self) -> dict[str, Tensor]:
        return super()._parameters() | self._half_scales()

    def _half_scales(self) -> dict[str, Tensor]:
        """Return what sources are multiplied by before they are sent in float16, and what undoes it.

        Each pair's weight times a power of two that its postsynaptic population's pairs share.
        """
        names, limit = list(self.program.populations), self.program.number("rate_limit")
        found: dict[str, Tensor] = {}
        for a, name in enumerate(names):
            weights = {i: p.weight.double()[:, 0] for i, p in enumerate(self.program.pairs) if p.post == name}
            if weights:
                largest = torch.stack(torch.broadcast_tensors(*(w.abs() for w in weights.values()))).amax(0)
                largest = torch.where(largest > 0, largest, torch.ones_like(largest))
                scale = torch.exp2(torch.floor(torch.log2(HALF_RANGE / (limit * largest))))
                found[f"unscale{a}"] = 1.0 / scale
                found |= {f"push{i}": weight * scale for i, weight in weights.items()}
        return found
