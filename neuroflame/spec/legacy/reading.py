"""A legacy file's values: merged with its defaults, and read in every form that such files use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError
from neuroflame.spec.base import copy_plain, is_number, suggestion
from neuroflame.spec.legacy.keys import KNOWN, MARKS_2026, V2024, V2026, VERSIONS
from neuroflame.spec.legacy.report import DEFAULTS, Ledger
from neuroflame.spec.loading import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Legacy:
    """The values of a legacy file.

    Parameters
    ----------
    path : path
        The file.
    defaults : path or None
        The file that it is merged over; by default ``defaults.yml`` beside it, where there is one.
    changes : mapping
        Values that replace those of the files.
    version : str or None
        ``2024`` or ``2026``; by default as the keys tell.
    """

    def __init__(
        self, path: str | Path, defaults: str | Path | None, changes: Mapping[str, Any], version: str | None
    ) -> None:
        self.file = str(path)
        own = read_yaml(path)
        beside = Path(path).parent / DEFAULTS
        if defaults is None and beside.is_file() and not beside.samefile(path):
            defaults = beside
        self.defaults = str(defaults) if defaults is not None else None
        base = read_yaml(defaults) if defaults is not None else {}
        for key in changes:
            if key not in KNOWN:
                raise SpecError(
                    "is not a key of the original", path=key, file=self.file, remedy=suggestion(key, KNOWN)
                )
        self.values = {**base, **own, **copy_plain(changes)}
        self.inherited = self.values.keys() - own.keys() - changes.keys()
        if version is not None and version not in VERSIONS:
            raise SpecError(f"must be one of {', '.join(VERSIONS)}", got=version, path="version")
        self.version = version or (V2026 if MARKS_2026.issubset(self.values) else V2024)
        self.ledger = Ledger(self.values, self.inherited)

    @property
    def late(self) -> bool:
        """Whether the file is read as the code of 2026 reads it."""
        return self.version == V2026

    def fault(self, key: str, rule: str, *, got: object = None, remedy: str | None = None) -> SpecError:
        """Return an error about a key."""
        return SpecError(rule, got=got, remedy=remedy, path=key, file=self.file)

    def get(self, key: str) -> Any:
        """Return the value of a key that must be there."""
        if key not in self.values:
            merged = (
                f"nor is it in {self.defaults}" if self.defaults else "give the original's defaults.yml too"
            )
            raise self.fault(key, "is required", remedy=merged)
        return self.values[key]

    def flag(self, key: str) -> bool:
        """Return whether a switch is on; off where it is absent."""
        value = self.values.get(key, 0)
        if isinstance(value, str) and value.lower() in _TRUTH:
            return _TRUTH[value.lower()]
        if not isinstance(value, bool | int | float):
            raise self.fault(key, "must be 0 or 1", got=value)
        return bool(value)

    def number(self, key: str) -> float:
        """Return a number; of a list, its first."""
        return self.numbers(key, 1)[0]

    def whole(self, key: str) -> int:
        """Return a whole number."""
        value = self.number(key)
        if value % 1:
            raise self.fault(key, "must be a whole number", got=value)
        return int(value)

    def numbers(self, key: str, count: int, *, exact: bool = False) -> list[float]:
        """Return as many numbers as are needed; one number stands for all of them.

        Parameters
        ----------
        key : str
            The key.
        count : int
            How many are needed.
        exact : bool
            Whether further ones are an error; otherwise they have no effect.
        """
        values = self._list(key, count, exact=exact)
        for value in values:
            if isinstance(value, bool) or not is_number(value):
                raise self.fault(key, "must be numbers", got=value)
        return [float(value) for value in values]

    def flags(self, key: str, count: int) -> list[bool]:
        """Return as many truth values as are needed."""
        return [bool(value) for value in self.numbers(key, count)]

    def names(self, key: str, count: int) -> list[str]:
        """Return as many names as are needed."""
        return [str(value) for value in self._list(key, count, exact=True)]

    def text(self, key: str) -> str:
        """Return a name."""
        return str(self.get(key))

    def length(self, key: str) -> int:
        """Return how many entries a key has."""
        value = self.get(key)
        return len(value) if isinstance(value, list) else 1

    def spare(self, key: str, used: int) -> str:
        """Return a remark where a list is longer than what is used of it."""
        length = self.length(key)
        return f" (its first {used} of {length} entries; the others are not used)" if length > used else ""

    def steps(self, key: str) -> int:
        """Return a time in steps, cut off as the original does it."""
        return int(self.number(key) / self.number("DT"))

    def _list(self, key: str, count: int, *, exact: bool) -> list[Any]:
        value = self.get(key)
        values = list(value) if isinstance(value, list) else [value] * count
        if len(values) < count or (exact and len(values) > count):
            remedy = None
            if key in self.inherited:
                remedy = f"the value is that of {DEFAULTS}, and the original stops at it too: set {key}"
            raise self.fault(
                key, f"must have {count} {'entry' if count == 1 else 'entries'}", got=value, remedy=remedy
            )
        return values[:count]
