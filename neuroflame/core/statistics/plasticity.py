"""Short-term plasticity: means of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuroflame.core.statistics.view import column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Statistic, View

_DOCS = {
    "u": "Mean utilisation over neurons and the final window.",
    "x": "Mean available resources over neurons and the final window.",
    "ux": "Mean of utilisation times resources over neurons and the final window.",
}


def plasticity(view: View) -> Iterator[Statistic]:
    """Yield the means of u, x and u x, by plastic pair."""
    rows = [i for i, n in enumerate(view.recording.plastic_steps) if n - 1 in view.sampling]
    for pair in view.spec.stp:
        for k, (what, doc) in enumerate(_DOCS.items()):
            if rows:
                kept = view.recording.plastic[pair][:, rows, k].double().cpu().numpy()
                mean = np.ascontiguousarray(kept).mean(axis=-1)
            else:
                mean = np.full(len(view.lost), np.nan)
            yield column(f"stp.{pair}.{what}", "", doc), np.where(view.lost, np.nan, mean)
