"""Files in a local directory: exclusive, atomic and durable publication."""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from neuroflame.errors import StoreError
from neuroflame.store._files import FOLDERS, telling

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EMLINK}
_NO_DIRECTORY_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}
CLAIM_PATIENCE = 10.0
"""Seconds after which a claim counts as left by a killed writer; an honest one lasts for milliseconds."""


class LocalFiles:
    """A local directory; see `neuroflame.store._files.Files`.

    Parameters
    ----------
    root : str
        Absolute path of the directory.
    """

    workers = 4

    def __init__(self, root: str) -> None:
        self.uri = self.shown = self._root = root

    def _at(self, name: str) -> str:
        return os.path.join(self._root, *name.split("/"))

    def prepare(self) -> None:
        with telling(self.shown, "make the directory"):
            for folder in FOLDERS:
                os.makedirs(self._at(folder), exist_ok=True)
            if not os.access(self._at("tmp"), os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            _sync_directory(self._root)
            _sync_directory(os.path.dirname(self._root))

    def read(self, name: str) -> bytes:
        try:
            with open(self._at(name), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._at(name)) from error
        except OSError as error:
            with telling(self._at(name), "read it"):
                raise error

    def put_new(self, name: str, data: bytes) -> bool:
        final = self._at(name)
        temporary = self._at(f"tmp/{secrets.token_hex(8)}-{os.path.basename(name)}")
        with telling(self.shown, f"write {name}"):
            self._require_folders(temporary, final)
            try:
                _write(temporary, data)
                return _publish(temporary, final)
            finally:
                with suppress(OSError):
                    os.unlink(temporary)

    def _require_folders(self, *paths: str) -> None:
        if not os.path.isdir(self._root):
            raise StoreError("the sweep's directory is gone", file=self.shown)
        for path in paths:  # empty folders get lost when a directory is copied by some tools
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def replace(self, name: str, data: bytes) -> None:
        temporary = self._at(f"tmp/{secrets.token_hex(8)}-{os.path.basename(name)}")
        with telling(self.shown, f"write {name}"):
            self._require_folders(temporary)
            try:
                _write(temporary, data, durable=False)
                os.replace(temporary, self._at(name))
            finally:
                with suppress(OSError):
                    os.unlink(temporary)

    def lock(self, name: str) -> Callable[[], None] | None:
        if fcntl is None:
            return None
        with telling(self.shown, f"lock {name}"):
            descriptor = os.open(self._at(name), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError as error:
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                return None
            with telling(self.shown, f"lock {name}"):
                raise
        return lambda: os.close(descriptor)

    def names(self, folder: str) -> list[str]:
        with telling(self._at(folder), "list it"):
            try:
                with os.scandir(self._at(folder)) as entries:
                    return sorted(entry.name for entry in entries if not entry.name.startswith("."))
            except FileNotFoundError:
                return []

    def move(self, source: str, target: str) -> bool:
        with telling(self.shown, f"move {source}"):
            self._require_folders(self._at(target))
            try:
                os.rename(self._at(source), self._at(target))
            except FileNotFoundError:
                return False
            _sync_directory(os.path.dirname(self._at(target)))
            _sync_directory(os.path.dirname(self._at(source)))
            return True

    def remove(self, name: str) -> None:
        with telling(self.shown, f"remove {name}"), suppress(FileNotFoundError):
            os.unlink(self._at(name))

    def clean(self, older_than: float) -> None:
        with suppress(OSError), os.scandir(self._at("tmp")) as entries:
            for entry in entries:
                with suppress(OSError):  # another process cleans too, or the directory is read-only
                    if time.time() - entry.stat().st_mtime > older_than:
                        os.unlink(entry.path)

    def arrow(self) -> tuple[Any, str]:
        from pyarrow import fs

        return fs.LocalFileSystem(), self._root


def _write(path: str, data: bytes, *, durable: bool = True) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(temporary: str, final: str) -> bool:
    """Give a complete file its final name, unless that is taken."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        if not _same_file(temporary, final):
            return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if not _publish_by_claim(temporary, final):
            return False
    _sync_directory(os.path.dirname(final))
    return True


def _same_file(temporary: str, final: str) -> bool:
    """Say whether a link that "exists" is our own: NFS may repeat a request that had succeeded."""
    try:
        return os.path.samefile(temporary, final)
    except FileNotFoundError:  # the other one has gone to quarantine since
        return False


def _publish_by_claim(temporary: str, final: str) -> bool:
    """Do the same where hard links do not exist: whoever creates the claim file may rename."""
    folder, name = os.path.split(final)
    claim = os.path.join(os.path.dirname(temporary), f"{os.path.basename(folder)}-{name}.claim")
    patience = time.monotonic() + CLAIM_PATIENCE
    while True:
        try:
            os.close(os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            break
        except FileExistsError:
            if time.monotonic() > patience:
                with suppress(FileNotFoundError):
                    os.unlink(claim)
            time.sleep(0.01)
    try:
        if os.path.exists(final):
            return False
        os.rename(temporary, final)
        return True
    finally:
        with suppress(FileNotFoundError):
            os.unlink(claim)


def _sync_directory(path: str) -> None:
    """Flush a directory, so that a name in it survives a loss of power."""
    if os.name == "nt":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except PermissionError:  # a parent that may be entered but not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)
