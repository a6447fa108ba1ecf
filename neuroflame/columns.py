"""What a column of the table is: its name, type, unit and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal["float", "int", "bool", "str", "series"]


@dataclass(frozen=True)
class Column:
    """One column of a sweep's table.

    Parameters
    ----------
    name : str
        Dotted name, such as ``rate.E.mean`` or ``point.J.EE``.
    kind : {"float", "int", "bool", "str", "series"}
        Type of a cell; a ``series`` is a list of float32.
    unit : str
        SI unit, empty for pure numbers.
    doc : str
        One sentence that says what the number is.
    """

    name: str
    kind: ColumnKind
    unit: str = ""
    doc: str = ""
