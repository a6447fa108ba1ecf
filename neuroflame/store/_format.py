"""The version of the format on disk, and what is not of it."""

from __future__ import annotations

import sys
import warnings

from neuroflame.errors import StoreError

FORMAT = 2
"""Version of the manifest and of fragments that this code writes, and the highest that it reads.

1: a fragment holds the rows of one tile. 2: it may hold those of several, and lists them. Both are read; what
version 1 wrote needs no migration, and compacting it writes version 2, which version 1 refuses to read.
"""


class CorruptFragment(Exception):
    """A fragment's bytes are not those that were written."""


class StoreWarning(UserWarning):
    """Something on disk was damaged and has been left out."""


def warn(text: str) -> None:
    """Warn, and name as the culprit the first line outside of this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("neuroflame."):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, StoreWarning, stacklevel=level)


def newer_format(what: str, version: int) -> StoreError:
    """Return the error to raise for something that a later NeuroFlame wrote."""
    return StoreError(
        f"{what} has format {version}, this NeuroFlame reads up to {FORMAT}", remedy="upgrade neuroflame"
    )
