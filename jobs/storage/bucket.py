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
from lettermill.jobs.storage.disk import Place

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

_TRIES, _LONGEST_PAUSE = 8, 20
"""Of one request, and seconds between two: a store may be away for half a minute and more."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60

_AT_ONCE = 16
"""Requests under way at once where many small objects are read or written."""

_RANGE = 256 * 1024
"""Bytes of a large object fetched at once: a window of pages takes about 50 kB of the manifest."""

_GONE = frozenset({"404", "NoSuchKey", "NotFound"})
_FORBIDDEN = frozenset({"403", "AccessDenied"})
_NO_BUCKET = "NoSuchBucket"
_PRESENT = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})
_BEHIND_THE_END = "InvalidRange"
_BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "TooManyRequests"})

_hurried: set[int] = set()


def hurry() -> None:
    """Let this process wait for a store for seconds, for it has other things to see to than its requests."""
    _hurried.add(os.getpid())
    _client.cache_clear()


def bucket(address: str) -> Bucket:
    """Return the place of an address `s3://BUCKET/PREFIX`.

    Raises:
        UsageProblem: it names no bucket, or a prefix that no folder could have.
    """
    name, _, prefix = address.removeprefix("s3://").partition("/")
    parts = [part for part in prefix.split("/") if part]
    if not name or not {".", ".."}.isdisjoint([name, *parts]):
        raise UsageProblem(f"{address!r} names no place in a bucket", "Write it as s3://BUCKET/PREFIX.")
    return Bucket(name, "/".join(parts))


@functools.cache
def _client(process: int) -> Any:
    """Return a client; connections are not shared with a process that was forked."""
    hurried = process in _hurried
    config = Config(
        # Tried again by `Bucket.ask`: boto3 gives up trying after a few failures in a row.
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=3 if hurried else _CONNECT_SECONDS,
        read_timeout=5 if hurried else _READ_SECONDS,
        tcp_keepalive=True,
        max_pool_connections=2 * _AT_ONCE,
    )
    try:
        return boto3.session.Session().client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise UsageProblem(
            f"the object store cannot be asked: {error}",
            "Correct the settings that boto3 reads: AWS_ENDPOINT_URL_S3 (an address with https://), "
            "AWS_DEFAULT_REGION, AWS_PROFILE.",
        ) from error


def _may_pass(error: BaseException) -> bool:
    """Say whether a request may succeed when it is made again."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status == 429 or _code(error) in _BUSY
    return isinstance(error, HTTPClientError | IncompleteReadError)


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
        try:
            found = self.ask(
                lambda store: store.list_objects_v2(Bucket=self.bucket, Prefix=self._prefix, MaxKeys=1)
            )
        except PermissionError:
            return True  # What may not be listed may be read all the same.
        return bool(found["KeyCount"])

    def version(self) -> str:
        """See `Place.version`."""
        try:
            head = self.ask(lambda store: store.head_object(**self._object))
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
        self, take: Callable[[Mapping[str, Any]], _Answer], more: Mapping[str, str] | None = None
    ) -> _Answer:
        """Get the object; where its body breaks off it is asked for anew.

        Args:
            take: makes something of the store's answer.
            more: parameters of the request.

        Returns:
            What `take` returned.

        Raises:
            EOFError: the range that was asked for lies behind its end.
            Exception: as `ask`.
        """

        def get(store: Any) -> _Answer:
            answer = store.get_object(**self._object, **(more or {}))
            with contextlib.closing(answer["Body"]):
                return take(answer)

        return self.ask(get)

    def ask(self, act: Callable[[Any], _Answer], writes: bool = False) -> _Answer:
        """Make a request, again and again where that may help.

        Args:
            act: makes it, with the client.
            writes: whether the object is to be written or deleted.

        Returns:
            What `act` returned.

        Raises:
            FileNotFoundError, PermissionError: there is no such object, or it may not be read.
            ResultsNotWritable: it may not be written.
            StoreUnreachable: the store does not answer, or not as it should.
        """
        process = os.getpid()
        trying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(1 if process in _hurried else _TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE),
            retry=tenacity.retry_if_exception(_may_pass),
            reraise=True,
        )
        try:
            return trying(act, _client(process))
        except ClientError as error:
            raise self._said(_code(error), error, writes) from error
        except BotoCoreError as error:
            raise self._unreachable(error) from error

    def _said(self, code: str, error: ClientError, writes: bool) -> Exception:
        """Return what a store's answer means."""
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
            return FileExistsError(errno.EEXIST, "it is another object by now", str(self))
        return self._unreachable(error)

    def _unreachable(self, error: Exception) -> StoreUnreachable:
        return StoreUnreachable(
            f"the object store does not do what it is asked for {self}: {error}",
            "Check the name of the bucket, the network, AWS_ENDPOINT_URL_S3 and the credentials "
            "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine).",
        )

    @contextlib.contextmanager
    def written_whole(self) -> Iterator[TextIO]:
        """See `Place.written_whole`; what is written lies in a temporary file until it is uploaded."""
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
        """See `Place.write`."""
        self.ask(lambda store: store.put_object(**self._object, **self._kind, Body=content), writes=True)

    def create(self, content: bytes) -> bool:
        """See `Place.create`."""
        try:
            self.ask(
                lambda store: store.put_object(**self._object, Body=content, IfNoneMatch="*"), writes=True
            )
        except FileExistsError:
            return False
        return True

    def renew(self) -> None:
        """See `Place.renew`."""
        source = {"Bucket": self.bucket, "Key": self.key}
        # A store copies an object onto itself only where something changes: here its metadata.
        now = {"renewed": str(time.time_ns())}
        self.ask(
            lambda store: store.copy_object(
                **self._object, CopySource=source, Metadata=now, MetadataDirective="REPLACE"
            ),
            writes=True,
        )

    def unlink(self, missing_ok: bool = False) -> None:
        """See `Place.unlink`; a store deletes what is not there without a word."""
        self.ask(lambda store: store.delete_object(**self._object), writes=True)

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
        """See `Place.begin`; of two processes that begin at the same moment one line may be lost."""
        content = f"{line}\n".encode()
        if not self.create(content):
            before = self._content()
            if content in before.splitlines(keepends=True):
                content = before  # The store had taken it, and its answer was lost.
            else:
                content = before + content
                self.write(content)
        yield content

    def append(self, line: str) -> None:
        """See `Place.append`."""
        self.write(self._content() + f"{line}\n".encode())

    def _content(self) -> bytes:
        try:
            return self.parent.read(self.name)
        except FileNotFoundError:
            return b""

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

    def files(self) -> Iterator[str]:
        """See `Place.files`; what the listing says of them is kept for `measure`."""
        try:
            for entry in self.objects():
                path = entry["Key"][len(self._prefix) :]
                if not path.endswith("/") and not any(part[:1] == "." for part in path.split("/")):
                    self._listed[path] = entry["Size"], _time(entry)
                    yield path
        except PermissionError as error:
            raise UsageProblem(
                f"cannot list {self}: {error.strerror}", "Correct the rights of these credentials."
            ) from error

    @functools.cached_property
    def _listed(self) -> dict[str, tuple[int, int]]:
        return {}

    def measure(self, below: str) -> tuple[int, int]:
        """See `Place.measure`; a store tells seconds, the nanoseconds are a digest of the content's tag."""
        if below in self._listed:
            return self._listed.pop(below)
        scan = self / below
        head = scan.ask(lambda store: store.head_object(**scan._object))
        return head["ContentLength"], _time(head)

    def open_below(self, below: str, most_bytes: float) -> tuple[BinaryIO, int, int]:
        """See `Place.open_below`; the object is fetched into a temporary file.

        Raises:
            ScanError: as `Place.open_below`, or it is larger than the temporary folder.
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
                    for piece in answer["Body"].iter_chunks(_RANGE):
                        with _on_temporary_disk():
                            file.write(piece)
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
        """What a browser does with the object: all text is UTF-8."""
        kind, _ = mimetypes.guess_type(self.name)
        if kind is None:
            return {}
        return {"ContentType": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind}

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
            FileNotFoundError, PermissionError, StoreUnreachable: as `Bucket.fetch`.
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
        except FileExistsError as error:
            raise OSError(errno.EIO, "it was replaced while it was read", str(self._source)) from error
        buffer[: len(content)] = content
        self._offset += len(content)
        return len(content)


@contextlib.contextmanager
def _on_temporary_disk(named: bool = True) -> Iterator[None]:
    """Turn errors of this machine's temporary folder into one that says so: no scan and no store is at fault.

    Args:
        named: whether errors that name a file are meant as well; writing to an open file names none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not named:
            raise
        raise ResultsNotWritable(
            f"cannot write to the temporary folder: {error.strerror}",
            "Free some space there, or set TMPDIR to a folder with room for a scan a process.",
        ) from error


def _time(answer: Mapping[str, Any]) -> int:
    """Return an object's modification time in nanoseconds, which differs where the content does."""
    changed: datetime = answer["LastModified"]
    tag = hashlib.blake2b(answer["ETag"].strip('"').encode(), digest_size=4).digest()
    return int(changed.timestamp()) * 10**9 + int.from_bytes(tag) % 10**9


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
