"""Keep scans and results in an object store: `Bucket`, the place `s3://BUCKET/PREFIX`.

It is reached through boto3: Amazon S3 and all stores that speak its protocol. Credentials, region and address
come from where boto3 looks for them (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL_S3, a role of the
machine, …) and from nowhere else.

The store itself promises that an object appears complete or not at all. A request that fails for a while is
retried with exponential back-off. There are no locks: two processes that have the same page both read it, and
come to the same result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import io
import mimetypes
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self, TextIO, TypeVar, cast

from lettermill.jobs.errors import (
    ErrorCode,
    MissingExtra,
    NotAJob,
    ResultsNotWritable,
    ScanError,
    StoreUnreachable,
    UsageProblem,
)
from lettermill.jobs.storage.atomic import TEMPORARY
from lettermill.jobs.storage.hidden import is_hidden
from lettermill.jobs.storage.place import Place

try:
    import boto3
    import tenacity
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
except ImportError as error:
    raise MissingExtra(
        "reading from and writing to s3:// needs boto3 and tenacity, which are not installed",
        "Install them with: pip install boto3 tenacity",
    ) from error

_Answer = TypeVar("_Answer")

_TRIES, _LONGEST_PAUSE_SECONDS = 8, 20
"""How often one request is tried, and the pause between two tries: a store may be away for half a minute."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
"""Timeouts of one try."""

_SHORT_TRIES, _SHORT_CONNECT_SECONDS, _SHORT_READ_SECONDS = 1, 3, 5
"""The same in the process that called `use_short_timeouts`."""

_REQUESTS_AT_ONCE = 16
"""Requests in flight at once where many small objects are read or written."""

_RANGE_BYTES = 256 * 1024
"""How much of a large object is fetched at once: a window of pages takes about 50 kB of the manifest."""

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_FORBIDDEN = frozenset({"403", "AccessDenied"})

_PRESENT = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_BEHIND_THE_END = "InvalidRange"
_BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "TooManyRequests"})

_short_timeouts_process: int | None = None
"""The process that called `use_short_timeouts`. An id and not a flag: the processes that it forks inherit the
value, and have to use the long timeouts all the same."""


def use_short_timeouts() -> None:
    """Use short timeouts and no retries in this process: its main loop must stay responsive."""
    global _short_timeouts_process
    _short_timeouts_process = os.getpid()
    _client.cache_clear()


def bucket_at(address: str) -> Bucket:
    """Return the place of an address `s3://BUCKET/PREFIX`.

    Raises:
        UsageProblem: the address names no bucket, or a prefix that no folder can have.
    """
    name, _, prefix = address.removeprefix("s3://").partition("/")
    parts = [part for part in prefix.split("/") if part]
    if not name or not {".", ".."}.isdisjoint([name, *parts]):
        raise UsageProblem(f"{address!r} names no place in a bucket", "Write it as s3://BUCKET/PREFIX.")
    return Bucket(name, "/".join(parts))


@functools.cache
def _client(process: int) -> Any:
    """Return the client of a process: a forked process must not share its parent's connections."""
    short = process == _short_timeouts_process
    config = Config(
        # `Bucket.ask` retries: boto3 gives up retrying after a few failures in a row.
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=_SHORT_CONNECT_SECONDS if short else _CONNECT_SECONDS,
        read_timeout=_SHORT_READ_SECONDS if short else _READ_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=2 * _REQUESTS_AT_ONCE,
    )
    try:
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise UsageProblem(
            f"cannot connect to the object store: {error}",
            "Correct the settings that boto3 reads: AWS_ENDPOINT_URL_S3 (an address with https://), "
            "AWS_DEFAULT_REGION, AWS_PROFILE.",
        ) from error


