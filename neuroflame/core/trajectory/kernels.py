"""Compiled kernels by shape, kept on disk between processes where there is a place for them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from neuroflame import __version__
from neuroflame.core.trajectory.source import write_kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuroflame.core.trajectory.structure import Shape


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel.

    Attributes
    ----------
    run : callable
        See `neuroflame.core.trajectory.source` for its arguments.
    parameters, arrays : tuple of str
        Names of the rows of ``par`` and of the arrays, in order.
    lanes : int
        Points that it advances together.
    modes : int
        Modes that the tables of cosines and sines must hold.
    """

    run: Callable[..., Any]
    parameters: tuple[str, ...]
    arrays: tuple[str, ...]
    lanes: int
    modes: int


@lru_cache(maxsize=64)
def kernel_for(shape: Shape) -> Kernel:
    """Return the kernel of a shape, compiled at its first call unless an earlier process has done so."""
    source = write_kernel(shape)
    module = _load(source.text)
    return Kernel(
        module.kernel, tuple(source.parameters), tuple(source.arrays), source.lanes, shape.table_modes
    )


def _load(text: str) -> ModuleType:
    """Return the kernel's text as a module; a file of its own lets numba keep the machine code beside it."""
    digest = hashlib.blake2b((text + _ours()).encode(), digest_size=12).hexdigest()
    name = f"neuroflame_kernel_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    folder = _folder()
    if folder is None:
        module = ModuleType(name)
        sys.modules[name] = module
        exec(compile(text.replace("CACHE", "False"), name, "exec"), module.__dict__)
        return module
    path = folder / f"{name}.py"
    if not path.exists():
        with tempfile.NamedTemporaryFile(
            "w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8"
        ) as file:
            file.write(text.replace("CACHE", "True"))
        Path(file.name).replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def _ours() -> str:
    """Return what else the machine code depends on: the text of the functions that are compiled in."""
    from neuroflame import physics
    from neuroflame.core import lanes
    from neuroflame.core.trajectory import passes

    rooms = (Path(physics.__file__).parent, Path(lanes.__file__).parent)
    files = [*(path for room in rooms for path in sorted(room.glob("*.py"))), Path(passes.__file__)]
    return __version__ + "".join(path.read_text(encoding="utf-8") for path in files)


def _folder() -> Path | None:
    """Return where kernels are kept: ``NEUROFLAME_CACHE``, or the user's cache; None if neither can be written."""
    base = (
        os.environ.get("NEUROFLAME_CACHE") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    )
    folder = Path(base) / "neuroflame" / "kernels"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None
