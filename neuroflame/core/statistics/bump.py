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

FEWEST = 3
"""Neurons of a profile: of two the first mode is what alternates, of one it is the mean."""


def bump(view: View) -> Iterator[Statistic]:
    """Yield the first Fourier mode over preferred angles, by population, at the end and around the stimulus."""
    for name, population in view.spec.populations.items():
        found, shaped = view.reduced(name), population.size >= FEWEST
        early, late = (bump_amplitude(found.modes[half].mT) for half in (FIRST_HALF, SECOND_HALF))
        seconds = 0.5 * view.steps(FINAL) * view.spec.dt
        growth = audible((late - early) / (0.5 * (early + late) * seconds), found.level[FINAL])
        doc = "Growth of the bump's amplitude over the final window, over the amplitude; negative: it dissolves."
        yield from _mode(found, FINAL, name, "", "in the final window", shaped=shaped)
        yield column(f"bump.{name}.trend", "1/s", doc), growth
        for epoch, words in EPOCHS.items():
            if view.has(epoch):
                yield from _mode(found, epoch, name, f".{epoch}", words, shaped=shaped)


def _mode(
    found: Reduced, window: str, name: str, suffix: str, words: str, *, shaped: bool
) -> Iterator[Statistic]:
    (m0, cosine, sine), level = found.modes[window], found.level[window]
    undefined = torch.full_like(m0, torch.nan)
    m1 = bump_amplitude(found.modes[window].mT)
    # Not torch's arctangent: it rounds the last points of a tile in another way.
    phase = torch.from_numpy(np.remainder(np.arctan2(sine.numpy(), cosine.numpy()), 2.0 * np.pi))
    yield column(f"bump.{name}.m0{suffix}", "Hz", f"Mean rate {words}."), m0
    yield column(f"bump.{name}.m1{suffix}", "Hz", f"Amplitude 2|⟨r exp(iθ)⟩| of the bump {words}."), m1
    yield (
        column(f"bump.{name}.ratio{suffix}", "", f"Amplitude of the bump over the mean rate {words}."),
        audible(m1 / level, level) if shaped else undefined,
    )
    yield (
        column(f"bump.{name}.phase{suffix}", "rad", f"Angle of the bump's centre {words}, in [0, 2π)."),
        audible(phase, level) if shaped else undefined,
    )
