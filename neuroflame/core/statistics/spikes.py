"""Statistics of spike trains: irregularity, synchrony, how many neurons fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuroflame.core.spike_record import BIN
from neuroflame.core.statistics.view import column
from neuroflame.core.statistics.windows import FINAL
from neuroflame.core.torch_physics import mean_neurons, sum_neurons
from neuroflame.spec.measures import spiking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Statistic, View


def spikes(view: View) -> Iterator[Statistic]:
    """Yield irregularity and synchrony of the spike trains in the final window, by population that spikes."""
    for name in spiking(view.spec):
        enough, cv, cv2 = view.intervals(name)
        for suffix, value, doc in (
            ("cv", cv, "Coefficient of variation of interspike intervals"),
            ("cv2", cv2, "Mean of 2|a − b|/(a + b) over neighbouring interspike intervals a, b"),
        ):
            text = f"{doc}, mean over neurons with at least three spikes."
            yield column(f"spikes.{name}.{suffix}", "", text), _mean_where(enough, value)
        found = view.reduced(name)
        doc = f"χ²: variance of the population's rate in bins of {1000 * BIN:g} ms over the mean of the neurons' own."
        yield (
            column(f"spikes.{name}.sync", "", doc),
            found.mean_sd**2 / found.own_variance,
        )
        profile = view.profile(name, FINAL)
        fired = torch.where(torch.isnan(profile), profile, (profile > 0).double())
        doc = "Fraction of neurons that fired in the final window."
        yield column(f"spikes.{name}.active", "", doc), mean_neurons(fired)


def _mean_where(mask: Tensor, value: Tensor) -> Tensor:
    """Return the mean over the neurons of a mask, (P,), undefined where there are none."""
    return sum_neurons(torch.where(mask, value, 0.0)) / sum_neurons(mask.to(value.dtype))
