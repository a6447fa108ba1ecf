"""The probability of each connection of sparse connectivity, as a product of two thin matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from scipy.special import ive
from torch import Tensor

from neuroflame.core.connectivity.base import angles

if TYPE_CHECKING:
    from neuroflame.spec.network import Pair


@dataclass(frozen=True)
class Probability:
    """clip(density · f(Σ_r left_ir right_rj), 0, 1) with f(x) = background + depth x, or the von Mises profile.

    Parameters
    ----------
    density : float
        K/N.
    left, right : Tensor, (N_post, R) and (R, N_pre), float64
        Factors of the structure: cosines and sines of the preferred angles, or drawn vectors.
    background, depth : float
        Of a linear f.
    concentration : float or None
        κ of f(x) = exp(κ (x − 1)) / (I_0(κ) exp(−κ)).
    """

    density: float
    left: Tensor
    right: Tensor
    background: float = 1.0
    depth: float = 0.0
    concentration: float | None = None

    @property
    def norm(self) -> float:
        """I_0(κ) exp(−κ), 1 for a linear f."""
        return 1.0 if self.concentration is None else float(ive(0, self.concentration))

    def to(self, device: torch.device | str) -> Probability:
        """Return the same on a device."""
        return replace(self, left=self.left.to(device), right=self.right.to(device))

    def rows(self, rows: Tensor) -> Tensor:
        """Return the probabilities of some rows, float64, (rows, N_pre)."""
        left = self.left[rows]
        value = left.new_zeros(len(rows), self.right.shape[1])
        for r in range(self.right.shape[0]):
            value = value + left[:, r, None] * self.right[r]
        if self.concentration is None:
            shape = self.background + self.depth * value
        else:
            shape = torch.exp(self.concentration * (value - 1.0)) / self.norm
        return (self.density * shape).clamp(0.0, 1.0)


def connection_probability(
    pair: Pair, post: int, pre: int, vectors: tuple[Tensor, Tensor] | None = None
) -> Probability:
    """Return the probabilities of a pair's connections.

    Parameters
    ----------
    pair : Pair
        Kind, in-degree and profile, with the numbers that apply to this pair.
    post, pre : int
        Sizes.
    vectors : tuple of Tensor, (N_post, R) and (N_pre, R), optional
        m and n of a low-rank profile.
    """
    assert pair.K is not None
    profile = pair.profile
    density = pair.K / pre
    if profile.kind == "uniform":
        return Probability(density, torch.zeros(post, 0).double(), torch.zeros(0, pre).double())
    assert profile.kind != "gaussian"  # all-to-all only
    kappa = profile.kappa[pair.name] if isinstance(profile.kappa, dict) else profile.kappa
    if profile.kind == "low_rank":
        assert vectors is not None
        m, n = vectors
        return Probability(density, m, n.T.contiguous(), profile.background, kappa / pair.K**0.5)
    phase = torch.tensor(profile.phase, dtype=torch.float64).deg2rad()
    there, here = angles(post), angles(pre) + phase
    left = torch.stack([torch.cos(there), torch.sin(there)], dim=1)
    right = torch.stack([torch.cos(here), torch.sin(here)])
    if profile.kind == "von_mises":
        return Probability(density, left, right, concentration=kappa)
    return Probability(
        density, left, right, depth=kappa / pair.K**0.5 if profile.kind == "cosine_weak" else kappa
    )
