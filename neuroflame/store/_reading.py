"""Fragments looked up and opened, the damaged ones told from the others."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, TypeVar

from neuroflame.errors import StoreError
from neuroflame.store._files import in_threads
from neuroflame.store._format import CorruptFragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.store._files import Files
    from neuroflame.store._fragment import Reader

T = TypeVar("T")

PACKED = "packed-"
"""How the names of files begin that hold the rows of several tiles."""
_PATIENCE = 100


def fragments(files: Files, folder: str) -> list[str]:
    """Return the fragments of a folder in the order of their names."""
    return [f"{folder}/{name}" for name in files.names(folder) if name.endswith(".parquet")]


def is_packed(path: str) -> bool:
    """Say whether a fragment's path is that of a compacted one."""
    return PurePath(path).name.startswith(PACKED)


def survey(
    files: Files, folder: str, take: Callable[[Reader], T], *, verify: bool
) -> list[tuple[str, T | CorruptFragment]]:
    """Return what `take` makes of each fragment of a folder, in the order of names; faults for damaged ones.

    While fragments are being compacted a listing may miss both a fragment, already removed, and the file that
    it has gone into, not yet seen. So what is returned is a listing of which nothing vanished while it was
    read, and during which no compacted file appeared.
    """
    known: dict[str, T | CorruptFragment] = {}
    paths = fragments(files, folder)
    for _ in range(_PATIENCE):
        new = [path for path in paths if path not in known]
        found = in_threads(lambda path: _examine(files, path, take, verify=verify), new, files.workers)
        known.update((path, one) for path, one in zip(new, found, strict=True) if one is not None)
        seen, listed = paths, fragments(files, folder)
        appeared = any(is_packed(path) for path in set(listed).difference(seen))
        if not appeared and all(path in known for path in seen):
            return [(path, known[path]) for path in seen]
        paths = listed
    raise StoreError("fragments vanish faster than they can be read", file=files.shown)


def _examine(
    files: Files, path: str, take: Callable[[Reader], T], *, verify: bool
) -> T | CorruptFragment | None:
    """Return what `take` makes of a fragment, the fault if it is damaged, None if it has vanished."""
    try:
        return take(load(files, path, verify=verify))
    except FileNotFoundError:
        return None
    except CorruptFragment as fault:
        return fault


def load(files: Files, path: str, *, verify: bool = True) -> Reader:
    """Open a fragment.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    CorruptFragment
        If it is damaged.
    """
    from neuroflame.store import _fragment

    # Not verified: nothing but the footer and what is asked for gets read.
    name = PurePath(path).stem
    if verify:
        blob = files.read(path)
        _fragment.verify(blob)
        return _fragment.Reader(blob, name)
    filesystem, root = files.arrow()
    return _fragment.Reader(filesystem.open_input_file(f"{root}/{path}"), name)
