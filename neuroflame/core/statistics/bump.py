"""The first Fourier mode over preferred angles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neuroflame.core.recorder import bump_amplitude, fourier_mode
from neuroflame.core.statistics.view import audible, column
from neuroflame.core.statistics.windows import EPOCHS, FINAL, FIRST_HALF, SECOND_HALF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from neuroflame.core.statistics.view import Statistic, View


def bump(view: View) -> Iterator[Statistic]:
    """Yield the first Fourier mode over preferred angles, by population, at the end and around the stimulus."""
    for name in view.spec.populations:
        yield from _mode(view, name, FINAL, "", "in the final window")
        halves = [
            bump_amplitude(fourier_mode(view.profile(name, half))) for half in (FIRST_HALF, SECOND_HALF)
        ]
        seconds = 0.5 * view.steps(FINAL) * view.spec.dt
        doc = "Growth of the bump's amplitude over the final window, over the amplitude; negative: it dissolves."
        yield (
            column(f"bump.{name}.trend", "1/s", doc),
            audible((halves[1] - halves[0]) / (0.5 * (halves[0] + halves[1]) * seconds), view.level(name)),
        )
        for epoch, words in EPOCHS.items():
            if view.has(epoch):
                yield from _mode(view, name, epoch, f".{epoch}", words)


def _mode(view: View, name: str, window: str, suffix: str, words: str) -> Iterator[Statistic]:
    mode = fourier_mode(view.profile(name, window))
    m0, m1, level = mode[:, 0], bump_amplitude(mode), view.level(name, window)
    phase = torch.remainder(torch.atan2(mode[:, 2], mode[:, 1]), 2.0 * torch.pi)
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
