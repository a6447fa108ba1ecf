"""Files behind a pyarrow filesystem: object stores, HDFS, and whatever the caller hands over."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from neuroflame.errors import StoreError
from neuroflame.store._files import FOLDERS, telling, without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

_RENAMING = {"local", "hdfs", "mock"}
"""Filesystems that show a file while it is written, but rename atomically; the others are object stores."""


class ArrowFiles:
    """A directory of a pyarrow filesystem; see `neuroflame.store._files.Files`.

    Parameters
    ----------
    filesystem : pyarrow.fs.FileSystem
        The filesystem.
    root : str
        Path of the directory in it.
    uri : str
        What the user gave.
    """

    workers = 16

    def __init__(self, filesystem: Any, root: str, uri: str) -> None:
        self.uri = uri
        self.shown = without_credentials(uri)
        self._filesystem = filesystem
        self._root = root.rstrip("/")
        self._renames = _innermost(filesystem).type_name in _RENAMING

    @classmethod
    def open(cls, uri: str, filesystem: Any = None) -> ArrowFiles:
        """Return the files at a URI that pyarrow knows, or at a path of a given filesystem."""
        import pyarrow as pa
        from pyarrow import fs

        if filesystem is not None:
            return cls(filesystem, uri, uri)
        shown = without_credentials(uri)
        try:
            found, root = fs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise StoreError(
                "names no file system that pyarrow can open here",
                got=shown,
                remedy="give a local path, or a URI such as s3://bucket/path or gs://bucket/path",
            ) from error
        except OSError as error:
            with telling(shown, "open it"):
                raise error
        if found.type_name == "s3":
            from neuroflame.store._s3 import s3_files

            return s3_files(found, root, uri)
        if found.type_name == "gcs":
            from neuroflame.store._gcs import gcs_files

            return gcs_files(found, root, uri)
        return cls(found, root, uri)

    def _at(self, name: str) -> str:
        return "/".join(part for part in (self._root, name) if part)

    def _is_file(self, name: str) -> bool:
        from pyarrow import fs

        return bool(self._filesystem.get_file_info(self._at(name)).type == fs.FileType.File)

    def prepare(self) -> None:
        if self._renames:
            with telling(self.shown, "make the directory"):
                for folder in FOLDERS:
                    self._filesystem.create_dir(self._at(folder), recursive=True)

    def read(self, name: str) -> bytes:
        try:
            with self._filesystem.open_input_stream(self._at(name), compression=None) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            raise
        except OSError as error:
            with telling(self.shown, f"read {name}"):
                raise error

    def _write(self, path: str, data: bytes) -> None:
        with self._filesystem.open_output_stream(path, compression=None) as stream:
            stream.write(data)

    def put_new(self, name: str, data: bytes) -> bool:
        with telling(self.shown, f"write {name}"):
            if self._is_file(name):
                return False
            self._put(name, data)
            return True

    def replace(self, name: str, data: bytes) -> None:
        with telling(self.shown, f"write {name}"):
            self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        if not self._renames:
            self._write(self._at(name), data)
            return
        temporary = self._at(f"tmp/{secrets.token_hex(8)}-{os.path.basename(name)}")
        try:
            self._write(temporary, data)
            self._filesystem.move(temporary, self._at(name))
        except OSError:
            with suppress(OSError):
                self._filesystem.delete_file(temporary)
            raise

    def lock(self, name: str) -> Callable[[], None] | None:
        return None

    def names(self, folder: str) -> list[str]:
        from pyarrow import fs

        with telling(self.shown, f"list {folder}"):
            found = self._filesystem.get_file_info(fs.FileSelector(self._at(folder), allow_not_found=True))
        return sorted(
            info.base_name
            for info in found
            if info.type == fs.FileType.File and not info.base_name.startswith(".")
        )

    def move(self, source: str, target: str) -> bool:
        with telling(self.shown, f"move {source}"):
            if not self._is_file(source):
                return False
            self._filesystem.move(self._at(source), self._at(target))
            return True

    def remove(self, name: str) -> None:
        with telling(self.shown, f"remove {name}"), suppress(FileNotFoundError):
            self._filesystem.delete_file(self._at(name))

    def clean(self, older_than: float) -> None:
        from pyarrow import fs

        if not self._renames:
            return
        with suppress(OSError):
            for info in self._filesystem.get_file_info(
                fs.FileSelector(self._at("tmp"), allow_not_found=True)
            ):
                if info.mtime is not None and time.time() - info.mtime.timestamp() > older_than:
                    self._filesystem.delete_file(info.path)

    def arrow(self) -> tuple[Any, str]:
        return self._filesystem, self._root


def _innermost(filesystem: Any) -> Any:
    while filesystem.type_name == "subtree":
        filesystem = filesystem.base_fs
    return filesystem
