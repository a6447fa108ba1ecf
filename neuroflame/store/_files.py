"""What the store needs of a place that holds files, and how its faults are told."""

from __future__ import annotations

import errno
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from neuroflame.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

FOLDERS = ("parts", "asks", "records", "inputs", "quarantine", "tmp")
_FULL = {errno.ENOSPC, errno.EDQUOT}
_DENIED = {errno.EACCES, errno.EPERM}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}

A = TypeVar("A")
B = TypeVar("B")


class Files(Protocol):
    """A directory that can publish whole files; names are relative and use ``/``.

    Implementations are safe to use from several threads and processes and can be pickled.
    """

    uri: str
    """Where it is, absolute, such that another process can open it."""
    shown: str
    """The same for messages, without credentials."""
    workers: int
    """How many threads read at once."""

    def prepare(self) -> None:
        """Make the directory and its folders, as far as they are missing."""

    def read(self, name: str) -> bytes:
        """Return a file's content; FileNotFoundError if there is none of that name."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Publish a file whole; return False, changing nothing, if the name is taken."""

    def replace(self, name: str, data: bytes) -> None:
        """Publish a file whole, whether or not there is one of that name; not durable."""

    def lock(self, name: str) -> Callable[[], None] | None:
        """Lock a file until the process ends, however it ends; return what lets go of it.

        None where the place has no locks; BlockingIOError if another process holds it.
        """

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the files in a folder, without the folder; empty if it is missing."""

    def move(self, source: str, target: str) -> bool:
        """Rename a file; return False if the source is not there."""

    def remove(self, name: str) -> None:
        """Remove a file; nothing happens if it is not there."""

    def clean(self, older_than: float) -> None:
        """Remove what killed writers left behind and is older than so many seconds."""

    def arrow(self) -> tuple[Any, str]:
        """Return a pyarrow filesystem and the directory's path in it."""


def open_files(uri: str | os.PathLike[str], filesystem: Any = None) -> Files:
    """Return the files at a path or URI.

    Parameters
    ----------
    uri : str or Path
        Local path, ``file://`` URI, or any URI that pyarrow knows.
    filesystem : pyarrow.fs.FileSystem, optional
        Use this one; `uri` is then a path in it.

    Raises
    ------
    StoreError
        If the URI's scheme is unknown or its filesystem cannot be reached.
    """
    from neuroflame.store._local import LocalFiles

    text = os.fspath(uri)
    if not isinstance(text, str) or not text:
        raise StoreError("the sweep's directory must be a path or a URI", got=text)
    if filesystem is None:
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
            return LocalFiles(os.path.abspath(os.path.expanduser(text)))
        if text.lower().startswith("file://"):
            return LocalFiles(_path_of_file_uri(text))
    from neuroflame.store._remote import ArrowFiles

    return ArrowFiles.open(text, filesystem)


def _path_of_file_uri(uri: str) -> str:
    parts = urlsplit(uri)
    path = unquote(parts.path)
    if parts.netloc not in {"", "localhost"} or not path.startswith("/"):
        raise StoreError("a file:// URI must be absolute", got=uri, remedy="write file:///absolute/path")
    if os.name == "nt" and re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return os.path.abspath(path)


def below(uri: str, directory: str) -> str:
    """Return the path or URI of a directory within another; what a URI asks of its file system is kept."""
    place, mark, query = uri.partition("?") if "://" in uri else (uri, "", "")
    return f"{place.rstrip('/')}/{directory}{mark}{query}"


def without_credentials(uri: str) -> str:
    """Return a URI without user, password and query, fit for messages."""
    parts = urlsplit(uri)
    if not parts.scheme:
        return uri
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def telling(shown: str, doing: str) -> Iterator[None]:
    """Turn operating system errors into one StoreError that says what to do."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise _explained(error, shown, doing) from error


def _explained(error: OSError, shown: str, doing: str) -> StoreError:
    if error.errno in _FULL:
        return StoreError(
            f"disk is full: cannot {doing}",
            file=shown,
            remedy="free some space, then resume; all that was finished is safe",
        )
    if error.errno == errno.EROFS:
        return StoreError(
            f"is on a read-only file system: cannot {doing}", file=shown, remedy="choose another directory"
        )
    if error.errno in _DENIED:
        return StoreError(
            f"permission denied: cannot {doing}",
            file=shown,
            remedy="change its permissions or choose another directory",
        )
    if error.errno in _NOT_A_FOLDER:
        return StoreError("must be a directory", file=shown, remedy="choose another path")
    why = error.strerror or str(error).partition("\n")[0] or type(error).__name__
    return StoreError(f"cannot {doing}: {why}", file=shown)


def in_threads(function: Callable[[A], B], items: Iterable[A], workers: int) -> list[B]:
    """Return the function of each item, in order, computed by several threads."""
    items = list(items)
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items)), thread_name_prefix="neuroflame-store") as pool:
        return list(pool.map(function, items))
