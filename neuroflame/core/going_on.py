"""Runs that have not settled are made again, twice as long each time, until they have or time is up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from neuroflame.core.statistics import final_window
from neuroflame.spec.stimuli import span

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.measure import Measured
    from neuroflame.spec import NetworkSpec

Array = np.ndarray

ALIKE = 1e-6
"""Coefficient of variation of neurons that differ by rounding."""


def go_on(
    first: Measured,
    again: Callable[[NetworkSpec, float, int, Array, Array], Measured],
    spec: NetworkSpec,
    *,
    window: float | None,
    longest: float,
) -> Measured:
    """Return the statistics of P points, those of points that were `slow` from runs as long as they need.

    A run and its final window become twice as long until its label is another one or the next would be longer than
    ``longest``. A run that rests where it would not stay, at an unstable fixed point, starts from then on with rates a
    little apart from neuron to neuron; so does one in which neurons that are alike oscillate together, which is made
    again once.

    Parameters
    ----------
    first : Measured
        Of runs as long as the specification says, ``regime`` among its columns.
    again : callable
        Of a specification, the final window (s), the factor on its length, the rows of the points that are to be
        measured, and which of them start apart.
    spec : NetworkSpec
    window : float, optional
        The final window that was asked for, seconds.
    longest : float
        Seconds.
    """
    if any(span(stimulus, spec.dt).end >= spec.duration for stimulus in spec.stimuli):
        return first  # a longer run would have another stimulus
    data = {name: values.copy() for name, values in first.data.items()}
    width, factor = final_window(spec, window), 2
    apart = np.zeros(len(data["regime"]), dtype=bool)
    together = _together(data, spec)
    rows = np.flatnonzero((data["regime"] == "slow") | together)
    while len(rows) and factor * spec.duration <= longest * (1 + 1e-9):
        apart[rows] |= _held(data, rows) | together[rows]
        longer = spec.with_values({"duration": factor * spec.duration})
        # No more samples at once than those of the first runs.
        most = max(1, len(first.data["regime"]) // factor)
        for some in np.split(rows, range(most, len(rows), most)):
            found = again(longer, factor * width, factor, some, apart[some])
            for name, values in found.data.items():
                data[name][some] = values
        rows = rows[data["regime"][rows] == "slow"]
        factor *= 2
    return replace(first, data=data)


def _together(data: dict[str, Array], spec: NetworkSpec) -> Array:
    """Return which runs are rhythms of neurons that are alike: nothing has told whether they would stay together."""
    found: Array = (data["regime"] == "oscillating") & (data["noisy"] != True)  # noqa: E712 (element by element)
    for name in spec.populations:
        found &= ~(data[f"rate.{name}.cv"] > ALIKE)  # undefined in silence
    return found & any(population.size > 1 for population in spec.populations.values())


def _held(data: dict[str, Array], rows: Array) -> Array:
    """Return which runs are at rest at a fixed point that is unstable."""
    still = data["converged"][rows].astype(object) == True  # noqa: E712 (element by element)
    found = np.zeros(len(rows), dtype=bool)
    for name in ("alpha", "alpha.symmetric"):
        if name in data:
            found |= data[name][rows] > 0
    return still & found
