"""Places in an object store: `s3://BUCKET/PREFIX`, through boto3 (Amazon S3 and what speaks its protocol).

Credentials, region and the address of the store come from where boto3 looks for them (AWS_ACCESS_KEY_ID,
AWS_PROFILE, AWS_ENDPOINT_URL_S3, a role of the machine, …) and from nowhere else.

An object appears whole or not at all: that is the store's own promise. What fails for a while is tried again,
longer and longer apart. There are no locks; where two processes have the same page both read it, which gives
the same result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import IO, Any, BinaryIO, Self, TextIO, TypeVar, cast

from jobs.errors import MissingExtra, ResultsNotWritable, StoreUnreachable, UsageProblem
from jobs.files import TEMPORARY
from jobs.places import Place

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError as error:  # pragma: no cover - tested in an environment without it
    raise MissingExtra(
        "reading from and writing to s3:// needs boto3, which is not installed",
        "Install it with: pip install 'lettermill[s3]'",
    ) from error

_Taken = TypeVar("_Taken")

_TRIES = 8
"""Of one request; the pauses between them grow to twenty seconds, so a store may be away for a minute."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60

_AT_ONCE = 16
"""Requests under way at once where many small objects are read or written."""

_FIRST_PAUSE, _LAST_PAUSE = 0.2, 20.0
"""Seconds before a body that broke off is asked for anew."""

