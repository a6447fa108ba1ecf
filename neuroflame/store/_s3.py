"""S3 and what speaks its protocol: exclusive publication by conditional PUT."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from neuroflame.errors import StoreError
from neuroflame.store._files import telling, without_credentials
from neuroflame.store._remote import ArrowFiles

_CONFLICTS = 8
"""Tries of a PUT that the server says to repeat, since another on the same name was under way."""


class S3Files(ArrowFiles):
    """A prefix of a bucket; reads through pyarrow, writes through boto3, which can say ``If-None-Match: *``.

    Of any number of writers of a name exactly one is told True. A server that does not know the condition gets
    what `ArrowFiles` does: look first, then write.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_client"}

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        parts = urlsplit(self.uri)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        endpoint = options.get("endpoint_override")
        if endpoint and "://" not in endpoint:
            endpoint = f"{options.get('scheme', 'https')}://{endpoint}"
        keys = {}
        if parts.username and parts.password:
            keys = {
                "aws_access_key_id": unquote(parts.username),
                "aws_secret_access_key": unquote(parts.password),
            }
        settings = Config(retries={"mode": "standard", "max_attempts": 8}, max_pool_connections=self.workers)
        session = boto3.session.Session(region_name=options.get("region") or self._filesystem.region)
        return session.client("s3", endpoint_url=endpoint, config=settings, **keys)

    def put_new(self, name: str, data: bytes) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket, _, key = self._at(name).partition("/")
        for _ in range(_CONFLICTS):
            try:
                self._client.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
                return True
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code == "ConditionalRequestConflict":
                    continue
                if code == "PreconditionFailed":
                    return _repeated(error) and self.read(name) == data
                if code == "NotImplemented":
                    return super().put_new(name, data)
                raise _explained(error, code, self.shown, name) from error
            except BotoCoreError as error:
                with telling(self.shown, f"write {name}"):
                    raise OSError(str(error)) from error
        raise StoreError(f"others keep writing {name}", file=self.shown, remedy="try again")


def s3_files(filesystem: Any, root: str, uri: str) -> ArrowFiles:
    """Return the files of an S3 URI: with conditional writes where boto3 is installed."""
    try:
        import boto3  # noqa: F401
    except ImportError:
        return ArrowFiles(filesystem, root, uri)
    return S3Files(filesystem, root, uri)


def _repeated(error: Any) -> bool:
    """Say whether a refused request had been sent before: then what is there may be our own."""
    return bool(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _explained(error: Any, code: str, shown: str, name: str) -> StoreError:
    if code in {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403"}:
        return StoreError(
            f"permission denied: cannot write {name}", file=shown, remedy="check the credentials"
        )
    if code == "NoSuchBucket":
        return StoreError("there is no such bucket", file=without_credentials(shown), remedy="make it first")
    message = error.response.get("Error", {}).get("Message", str(error))
    return StoreError(f"cannot write {name}: {message}", file=shown)
