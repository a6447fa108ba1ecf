"""Whether a run has come to rest: residuals, drift, growth, and what tells noise and silence apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.columns import Column
from neuroflame.core import reference
from neuroflame.core.external import External
from neuroflame.core.statistics.bump import FEWEST
from neuroflame.core.statistics.courses import bend, blocks, crossings, drift, slope
from neuroflame.core.statistics.inputs import active
from neuroflame.core.statistics.view import SILENT, column, truth
from neuroflame.core.statistics.windows import FINAL
from neuroflame.core.timescales import time_constants
from neuroflame.physics.transfer import BOUNDED
from neuroflame.spec.measures import spiking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from neuroflame.core.program import Program
    from neuroflame.core.state import State
    from neuroflame.core.statistics.view import Array, Series, Statistic, View

TOLERANCES = {torch.float64: 1e-4, torch.float32: 1e-3}
"""Residual below which a state counts as converged: float32 does not resolve slower motion of slow variables."""
WINDOW_BLOCKS = 16
EIGHTHS = 8
ROUNDING = 1e-5
"""Share of its level below which a mean's variation is that of arithmetic, in float32 too."""


def convergence(view: View) -> Iterator[Statistic]:
    """Yield residuals, growth, noise, and by population drift, activity and the bump's velocity."""
    program, final = view.program, view.recording.final
    assert program is not None
    assert final is not None
    points, tolerance = len(view.lost), TOLERANCES[program.dtype]
    trains = spiking(view.spec)  # which never come to rest
    courses = {name: view.series(name) for name in view.spec.populations}
    if trains:
        at_end = fixed = rotating = np.full(points, np.nan)
    else:
        at_end = residual(program, final).cpu().numpy()
        fixed, rotating = moving(list(courses.values()), view.tau_max)
    doc = "Largest |dx/dt| τ / (1 + |x|) over the state variables at the end."
    yield column("residual", "", doc), at_end
    doc = (
        "The same for the populations' means and first Fourier modes, with the slowest τ, at its largest over "
        "sixteenths of the final window."
    )
    yield column("residual.window", "", doc), fixed
    doc = (
        "The same for means and amplitudes of the modes: small too where a bump travels and keeps its shape."
    )
    yield column("residual.rotating", "", doc), rotating
    doc = "What residuals must be below for the run to have converged; it depends on the arithmetic."
    yield column("residual.tolerance", "", doc), np.full(points, tolerance)
    doc = "Whether residuals are below the tolerance, at the end and throughout the final window."
    worst = np.maximum(at_end, fixed)
    still = truth(worst < tolerance, np.isnan(worst))
    yield Column("converged", "bool", "", doc), still
    doc = "Whether there is noise, or spikes: a run then comes to rest only on average."
    yield Column("noisy", "bool", "", doc), noisy(program) | bool(trains)
    doc = (
        "Slowest growth rate of a population's mean between neighbouring eighths of the final window, of the "
        "population that grows most, times the slowest time constant; of those whose rates could exceed `rate_limit`."
    )
    free = unbounded(program)
    yield column("growth", "", doc), growth(list(courses.values()), free) * view.tau_max
    yield column("elapsed", "s", "Simulated time."), np.full(points, view.spec.steps * view.spec.dt)
    shares = active(view)
    for name in view.spec.populations:
        doc = (
            "Share of neurons whose mean input without noise over the final window exceeds their threshold, by what "
            "makes a neuron fire at 0.001 Hz."
        )
        yield column(f"rate.{name}.active", "", doc), np.where(view.lost, np.nan, shares[name].cpu().numpy())
        yield from _drift(view, name, courses[name])


