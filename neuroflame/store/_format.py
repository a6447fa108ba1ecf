"""The version of the format on disk, and what is not of it."""

from __future__ import annotations

from neuroflame.errors import StoreError

FORMAT = 1
"""Version of the manifest and of fragments that this code writes, and the highest that it reads."""


class CorruptFragment(Exception):
    """A fragment's bytes are not those that were written."""


class StoreWarning(UserWarning):
    """Something on disk was damaged and has been left out."""


def newer_format(what: str, version: int) -> StoreError:
    """Return the error to raise for something that a later NeuroFlame wrote."""
    return StoreError(
        f"{what} has format {version}, this NeuroFlame reads up to {FORMAT}", remedy="upgrade neuroflame"
    )
