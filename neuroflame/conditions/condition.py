"""Conditions on the columns of a table, such as ``bump.E.ratio > 0.1 and status == ok``.

A small closed grammar, parsed here and never handed to `eval`::

    condition  = conjunct { "or" conjunct }
    conjunct   = term { "and" term }
    term       = "not" term | sum { ("<" | "<=" | ">" | ">=" | "==" | "!=") sum }
               | sum [ "not" ] "in" "[" item { "," item } "]"
    sum        = product { ("+" | "-") product }
    product    = factor { ("*" | "/") factor }
    factor     = "-" factor | number | "text" | column | "abs" "(" sum ")" | "(" condition ")"

Names are columns, dots included. ``J.EE`` also finds ``point.J.EE``, and a word that is no column is a text
(``status == ok``). The logic has three values: a comparison with a missing number is neither true nor false,
so neither ``x > 1`` nor ``not x > 1`` holds where x is missing.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions.grammar import (
    ARITHMETIC,
    REMEDY,
    Node,
    compared,
    conjuncts,
    names,
    parse_tree,
    show,
)
from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable

Columns = Any  # a mapping of names to arrays; a pandas data frame is one, but not by its type

_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}

_TEXT_REMEDY = "compare a column of texts with a text, such as status == ok"


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Parameters
    ----------
    text : str
        As it was written.
    root : tuple
        The syntax tree.
    """

    text: str
    root: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, in order: columns, and words that stand for texts."""
        return tuple(dict.fromkeys(names(self.root)))

    def texts_of(self, column: str) -> tuple[str, ...]:
        """Return the texts that a column is compared with, in order."""
        return tuple(dict.fromkeys(compared(self.root, column)))

    def holds(self, data: Columns) -> np.ndarray:
        """Return where the condition is true.

        Parameters
        ----------
        data : mapping of str to array_like, (P,)
            Columns; a pandas data frame will do.

        Returns
        -------
        ndarray of bool, (P,)

        Raises
        ------
        SpecError
            If a name is no column, or texts are compared with numbers.
        """
        return self.truth(data) == 1.0

    def truth(self, data: Columns) -> np.ndarray:
        """Return 1 where it is true, 0 where it is false, NaN where a number that decides is missing."""
        try:
            found = np.asarray(_logical(self.root, data), dtype=float)
        except SpecError as error:
            raise error.located(path=self.text if len(self.text) <= 60 else self.text[:57] + "...") from None
        size = next((len(data[name]) for name in data), 0)
        return np.broadcast_to(found, (size,)).copy()

    def without(self, drop: Callable[[str], bool]) -> Condition | None:
        """Return it less the conjuncts that use a column that `drop` picks; None if none is left."""
        kept = [part for part in conjuncts(self.root) if not any(drop(name) for name in names(part))]
        if not kept:
            return None
        root = kept[0] if len(kept) == 1 else ("and", *kept)
        return Condition(" and ".join(show(part) for part in kept), root)


def parse_condition(text: str | Condition) -> Condition:
    """Parse a condition.

    Parameters
    ----------
    text : str or Condition
        For example ``bump.E.ratio > 0.1 and abs(bump.E.trend) < 0.05``.

    Raises
    ------
    SpecError
        One line that says what is wrong and where; calls other than ``abs`` and attributes do not exist.
    """
    if isinstance(text, Condition):
        return text
    if not isinstance(text, str) or not text.strip():
        raise SpecError("a condition must be a text", got=text, remedy=REMEDY)
    return Condition(" ".join(text.split()), parse_tree(text))


def _logical(node: Node, data: Columns) -> Any:
    """Return the truth of a node as 1, 0 or NaN (Kleene's logic)."""
    kind = node[0]
    if kind == "not":
        return 1.0 - _logical(node[1], data)
    if kind in ("and", "or"):
        parts = np.broadcast_arrays(*(_logical(child, data) for child in node[1:]))
        decided = 0.0 if kind == "and" else 1.0
        unknown = np.any([np.isnan(part) for part in parts], axis=0)
        settled = np.any([part == decided for part in parts], axis=0)
        return np.where(settled, decided, np.where(unknown, np.nan, 1.0 - decided))
    if kind == "name":
        value = value_of(node, data)
        if isinstance(value, str) or value.dtype != bool:
            raise SpecError("a condition must compare something", got=node[1], remedy=REMEDY)
        return value.astype(float)
    return _compare(kind, node[1], node[2], data)


def _compare(sign: str, left: Node, right: Node, data: Columns) -> Any:
    a, b = value_of(left, data), value_of(right, data)
    texts = [isinstance(side, str) or side.dtype == object for side in (a, b)]
    if not any(texts):
        missing = np.isnan(np.asarray(a, float)) | np.isnan(np.asarray(b, float))
        return np.where(missing, np.nan, _ORDER[sign](a, b))
    for side, node, other in ((a, left, b), (b, right, a)):
        plain_word = isinstance(side, str) and node[0] == "name"
        if plain_word and (isinstance(other, str) or other.dtype != object):
            raise _no_column(node[1], data)
    if sign not in ("==", "!="):
        got = f"{show(left)} {sign} {show(right)}"
        raise SpecError("texts can only be compared with == and !=", got=got, remedy=_TEXT_REMEDY)
    if not all(texts):
        got = f"{show(left)} {sign} {show(right)}"
        raise SpecError("a text cannot be compared with a number", got=got, remedy=_TEXT_REMEDY)
    a, b = (np.asarray(side, dtype=object) for side in (a, b))
    missing = (a == None) | (b == None)  # noqa: E711 (element by element)
    return np.where(missing, np.nan, np.asarray(_ORDER[sign](a, b), dtype=float))


def value_of(node: Node, data: Columns) -> Any:
    """Return a float or bool array, an object array of texts (None where missing), or one text."""
    kind = node[0]
    if kind in ("number", "text"):
        return np.float64(node[1]) if kind == "number" else node[1]
    if kind == "name":
        return _column(node[1], data)
    if kind not in (*ARITHMETIC, "abs", "minus"):
        raise SpecError("a comparison cannot be used as a number", got=show(node))
    values = [value_of(child, data) for child in node[1:]]
    for value, child in zip(values, node[1:], strict=True):
        if isinstance(value, str) and child[0] == "name":
            raise _no_column(child[1], data)
        if isinstance(value, str) or value.dtype == object:
            raise SpecError("texts cannot be added or multiplied", got=show(node), remedy=_TEXT_REMEDY)
    numbers = [np.asarray(value, dtype=float) for value in values]
    if kind in ("abs", "minus"):
        return np.abs(numbers[0]) if kind == "abs" else -numbers[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return _SUMS[kind](*numbers)


def _column(name: str, data: Columns) -> Any:
    found = next((key for key in (name, f"point.{name}") if key in data), None)
    if found is None:
        if name in ("true", "True", "false", "False"):
            return np.bool_(name.lower() == "true")
        if "." in name:
            raise _no_column(name, data)
        return name
    values = np.asarray(data[found])
    if values.dtype.kind in "fiub":
        return values if values.dtype == bool else values.astype(float)
    listed = [None if value is None or value != value else value for value in values.tolist()]
    if all(isinstance(value, bool) for value in listed if value is not None):
        return np.array([np.nan if value is None else value for value in listed], dtype=float)
    return np.array([None if value is None else str(value) for value in listed], dtype=object)


def _no_column(name: str, data: Columns) -> SpecError:
    pool = [*data, *(key.removeprefix("point.") for key in data)]
    close = difflib.get_close_matches(name, pool, n=1, cutoff=0.55)
    remedy = f"did you mean {close[0]}?" if close else f"columns: {', '.join(list(data)[:8])}, …"
    return SpecError("the table has no such column", got=name, remedy=remedy)
