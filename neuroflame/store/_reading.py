"""Fragments looked up and opened, the damaged ones told from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from neuroflame.store._format import CorruptFragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.store._files import Files
    from neuroflame.store._fragment import Reader

T = TypeVar("T")


def fragments(files: Files, folder: str) -> list[str]:
    """Return the fragments of a folder in the order of their names."""
    return [f"{folder}/{name}" for name in files.names(folder) if name.endswith(".parquet")]


def examine(
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
    if verify:
        blob = files.read(path)
        _fragment.verify(blob)
        return _fragment.Reader(blob)
    filesystem, root = files.arrow()
    return _fragment.Reader(filesystem.open_input_file(f"{root}/{path}"))
