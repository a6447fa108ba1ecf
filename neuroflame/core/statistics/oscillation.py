"""Rhythm and synchrony: from the course of each population's mean over the final window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.core.statistics.courses import block_sds, detrended, slope
from neuroflame.core.statistics.view import SILENT, column
from neuroflame.core.statistics.windows import FINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Array, Series, Statistic, View

STILL = 1e-6
"""Share of its mean below which a variation is rounding."""
SEGMENTS = 4
"""The spectrum's segments are the window's length over this; they overlap by half."""
PADDING = 4
CYCLES = 8
"""Cycles that the window must hold: slower ones cannot be told from drift."""
BAND = 0.15
BLOCKS = 8


def oscillation(view: View) -> Iterator[Statistic]:
    """Yield synchrony, frequency, its share of the power and the growth of the oscillation, by population."""
    for name in view.spec.populations:
        found = view.reduced(name)
        level, own = found.level[FINAL].abs(), found.own_variance
        moves = torch.sqrt(own) > STILL * torch.clamp(level, min=SILENT)
        doc = (
            "Variance over time of the population's mean over the neurons' mean variance over time (χ²); "
            "undefined at rest."
        )
        yield (
            column(f"sync.{name}", "", doc),
            torch.where(moves, found.mean_sd**2 / own, torch.nan),
        )
        series = view.series(name)
        frequency, share, slow = rhythm(series, level.numpy() if view.signed(name) else None)
        doc = (
            "Peak of the spectrum of the population's mean; undefined below eight cycles in the final window."
        )
        yield column(f"osc.{name}.frequency", "Hz", doc), frequency
        doc = "Share of the power within 15 % of the peak and of its harmonics."
        yield column(f"osc.{name}.q", "", doc), share
        doc = "The same of a peak below eight cycles: what may be a rhythm in a longer window."
        yield column(f"osc.{name}.slow", "", doc), slow
        rate, error = growth(series)
        undefined = np.isnan(frequency)
        doc = "Growth of the oscillation's amplitude over the final window, over the amplitude."
        yield column(f"osc.{name}.growth", "1/s", doc), np.where(undefined, np.nan, rate)
        doc = "Standard error of the oscillation's growth."
        yield column(f"osc.{name}.growth.se", "1/s", doc), np.where(undefined, np.nan, error)


def rhythm(series: Series, level: Array | None = None) -> tuple[Array, Array, Array]:
    """Return the frequency of each point's spectral peak, Hz, and the share of power at it and its harmonics.

    Where the peak is below eight cycles in the window both are undefined, and the third array has the share.

    The spectrum is Welch's (1967): of the mean less its linear trend, in segments of a quarter of the window that
    overlap by half, under Hann's window. Power counts within 15 % of the peak's frequency, at the peak at least
    within the spectrum's own resolution.

    Parameters
    ----------
    series : Series
    level : ndarray, (P,), Hz, optional
        How large rates are, in comparison with which a variation is rounding or not. By default their mean.
    """
    points, samples = series.mean.shape
    length = samples // SEGMENTS
    if length < 8:
        unknown = np.full(points, np.nan)
        return unknown, unknown, unknown
    course = detrended(series.mean)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    padded = PADDING * length
    power = np.zeros((points, padded // 2 + 1))
    for start in range(0, samples - length + 1, length // 2):
        part = np.ascontiguousarray(course[:, start : start + length])
        spectrum = np.fft.rfft((part - part.mean(axis=-1, keepdims=True)) * taper, n=padded)
        power += spectrum.real**2 + spectrum.imag**2
    bins = np.arange(power.shape[1])
    power[:, bins * samples <= padded] = 0.0  # not above 1/W
    peak = np.clip(power.argmax(axis=-1), 1, len(bins) - 2)
    place = _vertex(power, peak)
    step = 1.0 / (padded * series.every)
    near = np.maximum(1.0, np.round(bins / place[:, None]))
    at_harmonic = np.abs(bins - near * place[:, None]) <= BAND * place[:, None]
    at_peak = np.abs(bins - place[:, None]) <= PADDING
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(at_harmonic | at_peak, power, 0.0).sum(axis=-1) / power.sum(axis=-1)
    size = np.abs(series.mean.mean(axis=-1)) if level is None else level
    spread = np.sqrt((course * course).mean(axis=-1))
    moves = (size >= SILENT) & (spread > STILL * size)
    fast = place * step * samples * series.every >= CYCLES
    found = [(moves & fast, place * step), (moves & fast, share), (moves & ~fast, share)]
    frequency, of_fast, of_slow = (np.where(here, value, np.nan) for here, value in found)
    return frequency, of_fast, of_slow


def _vertex(power: Array, peak: Array) -> Array:
    """Return where the parabola through the logarithms at a peak and beside it is highest, in bins."""
    tiny = np.finfo(float).tiny
    left, top, right = (
        np.log(np.take_along_axis(power, (peak + k)[:, None], axis=-1)[:, 0] + tiny) for k in (-1, 0, 1)
    )
    bend = left - 2.0 * top + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    return peak + np.clip(shift, -0.5, 0.5)


def growth(series: Series) -> tuple[Array, Array]:
    """Return the slope of the logarithm of the mean's standard deviation in eighths of the window, and its error."""
    spreads = block_sds(detrended(series.mean), BLOCKS)
    if spreads is None:
        return np.full(len(series.mean), np.nan), np.full(len(series.mean), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        heights = np.log(spreads)
        return slope(heights, series.every * (series.samples // BLOCKS))
