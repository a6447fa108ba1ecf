"""Google Cloud Storage: exclusive publication by a precondition on the object's generation."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

from neuroflame.errors import StoreError
from neuroflame.store._files import telling, without_credentials
from neuroflame.store._remote import ArrowFiles

_TRIES = 6
"""Tries of an upload that failed in passing; waits double from half a second."""
_REMEDY = "check the credentials: gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"


class GcsFiles(ArrowFiles):
    """A prefix of a bucket; reads through pyarrow, writes new files through google-cloud-storage.

    It can say ``ifGenerationMatch=0``, which holds if there is no such object: of any number of writers of a name
    exactly one is told True.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_client"}

    @cached_property
    def _client(self) -> Any:
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import storage

        parts = urlsplit(self.uri)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        given: dict[str, Any] = {}
        if "endpoint_override" in options:
            endpoint = f"{options.get('scheme', 'https')}://{options['endpoint_override']}"
            given["client_options"] = {"api_endpoint": endpoint}
        try:
            if parts.username == "anonymous":
                from google.auth.credentials import AnonymousCredentials

                return storage.Client(project="none", credentials=AnonymousCredentials(), **given)
            return storage.Client(**given)
        except GoogleAuthError as error:
            raise StoreError("has no credentials for Google", file=self.shown, remedy=_REMEDY) from error

    def put_new(self, name: str, data: bytes) -> bool:
        from google.api_core import exceptions
        from google.auth.exceptions import TransportError
        from requests.exceptions import RequestException

        passing = (
            exceptions.ServerError,
            exceptions.TooManyRequests,
            TransportError,
            RequestException,
            ConnectionError,
        )
        bucket, _, key = self._at(name).partition("/")
        blob = self._client.bucket(bucket).blob(key)
        number = 0
        while True:
            try:
                blob.upload_from_string(data, "application/octet-stream", if_generation_match=0, retry=None)
                return True
            except exceptions.PreconditionFailed:
                # What is there may be our own, from a try whose answer was lost.
                return number > 0 and self.read(name) == data
            except passing as error:
                number += 1
                if number == _TRIES:
                    with telling(self.shown, f"write {name}"):
                        raise OSError(str(error)) from error
                time.sleep(0.25 * 2**number)
            except exceptions.GoogleAPICallError as error:
                raise _explained(error, self.shown, name) from error


def gcs_files(filesystem: Any, root: str, uri: str) -> ArrowFiles:
    """Return the files of a gs:// URI: with preconditions where google-cloud-storage is installed."""
    try:
        import google.cloud.storage  # noqa: F401
    except ImportError:
        return ArrowFiles(filesystem, root, uri)
    return GcsFiles(filesystem, root, uri)


def _explained(error: Any, shown: str, name: str) -> StoreError:
    if error.code in (401, 403):
        return StoreError(f"permission denied: cannot write {name}", file=shown, remedy=_REMEDY)
    if error.code == 404:
        return StoreError("there is no such bucket", file=without_credentials(shown), remedy="make it first")
    return StoreError(f"cannot write {name}: {error.message}", file=shown)
