"""The columns and the data of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuroflame.columns import Column
from neuroflame.core.recorder import Recording, bump_amplitude
from neuroflame.core.statistics import MEASURES, View
from neuroflame.regimes import LABEL_COLUMNS, Thresholds, label_end_states
from neuroflame.spec.measures import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroflame.core.statistics.view import Statistic
    from neuroflame.spec import NetworkSpec


def summarise(
    view: View, measure: Sequence[str], dynamics: Sequence[Statistic] = ()
) -> tuple[tuple[Column, ...], dict[str, np.ndarray]]:
    """Return the columns and the data of a recording; labels come last, from all of the row, dynamics included."""
    spec, recording = view.spec, view.recording
    columns = [
        Column("status", "str", "", "ok, diverged (see t_fail) or failed (see error)."),
        Column("t_fail", "float", "s", "Time at which the point was seen to have diverged."),
    ]
    found = [
        statistic for name in expanded(measure) if name in MEASURES for statistic in MEASURES[name](view)
    ]
    found += dynamics
    failed = recording.fail_step.cpu().numpy()
    data: dict[str, np.ndarray] = {
        "status": np.where(failed < 0, "ok", "diverged").astype(object),
        "t_fail": np.where(failed < 0, np.nan, failed * spec.dt),
    }
    columns += [column for column, _ in found]
    there = [(column.name, value) for column, value in found if isinstance(value, Tensor)]
    if there:
        rows = torch.stack([value.cpu() for _, value in there]).numpy()
        data |= {name: row for (name, _), row in zip(there, rows, strict=True)}
    data |= {column.name: value for column, value in found if not isinstance(value, Tensor)}
    data = {column.name: data[column.name] for column in columns}
    if "regime" in measure:
        columns += LABEL_COLUMNS
        data["regime"], data["regime.confidence"] = label_end_states(data, Thresholds())
    for column, series in _series(spec, recording):
        columns.append(column)
        data[column.name] = series
    return tuple(columns), data


def _series(spec: NetworkSpec, recording: Recording) -> list[tuple[Column, np.ndarray]]:
    if not recording.traces or not recording.plan.trace_every:
        return []
    points = recording.fail_step.shape[0]
    every = recording.plan.trace_every
    shown = [i for i, n in enumerate(recording.trace_steps) if n % every == 0]
    steps = [recording.trace_steps[i] for i in shown]
    times = np.asarray(steps, dtype=np.float32) * np.float32(spec.dt)
    found = [
        (
            Column("trace.time", "series", "s", "Times of the traces' samples."),
            _rows(np.tile(times, (points, 1))),
        )
    ]
    for name, samples in recording.traces.items():
        trace = samples[:, shown]
        mean, amplitude = trace[..., 0], bump_amplitude(trace)
        for suffix, doc, series in (
            ("rate", "Mean rate of the population.", mean),
            ("m1", "Amplitude of the bump.", amplitude),
        ):
            found.append(
                (Column(f"trace.{name}.{suffix}", "series", "Hz", doc), _rows(_cut(series, steps, recording)))
            )
    return found


def _cut(series: Tensor, steps: Sequence[int], recording: Recording) -> np.ndarray:
    after = torch.as_tensor(steps, device=series.device)
    lost = (recording.fail_step[:, None] >= 0) & (after >= recording.fail_step[:, None])
    cut: np.ndarray = torch.where(lost, torch.full_like(series, torch.nan), series).float().cpu().numpy()
    return cut


def _rows(matrix: np.ndarray) -> np.ndarray:
    rows = np.empty(len(matrix), dtype=object)
    for i, row in enumerate(matrix):
        rows[i] = row
    return rows
