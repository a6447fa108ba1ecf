"""Arrays that a network's file holds or names: read, checked, and known by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from neuroflame.errors import SpecError
from neuroflame.spec.base import is_number


@dataclass(frozen=True, eq=False)
class Contents:
    """An array and what identifies it.

    Attributes
    ----------
    values : ndarray, float64
    digest : str
        16 hexadecimal digits of the hash of shape and values.
    """

    values: np.ndarray
    digest: str

    @classmethod
    def of(cls, values: Any) -> Contents:
        """Return numbers with their digest."""
        array = np.ascontiguousarray(values, dtype="<f8")
        array.setflags(write=False)
        text = f"{array.shape}".encode() + array.tobytes()
        return cls(array, hashlib.blake2b(text, digest_size=8).hexdigest())


def read_contents(path: str) -> Contents:
    """Return what a .npy file holds.

    Raises
    ------
    SpecError
        If there is none, or it holds anything but finite real numbers.
    """
    try:
        status = Path(path).stat()
    except OSError:
        raise SpecError("there is no such file", got=path, path="file") from None
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(path: str, changed: int, size: int) -> Contents:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise SpecError("is not a .npy file of numbers", got=path, path="file") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufb":
        kind = array.dtype if isinstance(array, np.ndarray) else "an archive of several"
        raise SpecError("must hold one array of real numbers", got=str(kind), path="file")
    if not np.isfinite(array).all():
        raise SpecError("must hold finite numbers", got=path, path="file")
    return Contents.of(array)


def literal(value: object) -> tuple[Any, ...]:
    """Return a list of numbers, or of lists of numbers of one length, as tuples.

    Raises
    ------
    SpecError
        If it is anything else.
    """
    if not isinstance(value, list | tuple) or not value:
        raise SpecError("must be a list of numbers, or a list of such lists", got=value)
    rows = [tuple(row) if isinstance(row, list | tuple) else row for row in value]
    nested = [row for row in rows if isinstance(row, tuple)]
    if nested and (len(nested) < len(rows) or len({len(row) for row in nested}) > 1):
        raise SpecError("must be lists of one length", got=value)
    for number in (n for row in nested for n in row) if nested else rows:
        if not is_number(number):
            raise SpecError("must be finite numbers", got=number)
    return tuple(rows)


def locate_files(data: Any, folder: Path) -> Any:
    """Return plain data of a network, or dotted paths into one, whose files are named absolutely."""
    if not isinstance(data, Mapping):
        return data
    found = dict(data)
    for key, value in data.items():
        if str(key) == "stimuli" and isinstance(value, list | tuple):
            found[key] = [_located(entry, folder) for entry in value]
        elif str(key).startswith("stimuli."):
            inside = str(key).endswith(".file") and isinstance(value, str)
            found[key] = _absolute(value, folder) if inside else _located(value, folder)
        elif str(key).partition(".")[0] == "connectivity":
            inside = str(key).endswith(".file") and isinstance(value, str)
            found[key] = _absolute(value, folder) if inside else _located_pairs(value, folder)
    return found


def _located_pairs(value: Any, folder: Path) -> Any:
    """Return connectivity, its pairs or one of them, with the files of given blocks named absolutely."""
    if not isinstance(value, Mapping):
        return value
    return _located({key: _located_pairs(inner, folder) for key, inner in value.items()}, folder)


def _located(entry: Any, folder: Path) -> Any:
    if isinstance(entry, Mapping) and isinstance(entry.get("file"), str):
        return {**entry, "file": _absolute(entry["file"], folder)}
    return entry


def _absolute(path: str, folder: Path) -> str:
    return str((folder / path).resolve())


def forget_contents(changed: dict[str, Any], before: Mapping[str, Any]) -> None:
    """Take the digest off the stimuli and the blocks whose file is another one now, in place."""
    known = {s.get("file"): s.get("content") for s in before.get("stimuli", ())}
    for stimulus in changed.get("stimuli") or ():
        if isinstance(stimulus, dict) and stimulus.get("content") and stimulus.get("file") not in known:
            del stimulus["content"]
    blocks = before.get("connectivity", {}).get("pairs", {})
    for name, pair in (changed.get("connectivity") or {}).get("pairs", {}).items():
        old = blocks.get(name, {})
        if old.get("file") and pair.get("file") != old["file"] and pair.get("content") == old["content"]:
            del pair["content"], pair["shape"]


def without_files(network: dict[str, Any]) -> dict[str, Any]:
    """Return plain data of a network where the content of a file stands for it, wherever it lies."""
    found = dict(network)
    if network.get("stimuli"):
        found["stimuli"] = [_without_file(stimulus) for stimulus in network["stimuli"]]
    pairs = network.get("connectivity", {}).get("pairs")
    if pairs:
        bare = {name: _without_file(pair) for name, pair in pairs.items()}
        found["connectivity"] = {**network["connectivity"], "pairs": bare}
    return found


def _without_file(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "file" or "content" not in entry}
