"""Files that hold states of a network: read, written, and known by their content."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

import numpy as np

from neuroflame.errors import SpecError
from neuroflame.spec.base import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from neuroflame.spec.network import NetworkSpec

Array = np.ndarray[Any, Any]
STEP = "step"
"""Name of the number of steps done, beside the variables."""


@dataclass(frozen=True, eq=False)
class StateFile:
    """States, one a row.

    Attributes
    ----------
    values : mapping of ndarray, (P, N)
        By the name of the variable, ``rates.E`` or ``stp.EE.u``.
    step : int
        Number of steps done.
    digest : str
        16 hexadecimal digits of the hash of names, types, shapes and values.
    """

    values: Mapping[str, Array]
    step: int
    digest: str

    @property
    def rows(self) -> int:
        """P."""
        return len(next(iter(self.values.values())))

    @classmethod
    def of(cls, values: Mapping[str, Any], step: int = 0) -> StateFile:
        """Return arrays, (P, N) or (N,), with their digest.

        Raises
        ------
        SpecError
            If there is none, one is not of finite real numbers, or they are of different numbers of states.
        """
        found: dict[str, Array] = {}
        hashed = hashlib.blake2b(str(step).encode(), digest_size=8)
        for name in sorted(values):
            array = np.ascontiguousarray(values[name])
            if array.dtype.kind not in "iuf" or array.ndim not in (1, 2):
                got = f"{array.dtype} of shape {array.shape}"
                raise SpecError(f"{name} must be real numbers, states by neurons", got=got, path="file")
            if not np.isfinite(array).all():
                raise SpecError(f"{name} must hold finite numbers: the point diverged", path="file")
            rows = array.reshape(-1, array.shape[-1])
            hashed.update(f"{name} {rows.dtype.str} {rows.shape}".encode() + rows.tobytes())
            found[name] = rows
        counts = {name: len(rows) for name, rows in found.items()}
        if len(set(counts.values())) != 1 or 0 in counts.values():
            raise SpecError("must hold variables of one number of states", got=counts, path="file")
        return cls(found, step, hashed.hexdigest())

    def write(self, file: str | Path | BinaryIO) -> None:
        """Write the states to a .npz file."""
        arrays: dict[str, Any] = {**self.values, STEP: np.int64(self.step)}
        if isinstance(file, str | Path):  # np.savez would add an ending
            with Path(file).open("wb") as stream:
                np.savez(stream, **arrays)
        else:
            np.savez(file, **arrays)

    def to_bytes(self) -> bytes:
        """Return what `write` writes."""
        stream = io.BytesIO()
        self.write(stream)
        return stream.getvalue()

    def check(self, network: NetworkSpec) -> None:
        """Raise `SpecError` if a variable is not one of a network's, or has another number of neurons."""
        sizes = variable_sizes(network)
        for name in self.values:
            if name not in sizes:
                rule = f"holds {name}, which is not a variable of the network"
                raise SpecError(rule, remedy=suggestion(name, sizes), path="file")
        for name, wanted in sizes.items():
            if name in self.values and wanted not in {None, self.values[name].shape[1]}:
                rule = f"must hold {wanted} values of {name} for each state"
                raise SpecError(rule, got=self.values[name].shape[1], path="file")


def read_state_file(path: str | Path) -> StateFile:
    """Return the states of a .npz file.

    Raises
    ------
    SpecError
        If there is none, or it holds something else.
    """
    try:
        status = Path(path).stat()
    except OSError:
        raise SpecError("there is no such file", got=str(path), path="file") from None
    return _read(str(path), status.st_mtime_ns, status.st_size)


def parse_state_file(data: bytes, shown: str) -> StateFile:
    """Return the states that the content of a .npz file holds; ``shown`` is its name in errors."""
    try:
        archive = np.load(io.BytesIO(data), allow_pickle=False)
        found = {name: archive[name] for name in archive.files}
        step = int(found.pop(STEP, 0))
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError, TypeError, KeyError):
        raise SpecError(
            "is not a .npz file of arrays by the names of variables",
            got=shown,
            remedy="Network.save_state writes one",
            path="file",
        ) from None
    return StateFile.of(found, step)


@lru_cache(maxsize=16)
def _read(path: str, changed: int, size: int) -> StateFile:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", got=path, path="file") from None
    return parse_state_file(data, path)


def variable_sizes(network: NetworkSpec) -> dict[str, int | None]:
    """Return how many numbers each variable of a network's state has; None for connections, which are drawn."""
    size = {name: population.size for name, population in network.populations.items()}
    found: dict[str, int | None] = {}
    for name, population in network.populations.items():
        found |= {f"rates.{name}": size[name], f"currents.{name}": size[name]}
        if network.nmda is not None:
            found[f"slow.{name}"] = size[name]
        if population.adaptation is not None:
            found[f"thresholds.{name}"] = size[name]
        if population.spiking is not None:
            found |= {f"voltage.{name}": size[name], f"refractory.{name}": size[name]}
        if network.feedforward is not None:
            parts = network.feedforward
            plastic = name in parts.stp
            kept = {"filtered": parts.tau_path(name) is not None, "level": name in parts.adaptation}
            kept |= {"u": plastic, "x": plastic}
            found |= {f"feedforward.{name}.{what}": size[name] for what, there in kept.items() if there}
    pairs = {pair.name: pair for pair in network.pairs}
    for name in network.stp:
        found |= {f"stp.{name}.{what}": size[pairs[name].pre] for what in ("u", "x")}
    for i, noise in enumerate(network.noise):
        if noise.kind == "ou":
            targets = noise.sigma if isinstance(noise.sigma, dict) else size
            found |= {f"noise.{i}.{name}": size[name] for name in targets}
    averages = {
        "hebb": (),
        "cov": ("mean",),
        "bcm": (),
        "corr": ("mean", "variance"),
    }
    for name, rule in network.hebbian.items():
        found[f"weights.{name}"] = None
        for what in averages[rule.rule]:
            found[f"averages.{name}.post_{what}"] = size[pairs[name].post]
            found[f"averages.{name}.pre_{what}"] = size[pairs[name].pre]
        if rule.rule == "bcm":
            found[f"averages.{name}.threshold"] = size[pairs[name].post]
        if rule.rule == "corr":
            found[f"averages.{name}.product"] = None
    return found
