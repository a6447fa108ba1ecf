"""Machine code made from text by numba, kept on disk between processes where there is a place for it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from neuroflame import __version__


def load(text: str, *others: str) -> ModuleType:
    """Return a text as a module; a file of its own lets numba keep the machine code beside it.

    Parameters
    ----------
    text : str
        Of the module, with ``CACHE`` where `numba.njit` is told whether it may keep code.
    *others : str
        Files, beside those of the physics and the lanes, whose functions are compiled in.
    """
    digest = hashlib.blake2b((text + _ours(others)).encode(), digest_size=12).hexdigest()
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


@lru_cache(maxsize=8)
def _ours(others: tuple[str, ...]) -> str:
    """Return what else the machine code depends on: the text of the functions that are compiled in."""
    from neuroflame import physics
    from neuroflame.core import lanes

    rooms = (Path(physics.__file__).parent, Path(lanes.__file__).parent)
    files = [*(path for room in rooms for path in sorted(room.glob("*.py"))), *map(Path, others)]
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
