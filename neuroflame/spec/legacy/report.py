"""What became of every key of a legacy file."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULTS = "defaults.yml"
"""What the original merges every file over."""


class Note(NamedTuple):
    """One key: its name, its value, and where it went or why it did not."""

    key: str
    value: Any
    text: str


@dataclass(frozen=True)
class LegacyReport:
    """What became of every key of a legacy file; each key stands in one of the three lists.

    Attributes
    ----------
    file : str
        The file.
    version : str
        Which version of the original the file was read as: ``2024`` or ``2026``.
    carried : tuple of Note
        Keys that are part of the specification, and how.
    no_effect : tuple of Note
        Keys that change nothing in the original either, and why.
    cannot : tuple of Note
        Keys that do something in the original which the specification cannot say, and what.
    """

    file: str
    version: str
    carried: tuple[Note, ...]
    no_effect: tuple[Note, ...]
    cannot: tuple[Note, ...]

    @property
    def complete(self) -> bool:
        """Whether all that the file says carries over."""
        return not self.cannot

    def __str__(self) -> str:
        parts = [f"{self.file}, read as the original's version of {self.version}"]
        for title, notes in (
            ("carried", self.carried),
            ("no effect in the original", self.no_effect),
            ("CANNOT CARRY OVER", self.cannot),
        ):
            parts += [f"{title}: {len(notes)} {'key' if len(notes) == 1 else 'keys'}", *_lines(notes)]
        return "\n".join(parts)


@dataclass
class Ledger:
    """Takes the notes while a file is read; the last word on a key counts, except that a loss stays one."""

    values: dict[str, Any]
    inherited: set[str]
    carried: dict[str, str] = field(default_factory=dict)
    no_effect: dict[str, str] = field(default_factory=dict)
    cannot: dict[str, str] = field(default_factory=dict)

    def carry(self, keys: str, text: str) -> None:
        """Note keys, separated by spaces, that are part of the specification."""
        self._note(keys, text, self.carried, self.no_effect)

    def idle(self, keys: str | Iterable[str], text: str) -> None:
        """Note keys that change nothing."""
        self._note(keys, text, self.no_effect, self.carried)

    def lose(self, keys: str | Iterable[str], text: str) -> None:
        """Note keys whose effect cannot be said."""
        self._note(keys, text, self.cannot, self.carried, self.no_effect)

    def open(self) -> list[str]:
        """Return the keys of which nothing has been said."""
        said = {*self.carried, *self.no_effect, *self.cannot}
        return [key for key in self.values if key not in said]

    def close(self, file: str, version: str) -> LegacyReport:
        """Return the report."""
        lists = [
            tuple(Note(key, self.values[key], notes[key]) for key in self.values if key in notes)
            for notes in (self.carried, self.no_effect, self.cannot)
        ]
        return LegacyReport(file, version, *lists)

    def _note(
        self, keys: str | Iterable[str], text: str, into: dict[str, str], *others: dict[str, str]
    ) -> None:
        for key in keys.split() if isinstance(keys, str) else keys:
            if key in self.values and (into is self.cannot or key not in self.cannot):
                for other in others:
                    other.pop(key, None)
                if into is self.cannot and key in into:
                    into[key] += f"; {text}"
                elif into is self.cannot and key in self.inherited:
                    into[key] = f"{text} [from {DEFAULTS}]"
                else:
                    into[key] = text


def _lines(notes: Iterable[Note]) -> list[str]:
    """Return one paragraph a reason: the keys that share it, then the reason."""
    grouped: dict[str, list[str]] = {}
    for note in notes:
        grouped.setdefault(note.text, []).append(note.key)
    lines = []
    for text, keys in grouped.items():
        lines += textwrap.wrap(
            f"{', '.join(keys)}: {text}", 108, initial_indent="  ", subsequent_indent="      "
        )
    return lines
