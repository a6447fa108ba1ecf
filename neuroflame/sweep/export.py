"""A sweep's table handed to other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuroflame.conditions import Goal
from neuroflame.errors import NeuroflameError, SpecError
from neuroflame.spec.base import suggestion
from neuroflame.spec.objectives import goals_of
from neuroflame.store import FILES, open_table, placed, write_columns
from neuroflame.sweep.manifest import spec_of
from neuroflame.sweep.search.study import JOURNALS, write_study

if TYPE_CHECKING:
    from neuroflame.store import Table

KINDS = (*FILES, "optuna")
_STUDY = ".db"


def export(
    uri: str,
    to: str,
    out: str | None = None,
    *,
    force: bool = False,
    by: str | None = None,
    smallest: bool = False,
    repeats: bool = False,
) -> list[Path]:
    """Write the table of a sweep, finished or not, for other programs.

    Parameters
    ----------
    uri : str
        The sweep's directory.
    to : {"csv", "parquet", "netcdf", "zarr", "optuna"}
        What to write. Beside a csv file, which cannot hold units, goes one that lists the columns. netCDF and
        Zarr hold the grid: an axis for each swept path, and graph, seed and initial condition. A study of
        Optuna is an SQLite file, or a journal if the path ends in ``.journal`` or ``.log``.
    out : path, optional
        Where; by default ``<name>`` with the usual ending, in ``DIR/export``, or in the working directory if
        the sweep's is remote.
    force : bool
        Replace what is there.
    by, smallest : str, bool
        For a study: the column that is its objective, and whether small values are good; by default as the
        search has it.
    repeats : bool
        To csv: one row for all repetitions of an assignment and initial condition, with means, standard errors and
        numbers over graphs and seeds; see `neuroflame.repeats`.

    Returns
    -------
    list of Path
        What was written; the table first.

    Raises
    ------
    StoreError
        If there is no such sweep, or the path is taken.
    NeuroflameError
        If a package is missing, or no column counts.
    """
    table = open_table(uri)
    ending = FILES[to][0] if to in FILES else _STUDY
    path = Path(out) if out is not None else _default(table, f"-repeats{ending}" if repeats else ending)
    if repeats:
        if to != "csv":
            raise SpecError("is for csv", got=to, path="--over-repeats", remedy="--to csv")
        with placed(path, force=force) as temporary:
            table.over_repeats().to_csv(temporary, index=False)
        return [path]
    if to not in FILES:
        spec = spec_of(table.manifest, file=uri)
        sought = _sought(table, by, smallest=smallest)
        with placed(path, force=force) as temporary:
            write_study(spec, table, sought, temporary, journal=path.suffix in JOURNALS)
        return [path]
    return write_table(table, to, path, force=force)


def write_table(table: Table, to: str, path: Path, *, force: bool) -> list[Path]:
    """Write a table as one of `neuroflame.store.FILES`, and return what was written; see `export`."""
    beside = path.with_suffix(".columns.csv") if to == "csv" else None
    if beside is not None:
        with placed(beside, force=force) as temporary:
            write_columns(table, temporary)
    with placed(path, force=force) as temporary:
        FILES[to][1](table, temporary)
    return [path] if beside is None else [path, beside]


def _default(table: Table, ending: str) -> Path:
    folder = Path() if "://" in table.uri else Path(table.uri) / "export"
    return folder / f"{table.manifest.get('name', 'table')}{ending}"


def _sought(table: Table, by: str | None, *, smallest: bool) -> tuple[Goal, ...]:
    """Return what counts."""
    goals = (
        (Goal(by, large=not smallest),)
        if by is not None
        else goals_of(table.manifest.get("sweep", {}).get("search", {}))
    )
    numeric = [name for name, column in table.columns.items() if column.kind in ("float", "int", "bool")]
    if not goals:
        raise NeuroflameError(
            "must be told what counts",
            file=table.uri,
            remedy=f"--by COLUMN, among {', '.join(numeric[:8])}, …",
        )
    for goal in goals:
        if goal.column not in numeric:
            raise SpecError(
                "is not a numeric column",
                got=goal.column,
                file=table.uri,
                remedy=suggestion(goal.column, numeric),
            )
    return goals
