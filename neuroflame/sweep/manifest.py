"""What a sweep's directory says of itself, and whether a sweep may continue in it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neuroflame
from neuroflame.errors import SpecError, StoreError
from neuroflame.spec.base import canonical_json
from neuroflame.spec.sweep import SweepSpec

if TYPE_CHECKING:
    from neuroflame.spec.resolved import ResolvedAxis

_ABSENT = "nothing"


def make_manifest(spec: SweepSpec) -> dict[str, Any]:
    """Return the manifest of a sweep: plain data."""
    sweep = spec.to_dict()
    network = sweep.pop("network")
    return {
        "name": spec.name,
        "sweep": sweep,
        "network": network,
        "spec_hash": spec_hash(spec),
        "points": spec.points,
        "axes": [_axis(axis) for axis in spec.axes],
        "seeds": {
            "search": getattr(spec.search, "seed", None),
            "graphs": list(spec.repeat.graphs),
            "noise": list(spec.repeat.seeds),
        },
        "version": neuroflame.__version__,
        "git_commit": git_commit(Path(neuroflame.__file__).parent),
        "python": platform.python_version(),
        **{name: version_of(name) for name in ("torch", "ray", "optuna", "numpy")},
    }


def spec_hash(spec: SweepSpec) -> str:
    """Return 16 hexadecimal digits that identify what determines the table."""
    return hashlib.blake2b(canonical_json(spec.identity()).encode(), digest_size=8).hexdigest()


def spec_of(manifest: Mapping[str, Any], *, file: str | None = None) -> SweepSpec:
    """Return the sweep that a manifest describes.

    Raises
    ------
    StoreError
        If it describes none that this version understands.
    """
    if not isinstance(manifest.get("sweep"), Mapping) or not isinstance(manifest.get("network"), Mapping):
        raise StoreError("the manifest does not describe a sweep", file=file)
    try:
        return SweepSpec.parse({**manifest["sweep"], "network": manifest["network"]})
    except SpecError as error:
        remedy = f"it was written by version {manifest.get('version')}, this is {neuroflame.__version__}"
        raise StoreError(
            f"the manifest's sweep is not valid here: {error}", file=file, remedy=remedy
        ) from None


def check_same(spec: SweepSpec, manifest: Mapping[str, Any], *, file: str) -> None:
    """Raise StoreError if a directory holds another sweep, naming the first difference and both values."""
    there, here = spec_of(manifest, file=file).identity(), spec.identity()
    for path, old, new in differences(there, here):
        raise StoreError(
            f"holds a different sweep: {path} is {_shown(old)} there and {_shown(new)} here",
            file=file,
            remedy="choose another directory with --out, or remove this one",
        )


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield path and both values wherever two plain data differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*new, *old]):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(old.get(key, _ABSENT), new.get(key, _ABSENT), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{path}.{i}")
    elif old != new:
        yield path, old, new


def git_commit(folder: Path) -> str | None:
    """Return the commit that a source tree is at, None outside of one; reads files, runs nothing."""
    for parent in folder.resolve().parents:
        git = parent / ".git"
        if not git.exists():
            continue
        if not (parent / "pyproject.toml").exists():
            return None
        try:
            if git.is_file():  # a worktree
                git = (parent / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()).resolve()
            head = (git / "HEAD").read_text(encoding="utf-8").strip()
            if not head.startswith("ref: "):
                return head
            return _resolved(git, head.removeprefix("ref: "))
        except OSError:
            return None
    return None


def _resolved(git: Path, ref: str) -> str | None:
    common = git / "commondir"
    homes = [git, (git / common.read_text(encoding="utf-8").strip())] if common.exists() else [git]
    for home in homes:
        if (home / ref).exists():
            return (home / ref).read_text(encoding="utf-8").strip()
        packed = home / "packed-refs"
        if packed.exists():
            for line in packed.read_text(encoding="utf-8").splitlines():
                if line.endswith(f" {ref}"):
                    return line.split()[0]
    return None


def _axis(axis: ResolvedAxis) -> dict[str, Any]:
    about: dict[str, Any] = {
        "path": axis.path,
        "unit": axis.unit,
        "structural": axis.structural,
        "doc": axis.doc,
    }
    if axis.levels is not None:
        return {**about, "values": list(axis.levels)}
    return {**about, "low": axis.low, "high": axis.high, "log": axis.log, "integer": axis.integer}


def version_of(name: str) -> str | None:
    """Return the version of an installed package, None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _shown(value: Any) -> str:
    text = canonical_json(value) if not isinstance(value, str) else value
    return text if len(text) <= 60 else text[:57] + "..."
