"""Reading a sweep's file, with values changed from the command line or from Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuroflame.errors import SpecError
from neuroflame.spec.axes import AXIS_KEYS
from neuroflame.spec.base import copy_plain, set_path, suggestion
from neuroflame.spec.loading import read_yaml
from neuroflame.spec.network import NetworkSpec
from neuroflame.spec.sweep import SweepSpec


def load_sweep(path: str | Path, overrides: Mapping[str, Any] | None = None) -> SweepSpec:
    """Read a sweep file.

    Parameters
    ----------
    path : path
        A YAML file.
    overrides : mapping, optional
        Values to change by dotted path. A path that begins with a key of the sweep (``search.trials``,
        ``space.J.EE.num``, ``window``) addresses the sweep; any other addresses the network (``J.EE``).

    Raises
    ------
    SpecError
        One line that names file, path, rule, what was given and the remedy.
    """
    data = {"name": Path(path).stem, **read_yaml(path)}
    return SweepSpec.parse(override(data, overrides or {}, file=str(path)), file=str(path))


def override(
    data: Mapping[str, Any], overrides: Mapping[str, Any], *, file: str | None = None
) -> dict[str, Any]:
    """Return a sweep's plain data with values changed.

    Parameters
    ----------
    data : mapping
        A sweep as its file says it.
    overrides : mapping
        See `load_sweep`.
    file : str, optional
        Where the data came from, for errors.
    """
    changed: dict[str, Any] = {**data}
    for key in ("set", "space", "search", "stop", "compute", "repeat", "answer"):
        if isinstance(changed.get(key), Mapping):
            changed[key] = {str(name): copy_plain(value) for name, value in changed[key].items()}
    for path, value in overrides.items():
        head, _, rest = str(path).partition(".")
        try:
            if head == "space":
                _override_axis(changed, rest, value)
            elif head == "set" or head not in SweepSpec.model_fields:
                if head not in {"set", *NetworkSpec.model_fields}:
                    known = {*SweepSpec.model_fields, *NetworkSpec.model_fields}
                    raise SpecError("is not a known key", path=str(path), remedy=suggestion(head, known))
                _set_in_network(changed, rest if head == "set" else str(path), value)
            elif head == "network" and rest:
                _set_in_network(changed, rest, value)
            else:
                set_path(changed, str(path), copy_plain(value))
        except SpecError as error:
            raise error.located(file=file) from None
    return changed


def _set_in_network(data: dict[str, Any], path: str, value: Any) -> None:
    values = data["set"] = dict(data.get("set") or {})
    if not path:
        if not isinstance(value, Mapping):
            raise SpecError("must be a mapping of paths to values", got=value, path="set")
        values.update(copy_plain(value))
    else:
        values[path] = copy_plain(value)


def _override_axis(data: dict[str, Any], path: str, value: Any) -> None:
    """Change an axis (``space.J.EE = [1, 2]``), one key of it (``space.J.EE.num = 5``), or all of them."""
    if not path:
        data["space"] = copy_plain(value)
        return
    space = data["space"] = dict(data.get("space") or {})
    axis, _, key = path.rpartition(".")
    if axis and key in AXIS_KEYS and path not in space:
        old = space.get(axis)
        space[axis] = {**(old if isinstance(old, Mapping) else {}), key: copy_plain(value)}
    elif value is None:
        space.pop(path, None)
    else:
        space[path] = copy_plain(value)
