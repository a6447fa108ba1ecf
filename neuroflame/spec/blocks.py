"""Blocks of connectivity that are given instead of drawn: matrices and edge lists, from files or from memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from neuroflame.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FORMATS = (".npy", ".npz", ".csv")
_CHUNK = 1 << 22


class Description(NamedTuple):
    """What is recorded of a file: the digest of its bytes, and the size of its block, post by pre."""

    digest: str
    shape: tuple[int, int]


@dataclass(frozen=True)
class Block:
    """One block of weights, dense or as a list of connections.

    Attributes
    ----------
    shape : tuple of int
        Neurons that listen and that speak.
    dense : ndarray, (N_post, N_pre), or None
    post, pre : ndarray, (connections,), int64, or None
        Where `dense` is None: the connections, by post and then pre, none of them twice.
    weight : ndarray, (connections,), float64, or None
        Their weights; None where all are 1.
    """

    shape: tuple[int, int]
    dense: Array | None = None
    post: Array | None = None
    pre: Array | None = None
    weight: Array | None = None

    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the content."""
        found = hashlib.blake2b(repr(self.shape).encode(), digest_size=8)
        for part in (self.dense, self.post, self.pre, self.weight):
            found.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


def is_edge_list(file: str | None) -> bool:
    """Whether a file's block may be larger than what its entries need."""
    return file is not None and file.endswith(".csv")


def describe_file(path: Path) -> Description:
    """Return digest and shape of a block's file, without holding a matrix in memory.

    Raises
    ------
    SpecError
        If there is no such file, or it is of another format.
    """
    digest = _file_digest(path)
    if path.suffix == ".csv":
        return Description(digest, _read_csv(path).shape)
    shape: tuple[int, ...]
    try:
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r").shape
        else:
            with path.open("rb") as file, np.load(file) as archive:
                shape = tuple(int(n) for n in archive["shape"])
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise _unreadable(path, error) from None
    if len(shape) != 2:
        raise SpecError("must hold a matrix", got=list(shape), remedy=str(path), path="file")
    return Description(digest, (shape[0], shape[1]))


def read_block(file: str, digest: str, shape: tuple[int, int]) -> Block:
    """Return the block that a file holds.

    Parameters
    ----------
    file : str
        An absolute path.
    digest : str
        Of the file's bytes when the network was described.
    shape : tuple of int
        Neurons that listen and that speak.

    Raises
    ------
    SpecError
        If the file is gone, has changed since, or holds what is no block of this shape.
    """
    check_file(file, digest)
    path = Path(file)
    try:
        if path.suffix == ".csv":
            return _as_list(_read_csv(path), shape)
        if path.suffix == ".npy":
            return make_block(np.load(path), shape)
        from scipy.sparse import load_npz

        return make_block(load_npz(path), shape)
    except SpecError as error:
        error.remedy = error.remedy or file
        raise
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise _unreadable(path, error) from None


def check_file(file: str, digest: str) -> None:
    """Raise SpecError if a block's file is gone or has changed since the network was described."""
    if _file_digest(Path(file)) != digest:
        raise SpecError(
            "has changed since the network was described",
            got=file,
            remedy="a finished part of a sweep cannot be continued with another block: choose another directory",
            path="file",
        )


def make_block(given: Any, shape: tuple[int, int]) -> Block:
    """Return the block of a matrix, a sparse matrix, or the arrays (post, pre) or (post, pre, weight).

    Parameters
    ----------
    given : array, Tensor, scipy sparse matrix or array, or tuple of arrays
    shape : tuple of int
        Neurons that listen and that speak.

    Raises
    ------
    SpecError
        If it is not of this shape, or not of finite numbers.
    """
    if isinstance(given, tuple | list) and len(given) in {2, 3} and np.ndim(given[0]) == 1:
        return _as_list(_edges(given), shape)
    if hasattr(given, "tocoo"):
        entries = given.tocoo()
        _same_shape(entries.shape, shape)
        return _as_list(_edges((entries.row, entries.col, entries.data), entries.shape), shape)
    matrix = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    _same_shape(matrix.shape, shape)
    _finite(matrix)
    return Block(shape, dense=matrix)


class _Edges(NamedTuple):
    post: Array
    pre: Array
    weight: Array
    shape: tuple[int, int]


