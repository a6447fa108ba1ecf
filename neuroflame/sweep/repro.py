"""One point of a table computed again from the manifest, and compared with its row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroflame.errors import BackendError, SimulationError, StoreError
from neuroflame.spec.overrides import override
from neuroflame.spec.sweep import SweepSpec
from neuroflame.store import SweepStore, open_table
from neuroflame.sweep.evaluate import evaluate
from neuroflame.sweep.manifest import spec_of
from neuroflame.sweep.points import Points, dtype_of
from neuroflame.sweep.provenance import provenance
from neuroflame.sweep.worker import MEASURE, load_measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.sweep.evaluate import Kept, Rows

TOLERANCES = {"exact": 1e-4, "fast": 1e-2, "double": 1e-9}
"""By precision: differences up to so many times 1 + |stored| pass where code or machine are not the same."""
_DECIDES = ("executor", "device", "hardware", "version", "commit", "torch")


@dataclass(frozen=True)
class Difference:
    """A cell that came out otherwise.

    Parameters
    ----------
    column, unit : str
        What it is.
    stored, computed : object
        Both values.
    passes : bool
        Whether the difference is within the tolerance.
    """

    column: str
    unit: str
    stored: Any
    computed: Any
    passes: bool


@dataclass(frozen=True)
class Reproduction:
    """A point computed again.

    Parameters
    ----------
    point_id : str
        The point.
    compared : int
        Columns that were compared.
    tolerance : float
        0 where everything had to be equal to the last bit.
    changed : mapping of str to (str or None, str or None)
        What was not the same as when the row was made: then and now.
    differences : tuple of Difference
        Cells that are not equal, also those within the tolerance.
    """

    point_id: str
    compared: int
    tolerance: float
    changed: Mapping[str, tuple[str | None, str | None]]
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> bool:
        """Whether every column is equal, or within the tolerance."""
        return all(one.passes for one in self.differences)

    @property
    def warnings(self) -> list[str]:
        """What was not the same, a line each."""
        return [f"{key} was {then or 'not recorded'}, is {now}" for key, (then, now) in self.changed.items()]

    def __str__(self) -> str:
        held = (
            "equal to the last bit" if self.tolerance == 0 else f"within {self.tolerance:g} × (1 + |stored|)"
        )
        bad = sum(not one.passes for one in self.differences)
        verdict = f"{bad} of {self.compared} columns differ" if bad else f"all {self.compared} columns {held}"
        lines = [f"point {self.point_id}: {verdict}"]
        if self.differences:
            cells = [("column", "unit", "stored", "computed", "difference", "")]
            cells += [
                (one.column, one.unit, _shown(one.stored), _shown(one.computed), _apart(one), _mark(one))
                for one in self.differences
            ]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            for row in cells:
                padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                lines.append("  ".join(padded).rstrip())
        return "\n".join(lines)


def reproduce(uri: str, point_id: str, *, measure: str = MEASURE) -> Reproduction:
    """Compute a point again from the manifest alone, in this process, and compare it with its row.

    It runs on the executor and the device of the row where they are here. Where these, the hardware and the
    versions are the same, every statistic must be equal to the last bit, whatever tile the point was in;
    otherwise within the tolerance of the sweep's precision.

    Parameters
    ----------
    uri : str
        The sweep's directory.
    point_id : str
        The point.
    measure : str
        Module and name of what simulates.

    Raises
    ------
    StoreError
        If there is no such sweep or point, or the row is not of a point of the sweep.
    """
    table = open_table(uri).as_written()
    row = table.row(point_id)
    spec = spec_of(table.manifest, file=uri)
    then = _provenance_of(row, table.manifest)
    points = _point(spec, row, uri)
    rows = _computed(spec, points, then, measure, SweepStore.open(uri).kept_input)
    now = provenance(rows.executor, rows.device)
    changed = {key: (then.get(key), now.get(key)) for key in _DECIDES if then.get(key) != now.get(key)}
    tolerance = TOLERANCES[spec.compute.precision] if changed else 0.0
    units = {name: column.unit for name, column in table.columns.items()}
    computed = {name: cells[0] for name, cells in rows.data.items()}
    found = []
    names = [name for name in dict.fromkeys([*units, *computed]) if name != "error"]
    for name in names:
        stored, new = row.get(name), computed.get(name)
        if not _equal(stored, new):
            passes = tolerance > 0 and _close(stored, new, tolerance)
            found.append(Difference(name, units.get(name, ""), stored, new, passes))
    return Reproduction(point_id, len(names), tolerance, changed, tuple(found))


def _provenance_of(row: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return what a row's writer told; sweeps of format 1 tell version and commit in the manifest alone."""
    told = {
        key.removeprefix("provenance."): str(value)
        for key, value in row.items()
        if key.startswith("provenance.") and value is not None
    }
    older = {"version": manifest.get("version"), "commit": manifest.get("git_commit")}
    if "version" not in told:
        told.update({key: str(value) for key, value in older.items() if value is not None})
    return told


def _point(spec: SweepSpec, row: Mapping[str, Any], uri: str) -> Points:
    """Return the point that a row is about."""
    values = {
        axis.path: np.array([row.get(f"point.{axis.path}")], dtype=dtype_of(axis)) for axis in spec.axes
    }
    points = Points(
        np.array([row["point_index"]]),
        values,
        np.array([row["graph"]]),
        np.array([row["seed"]]),
        np.array([row["initial_condition"]], dtype=object),
    )
    if points.ids() != [row["point_id"]]:
        raise StoreError("the row's values are not those of its point_id", file=uri, got=row["point_id"])
    return points


def _computed(spec: SweepSpec, points: Points, then: Mapping[str, str], measure: str, kept: Kept) -> Rows:
    """Simulate on the row's executor and device; where one of them is not here, on what there is."""
    simulate, engines = load_measure(measure)
    asked = {"compute.executor": then.get("executor") or spec.compute.executor}
    device = then.get("device") or spec.compute.device
    try:
        exact = SweepSpec.parse(override(spec.to_dict(), asked))
        return evaluate(exact, points, simulate, device=device, engines=engines, kept=kept)
    except (BackendError, SimulationError, ValueError):
        return evaluate(spec, points, simulate, device="auto", engines=engines, kept=kept)


def _equal(stored: Any, computed: Any) -> bool:
    if _missing(stored) or _missing(computed):
        return _missing(stored) and _missing(computed)
    if isinstance(stored, list):
        return np.array_equal(
            np.asarray(stored, np.float32), np.asarray(computed, np.float32), equal_nan=True
        )
    return bool(stored == computed)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and math.isnan(value))


def _close(stored: Any, computed: Any, tolerance: float) -> bool:
    if any(isinstance(value, str | bool | np.bool_ | None) for value in (stored, computed)):
        return False
    if np.shape(stored) != np.shape(computed):
        return False
    return bool(np.allclose(computed, stored, rtol=tolerance, atol=tolerance, equal_nan=True))


def _shown(value: Any) -> str:
    if np.ndim(value):
        return f"{len(value)} samples"
    return f"{value:.17g}" if isinstance(value, float | np.floating) else str(value)


def _apart(one: Difference) -> str:
    try:
        apart = np.max(np.abs(np.asarray(one.computed, float) - np.asarray(one.stored, float)))
    except (TypeError, ValueError):
        return ""
    return f"{apart:.3g}"


def _mark(one: Difference) -> str:
    return "within tolerance" if one.passes else "DIFFERENT"
