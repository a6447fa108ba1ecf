"""The first Fourier mode over preferred angles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neuroflame.core.recorder import bump_amplitude
from neuroflame.core.statistics.view import audible, column
from neuroflame.core.statistics.windows import EPOCHS, FINAL, FIRST_HALF, SECOND_HALF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Reduced, Statistic, View


def bump(view: View) -> Iterator[Statistic]:
    """Yield the first Fourier mode over preferred angles, by population, at the end and around the stimulus."""
    for name in view.spec.populations:
        found = view.reduced(name)
        early, late = (bump_amplitude(found.modes[half].mT) for half in (FIRST_HALF, SECOND_HALF))
        seconds = 0.5 * view.steps(FINAL) * view.spec.dt
        growth = audible((late - early) / (0.5 * (early + late) * seconds), found.level[FINAL])
        doc = "Growth of the bump's amplitude over the final window, over the amplitude; negative: it dissolves."
        yield from _mode(found, FINAL, name, "", "in the final window")
        yield column(f"bump.{name}.trend", "1/s", doc), growth
        for epoch, words in EPOCHS.items():
            if view.has(epoch):
                yield from _mode(found, epoch, name, f".{epoch}", words)


def _mode(found: Reduced, window: str, name: str, suffix: str, words: str) -> Iterator[Statistic]:
    (m0, cosine, sine), level = found.modes[window], found.level[window]
    m1 = bump_amplitude(found.modes[window].mT)
    # Not torch's arctangent: it rounds the last points of a tile in another way.
    phase = torch.from_numpy(np.remainder(np.arctan2(sine.numpy(), cosine.numpy()), 2.0 * np.pi))
    yield column(f"bump.{name}.m0{suffix}", "Hz", f"Mean rate {words}."), m0
    yield column(f"bump.{name}.m1{suffix}", "Hz", f"Amplitude 2|⟨r exp(iθ)⟩| of the bump {words}."), m1
    yield (
        column(f"bump.{name}.ratio{suffix}", "", f"Amplitude of the bump over the mean rate {words}."),
        audible(m1 / level, level),
    )
    yield (
        column(f"bump.{name}.phase{suffix}", "rad", f"Angle of the bump's centre {words}, in [0, 2π)."),
        audible(phase, level),
    )