def _drift(view: View, name: str, series: Series) -> Iterator[Statistic]:
    """Yield how a population's mean and its bump move over the final window."""
    mean = series.mean.mean(axis=-1) if series.samples else np.full(len(view.lost), np.nan)
    found = view.reduced(name)
    level = found.level[FINAL].numpy() if view.signed(name) else mean
    heard = np.abs(level) >= SILENT
    with np.errstate(invalid="ignore", divide="ignore"):
        tilt = slope(series.mean, series.every)[0] / level if series.samples > 2 else mean * np.nan
        phase = np.unwrap(np.arctan2(series.sine, series.cosine), axis=-1)
        error, tilt_error = (spread / np.abs(level) for spread in _errors(series.mean, series.every))
        size = np.hypot(series.cosine, series.sine)
        amplitude = size.mean(axis=-1) if series.samples else mean
        shape_error, shape_tilt_error = (spread / amplitude for spread in _errors(size, series.every))
    doc = "Standard error of the mean rate over the final window, over the mean, by the means of its eighths."
    yield column(f"rate.{name}.error", "", doc), np.where(heard, error, np.nan)
    doc = "Slope of the population's mean over the final window, over the mean."
    yield column(f"rate.{name}.trend", "1/s", doc), np.where(heard, tilt, np.nan)
    doc = "Its standard error, by the slopes in eighths of the window."
    yield column(f"rate.{name}.trend.se", "1/s", doc), np.where(heard, tilt_error, np.nan)
    doc = "Standard error of the bump's amplitude over the final window, over the amplitude, by its eighths."
    yield column(f"bump.{name}.error", "", doc), np.where(heard, shape_error, np.nan)
    doc = "Standard error of the growth of the bump's amplitude, by the slopes in eighths of the window."
    yield column(f"bump.{name}.trend.se", "1/s", doc), np.where(heard, shape_tilt_error, np.nan)
    doc = (
        "How often the population's mean crosses its own average in the final window; undefined where it varies no "
        "more than by rounding."
    )
    count = crossings(series.mean) if series.samples > 2 else mean * np.nan
    still = found.mean_sd.numpy() <= ROUNDING * np.maximum(np.abs(found.level[FINAL].numpy()), SILENT)
    yield column(f"rate.{name}.crossings", "", doc), np.where(np.isnan(mean) | still, np.nan, count)

    unstructured = torch.sqrt(found.unstructured) / found.level[FINAL]
    lowest = unstructured * (np.pi / view.spec.populations[name].size) ** 0.5
    doc = (
        "Ratio that unstructured variation over neurons alone would give: √(π/N) times its coefficient of variation, "
        "which differences of neighbours on the ring tell, √(½⟨(r_i − r_j)²⟩) over the mean."
    )
    floor = np.where(heard, lowest.numpy(), np.nan)
    yield column(f"bump.{name}.floor", "", doc), floor

    velocity, error = drift(np.ascontiguousarray(phase), series.every, EIGHTHS)
    doc = "Slope of the bump's unwrapped phase over the final window."
    yield column(f"bump.{name}.velocity", "rad/s", doc), np.where(heard, velocity, np.nan)
    doc = "Its standard error, by the scatter of the slopes in eighths of the window."
    yield column(f"bump.{name}.velocity.se", "rad/s", doc), np.where(heard, error, np.nan)
    change, error = bend(np.ascontiguousarray(phase), series.every, EIGHTHS)
    doc = "Slope of the bump's velocity over the final window, by the slopes of its phase in eighths."
    yield column(f"bump.{name}.acceleration", "rad/s²", doc), np.where(heard, change, np.nan)
    doc = "Its standard error, by their scatter."
    yield column(f"bump.{name}.acceleration.se", "rad/s²", doc), np.where(heard, error, np.nan)
    doc = (
        "Ratio in the frame that turns with the bump's velocity: the profile that a bump keeps while it travels, of "
        "which `bump.A.ratio` sees what is left after it has turned. Undefined where neurons spike."
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = _rotating(series, velocity) / level
    population = view.spec.populations[name]
    # Neurons that spike regularly, each by itself, turn in some frame too: their order on the ring is chance.
    shaped = heard & (population.size >= FEWEST and population.spiking is None)
    yield column(f"bump.{name}.rotating", "", doc), np.where(shaped, ratio, np.nan)


def _rotating(series: Series, velocity: Array) -> Array:
    """Return twice the modulus of the mean mode in a frame that turns, (P,), Hz."""
    if not series.samples:
        return np.full(len(velocity), np.nan)
    angle = velocity[:, None] * (series.every * np.arange(series.samples))
    cosine, sine = np.cos(angle), np.sin(angle)
    along, across = (
        np.ascontiguousarray(part).mean(axis=-1)
        for part in (
            series.cosine * cosine + series.sine * sine,
            series.sine * cosine - series.cosine * sine,
        )
    )
    found: Array = 2.0 * np.hypot(along, across)
    return found


def _errors(course: Array, every: float) -> tuple[Array, Array]:
    """Return standard errors of a course's mean and of its slope, a second, by the scatter of its eighths, (P,)."""
    parts = blocks(course, EIGHTHS)
    if parts is None:
        return np.full(len(course), np.nan), np.full(len(course), np.nan)
    means = np.ascontiguousarray(parts.mean(axis=-1))
    return means.std(axis=-1, ddof=1) / np.sqrt(EIGHTHS), drift(course, every, EIGHTHS)[1]


def residual(program: Program, state: State) -> Tensor:
    """Return max |dx/dt| τ / (1 + |x|) over the state variables, (P,), by one step of the reference executor.

    Noise variables are left out: they are input. τ is the variable's own, the step's length where it is 0, and the
    network's slowest for a variable without one.
    """
    spec, dt = program.spec, program.spec.dt
    after = reference.step(program, state, External(program).at(state.step - 1)).named()
    constants = time_constants(spec)
    worst = torch.zeros(program.points, dtype=torch.float64, device=program.device)
    for name, value in state.named().items():
        if name.startswith("noise."):
            continue
        tau = program.number(constants[name]) if name in constants else torch.full_like(worst, spec.slowest())
        tau = torch.clamp(tau, min=dt)
        before = value.double()
        speed = (after[name].double() - before).abs() / dt
        largest = (speed * tau[:, None] / (1.0 + before.abs())).amax(dim=1)
        worst = torch.maximum(worst, largest)
    return worst


def noisy(program: Program) -> Array:
    """Return which points have noise of an amplitude above 0, (P,)."""
    found = np.zeros(program.points, dtype=bool)
    for noise in program.noise:
        for amplitude in noise.amplitude.values():
            found |= (amplitude != 0).reshape(-1).cpu().numpy()
    return found


def moving(courses: list[Series], tau: Array) -> tuple[Array, Array]:
    """Return the largest residual of means and modes, and of means and amplitudes, over blocks of the window."""
    fixed = rotating = np.zeros(len(tau))
    for series in courses:
        count = min(WINDOW_BLOCKS, series.samples // 2)
        if count == 0:
            return np.full(len(tau), np.nan), np.full(len(tau), np.nan)
        amplitude = np.hypot(series.cosine, series.sine)
        mean, cosine, sine, size = (
            _speed(course, series.every, count) * tau
            for course in (series.mean, series.cosine, series.sine, amplitude)
        )
        fixed = np.maximum(fixed, np.maximum(mean, np.maximum(cosine, sine)))
        rotating = np.maximum(rotating, np.maximum(mean, size))
    return fixed, rotating


def _speed(course: Array, every: float, count: int) -> Array:
    """Return the largest range within a block, over the block's length and 1 + |x|, (P,), 1/s."""
    parts = blocks(course, count)
    assert parts is not None
    ranges = parts.max(axis=-1) - parts.min(axis=-1)
    scale = 1.0 + np.abs(parts).max(axis=-1)
    worst: Array = (ranges / scale).max(axis=-1) / (parts.shape[-1] * every)
    return worst


def unbounded(program: Program) -> list[Array]:
    """Return of each population at which points its rates could exceed ``rate_limit``, (P,) each.

    Those of a transfer function that saturates are at most ``rate_max``, trains of spikes at most one spike a step.
    """
    limit = program.number("rate_limit").cpu().numpy()
    found = []
    for population in program.populations.values():
        most = population.rate_max_start[:, 0].cpu().numpy()
        free = most > limit if population.transfer in BOUNDED else np.array(population.spiking is None)
        found.append(np.broadcast_to(free, (program.points,)))
    return found


def growth(courses: list[Series], free: list[Array] | None = None) -> Array:
    """Return the slowest rate of growth between neighbouring eighths, of the population where it is largest, 1/s.

    0 where a population is silent.

    Parameters
    ----------
    courses : list of Series
    free : list of ndarray of bool, (P,)
        Of each population at which points its growth counts; by default it does everywhere.

    Returns
    -------
    ndarray, (P,)
        NaN where no population's counts.
    """
    found = []
    for number, series in enumerate(courses):
        parts = blocks(series.mean, EIGHTHS)
        if parts is None:
            return np.full(len(series.mean), np.nan)
        means = np.abs(parts.mean(axis=-1))
        heard = means.min(axis=-1) >= SILENT
        steps = np.diff(np.log(np.maximum(means, SILENT)), axis=-1) / (parts.shape[-1] * series.every)
        slowest = np.where(heard | np.isnan(means).any(axis=-1), steps.min(axis=-1), 0.0)
        found.append(slowest if free is None else np.where(free[number], slowest, np.nan))
    largest: Array = np.fmax.reduce(found)
    return largest
