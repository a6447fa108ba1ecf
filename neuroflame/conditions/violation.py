"""By how much a condition is missed: what lets a search compare points that are all not allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.conditions.condition import value_of

if TYPE_CHECKING:
    from neuroflame.conditions.condition import Columns, Condition
    from neuroflame.conditions.grammar import Node

_LEAST = 1e-12  # of what does not hold by no more than a strict comparison's boundary
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def violation(condition: Condition, data: Columns) -> np.ndarray:
    """Return by how much a condition is missed: at most 0 where it holds, positive where it does not.

    A comparison of numbers is missed by their difference, in the unit of the columns; one of texts by 1. Of
    conditions joined by ``and`` the one that is missed most counts, of those joined by ``or`` the one that is
    missed least.

    Parameters
    ----------
    condition : Condition
        What is to hold.
    data : mapping of str to array_like, (P,)
        Columns.

    Returns
    -------
    ndarray of float64, (P,)
        NaN where a number that decides is missing.

    Raises
    ------
    SpecError
        If a name is no column, or texts are compared with numbers.
    """
    truth = condition.truth(data)
    missed = np.broadcast_to(np.asarray(_missed(condition.root, data), dtype=float), truth.shape)
    holds = np.minimum(np.where(np.isnan(missed), 0.0, missed), 0.0)
    fails = np.maximum(np.where(np.isnan(missed), 1.0, missed), _LEAST)
    return np.where(truth == 1.0, holds, np.where(truth == 0.0, fails, np.nan))


def _missed(node: Node, data: Columns, *, negated: bool = False) -> Any:
    kind = node[0]
    if kind == "not":
        return _missed(node[1], data, negated=not negated)
    if kind in ("and", "or"):
        parts = np.broadcast_arrays(*(_missed(child, data, negated=negated) for child in node[1:]))
        most = (kind == "and") is not negated
        return (np.fmax if most else np.fmin).reduce(parts)
    if kind == "name":  # a column of truths
        value = np.asarray(value_of(node, data), dtype=float)
        return value if negated else 1.0 - value
    sign = _OPPOSITE[kind] if negated else kind
    a, b = value_of(node[1], data), value_of(node[2], data)
    if any(isinstance(side, str) or side.dtype == object for side in (a, b)):
        same = np.asarray(np.asarray(a, dtype=object) == np.asarray(b, dtype=object), dtype=float)
        return 1.0 - same if sign == "==" else same
    a, b = (np.asarray(side, dtype=float) for side in (a, b))
    if sign == "==":
        return np.abs(a - b)
    if sign == "!=":
        return np.where(a == b, 1.0, 0.0)
    return a - b if sign in ("<", "<=") else b - a