def _edges(parts: Any, shape: tuple[int, int] | None = None) -> _Edges:
    post, pre = (_neurons(part) for part in parts[:2])
    weight = np.ones(len(post)) if len(parts) == 2 else np.asarray(parts[2], dtype=np.float64)
    if not len(post) == len(pre) == weight.size:
        raise SpecError("must list as many post as pre and weights", got=[len(post), len(pre), weight.size])
    _finite(weight)
    held = tuple(int(side.max(initial=-1)) + 1 for side in (post, pre))
    return _Edges(post, pre, weight, shape or (held[0], held[1]))


def _neurons(values: Any) -> Array:
    given = np.asarray(values)
    found = given.astype(np.int64)
    if given.ndim != 1 or (given.dtype.kind not in "iuf") or not np.array_equal(found, given):
        raise SpecError("must list neurons by whole numbers", got=f"{given.ndim}-d array of {given.dtype}")
    if len(found) and found.min() < 0:
        raise SpecError("must count neurons from 0", got=int(found.min()))
    return found


def _as_list(edges: _Edges, shape: tuple[int, int]) -> Block:
    """Return the block: connections in order, those that stand twice added up, those of weight 0 left out."""
    if edges.shape[0] > shape[0] or edges.shape[1] > shape[1]:
        raise SpecError(
            f"must name neurons below {shape[0]} (post) and {shape[1]} (pre)",
            got=[n - 1 for n in edges.shape],
        )
    code = edges.post * shape[1] + edges.pre
    order = np.argsort(code, kind="stable")
    code, weight = code[order], edges.weight[order]
    first = np.flatnonzero(np.diff(code, prepend=-1))
    if len(first) < len(code):
        weight, code = np.add.reduceat(weight, first), code[first]
    kept = weight != 0
    code, weight = code[kept], weight[kept]
    return Block(
        shape,
        post=code // shape[1],
        pre=code % shape[1],
        weight=None if bool((weight == 1).all()) else weight,
    )


def _read_csv(path: Path) -> _Edges:
    try:
        with path.open(encoding="utf-8") as lines:
            header = [name.strip() for name in lines.readline().split(",")]
            if header not in (["post", "pre"], ["post", "pre", "weight"]):
                raise SpecError(
                    "must begin with the header post,pre or post,pre,weight",
                    got=",".join(header)[:60],
                    remedy=str(path),
                    path="file",
                )
            first = lines.readline()
            table = np.loadtxt(chain([first], lines), delimiter=",", ndmin=2) if first else np.empty((0, 0))
    except (ValueError, UnicodeDecodeError) as error:
        if isinstance(error, SpecError):
            raise
        raise _unreadable(path, error) from None
    if table.size and table.shape[1] != len(header):
        raise SpecError(f"must have {len(header)} columns", got=table.shape[1], remedy=str(path), path="file")
    try:
        return _edges(tuple(table.T) if table.size else ((),) * len(header))
    except SpecError as error:
        error.path, error.remedy = "file", str(path)
        raise


def _file_digest(path: Path) -> str:
    if path.suffix not in FORMATS:
        raise SpecError(f"must end in {', '.join(FORMATS)}", got=str(path), path="file")
    found = hashlib.blake2b(digest_size=8)
    try:
        with path.open("rb") as file:
            while part := file.read(_CHUNK):
                found.update(part)
    except FileNotFoundError:
        raise SpecError(
            "there is no such file",
            got=str(path),
            remedy="a network remembers where its blocks are: put the file there",
            path="file",
        ) from None
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", got=str(path), path="file") from None
    return found.hexdigest()


def _unreadable(path: Path, error: Exception) -> SpecError:
    wanted = {
        ".npy": "a matrix written by numpy.save",
        ".npz": "a matrix written by scipy.sparse.save_npz",
        ".csv": "numbers, one connection a line",
    }[path.suffix]
    return SpecError(f"must hold {wanted}: {error}", got=str(path), path="file")


def _same_shape(got: tuple[int, ...], wanted: tuple[int, int]) -> None:
    if tuple(got) != wanted:
        raise SpecError(f"must be of shape {wanted[0]} by {wanted[1]} (post by pre)", got=list(got))


def _finite(values: Array) -> None:
    if values.dtype.kind not in "biuf" or not bool(np.isfinite(values).all()):
        raise SpecError("must be finite real numbers", got=f"array of {values.dtype}")
