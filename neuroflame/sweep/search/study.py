"""A sweep's table as a study of Optuna, for its dashboard and its analyses."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neuroflame.conditions import Goal
    from neuroflame.spec.resolved import ResolvedAxis
    from neuroflame.spec.sweep import SweepSpec
    from neuroflame.store import Table

JOURNALS = (".journal", ".log")
"""Endings of files that hold a journal rather than an SQLite database."""
_ATTRIBUTES = ("point_id", "graph", "seed", "initial_condition", "status")


def write_study(spec: SweepSpec, table: Table, sought: Sequence[Goal], path: Path, *, journal: bool) -> None:
    """Write the rows as trials, one a point in the order of the table.

    A point that is not ``ok``, or whose objective is missing or infinite, is a trial that failed. Point id,
    graph, seed, initial condition and status are attributes of each trial.

    Parameters
    ----------
    spec : SweepSpec
        The sweep, whose axes give the distributions: an interval as it is, listed numbers as the interval
        that they span, so that they are drawn on a scale, and names as categories.
    table : Table
        Its table.
    sought : sequence of Goal
        The objectives: columns, or how far they are from their targets.
    path : Path
        The file to make.
    journal : bool
        Write a journal: about ten times as fast as SQLite, and read by the dashboard as well.
    """
    import optuna
    from optuna.trial import TrialState, create_trial

    swept = [f"point.{axis.path}" for axis in spec.axes]
    columns = table.to_arrow(
        list(dict.fromkeys([*swept, *_ATTRIBUTES, *(goal.column for goal in sought)]))
    ).to_pydict()
    scores = np.column_stack([goal.score(columns[goal.column]) for goal in sought])
    spaces = {axis.path: _distribution(axis) for axis in spec.axes}
    trials = []
    for row in range(len(table)):
        good = columns["status"][row] == "ok" and bool(np.isfinite(scores[row]).all())
        chosen = {axis.path: columns[f"point.{axis.path}"][row] for axis in spec.axes}
        params = {path: value for path, value in chosen.items() if value is not None and value == value}
        trials.append(
            create_trial(
                state=TrialState.COMPLETE if good else TrialState.FAIL,
                values=scores[row].tolist() if good else None,
                params=params,
                distributions={path: spaces[path] for path in params},
                user_attrs={name: columns[name][row] for name in _ATTRIBUTES},
            )
        )
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=spec.name,
        storage=_journal(path) if journal else _sqlite(path),
        directions=["maximize" if goal.large else "minimize" for goal in sought],
    )
    study.set_user_attr("objective", ", ".join(goal.column for goal in sought))
    study.set_user_attr("unit", ", ".join(table.columns[goal.column].unit for goal in sought))
    study.add_trials(trials)
    if not journal:
        study._storage._backend.engine.dispose()  # type: ignore[attr-defined]


def _distribution(axis: ResolvedAxis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.text:
        return CategoricalDistribution(list(axis.levels or ()))
    levels = axis.levels or (axis.low, axis.high)
    low, high = min(levels), max(levels)
    if axis.integer:
        return IntDistribution(int(low), int(high), log=axis.log)
    return FloatDistribution(float(low), float(high), log=axis.log)


def _journal(path: Path) -> Any:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return JournalStorage(JournalFileBackend(str(path)))


def _sqlite(path: Path) -> Any:
    """Return a new database that does not wait for the disk: the file gets its name when it is whole."""
    from optuna.storages import RDBStorage
    from sqlalchemy import event

    storage = RDBStorage(f"sqlite:///{path}")

    @event.listens_for(storage.engine, "connect")
    def hurry(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")

    storage.engine.dispose()  # so that the next connection is told
    return storage
