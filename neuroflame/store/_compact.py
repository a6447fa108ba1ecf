"""Many fragments into few files, such that every reader sees every row once at every moment.

What is put together is published like any fragment, under a name that tells its tiles; then it is read back
and verified; only then is what went into it removed, file by file. Readers leave out files whose tiles are all
in a larger one, so it does not matter whether a removal has happened yet, or ever does.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from neuroflame.store import _fragment
from neuroflame.store._format import FORMAT, CorruptFragment
from neuroflame.store._reading import PACKED, is_packed, load, survey
from neuroflame.store._runs import Run, metadata_of_runs, spans
from neuroflame.store._schema import conformed, schema_of, unified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from neuroflame.columns import Column
    from neuroflame.store._files import Files

ROW_GROUP = 2**16
"""Rows that share statistics, by which readers skip what a filter rules out."""


@dataclass(frozen=True)
class Compaction:
    """What compacting did.

    Parameters
    ----------
    before, after : int
        Files before and after.
    tiles, rows : int
        What the new files hold.
    """

    before: int
    after: int
    tiles: int
    rows: int


@dataclass(frozen=True)
class _Source:
    """A file that may be put together with others."""

    path: str
    tiles: frozenset[str]
    size: int
    first: tuple[int, str]


@dataclass(frozen=True)
class _Loaded:
    """A file's rows."""

    path: str
    columns: dict[str, Column]
    runs: list[Run]
    rows: Any


def compact(files: Files, quarantine: Callable[[str, str], None], target: int) -> Compaction:
    """Compact the fragments of a directory; see `SweepStore.compact`."""
    sources = []
    for path, found in survey(files, "parts", _source, verify=False):
        if isinstance(found, CorruptFragment):
            quarantine(path, str(found))
        else:
            sources.append(found)
    kept = _tidied(files, quarantine, sources)
    small = [one for one in kept if not (is_packed(one.path) and one.size >= target // 2)]
    removed = written = tiles = rows = 0
    for group in _groups(files, quarantine, sorted(small, key=lambda one: one.first), target):
        made = _put_together(files, quarantine, group)
        if made is None:
            continue
        written, removed = written + 1, removed + len(group)
        tiles, rows = tiles + len(made), rows + sum(run.rows for run in made)
    return Compaction(len(sources), len(kept) - removed + written, tiles, rows)


def _source(reader: _fragment.Reader) -> _Source:
    tiles = frozenset(run.tile for run in reader.runs)
    first = pc.min(reader.read(["point_index"])["point_index"]).as_py() if _numbered(reader) else None
    return _Source(
        f"parts/{reader.name}.parquet", tiles, reader.size, (-1 if first is None else first, min(tiles))
    )


def _numbered(reader: _fragment.Reader) -> bool:
    return "point_index" in reader.schema.names


def _tidied(
    files: Files, quarantine: Callable[[str, str], None], sources: Iterable[_Source]
) -> list[_Source]:
    """Remove what an earlier compaction has put together and left behind; return the rest."""
    kept: list[_Source] = []
    whole: dict[str, bool] = {}
    by_size = sorted(sources, key=lambda one: (-len(one.tiles), one.path))
    for source in by_size:
        holder = next((one for one in kept if is_packed(one.path) and source.tiles <= one.tiles), None)
        if holder is not None and holder.path not in whole:
            whole[holder.path] = _intact(files, quarantine, holder.path)
        if holder is not None and whole[holder.path]:
            files.remove(source.path)
        else:
            kept.append(source)
    return kept


def _intact(files: Files, quarantine: Callable[[str, str], None], path: str) -> bool:
    try:
        load(files, path)
    except FileNotFoundError:
        return False
    except CorruptFragment as fault:
        quarantine(path, str(fault))
        return False
    return True


def _groups(
    files: Files, quarantine: Callable[[str, str], None], sources: Iterable[_Source], target: int
) -> Iterator[list[_Loaded]]:
    """Yield neighbours in the plan that together are as large as the target, loaded and verified."""
    group: list[_Loaded] = []
    size = 0
    for source in sources:
        try:
            reader = load(files, source.path)
            rows = reader.read(reader.schema.names)
        except FileNotFoundError:  # another process compacts too
            continue
        except CorruptFragment as fault:
            quarantine(source.path, str(fault))
            continue
        group.append(_Loaded(source.path, reader.columns, reader.runs, rows))
        size += source.size
        if size >= target:
            yield group
            group, size = [], 0
    if group:
        yield group


def _put_together(
    files: Files, quarantine: Callable[[str, str], None], group: list[_Loaded]
) -> list[Run] | None:
    """Publish the rows of some files as one, then remove them; return its runs, None if nothing was done."""
    if len(group) < 2:
        return None
    ordered = sorted(group, key=lambda one: min(run.tile for run in one.runs))
    columns = unified(((one.path, one.columns) for one in ordered), files.shown)
    plain = schema_of(columns.values(), {})
    runs: list[Run] = []
    tables: list[Any] = []
    for one in group:
        table = conformed(one.rows, plain, len(one.rows))
        there = {run.tile for run in runs}
        for run, first in spans(one.runs):
            if run.tile not in there:
                runs.append(run)
                tables.append(table.slice(first, run.rows))
    name = PACKED + blake2b("\n".join(sorted(run.tile for run in runs)).encode(), digest_size=8).hexdigest()
    about = {"neuroflame.format": str(FORMAT), "neuroflame.name": name, **metadata_of_runs(runs)}
    whole = pa.concat_tables(tables).replace_schema_metadata(about)
    path = f"parts/{name}.parquet"
    files.put_new(path, _fragment.seal(whole, columns.values(), ROW_GROUP))
    if not _intact(files, quarantine, path):
        return None
    for one in group:
        if PurePath(one.path).stem != name:
            files.remove(one.path)
    return runs
