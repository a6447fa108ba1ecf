"""How far noise carries a bump: trials that go on from one state with noise of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.core.executors import choose
from neuroflame.core.recorder import RecordPlan, Sampling
from neuroflame.core.timescales import shortest

if TYPE_CHECKING:
    from neuroflame.core.dynamics.ensemble import Ensemble
    from neuroflame.core.state import State
    from neuroflame.spec.dynamics import DiffusionOptions

Array = np.ndarray

LONGEST_STEP = 0.005
_MOST = 2**24  # neurons at once, of all trials


@dataclass(frozen=True)
class Diffusion:
    """How the bumps of one population move; each (P,), NaN where there is none.

    Attributes
    ----------
    constant, error : ndarray, rad²/s
        Slope of the across-trial variance of the phase, variance = D t, and its standard error.
    drift, drift_error : ndarray, rad/s
        Mean velocity over trials, which is taken out first.
    """

    constant: Array
    error: Array
    drift: Array
    drift_error: Array


@torch.no_grad()
def diffusion(ensemble: Ensemble, final: State, options: DiffusionOptions) -> dict[str, Diffusion]:
    """Return how bumps diffuse, by population, from trials that begin at a state and differ in their noise alone.

    For each lag the variance over trials of the phase's change, less its mean over trials, is averaged over moments of
    the trial; the constant is the slope of that variance between two lags, by default a tenth and three tenths of a
    trial, its error that of leaving out one trial after the other (jackknife). What the phase jitters about the bump's
    place without carrying it on adds to the variance the same at all lags, not to its slope.

    Parameters
    ----------
    ensemble : Ensemble
        P points.
    final : State
        Where their runs ended, all points at the same step.
    options : DiffusionOptions
    """
    spec, trials = ensemble.spec, options.trials
    steps = max(8, round(options.time(spec) / spec.dt))
    every = max(1, min(steps // 64, int(min(LONGEST_STEP, shortest(spec)) / spec.dt + 1e-9)))
    lost = torch.stack([~torch.isfinite(x).all(dim=1) for x in final.named().values()]).any(dim=0)
    start = final.map(lambda value: torch.where(lost[:, None], 0.0, value.double()))
    plan = RecordPlan(samplings=(Sampling(final.step, final.step + steps, every),))
    size = sum(population.size for population in spec.populations.values())
    chunk = max(1, _MOST // (size * trials))
    parts: list[dict[str, Diffusion]] = []
    for rows in torch.arange(ensemble.points, device=ensemble.device).split(chunk):
        owner = rows.repeat_interleave(trials)
        own = _with_noise_of_their_own(ensemble, owner, trials)
        program = own.program()
        recording = choose("auto", program, plan).run(
            program, start.map(partial(_rows, owner=owner)), steps, plan
        )
        gone = (lost[owner] | (recording.fail_step >= 0)).cpu().numpy()
        parts.append(
            {
                name: _moved(
                    np.where(gone[:, None, None], np.nan, trace.double().cpu().numpy()).reshape(
                        len(rows), trials, -1, 3
                    ),
                    every * spec.dt,
                    options,
                )
                for name, trace in recording.traces.items()
            }
        )
    return {
        name: Diffusion(
            *(
                np.concatenate([getattr(part[name], field) for part in parts])
                for field in ("constant", "error", "drift", "drift_error")
            )
        )
        for name in spec.populations
    }


def _rows(value: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    return value[owner]


def _with_noise_of_their_own(ensemble: Ensemble, owner: torch.Tensor, trials: int) -> Ensemble:
    """Return one row for each trial of some points, each with a seed that follows from the point's and its number."""
    seeds = ensemble.seeds.cpu().numpy()
    drawn = [
        np.random.SeedSequence([int(seeds[row]) & (2**64 - 1), k % trials]).generate_state(1, np.uint64)[0]
        >> 1
        for k, row in enumerate(owner.tolist())
    ]
    return replace(
        ensemble,
        values={path: v if len(v) == 1 else v[owner] for path, v in ensemble.values.items()},
        seeds=torch.as_tensor(np.array(drawn, dtype=np.int64), device=ensemble.device),
        stimulated=ensemble.stimulated[owner],
        turned=None if ensemble.turned is None else ensemble.turned[owner],
    )


def _moved(modes: Array, every: float, options: DiffusionOptions) -> Diffusion:
    """Return how a population's bumps moved, from the samples of its mean and first mode, (P, trials, S, 3)."""
    mean, cosine, sine = (np.ascontiguousarray(modes[..., i]) for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = 2.0 * np.hypot(cosine, sine).mean(axis=-1).mean(axis=-1) / mean.mean(axis=-1).mean(axis=-1)
    phase = np.unwrap(np.arctan2(sine, cosine), axis=-1)  # (P, trials, S)
    trials, samples = phase.shape[1:]
    short, long = (max(1, round(share * (samples - 1))) for share in options.lags)
    (low, without_low), (high, without_high) = (_variance(phase, lag) for lag in (short, long))
    time = (long - short) * every
    slopes = (without_high - without_low) / time  # (P, trials), each with one trial left out
    error = np.sqrt((trials - 1) * slopes.var(axis=-1))
    velocity = (phase[..., -1] - phase[..., 0]) / ((samples - 1) * every)  # (P, trials)
    found = (
        (high - low) / time,
        error,
        velocity.mean(axis=-1),
        velocity.std(axis=-1, ddof=1) / np.sqrt(trials),
    )
    return Diffusion(*(np.where(ratio > options.ratio, value, np.nan) for value in found))


def _variance(phase: Array, lag: int) -> tuple[Array, Array]:
    """Return the variance over trials of the phase's change over a lag, mean over the moments at which it begins.

    Returns
    -------
    ndarray, (P,), rad²
        Of all trials.
    ndarray, (P, trials), rad²
        Without each of them.
    """
    change = phase[..., lag:] - phase[..., :-lag]  # (P, trials, moments)
    trials = change.shape[1]
    away = change - change.mean(axis=1, keepdims=True)
    squares = np.ascontiguousarray(away * away).mean(axis=-1)  # (P, trials)
    whole = squares.sum(axis=-1, keepdims=True)
    without = (whole - squares * trials / (trials - 1)) / (trials - 2)
    return whole[:, 0] / (trials - 1), without