_RANGE = 256 * 1024
"""Bytes of a large object fetched at once: a window of pages takes about 50 kB of the manifest."""

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_FORBIDDEN = frozenset({"403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})
_NO_BUCKET = "NoSuchBucket"
_PRESENT = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_BEHIND_THE_END = "InvalidRange"


def bucket(address: str) -> Bucket:
    """Return the place of an address `s3://BUCKET/PREFIX`.

    Raises:
        UsageProblem: it names no bucket.
    """
    name, _, prefix = address.removeprefix("s3://").partition("/")
    if not name or name in (".", ".."):
        raise UsageProblem(f"{address!r} names no bucket", "Write it as s3://BUCKET/PREFIX.")
    return Bucket(name, "/".join(part for part in prefix.split("/") if part))


@functools.cache
def _client(process: int) -> Any:
    """Return a client; connections are not shared with a process that was forked."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=2 * _AT_ONCE,
    )
    return boto3.session.Session().client("s3", config=config)


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket, or an object.

    Attributes:
        bucket: the bucket's name.
        key: the key or prefix, without a slash at either end; empty for the whole bucket.
    """

    bucket: str
    key: str

    at_once = _AT_ONCE

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key, or the bucket's name."""
        return PurePosixPath(self.key).name or self.bucket

    @property
    def parent(self) -> Self:
        """The prefix above; that of a bucket is the bucket."""
        return dataclasses.replace(self, key=self.key.rpartition("/")[0])

    def __truediv__(self, below: str) -> Self:
        parts = [part for part in str(below).split("/") if part not in ("", ".")]
        return dataclasses.replace(self, key="/".join([self.key, *parts] if self.key else parts))

    def below(self, root: Place) -> str:
        """See `Place.below`."""
        if not isinstance(root, Bucket) or root.bucket != self.bucket or not self._lies_in(root.key):
            raise ValueError(f"{self} is not below {root}")
        return self.key[len(root.key) :].strip("/") or "."

    def _lies_in(self, prefix: str) -> bool:
        return not prefix or self.key == prefix or self.key.startswith(f"{prefix}/")

    def resolve(self) -> Self:
        """See `Place.resolve`."""
        return self

    def exists(self) -> bool:
        """See `Place.exists`."""
        return bool(self.version())

    def is_folder(self) -> bool:
        """See `Place.is_folder`: whether there is anything below it."""
        with _reading(self):
            found = self._store.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1)
        return bool(found["KeyCount"])

    def version(self) -> str:
        """See `Place.version`."""
        try:
            with _reading(self):
                head = self._store.head_object(**self._object)
        except FileNotFoundError:
            return ""
        return f"{head['ContentLength']}:{_time(head)}"

    @contextlib.contextmanager
    def opened(self, start: int = 0) -> Iterator[BinaryIO]:
        """See `Place.opened`; the object is fetched piece by piece."""
        with io.BufferedReader(_Ranges(self, start), _RANGE) as file:
            yield cast(BinaryIO, file)

    def read(self, below: str) -> bytes:
        """See `Place.read`."""
        return (self / below).fetch(lambda answer: cast(bytes, answer["Body"].read()))

    def fetch(
        self, take: Callable[[Mapping[str, Any]], _Taken], more: Mapping[str, str] | None = None
    ) -> _Taken:
        """Get the object; where its body breaks off it is asked for anew, which boto3 leaves to its caller.

        Args:
            take: makes something of the store's answer.
            more: parameters of the request.

        Returns:
            What `take` returned.

        Raises:
            FileNotFoundError, PermissionError: there is none, or it may not be read.
            EOFError: the range that was asked for lies behind its end.
            StoreUnreachable: the store does not answer.
        """
        pause = _FIRST_PAUSE
        while True:
            with _reading(self):
                answer = self._store.get_object(**self._object, **(more or {}))
                try:
                    return take(answer)
                except BotoCoreError:
                    if pause > _LAST_PAUSE:
                        raise
            time.sleep(pause)
            pause *= 2

    @contextlib.contextmanager
    def written_whole(self) -> Iterator[TextIO]:
        """See `Place.written_whole`; what is written lies in a temporary file until it is uploaded."""
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="surrogateescape", newline="", prefix=TEMPORARY
        ) as file:
            yield cast(TextIO, file)
            file.flush()
            with _writing(self):
                self._store.upload_file(file.name, self.bucket, self.key)

    def write(self, content: bytes) -> None:
        """See `Place.write`."""
        with _writing(self):
            self._store.put_object(**self._object, Body=content)

    def create(self, content: bytes) -> bool:
        """See `Place.create`."""
        with _writing(self):
            try:
                self._store.put_object(**self._object, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if _code(error) in _PRESENT:
                    return False
                raise
        return True

    def renew(self) -> None:
        """See `Place.renew`."""
        with _writing(self):
            source = {"Bucket": self.bucket, "Key": self.key}
            # A store copies an object onto itself only where something changes: here its metadata.
            now = {"renewed": str(time.time_ns())}
            self._store.copy_object(
                **self._object, CopySource=source, Metadata=now, MetadataDirective="REPLACE"
            )

    def unlink(self, missing_ok: bool = False) -> None:
        """See `Place.unlink`; a store deletes what is not there without a word."""
        with _writing(self):
            self._store.delete_object(**self._object)

    def make(self) -> None:
        """See `Place.make`: there is none to make."""

    def make_folder(self, below: str) -> None:
        """See `Place.make_folder`: there are none to make."""

    def names(self) -> Iterator[str]:
        """See `Place.names`."""
        for entry in self.objects():
            yield entry["Key"].rpartition("/")[2]

    def objects(self) -> Iterator[dict[str, Any]]:
        """List the objects below this prefix, a thousand a request: Key, Size, LastModified, ETag."""
        with _reading(self):
            pages = self._store.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._prefix):
                yield from page.get("Contents", ())

    @contextlib.contextmanager
    def begin(self, line: str) -> Iterator[bytes | None]:
        """See `Place.begin`; of two processes that begin at the same moment one line may be lost."""
        content = f"{line}\n".encode()
        yield content if self.create(content) else self._append(content)

    def append(self, line: str) -> None:
        """See `Place.append`."""
        self._append(f"{line}\n".encode())

    def _append(self, more: bytes) -> bytes:
        try:
            content = self.parent.read(self.name) + more
        except FileNotFoundError:
            content = more
        self.write(content)
        return content

    @contextlib.contextmanager
    def held(self, wait: bool) -> Iterator[bool]:
        """See `Place.held`: there are no locks, and whoever does the same at once writes the same."""
        yield True

    def unlink_free(self) -> None:
        """See `Place.unlink_free`."""
        for entry in list(self.objects()):
            dataclasses.replace(self, key=entry["Key"]).unlink()

    def remove_abandoned(self) -> None:
        """See `Place.remove_abandoned`: uploads that broke off are the bucket's lifecycle rules to delete."""

    def folders_with(self, name: str) -> Iterator[Self]:
        """See `Place.folders_with`."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            subfolders: list[Self] = []
            found = False
            with _reading(folder):
                pages = self._store.get_paginator("list_objects_v2")
                wanted = folder._prefix
                for page in pages.paginate(Bucket=self.bucket, Prefix=wanted, Delimiter="/"):
                    found |= any(entry["Key"] == f"{wanted}{name}" for entry in page.get("Contents", ()))
                    subfolders += [
                        dataclasses.replace(self, key=entry["Prefix"].rstrip("/"))
                        for entry in page.get("CommonPrefixes", ())
                    ]
            if found:
                yield folder
            else:
                waiting += [inner for inner in reversed(subfolders) if not inner.name.startswith(".")]

    def files(self) -> Iterator[str]:
        """See `Place.files`; what the listing says of them is kept for `measure`."""
        try:
            for entry in self.objects():
                path = entry["Key"][len(self._prefix) :]
                if path and not path.endswith("/") and not any(part[:1] == "." for part in path.split("/")):
                    self._listed[path] = entry["Size"], _time(entry)
                    yield path
        except (FileNotFoundError, PermissionError) as error:
            raise UsageProblem(
                f"cannot list {self}: {error.strerror}",
                "Correct the name of the bucket, or the rights of these credentials.",
            ) from error

    @functools.cached_property
    def _listed(self) -> dict[str, tuple[int, int]]:
        return {}

    def measure(self, below: str) -> tuple[int, int]:
        """See `Place.measure`; a store tells seconds, the nanoseconds are a digest of the content's tag."""
        if below in self._listed:
            return self._listed.pop(below)
        scan = self / below
        with _reading(scan):
            head = self._store.head_object(**scan._object)
        return head["ContentLength"], _time(head)

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """See `Place.open_below`; the object is fetched into a temporary file."""

        def take(answer: Mapping[str, Any]) -> tuple[BinaryIO, int, int]:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
            try:
                if answer["ContentLength"] <= most_bytes:
                    for piece in answer["Body"].iter_chunks(_RANGE):
                        _put_aside(piece, file)
                answer["Body"].close()
                file.seek(0)
            except BaseException:
                file.close()
                raise
            return cast(BinaryIO, file), answer["ContentLength"], _time(answer)

        return (self / below).fetch(take)

    @property
    def _store(self) -> Any:
        return _client(os.getpid())

    @property
    def _object(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def _prefix(self) -> str:
        return f"{self.key}/" if self.key else ""


class _Ranges(io.RawIOBase):
    """Reads an object in ranges, each of which is asked for anew: a reader may take hours between two.

    Args:
        source: the object.
        start: byte offset at which to begin.
    """

    def __init__(self, source: Bucket, start: int) -> None:
        self._source = source
        self._offset = start
        self._tag = ""
        self._size = -1

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes.

        Raises:
            FileNotFoundError, PermissionError, StoreUnreachable: as `Bucket.content`.
            OSError: the object was replaced since the first of them was read.
        """
        if self._offset == self._size:
            return 0
        more = {"Range": f"bytes={self._offset}-{self._offset + len(buffer) - 1}"}
        if self._tag:
            more["IfMatch"] = self._tag

        def take(answer: Mapping[str, Any]) -> bytes:
            self._tag = answer["ETag"]
            self._size = int(answer["ContentRange"].rpartition("/")[2])
            return cast(bytes, answer["Body"].read())

        try:
            content = self._source.fetch(take, more)
        except EOFError:
            return 0
        buffer[: len(content)] = content
        self._offset += len(content)
        return len(content)


def _put_aside(piece: bytes, file: IO[bytes]) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise ResultsNotWritable(
            f"cannot write to the temporary folder {tempfile.gettempdir()}: {error.strerror}",
            "Free some space there, or set TMPDIR to a folder with room for a scan a process.",
        ) from error


def _time(answer: Mapping[str, Any]) -> int:
    """Return an object's modification time in nanoseconds, which differs where the content does."""
    changed: datetime = answer["LastModified"]
    tag = hashlib.blake2b(answer["ETag"].strip('"').encode(), digest_size=4).digest()
    return int(changed.timestamp()) * 10**9 + int.from_bytes(tag) % 10**9


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextlib.contextmanager
def _reading(source: Bucket) -> Iterator[None]:
    """Turn what a store answers to a request into the errors of a disk."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in _GONE or code == _NO_BUCKET:
            what = "there is no such bucket" if code == _NO_BUCKET else "no such object"
            raise FileNotFoundError(2, what, str(source)) from error
        if code in _FORBIDDEN:
            raise PermissionError(13, f"the store refuses ({code})", str(source)) from error
        if code == _BEHIND_THE_END:
            raise EOFError from error
        if code in _PRESENT:
            raise OSError(5, "the object was replaced while it was read", str(source)) from error
        raise _unreachable(source, error) from error
    except BotoCoreError as error:
        raise _unreachable(source, error) from error


@contextlib.contextmanager
def _writing(target: Bucket) -> Iterator[None]:
    """Turn what a store answers to a request that writes into the errors of results."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in _FORBIDDEN or code == _NO_BUCKET:
            raise ResultsNotWritable(
                f"cannot write {target}: the store refuses ({code})",
                "Correct the name of the bucket or the rights of these credentials, "
                "then give the same command again.",
            ) from error
        raise _unreachable(target, error) from error
    except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
        raise _unreachable(target, error) from error


def _unreachable(where: Bucket, error: Exception) -> StoreUnreachable:
    return StoreUnreachable(
        f"the object store does not do what it is asked for {where}: {error}",
        "Check the network, AWS_ENDPOINT_URL_S3 and the credentials (AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine).",
    )