def _is_passing(error: BaseException) -> bool:
    """Return whether a request that failed with this error may succeed when it is retried."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or _code(error) in _BUSY
    return isinstance(error, HTTPClientError | IncompleteReadError)


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A prefix of a bucket, or an object. `Place` documents the methods.

    Attributes:
        bucket: the bucket's name.
        key: the key or prefix, without a slash at either end; empty for the whole bucket.
    """

    bucket: str
    key: str

    at_once = _REQUESTS_AT_ONCE

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def name(self) -> str:
        """The last part of the key, or the bucket's name."""
        return PurePosixPath(self.key).name or self.bucket

    @property
    def parent(self) -> Self:
        """The prefix above; the parent of a bucket is the bucket itself."""
        return dataclasses.replace(self, key=self.key.rpartition("/")[0])

    def __truediv__(self, below: str) -> Self:
        parts = [part for part in str(below).split("/") if part not in ("", ".")]
        return dataclasses.replace(self, key="/".join([self.key, *parts] if self.key else parts))

    def below(self, root: Place) -> str:
        if not isinstance(root, Bucket) or root.bucket != self.bucket or not self._lies_in(root.key):
            raise ValueError(f"{self} is not below {root}")
        return self.key[len(root.key) :].strip("/") or "."

    def _lies_in(self, prefix: str) -> bool:
        return not prefix or self.key == prefix or self.key.startswith(f"{prefix}/")

    def resolve(self) -> Self:
        return self

    def exists(self) -> bool:
        return bool(self.version())

    def is_folder(self) -> bool:
        """Return whether there is any object below this prefix."""
        try:
            found = self.ask(
                lambda store: store.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1)
            )
        except PermissionError:
            return True  # Its objects may be readable all the same.
        return bool(found["KeyCount"])

    def version(self) -> str:
        try:
            head = self.ask(lambda store: store.head_object(**self._object))
        except FileNotFoundError:
            return ""
        return f"{head['ContentLength']}:{_time(head)}"

    @contextlib.contextmanager
    def opened(self, start: int = 0) -> Iterator[BinaryIO]:
        """As `Place.opened`; the object is fetched in ranges while it is read."""
        with io.BufferedReader(_Ranges(self, start), _RANGE_BYTES) as file:
            yield cast(BinaryIO, file)

    def read(self, below: str) -> bytes:
        return (self / below).fetch(lambda answer: cast(bytes, answer["Body"].read()))

    def fetch(
        self, take: Callable[[Mapping[str, Any]], _Answer], more: Mapping[str, str] | None = None
    ) -> _Answer:
        """Get the object; where the connection breaks while its body is read, the request is retried.

        Args:
            take: turns the store's answer into a value.
            more: further parameters of the request.

        Returns:
            What `take` returned.

        Raises:
            EOFError: the range that was asked for is behind the object's end.
            Exception: as `ask`.
        """

        def get(store: Any) -> _Answer:
            answer = store.get_object(**self._object, **(more or {}))
            with contextlib.closing(answer["Body"]):
                return take(answer)

        return self.ask(get)

    def ask(self, act: Callable[[Any], _Answer], writes: bool = False) -> _Answer:
        """Make a request; retry it where that may help.

        Args:
            act: makes the request, with the client.
            writes: whether it writes or deletes the object.

        Returns:
            What `act` returned.

        Raises:
            FileNotFoundError, PermissionError: the object does not exist, or may not be read.
            FileExistsError: a condition of the request failed: there is an object, or another one.
            ResultsNotWritable: the object may not be written.
            StoreUnreachable: the store does not answer, or not as it should.
        """
        process = os.getpid()
        tries = _SHORT_TRIES if process == _short_timeouts_process else _TRIES
        trying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(tries),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE_SECONDS),
            retry=tenacity.retry_if_exception(_is_passing),
            reraise=True,
        )
        try:
            return trying(act, _client(process))
        except ClientError as error:
            raise self._meant(_code(error), error, writes) from error
        except BotoCoreError as error:
            raise self._unreachable(error) from error

    def _meant(self, code: str, error: ClientError, writes: bool) -> Exception:
        """Return the error that a store's error code means."""
        if code == _BEHIND_THE_END:
            return EOFError()
        if code in _GONE:
            return FileNotFoundError(errno.ENOENT, "there is no such object", str(self))
        if code in _FORBIDDEN and writes:
            return ResultsNotWritable(
                f"cannot write or delete {self}: the store refuses ({code})",
                "Correct the rights of these credentials (docs/object-stores.md lists them), then give the "
                "same command again.",
            )
        if code in _FORBIDDEN:
            return PermissionError(errno.EACCES, "the store refuses", str(self))
        if code in _PRESENT:
            return FileExistsError(errno.EEXIST, "another object is there by now", str(self))
        return self._unreachable(error)

    def _unreachable(self, error: Exception) -> StoreUnreachable:
        return StoreUnreachable(
            f"the object store does not do what it is asked for {self}: {error}",
            "Check the name of the bucket, the network, AWS_ENDPOINT_URL_S3 and the credentials "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine).",
        )

    @contextlib.contextmanager
    def atomic_write(self) -> Iterator[TextIO]:
        """As `Place.atomic_write`; the text is gathered in a temporary file, which is uploaded."""
        with contextlib.ExitStack() as stack:
            with _on_temporary_disk():
                file = stack.enter_context(
                    tempfile.NamedTemporaryFile(
                        "w", encoding="utf-8", errors="surrogateescape", newline="", prefix=TEMPORARY
                    )
                )
            with _on_temporary_disk(named=False):
                yield cast(TextIO, file)
                file.flush()

            def upload(store: Any) -> None:
                with Path(file.name).open("rb") as content:  # It closes what it is given.
                    store.upload_fileobj(content, self.bucket, self.key, ExtraArgs=self._kind)

            self.ask(upload, writes=True)

    def write(self, content: bytes) -> None:
        self.ask(lambda store: store.put_object(**self._object, **self._kind, Body=content), writes=True)

    def create(self, content: bytes) -> bool:
        try:
            self.ask(
                lambda store: store.put_object(**self._object, Body=content, IfNoneMatch="*"), writes=True
            )
        except FileExistsError:
            return False
        return True

    def renew(self) -> None:
        source = {"Bucket": self.bucket, "Key": self.key}
        # A store copies an object onto itself only where something changes: here, its metadata.
        now = {"renewed": str(time.time_ns())}
        self.ask(
            lambda store: store.copy_object(
                **self._object, CopySource=source, Metadata=now, MetadataDirective="REPLACE"
            ),
            writes=True,
        )

    def unlink(self, missing_ok: bool = False) -> None:
        """As `Place.unlink`; a store reports no error where there is no such object."""
        self.ask(lambda store: store.delete_object(**self._object), writes=True)

    def make(self) -> None:
        """Do nothing: a bucket needs no folders."""

    def make_folder(self, below: str) -> None:
        """Do nothing: a bucket needs no folders."""

    def names(self) -> Iterator[str]:
        for entry in self.objects():
            yield entry["Key"].rpartition("/")[2]

    def objects(self) -> Iterator[dict[str, Any]]:
        """List the objects below this prefix (Key, Size, LastModified, ETag), a thousand per request."""
        for page in self._pages():
            yield from page.get("Contents", ())

    def _pages(self, **more: str) -> Iterator[dict[str, Any]]:
        more |= {"Bucket": self.bucket, "Prefix": self._prefix}
        while True:
            page = self.ask(lambda store: store.list_objects_v2(**more))
            yield page
            if not page["IsTruncated"]:
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    @contextlib.contextmanager
    def begin(self, line: str) -> Iterator[bytes | None]:
        """As `Place.begin`; if two processes begin at the same moment, one of their lines may be lost."""
        content = f"{line}\n".encode()
        if not self.create(content):
            before = self._content()
            if content in before.splitlines(keepends=True):
                content = before  # The store had written the line, but its answer was lost.
            else:
                content = before + content
                self.write(content)
        yield content

    def append(self, line: str) -> None:
        self.write(self._content() + f"{line}\n".encode())

    def _content(self) -> bytes:
        try:
            return self.parent.read(self.name)
        except FileNotFoundError:
            return b""

    @contextlib.contextmanager
    def held(self, wait: bool) -> Iterator[bool]:
        """Lock nothing: a bucket has no locks, and processes that do the same at once write the same."""
        yield True

    def is_held(self) -> bool:
        return False

    def last_change(self) -> float | None:
        return max((entry["LastModified"].timestamp() for entry in self.objects()), default=None)

    def unlink_free(self) -> None:
        for entry in list(self.objects()):
            dataclasses.replace(self, key=entry["Key"]).unlink()

    def remove_abandoned(self) -> None:
        """Do nothing: the bucket's lifecycle rules delete uploads that broke off."""

    def folders_with(self, name: str) -> Iterator[Self]:
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            subfolders: list[Self] = []
            found = False
            try:
                for page in folder._pages(Delimiter="/"):
                    found |= any(
                        entry["Key"] == f"{folder._prefix}{name}" for entry in page.get("Contents", ())
                    )
                    subfolders += [
                        dataclasses.replace(self, key=entry["Prefix"].rstrip("/"))
                        for entry in page.get("CommonPrefixes", ())
                    ]
            except PermissionError as error:
                raise NotAJob(
                    f"cannot list {folder}: {error.strerror}", "Correct the rights of these credentials."
                ) from error
            if found:
                yield folder
            else:
                waiting += [inner for inner in reversed(subfolders) if not inner.name.startswith(".")]

    def files(self, others: list[str] | None = None) -> Iterator[str]:
        """As `Place.files`; sizes and times from the listing are kept for `measure`.

        Keys may have empty parts, which no path has: they go to `others`.
        """
        try:
            for entry in self.objects():
                path = entry["Key"][len(self._prefix) :]
                parts = path.split("/")
                if path.endswith("/") or any(map(is_hidden, parts)):
                    continue
                if all(parts):
                    self._listed[path] = entry["Size"], _time(entry)
                    yield path
                elif others is not None:
                    others.append(path)
        except PermissionError as error:
            raise UsageProblem(
                f"cannot list {self}: {error.strerror}", "Correct the rights of these credentials."
            ) from error

    @functools.cached_property
    def _listed(self) -> dict[str, tuple[int, int]]:
        return {}

    def measure(self, below: str) -> tuple[int, int]:
        """As `Place.measure`; a store's times are in seconds: a digest of the ETag fills the nanoseconds."""
        if below in self._listed:
            return self._listed.pop(below)
        scan = self / below
        head = scan.ask(lambda store: store.head_object(**scan._object))
        return head["ContentLength"], _time(head)

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """As `Place.open_below`; the object is fetched into a temporary file.

        Raises:
            ScanError: as `Place.open_below`, or the object is larger than the temporary folder.
        """

        def take(answer: Mapping[str, Any]) -> tuple[BinaryIO, int, int]:
            size = answer["ContentLength"]
            with contextlib.ExitStack() as stack:
                with _on_temporary_disk():
                    file = stack.enter_context(tempfile.TemporaryFile())
                    room = shutil.disk_usage(tempfile.gettempdir()).total
                if size <= most_bytes and size > room:
                    raise ScanError(
                        ErrorCode.TOO_MANY_BYTES,
                        f"the file has {size / 1e6:.0f} MB, the worker's temporary folder {room / 1e6:.0f} "
                        "MB: let TMPDIR of the workers name a larger one, and run again",
                    )
                if size <= most_bytes:
                    for chunk in answer["Body"].iter_chunks(_RANGE_BYTES):
                        with _on_temporary_disk():
                            file.write(chunk)
                with _on_temporary_disk():
                    file.seek(0)
                stack.pop_all()
            return cast(BinaryIO, file), size, _time(answer)

        return (self / below).fetch(take)

    @property
    def _object(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.key}

    @property
    def _kind(self) -> dict[str, str]:
        """The object's content type, for browsers; all text is UTF-8."""
        kind, _ = mimetypes.guess_type(self.name)
        if kind is None:
            return {}
        return {"ContentType": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind}

    @property
    def _prefix(self) -> str:
        return f"{self.key}/" if self.key else ""


