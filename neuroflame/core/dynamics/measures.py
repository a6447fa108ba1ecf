"""The measures of a sweep that need the network's equations and the state at the end, not what was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.columns import Column
from neuroflame.core.dynamics.diffusion import diffusion
from neuroflame.core.dynamics.fixed_points import fixed_points
from neuroflame.core.dynamics.lyapunov import lyapunov
from neuroflame.core.dynamics.map import StepMap
from neuroflame.core.dynamics.newton import solve
from neuroflame.core.dynamics.spectrum import spectrum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.core.state import State
    from neuroflame.spec.dynamics import DynamicsOptions

    Statistic = tuple[Column, np.ndarray]


def measure_dynamics(
    ensemble: Ensemble, final: State, measure: Sequence[str], options: DynamicsOptions
) -> list[Statistic]:
    """Return the columns of the measures of dynamics, one number a point.

    Parameters
    ----------
    ensemble : Ensemble
        P points.
    final : State
        Where their runs ended; undefined values at points that diverged give undefined numbers.
    measure : sequence of str
        Names; those of other measures are passed over.
    options : DynamicsOptions
    """
    return [
        statistic
        for name in measure
        if name in DYNAMICS
        for statistic in DYNAMICS[name](ensemble, final, options)
    ]


def _lyapunov(ensemble: Ensemble, final: State, options: DynamicsOptions) -> Iterator[Statistic]:
    found = lyapunov(ensemble, final, options.lyapunov)
    for i, (value, error) in enumerate(zip(found.exponents.T, found.errors.T, strict=True), start=1):
        yield Column(f"lyapunov.{i}", "float", "1/s", f"Lyapunov exponent number {i} of the step."), value
        yield Column(f"lyapunov.{i}.se", "float", "1/s", "Its standard error."), error
    doc = "Time over which growth was averaged until the largest exponent was precise, or to the longest."
    yield Column("lyapunov.duration", "float", "s", doc), found.durations.cpu().numpy()


def _spectrum(ensemble: Ensemble, final: State, options: DynamicsOptions) -> Iterator[Statistic]:
    everyone = torch.arange(ensemble.points, device=ensemble.device)
    ended = StepMap(ensemble.quiet(), at=final.step).flatten(final)
    found = solve(ensemble, everyone, ended, at=final.step)
    flat = torch.where(found.converged[:, None], found.flat, torch.nan)
    modes = spectrum(ensemble, everyone, flat, at=final.step, options=options.spectrum)
    distance = ((flat - ended).abs() / (1.0 + ended.abs())).amax(dim=1)
    known = ~np.isnan(modes.alpha)
    unstable = np.where(known, modes.unstable(), np.nan)
    where = "at the fixed point that Newton's method finds from the end of the run"
    yield (
        Column(
            "alpha",
            "float",
            "1/s",
            f"Largest ln|μ|/dt of the step's Jacobian {where}, a bump's Goldstone mode apart.",
        ),
        modes.alpha,
    )
    yield Column("alpha.error", "float", "1/s", "Residual of its eigenvector over dt."), modes.alpha_error
    yield (
        Column("alpha.goldstone", "float", "1/s", "ln|μ|/dt of a bump's Goldstone mode."),
        modes.alpha_goldstone,
    )
    yield (
        Column("spectrum.frequency", "float", "Hz", "|arg μ|/(2π dt) of the eigenvalue that gives alpha."),
        modes.alpha_frequency,
    )
    yield (
        Column("spectrum.unstable", "float", "", "Number of growing directions among the eigenvalues found."),
        unstable,
    )
    yield (
        Column("spectrum.distance", "float", "", "Largest |x* − x|/(1 + |x|) to the state at the end."),
        distance.cpu().numpy(),
    )


def _fixed_points(ensemble: Ensemble, final: State, options: DynamicsOptions) -> Iterator[Statistic]:
    found = fixed_points(ensemble, at=final.step, options=options.fixed_points, states=[final])
    modes = spectrum(ensemble, found.owner, found.flat, at=final.step, options=options.spectrum)
    owner = found.owner.cpu().numpy()
    stable = np.bincount(owner[modes.unstable() == 0], minlength=ensemble.points)
    yield (
        Column("fixed_points.count", "float", "", "Number of fixed points found, rotated copies as one."),
        found.count().astype(float),
    )
    yield (
        Column("fixed_points.stable", "float", "", "Number of them without a growing direction."),
        stable.astype(float),
    )


def _diffusion(ensemble: Ensemble, final: State, options: DynamicsOptions) -> Iterator[Statistic]:
    for name, found in diffusion(ensemble, final, options.diffusion).items():
        for suffix, unit, doc, value in (
            (
                "diffusion",
                "rad²/s",
                "Slope of the across-trial variance of the bump's phase, its drift taken out: variance = D t.",
                found.constant,
            ),
            ("diffusion.se", "rad²/s", "Its standard error, by leaving out trials.", found.error),
            ("drift", "rad/s", "Mean velocity of the bump over trials.", found.drift),
            ("drift.se", "rad/s", "Its standard error.", found.drift_error),
        ):
            yield Column(f"bump.{name}.{suffix}", "float", unit, doc), value


DYNAMICS: dict[str, Callable[[Ensemble, State, DynamicsOptions], Iterator[Statistic]]] = {
    "lyapunov": _lyapunov,
    "spectrum": _spectrum,
    "fixed_points": _fixed_points,
    "diffusion": _diffusion,
}
"""What ``measure:`` may name beside `neuroflame.core.statistics.MEASURES`."""
