"""The mode by which a bump rotates: neutral on a continuous ring, nearly so on N neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.core.dynamics.krylov import dot, norm
from neuroflame.core.recorder import bump_amplitude, fourier_mode

if TYPE_CHECKING:
    from neuroflame.core.dynamics.map import StepMap

NEUTRAL = 5.0
"""|α| of the mode is below this over N τ, N the neurons that fire in the population with the most pronounced bump.

How far the mode is from neutral is the error of a sum over those neurons for an integral. In a threshold-linear ring
with weights (A + 2 B cos Δ)/N it is at most 2 B sin²θ_c/(N τ), θ_c the half-width: 3/(N τ) in terms of the neurons that
fire, however narrow the bump is.
"""
OVERLAP = 0.9
"""Cosine between its eigenvector and ∂x/∂θ, at least."""
BUMP = 0.1
"""m1/m0 of a bump, at least."""
SILENT = 1e-3
"""Hz. What a neuron fires at, at least."""


def goldstone_modes(step_map: StepMap, flat: Tensor, values: np.ndarray, vectors: list[Tensor]) -> np.ndarray:
    """Return which eigenvalue is that of a bump's rotation, (rows, k), bool; at most one a row.

    Parameters
    ----------
    step_map : StepMap
    flat : Tensor, (rows, D)
        The states.
    values : ndarray, (rows, k), complex
        Eigenvalues μ.
    vectors : list of Tensor, (rows, D), complex
        Their eigenvectors.
    """
    ratio, limit = _bump(step_map, flat)
    turned = _by_angle(step_map, flat)
    length = norm(turned)
    turned = turned / torch.where(length > 0, length, 1.0)[:, None]
    growth = np.log(np.maximum(np.abs(values), 1e-300)) / step_map.program.spec.dt
    real = np.abs(values.imag) == 0
    overlap = np.stack(
        [
            torch.hypot(dot(v.real, turned), dot(v.imag, turned)).cpu().numpy()
            for v in vectors[: values.shape[1]]
        ],
        axis=1,
    )
    marks = (overlap > OVERLAP) & real & (np.abs(growth) < limit[:, None]) & (ratio > BUMP)[:, None]
    # Where a bump is about to drift a second mode turns it too: that of its velocity, which is not neutral.
    nearest = np.argmin(np.where(marks, np.abs(growth), np.inf), axis=1)
    found: np.ndarray = marks & (np.arange(marks.shape[1]) == nearest[:, None])
    return found


def _bump(step_map: StepMap, flat: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return m1/m0 of the population where it is largest, and 5/(N τ) of its neurons that fire, (rows,)."""
    program = step_map.program
    ratios, limits = [], []
    for name, profile in step_map.parts(flat).items():
        if name.startswith("rates."):
            mode = fourier_mode(profile)
            audible = mode[:, 0] > SILENT
            ratios.append(torch.where(audible, bump_amplitude(mode) / mode[:, 0].clamp(min=SILENT), 0.0))
            tau = program.number(f"populations.{name.removeprefix('rates.')}.tau")
            tau = torch.where(tau > 0, tau, program.spec.slowest())
            firing = (profile > SILENT).sum(dim=1).clamp(min=1)
            limits.append(NEUTRAL / (firing * tau))
    ratio, largest = torch.stack(ratios).max(dim=0)
    limit = torch.stack(limits).gather(0, largest[None])[0]
    return ratio.cpu().numpy(), limit.cpu().numpy()


def _by_angle(step_map: StepMap, flat: Tensor) -> Tensor:
    """Return the change of every variable from one neighbour on its ring to the other, per neuron, (rows, D)."""
    parts = step_map.parts(flat).values()
    return torch.cat([(p.roll(-1, dims=1) - p.roll(1, dims=1)) * p.shape[1] for p in parts], dim=1)
