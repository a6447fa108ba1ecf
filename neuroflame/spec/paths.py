"""Dotted paths into a network's specification: which exist, their units, and which are structural."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroflame.errors import SpecError
from neuroflame.spec.base import Spec, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from neuroflame.spec.network import NetworkSpec


@dataclass(frozen=True)
class PathInfo:
    """One leaf of a specification.

    Parameters
    ----------
    path : str
        Dotted path, such as ``stp.EE.tau_fac``.
    unit : str
        SI unit, empty for pure numbers.
    structural : bool
        Whether points that differ in it cannot share a tile.
    integer : bool
        Whether it takes whole numbers only.
    numeric : bool
        Whether it is a number (a name otherwise).
    doc : str
        What it is.
    value : object
        Its value.
    """

    path: str
    unit: str
    structural: bool
    integer: bool
    numeric: bool
    doc: str
    value: Any


def paths(spec: NetworkSpec) -> Mapping[str, PathInfo]:
    """Return every leaf that a sweep or an override may name, by its path."""
    return spec.known_paths


def describe(spec: NetworkSpec) -> dict[str, PathInfo]:
    """Return what `paths` does, worked out anew."""
    drawn = _drawn_paths(spec)
    found = {}
    for info in _leaves(spec, "", ("", "", False)):
        if _BLOCK.fullmatch(info.path):  # where a block comes from is no value to vary
            continue
        structural = (
            info.path in drawn
            if info.path.endswith(_PROFILE) or _PROFILE_IN in info.path
            else info.structural
        )
        found[info.path] = PathInfo(**{**info.__dict__, "structural": structural})
    return found


_BLOCK = re.compile(r"connectivity\.pairs\.\w+\.(file|content)")
_PROFILE, _PROFILE_IN = ("profile.kappa", "profile.phase", "profile.background"), "profile.kappa."


def find_path(spec: NetworkSpec, path: str) -> PathInfo:
    """Return the leaf at a path.

    Raises
    ------
    SpecError
        If there is none; the remedy names the nearest.
    """
    known = paths(spec)
    if path in known:
        return known[path]
    below = [name for name in known if name.startswith(path + ".")]
    if below:
        raise SpecError("is a group of values, not one", path=path, remedy=f"for example {below[0]}")
    raise SpecError("there is no such value in the network", path=path, remedy=suggestion(path, known))


def _drawn_paths(spec: NetworkSpec) -> set[str]:
    """Return the profile's paths that shape a random draw: those that a sparse pair uses."""
    drawn = set()
    for pair in spec.pairs:
        own = spec.connectivity.pairs.get(pair.name)
        base = f"connectivity.pairs.{pair.name}.profile" if own and own.profile else "connectivity.profile"
        if pair.kind == "sparse":
            kappa = getattr(pair.profile, "kappa", None)
            drawn.add(f"{base}.kappa.{pair.name}" if isinstance(kappa, dict) else f"{base}.kappa")
            drawn |= {f"{base}.phase", f"{base}.background"}
    return drawn


def _leaves(value: Any, path: str, tag: tuple[str, str, bool]) -> Iterator[PathInfo]:
    unit, doc, structural = tag
    if isinstance(value, Spec):
        for name, info in type(value).model_fields.items():
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            below = (str(extra.get("unit", "")), info.description or "", bool(extra.get("structural", False)))
            yield from _leaves(getattr(value, name), _join(path, info.alias or name), below)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, _join(path, name), tag)
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            if isinstance(item, Spec):
                yield from _leaves(item, _join(path, getattr(item, "name", None) or str(i)), tag)
    elif value is not None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        yield PathInfo(path, unit, structural or not number, isinstance(value, int), number, doc, value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
