"""A sweep's directory as its writers see it: manifest, fragments, asks and records."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from neuroflame.errors import StoreError
from neuroflame.store._files import Files, in_threads, open_files
from neuroflame.store._format import FORMAT, CorruptFragment, warn
from neuroflame.store._hold import Hold, Holder, read_holder
from neuroflame.store._manifest import MANIFEST, now, read_manifest, to_json
from neuroflame.store._reading import PACKED, fragments, load, survey
from neuroflame.store._runs import spans

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from neuroflame.columns import Column
    from neuroflame.store._compact import Compaction
    from neuroflame.store._fragment import Reader
    from neuroflame.store._table import Table

T = TypeVar("T")

TARGET = 128 * 2**20
"""Bytes of a compacted file, about."""
STALE = 24 * 3600.0
"""Age in seconds from which a file in ``tmp/`` counts as left by a killed writer."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]{0,199}")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class SweepStore:
    """The directory of one sweep.

    Safe to use from any number of processes at once; can be pickled. Make one with `create` or `open`.
    What each operation guarantees is told in `neuroflame.store`.

    Examples
    --------
    >>> import tempfile
    >>> from neuroflame.columns import Column
    >>> store = SweepStore.create(tempfile.mkdtemp(), {"name": "ring"})
    >>> columns = [Column("point_id", "str"), Column("rate.E.mean", "float", "Hz")]
    >>> store.write_fragment("tile-0", columns, {"point_id": ["a", "b"], "rate.E.mean": [1.0, 2.0]}, {})
    True
    >>> store.finished()
    {'tile-0': ['a', 'b']}
    """

    def __init__(self, files: Files, manifest: Mapping[str, Any]) -> None:
        self._files = files
        self._manifest = dict(manifest)

    @classmethod
    def create(
        cls, uri: str | os.PathLike[str], manifest: Mapping[str, Any], *, filesystem: Any = None
    ) -> SweepStore:
        """Make a sweep's directory and write its manifest; of several creators exactly one succeeds.

        The directory may exist and hold other files; they are left alone.

        Parameters
        ----------
        uri : str or Path
            Local path or pyarrow filesystem URI.
        manifest : mapping
            What the sweep is: plain data that JSON can hold. ``format`` and ``created`` are added.
        filesystem : pyarrow.fs.FileSystem, optional
            Use this one; `uri` is then a path in it.

        Raises
        ------
        StoreError
            If the directory holds a sweep already, or cannot be written.
        """
        if "format" in manifest:
            raise StoreError("a manifest may not have a key named format", got=manifest["format"])
        files = open_files(uri, filesystem)
        blob = to_json({"format": FORMAT, "created": now().isoformat(), **manifest})
        taken = StoreError(
            "already holds a sweep",
            file=files.shown,
            remedy=f"continue it with: neuroflame-sweep resume {files.shown}; or choose another directory",
        )
        if MANIFEST in files.names(""):
            raise taken
        if fragments(files, "parts") or fragments(files, "asks"):
            raise StoreError(
                f"holds results but no {MANIFEST}: whose they are is unknown",
                file=files.shown,
                remedy="choose another directory, or put its manifest back",
            )
        files.prepare()
        if not files.put_new(MANIFEST, blob) or files.read(MANIFEST) != blob:
            raise taken
        return cls(files, json.loads(blob))

    @classmethod
    def open(cls, uri: str | os.PathLike[str], *, filesystem: Any = None) -> SweepStore:
        """Open a sweep's directory, also one that may only be read.

        Leftovers of writers that were killed a day ago or earlier are removed.

        Raises
        ------
        StoreError
            If it holds no sweep, or one that this version cannot read.
        """
        files = open_files(uri, filesystem)
        store = cls(files, read_manifest(files))
        files.clean(STALE)
        return store

    @property
    def uri(self) -> str:
        """Where it is: an absolute path or the URI, such that any process can open it."""
        return self._files.uri

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the sweep is, as its creator wrote it; never changes."""
        return MappingProxyType(self._manifest)

    def __repr__(self) -> str:
        return f"SweepStore({self._files.shown!r})"

    def write_fragment(
        self,
        tile_id: str,
        columns: Sequence[Column],
        data: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]],
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> bool:
        """Publish the rows of a tile: whole, durable, once.

        Parameters
        ----------
        tile_id : str
            Name of the fragment: letters, digits and ``._=-``.
        columns : sequence of Column
            What the columns are; ``point_id`` is among them.
        data : mapping of str to array or sequence
            One entry a point for each column, None where missing; a ``series`` may be a (points, samples)
            array.
        metadata : mapping of str to str
            Kept in the file's schema: device, executor, versions.

        Returns
        -------
        bool
            True if this call published it, False if an intact one was there. Where the tile has been compacted,
            True; the rows that were there first stay those that are seen.

        Raises
        ------
        StoreError
            If columns and data do not agree, if the disk is full or not writable, or if a fragment of that
            name holds other points. Nothing half-written is visible then.
        """
        if isinstance(tile_id, str) and tile_id.startswith(PACKED):
            raise StoreError(f"a tile's name may not begin with {PACKED}", got=tile_id)
        return self._publish("parts", tile_id, columns, data, metadata)

    def write_ask(
        self,
        batch_id: str,
        columns: Sequence[Column],
        data: Mapping[str, Sequence[Any] | np.ndarray[Any, Any]],
        metadata: Mapping[str, str] = MappingProxyType({}),
    ) -> bool:
        """Publish points that a search proposes, before they are run; see `write_fragment`."""
        return self._publish("asks", batch_id, columns, data, metadata)

    def finished(self, *, verify: bool = True) -> dict[str, list[str]]:
        """Return the points on disk: tile id to point ids, both as written.

        A damaged fragment is moved to ``quarantine/``, told by a `StoreWarning` and a record of kind
        ``warning``, and left out, so that its points count as not finished.

        Parameters
        ----------
        verify : bool
            Check every byte of every fragment; otherwise read only footers and the column ``point_id``.
        """
        tiles: dict[str, list[str]] = {}
        for _, found in self._intact("parts", _ids_by_tile, verify=verify):
            tiles.update(found)
        return dict(sorted(tiles.items()))

    def read_asks(self) -> dict[str, dict[str, list[Any]]]:
        """Return what searches proposed: batch id to columns; damaged ones are treated as in `finished`."""
        return dict(self._intact("asks", _cells))

    def read_ask(self, batch_id: str) -> dict[str, list[Any]] | None:
        """Return the columns of one batch that a search proposed, or None if there is none intact."""
        path = f"asks/{_checked(batch_id)}.parquet"
        try:
            return _cells(load(self._files, path))
        except FileNotFoundError:
            return None
        except CorruptFragment as fault:
            self._quarantine(path, str(fault))
            return None

    def append_record(self, kind: str, data: Mapping[str, Any]) -> str:
        """Write down that something happened; records are never changed.

        Parameters
        ----------
        kind : str
            What sort of thing: ``run``, ``warning``; letters, digits and ``_``.
        data : mapping
            Plain data that JSON can hold; ``kind`` and ``time`` (ISO 8601, UTC) are added.

        Returns
        -------
        str
            The record's name.
        """
        if not _KIND.fullmatch(kind):
            raise StoreError("a record's kind must be letters, digits and _", got=kind)
        time = now()
        name = f"{kind}-{time:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
        blob = to_json({"kind": kind, "time": time.isoformat(), **data})
        if not self._files.put_new(f"records/{name}.json", blob):
            raise StoreError("a record of that name exists", file=self._files.shown, got=name)
        return name

    def read_records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the records of a kind, or all, oldest first; unreadable ones are left out with a warning."""
        names = [name for name in self._files.names("records") if name.endswith(".json")]
        if kind is not None:
            names = [name for name in names if name.startswith(f"{kind}-")]
        records: list[dict[str, Any]] = []
        for name, blob in zip(names, in_threads(self._read_record, names, self._files.workers), strict=True):
            try:
                records.append(dict(json.loads(blob)))
            except (ValueError, TypeError):
                self._warn(f"left out the record {name}: it is damaged")
        return sorted(records, key=lambda record: str(record.get("time", "")))

    def keep_input(self, digest: str, data: bytes) -> None:
        """Keep what a file holds that the sweep needs, under the digest by which the sweep knows it."""
        self._files.put_new(f"inputs/{_checked(digest)}", data)

    def kept_input(self, digest: str) -> bytes | None:
        """Return what `keep_input` kept, None if there is nothing."""
        try:
            return self._files.read(f"inputs/{_checked(digest)}")
        except FileNotFoundError:
            return None

    def hold(self, *, force: bool = False, tell: Callable[[str], None] = lambda _: None) -> Hold:
        """Claim the directory for a run: one process at a time; see `neuroflame.store._hold.Hold.take`.

        Fragments stay single and whole without it; what it prevents is work done twice, and two searches that
        ask different things in one place.
        """
        return Hold.take(self._files, force=force, tell=tell)

    def holder(self) -> Holder | None:
        """Return who runs the sweep, or ran it last; None if nobody is known."""
        return read_holder(self._files)

    def compact(self, *, target: int = TARGET) -> Compaction:
        """Put the rows of many fragments into few files; nothing that readers see changes.

        Needs no `hold`: it may run while the sweep runs and while others read or compact, and may be killed at
        any moment: what it leaves is whole, and the next call tidies up. A file that it writes is on disk and
        has been read back and verified before anything that went into it is removed.

        Parameters
        ----------
        target : int
            Bytes from which a file counts as large: fragments are put together until they are as large, and
            compacted files of half the size are left as they are.
        """
        from neuroflame.store._compact import compact

        return compact(self._files, self._quarantine, target)

    def table(self) -> Table:
        """Return the table of what is finished; see `open_table`."""
        from neuroflame.store._table import read_table

        return read_table(self._files, self._manifest)

    def _read_record(self, name: str) -> bytes:
        return self._files.read(f"records/{name}")

    def _publish(
        self,
        folder: str,
        name: str,
        columns: Sequence[Column],
        data: Mapping[str, Any],
        metadata: Mapping[str, str],
    ) -> bool:
        from neuroflame.store._fragment import Reader, encode

        blob = encode(_checked(name), columns, data, metadata)
        path = f"{folder}/{name}.parquet"
        for _ in range(5):
            if self._files.put_new(path, blob):
                return True
            try:
                there = load(self._files, path).point_ids()
            except FileNotFoundError:  # it has gone to quarantine since
                continue
            except CorruptFragment as fault:
                self._quarantine(path, str(fault))
                continue
            if sorted(there) != sorted(Reader(blob, name).point_ids()):
                raise StoreError(f"{path} is there already and holds other points", file=self._files.shown)
            return False
        raise StoreError(f"{path} is damaged and cannot be replaced", file=self._files.shown)

    def _intact(
        self, folder: str, take: Callable[[Reader], T], *, verify: bool = True
    ) -> Iterator[tuple[str, T]]:
        """Yield each intact fragment's name and what was taken of it, in order; quarantine the others."""
        for path, outcome in survey(self._files, folder, take, verify=verify):
            if isinstance(outcome, CorruptFragment):
                self._quarantine(path, str(outcome))
            else:
                yield PurePath(path).stem, outcome

    def _quarantine(self, path: str, reason: str) -> None:
        """Move a damaged fragment out of sight, unless another process mends it in the meantime."""
        from neuroflame.store._fragment import Reader, verify

        name = path.replace("/", "-").removesuffix(".parquet")
        target = f"quarantine/{name}.{secrets.token_hex(4)}.parquet"
        try:
            if not self._files.move(path, target):
                return
            blob = self._files.read(target)
            try:
                verify(blob)
                Reader(blob, PurePath(path).stem)
            except CorruptFragment:
                self.append_record(
                    "warning", {"event": "quarantined", "file": path, "moved_to": target, "reason": reason}
                )
                self._warn(f"moved {path} to {target}: {reason}; its points will be computed again")
            else:  # what we moved is whole: another process has replaced the damaged one before us
                self._files.put_new(path, blob)
                self._files.remove(target)
        except StoreError as error:
            self._warn(f"left out {path}: {reason}; it could not be moved away: {error}")

    def _warn(self, text: str) -> None:
        warn(f"{self._files.shown}: {text}")


def _checked(name: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StoreError("a fragment's name must be letters, digits and any of . _ = -", got=name)
    return name


def _cells(fragment: Reader) -> dict[str, list[Any]]:
    cells: dict[str, list[Any]] = fragment.read(fragment.schema.names).to_pydict()
    return cells


def _ids_by_tile(fragment: Reader) -> dict[str, list[str]]:
    ids = fragment.point_ids()
    return {run.tile: ids[first : first + run.rows] for run, first in spans(fragment.runs)}
