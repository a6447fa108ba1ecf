"""The manifest, and plain data as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import StoreError
from neuroflame.store._format import FORMAT, newer_format

if TYPE_CHECKING:
    from neuroflame.store._files import Files

MANIFEST = "manifest.json"


def read_manifest(files: Files) -> dict[str, Any]:
    """Return the manifest of the sweep in a directory, or raise StoreError."""
    try:
        manifest = json.loads(files.read(MANIFEST))
    except FileNotFoundError:
        raise StoreError(
            f"holds no sweep: there is no {MANIFEST}",
            file=files.shown,
            remedy="give the directory of a sweep",
        ) from None
    except ValueError as error:
        raise StoreError(f"{MANIFEST} is damaged: {error}", file=files.shown) from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(version, int):
        raise StoreError(f"{MANIFEST} is not that of a sweep", file=files.shown)
    if version > FORMAT:
        raise newer_format("the sweep", version).located(file=files.shown)
    return dict(manifest)


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def to_json(data: Mapping[str, Any]) -> bytes:
    """Return plain data, and what numpy and pathlib make of it, as JSON."""
    try:
        return json.dumps(data, default=_plain, indent=1, ensure_ascii=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise StoreError(f"manifests and records must be plain data: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, PurePath | datetime):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not")
