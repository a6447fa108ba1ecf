"""What every connectivity operator promises."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Operator(nn.Module, ABC):
    """Unweighted connectivity C of one pair: (C s)_i = Σ_j C_ij s_j.

    The coupling J and its scaling with K or N are the caller's. The topology is held in buffers, so that it is
    part of a network's ``state_dict``. Row p of the result depends on row p of the sources alone, to the last
    bit, however many rows there are.

    Attributes
    ----------
    post, pre : int
        Number of neurons that listen and that speak.
    """

    def __init__(self, post: int, pre: int) -> None:
        super().__init__()
        self.post, self.pre = post, pre

    @abstractmethod
    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources.

        Parameters
        ----------
        sources : Tensor, (P, N_pre)

        Returns
        -------
        Tensor, (P, N_post)
        """

    @abstractmethod
    def to_dense(self) -> Tensor:
        """Return the matrix, float64, (N_post, N_pre), or (P, N_post, N_pre) where it differs between points."""

    def numbers(self) -> tuple[Tensor, ...]:
        """Return the numbers of a run's points, and what of the connectivity is as small; of random topology none."""
        return ()

    def with_numbers(self, numbers: tuple[Tensor, ...]) -> Operator:
        """Return the operator with other tensors in the place of those that `numbers` returns, on another device."""
        return self

    def in_degrees(self) -> Tensor:
        """Return the number of inputs of each neuron, int64, (N_post,); all neurons, where all are connected."""
        return torch.full((self.post,), self.pre)

    def out_degrees(self) -> Tensor:
        """Return the number of neurons that each presynaptic one reaches, int64, (N_pre,)."""
        return torch.full((self.pre,), self.post)

    def variance(self) -> float:
        """Return the mean variance of an entry about what is expected of it; 0 where nothing is scattered."""
        return 0.0

    def forward(self, sources: Tensor) -> Tensor:
        """Return `apply` of the sources."""
        return self.apply(sources)


def angles(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the preferred angles 2πi/size, float64 radians, (size,)."""
    return torch.arange(size, dtype=torch.float64, device=device) * (2.0 * math.pi / size)
