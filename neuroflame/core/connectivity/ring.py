"""All-to-all connectivity that depends on the difference of preferred angles, as a short Fourier series."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import ive
from torch import Tensor
from torch.autograd.function import once_differentiable

from neuroflame.core.connectivity.base import Operator, angles
from neuroflame.core.torch_physics import sum_neurons

MODES_MAX = 128


@dataclass(frozen=True)
class FourierSeries:
    """f(Δ) = Σ_k c_k cos(k (Δ − φ)), one series a point.

    Parameters
    ----------
    amplitude : Tensor, (P, M + 1), float64
        c_0 … c_M.
    phase : Tensor, (P,), float64, radians
        φ.
    """

    amplitude: Tensor
    phase: Tensor

    @property
    def modes(self) -> int:
        """Number of modes M beside the mean."""
        return self.amplitude.shape[1] - 1


def uniform_series(device: torch.device | str) -> FourierSeries:
    """Return f = 1."""
    return FourierSeries(
        torch.ones(1, 1, dtype=torch.float64, device=device), torch.zeros(1, device=device).double()
    )


def cosine_series(kappa: Tensor, phase: Tensor) -> FourierSeries:
    """Return f(Δ) = 1 + κ cos(Δ − φ); ``kappa`` (P,) or (1,), ``phase`` radians."""
    return FourierSeries(torch.stack([torch.ones_like(kappa), kappa], dim=1), phase)


def von_mises_series(kappa: Tensor, phase: Tensor, smallest: float = 1e-17) -> FourierSeries:
    """Return f(Δ) = exp(κ cos(Δ − φ)) / I_0(κ) = 1 + 2 Σ_k I_k(κ)/I_0(κ) cos(k (Δ − φ)).

    Abramowitz & Stegun 9.6.34. A point's series is cut where its terms fall below ``smallest`` of the first, by
    zeros, so that it does not depend on the other points' concentrations.
    """
    return FourierSeries(_VonMises.apply(kappa, smallest).to(phase.device), phase)


class _VonMises(torch.autograd.Function):
    """c_0 … c_M of von Mises profiles by concentration: scipy knows Bessel functions of all orders, torch of two."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, smallest: float) -> Tensor:
        values = kappa.detach().cpu().numpy()[:, None]
        order = np.arange(MODES_MAX + 2)[None, :]
        bessel = ive(order, values) / ive(0, values)
        series = bessel[:, :-1] * np.where(order[:, :-1], 2.0, 1.0)
        series[series < smallest] = 0.0
        if (series[:, -1] > 0).any():
            raise ValueError(f"von Mises profiles are exact up to kappa ≈ 200, got {values.max():g}")
        modes = int((series > 0).sum(axis=1).max()) - 1
        if ctx.needs_input_grad[0]:
            modes = max(modes, 1)  # which is 0 at κ = 0, and its slope is not
            # (I_k/I_0)' = (I_{k−1} + I_{k+1})/(2 I_0) − I_k I_1/I_0²
            slope = np.zeros_like(series)
            slope[:, 1:] = bessel[:, :-2] + bessel[:, 2:] - 2.0 * bessel[:, 1:-1] * bessel[:, 1:2]
            slope[:, 2:][series[:, 2:] == 0.0] = 0.0
            ctx.save_for_backward(torch.as_tensor(slope[:, : modes + 1]).to(kappa.device))
        return torch.as_tensor(series[:, : modes + 1]).to(kappa.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return (upstream * slope).sum(dim=1), None


class RingOperator(Operator):
    """C_ij = f(θ_i − θ_j), in O(N · modes): project on cosines and sines, scale, expand.

    Parameters
    ----------
    post, pre : int
        Sizes.
    device : torch.device or str
        Of the uniform series that it begins with.
    series : FourierSeries, optional
        Instead of that.
    """

    def __init__(
        self, post: int, pre: int, device: torch.device | str = "cpu", series: FourierSeries | None = None
    ) -> None:
        super().__init__(post, pre)
        self._series = uniform_series(device) if series is None else series
        self._tables: dict[tuple[int, int, torch.dtype, torch.device], Tensor] = {}

    def bind(self, series: FourierSeries) -> RingOperator:
        """Return an operator with the series of a run's points."""
        bound = RingOperator(self.post, self.pre, series=series)
        bound._tables = self._tables
        return bound

    def numbers(self) -> tuple[Tensor, ...]:
        """Return amplitudes and phases of the series."""
        return self._series.amplitude, self._series.phase

    def with_numbers(self, numbers: tuple[Tensor, ...]) -> RingOperator:
        """Return the operator with other amplitudes and phases."""
        return self.bind(FourierSeries(*numbers))

    @property
    def series(self) -> FourierSeries:
        """The series of each point."""
        return self._series

    def table(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return cos(kθ) and sin(kθ) of a population, (2M, N): all cosines, then all sines."""
        modes, device = self._series.modes, self._series.phase.device
        key = (size, modes, dtype, device)
        if key not in self._tables:
            order = torch.arange(1, modes + 1, dtype=torch.float64, device=device)
            arguments = order[:, None] * angles(size, device)
            self._tables[key] = torch.cat([torch.cos(arguments), torch.sin(arguments)]).to(dtype)
        return self._tables[key]

    def moments(self, sources: Tensor) -> Tensor:
        """Return Σ_j s_j, Σ_j s_j cos kθ_j and Σ_j s_j sin kθ_j, (2M + 1, P)."""
        table = self.table(self.pre, sources.dtype)
        return torch.cat([sum_neurons(sources)[None], sum_neurons(sources[None] * table[:, None])])

    def rotation(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Return c_0 (P, 1), and c_k cos kφ and c_k sin kφ (M, P)."""
        amplitude, phase = self._series.amplitude, self._series.phase
        order = torch.arange(1, self._series.modes + 1, dtype=torch.float64, device=phase.device)
        turn = order[:, None] * phase
        scale = amplitude[:, 1:].T
        return (
            amplitude[:, :1].to(dtype),
            (scale * torch.cos(turn)).to(dtype),
            (scale * torch.sin(turn)).to(dtype),
        )

    def expand(self, moments: Tensor) -> Tensor:
        """Return the currents, (P, N_post), from the moments of the sources."""
        modes = self._series.modes
        mean, along, across = self.rotation(moments.dtype)
        even, odd = moments[1 : 1 + modes], moments[1 + modes :]
        waves = torch.cat([along * even - across * odd, across * even + along * odd])  # (2M, P)
        current = mean * moments[0][:, None]
        for wave, basis in zip(waves, self.table(self.post, moments.dtype), strict=True):
            current = current + wave[:, None] * basis
        return current.expand(-1, self.post)

    def apply(self, sources: Tensor) -> Tensor:  # type: ignore[override]
        """Return the currents for the sources."""
        return self.expand(self.moments(sources))

    def to_dense(self) -> Tensor:
        """Return the matrices, float64, (P, N_post, N_pre), or (N_post, N_pre) if all points share one."""
        device = self._series.phase.device
        difference = angles(self.post, device)[:, None] - angles(self.pre, device)  # (N_post, N_pre)
        shifted = difference[None] - self._series.phase[:, None, None]
        dense = torch.zeros_like(shifted)
        for order, amplitude in enumerate(self._series.amplitude.T):  # one mode at a time: it is N² a point
            dense = dense + amplitude[:, None, None] * torch.cos(order * shifted)
        return dense[0] if dense.shape[0] == 1 else dense


def radians(degrees: Tensor) -> Tensor:
    """Return degrees as radians."""
    return degrees * (math.pi / 180.0)
