"""From the rows of a table to the labels whose border is sought."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions import Condition, parse_condition, violation

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]

LABELLED = np.dtype([("label", "U40"), ("margin", "f8")])
"""What is known of a point: its label, empty where it failed, and how far its condition is from changing."""
_COLUMN = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


@dataclass(frozen=True)
class Labelling:
    """How a row gets its label.

    Parameters
    ----------
    on : str
        A condition, which gives ``yes`` and ``no``; or a column of names, which gives these.
    """

    on: str

    @cached_property
    def column(self) -> str | None:
        """The column of names; None if it is a condition."""
        return self.on.strip() if _COLUMN.fullmatch(self.on.strip()) else None

    @cached_property
    def condition(self) -> Condition | None:
        """The condition; None if it is a column of names."""
        return None if self.column else parse_condition(self.on)

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that a label is made of."""
        names = (self.column,) if self.column else self.condition.names if self.condition else ()
        return tuple(dict.fromkeys(("status", *names)))

    def label(self, data: Mapping[str, Any]) -> Array:
        """Return label and margin of each row.

        Parameters
        ----------
        data : mapping of str to sequence, (P,)
            Columns, ``status`` among them; a data frame will do.

        Returns
        -------
        ndarray of `LABELLED`, (P,)
            Where a condition has no truth, the label is ``diverged`` if the point is, else ``undefined``. The
            margin is positive where the condition holds and negative where it does not, in the unit of its
            columns; NaN without one.
        """
        status = np.array([str(value) for value in data["status"]], dtype=object)
        found = np.zeros(len(status), dtype=LABELLED)
        found["margin"] = np.nan
        lost = np.where(status == "diverged", "diverged", "undefined")
        if self.column is not None:
            names = list(data[self.column]) if self.column in data else [None] * len(status)
            missing = np.array([name is None or name != name for name in names], dtype=bool)
            found["label"] = np.where(missing, lost, [str(name) for name in names])
        elif self.condition is not None:
            columns = {name: _numbers_or_names(data[name]) for name in data}
            columns.update({name: np.full(len(status), np.nan) for name in self._absent(columns)})
            missed = violation(self.condition, columns)
            truth = np.where(status == "ok", self.condition.truth(columns), np.nan)
            found["margin"] = np.where(status == "ok", -missed, np.nan)
            found["label"] = np.where(np.isnan(truth), lost, np.where(truth == 1.0, "yes", "no"))
        found["label"][status == "failed"] = ""
        return found

    def _absent(self, columns: Mapping[str, Any]) -> list[str]:
        """Return the columns that no row of these has: all of them failed."""
        names = self.condition.names if self.condition else ()
        return [name for name in names if "." in name and not {name, f"point.{name}"} & set(columns)]


def _numbers_or_names(cells: Any) -> Array:
    values = list(cells)
    if any(isinstance(value, str) for value in values):
        return np.array([None if value is None or value != value else str(value) for value in values], object)
    if any(isinstance(value, list | tuple | np.ndarray) for value in values):
        return np.full(len(values), np.nan)
    return np.array([np.nan if value is None or value is np.ma.masked else value for value in values], float)
