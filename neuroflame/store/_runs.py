"""Which rows of a file are from which tile, and what is known of how they came about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from neuroflame.store._format import CorruptFragment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

OURS = "neuroflame."
"""Prefix of the metadata that the store keeps for itself."""
_KEY = f"{OURS}tiles"


@dataclass(frozen=True)
class Run:
    """Consecutive rows of a file that one tile gave.

    Parameters
    ----------
    tile : str
        The tile.
    rows : int
        How many.
    about : mapping of str to str
        What the tile's writer told: device, executor, versions.
    """

    tile: str
    rows: int
    about: Mapping[str, str]

    @property
    def attempt(self) -> int:
        """How often its points had failed before, and were tried again; 0 if that was not told."""
        text = self.about.get("attempt", "0")
        return int(text) if text.isdigit() else 0


def metadata_of(schema: Any) -> dict[str, str]:
    """Return what the writer gave as metadata."""
    pairs = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    return {key: value for key, value in pairs.items() if not key.startswith(OURS) and key != "ARROW:schema"}


def runs_of(schema: Any, name: str, rows: int) -> list[Run]:
    """Return the runs of a file from its schema; one that was not compacted is one run of its name."""
    text = (schema.metadata or {}).get(_KEY.encode())
    if text is None:
        return [Run(name, rows, metadata_of(schema))]
    try:
        found = json.loads(text)
        about = [
            dict(zip(found["keys"], values, strict=True)) for values in zip(*_columns(found), strict=True)
        ]
        told = about or [{} for _ in found["tiles"]]
        runs = [
            Run(tile, count, {key: value for key, value in pairs.items() if value is not None})
            for tile, count, pairs in zip(found["tiles"], found["rows"], told, strict=True)
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFragment("its list of tiles cannot be read") from error
    if sum(run.rows for run in runs) != rows:
        raise CorruptFragment("its list of tiles does not fit its rows")
    return runs


def metadata_of_runs(runs: Sequence[Run]) -> dict[str, str]:
    """Return runs as metadata of a file's schema; a value that all share is written once."""
    keys = sorted({key for run in runs for key in run.about})
    columns: list[Any] = []
    for key in keys:
        values = [run.about.get(key) for run in runs]
        columns.append(values if len(set(values)) > 1 else values[0])
    tiles, rows = [run.tile for run in runs], [run.rows for run in runs]
    return {_KEY: json.dumps({"tiles": tiles, "rows": rows, "keys": keys, "about": columns})}


def spans(runs: Sequence[Run]) -> Iterator[tuple[Run, int]]:
    """Yield each run with the number of its first row."""
    ends = accumulate((run.rows for run in runs), initial=0)
    yield from zip(runs, ends, strict=False)


def _columns(found: Mapping[str, Any]) -> list[list[Any]]:
    count = len(found["tiles"])
    return [values if isinstance(values, list) else [values] * count for values in found["about"]]
