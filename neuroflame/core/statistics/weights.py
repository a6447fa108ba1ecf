"""What weights have become at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuroflame.columns import Column
from neuroflame.core.torch_physics import mean_neurons, sum_neurons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Statistic, View


def weights(view: View) -> Iterator[Statistic]:
    """Yield mean, spread, silent fraction and first mode of the weights, by pair whose weights learn."""
    final = view.recording.final
    assert final is not None
    assert view.program is not None
    for name, edges in view.program.edges.items():
        found, wave = final.weights[name].double(), edges.first_mode()
        if not len(wave):  # nothing was drawn, and nothing has no mean
            wave = torch.full((1,), torch.nan, dtype=torch.float64, device=found.device)
            found = wave.expand(found.shape[0], 1)
        mean = mean_neurons(found)
        spread = found - mean[:, None]
        silent = torch.where(found.isnan(), found, (found == 0).double())
        mode = 2.0 * sum_neurons(found * wave) / sum_neurons(found)
        for suffix, doc, value in (
            ("mean", "Mean weight of the connections at the end, in units of J.", mean),
            (
                "sd",
                "Standard deviation of the weights at the end, in units of J.",
                mean_neurons(spread**2) ** 0.5,
            ),
            ("zero", "Fraction of the connections whose weight at the end is 0.", mean_neurons(silent)),
            (
                "ratio",
                "First cosine mode of the weights over θ_post − θ_pre at the end, over their mean.",
                mode,
            ),
        ):
            yield Column(f"weight.{name}.{suffix}", "float", "", doc), value
