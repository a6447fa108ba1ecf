"""Gradients through spikes: a smooth stand-in for the step function, which leaves the numbers as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

STEEPNESS = 100.0
"""Default of the surrogate's steepness, right in size for rates around 100 Hz at dt = 0.1 ms, see `surrogate`."""


def surrogate(excess: Tensor, steepness: float) -> Tensor:
    """Return zeros whose gradient is that of a fast sigmoid, 1/(1 + steepness |excess|)² (SuperSpike).

    Zenke & Ganguli 2018, Neural Comput. 30:1514. Added to the number of spikes in a step, it makes that
    differentiable. A neuron that drifts through its threshold takes 1/(r dt) steps from one spike to the next;
    summed over them, the gradient is that of its rate r where the steepness is 1/(r dt), and is in proportion to
    1/steepness.

    Parameters
    ----------
    excess : Tensor
        Voltage above threshold at the end of the step, in units of the distance from reset to threshold.
    steepness : float
    """
    held = excess.detach()
    slope = 1.0 / (1.0 + steepness * held.abs()) ** 2
    return torch.where(torch.isfinite(held), slope * (excess - held), 0.0)
