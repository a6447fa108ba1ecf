"""Mean rates and their variation over neurons and time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuroflame.core.statistics.view import audible, column
from neuroflame.core.statistics.windows import FINAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Statistic, View


def rates(view: View) -> Iterator[Statistic]:
    """Yield mean rate and its variation over neurons and time, by population."""
    for name in view.spec.populations:
        found = view.reduced(name)
        level = found.level[FINAL]
        yield column(f"rate.{name}.mean", "Hz", "Mean rate over neurons and the final window."), found.mean
        yield (
            column(
                f"rate.{name}.cv", "", "Standard deviation over neurons of the time-mean rate, over the mean."
            ),
            audible(torch.sqrt(found.variance) / level, level),
        )
        yield (
            column(
                f"rate.{name}.sd_t",
                "",
                "Temporal standard deviation of the population's mean, over the mean.",
            ),
            audible(found.mean_sd / level, level),
        )
        yield (
            column(
                f"rate.{name}.sd_i",
                "",
                "Mean of the neurons' own temporal standard deviations, over the mean.",
            ),
            audible(found.own_sd / level, level),
        )
        yield column(f"rate.{name}.max", "Hz", "Highest time-mean rate of a neuron."), found.highest
