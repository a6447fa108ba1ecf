"""Why points fail, counted: texts that differ in numbers alone are one cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)


class Causes:
    """Counts failures by cause; a cause is shown by the first text that had it."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int]] = {}

    def add(self, text: str, points: int = 1) -> bool:
        """Count some points that failed with a text, and return whether the cause is new."""
        key = _NUMBER.sub("#", text)
        shown, count = self._found.get(key, (text, 0))
        self._found[key] = (shown, count + points)
        return count == 0

    def update(self, counted: Iterable[tuple[str, int]]) -> None:
        """Count several."""
        for text, points in counted:
            self.add(text, points)

    def top(self, most: int | None = None) -> tuple[tuple[str, int], ...]:
        """Return the causes and their numbers of points, the most frequent first."""
        ranked = sorted(self._found.values(), key=lambda found: -found[1])
        return tuple(ranked if most is None else ranked[:most])