class _Ranges(io.RawIOBase):
    """Read an object in ranges with one request each: a reader may take hours between two of them.

    Args:
        source: the object.
        start: the byte offset of the first range.
    """

    def __init__(self, source: Bucket, start: int) -> None:
        self._source = source
        self._offset = start
        self._tag = ""
        self._size = -1

    def readable(self) -> bool:
        """Return True: the object can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes.

        Raises:
            FileNotFoundError, PermissionError, StoreUnreachable: as `Bucket.fetch`.
            OSError: the object was replaced since the first range was read.
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
        except FileExistsError as error:
            raise OSError(errno.EIO, "it was replaced while it was read", str(self._source)) from error
        buffer[: len(content)] = content
        self._offset += len(content)
        return len(content)


@contextlib.contextmanager
def _on_temporary_disk(named: bool = True) -> Iterator[None]:
    """Turn errors of this machine's temporary folder into one that says so, for no scan or store is at fault.

    Args:
        named: whether errors that name a file are turned as well; an error of writing names no file.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not named:
            raise
        raise ResultsNotWritable(
            f"cannot write to the temporary folder: {error.strerror}",
            "Free some space there, or set TMPDIR to a folder with room for one scan per process.",
        ) from error


def _time(answer: Mapping[str, Any]) -> int:
    """Return an object's modification time in nanoseconds; it differs where the content differs."""
    changed: datetime = answer["LastModified"]
    tag = hashlib.blake2b(answer["ETag"].strip('"').encode(), digest_size=4).digest()
    return int(changed.timestamp()) * 10**9 + int.from_bytes(tag) % 10**9


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
