"""From a recording to one number a point: each with its unit and definition.

A module for each family: rates, bump, spikes, oscillation, memory, convergence, plasticity, weights. What is wanted of
a run is the sums over its windows, samples of the populations' means and first Fourier modes, and the state at its end;
none grows with the number of neurons times that of steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroflame.core.statistics.bump import bump
from neuroflame.core.statistics.convergence import convergence
from neuroflame.core.statistics.memory import memory
from neuroflame.core.statistics.oscillation import oscillation
from neuroflame.core.statistics.plasticity import plasticity
from neuroflame.core.statistics.rates import rates
from neuroflame.core.statistics.spikes import spikes
from neuroflame.core.statistics.view import View
from neuroflame.core.statistics.weights import weights
from neuroflame.core.statistics.windows import (
    FINAL,
    FIRST_HALF,
    SECOND_HALF,
    final_window,
    final_windows,
    program_windows,
    samplings,
    windows,
)
from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.measures import MEASURE_NAMES, check_applicable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from neuroflame.core.statistics.view import Statistic
    from neuroflame.spec import NetworkSpec

__all__ = [
    "FINAL",
    "FIRST_HALF",
    "MEASURES",
    "SECOND_HALF",
    "View",
    "check_measures",
    "final_window",
    "final_windows",
    "needs_evidence",
    "program_windows",
    "samplings",
    "windows",
]

MEASURES: dict[str, Callable[[View], Iterator[Statistic]]] = {
    "rates": rates,
    "bump": bump,
    "spikes": spikes,
    "oscillation": oscillation,
    "memory": memory,
    "convergence": convergence,
    "stp": plasticity,
    "weights": weights,
}
"""What ``measure:`` may name; ``regime`` besides, which stands for all of them and the label they lead to."""


def needs_evidence(measure: Sequence[str]) -> bool:
    """Whether measures look at plastic pairs or at the state at the end."""
    return bool({"convergence", "stp"} & set(measure))


def check_measures(spec: NetworkSpec, names: Sequence[str]) -> None:
    """Raise `SpecError` if a name is not a measure, or measures what the network has not."""
    for name in names:
        if name not in MEASURE_NAMES:
            raise SpecError(
                "is not a measure", got=name, path="measure", remedy=suggestion(name, MEASURE_NAMES)
            )
    check_applicable(spec, names)
