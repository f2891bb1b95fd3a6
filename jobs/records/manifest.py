"""Read and write the manifest: one line per page that a job reads, in the order of the results."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_ID_LENGTH = 24
_ID = re.compile(f"[0-9a-f]{{{_ID_LENGTH}}}")
_START = b'{"id":"'
"""How a line begins: the ids of a whole manifest are cut out of its lines without decoding them."""

_DRAWING_PATH_BYTES = 150
"""How much of a scan's path is in the name of a drawing: with number and id it fits any file system."""

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Size = Annotated[int, msgspec.Meta(ge=0)]


class ManifestEntry(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A page that a job reads: a line of manifest.jsonl, and the page in a message of the queue.

    Attributes:
        id: digest of path, size, mtime_ns, page, settings and model.
        scan: path below the scan root, with `/`; lone surrogates stand for bytes that are not UTF-8.
        page: page number in the scan, from 1.
        bytes: size of the scan file.
        mtime_ns: modification time of the scan file.
        pages: how many pages the scan has.
    """

    id: Annotated[str, msgspec.Meta(pattern=rf"^{_ID.pattern}\Z")]
    scan: Annotated[str, msgspec.Meta(min_length=1)]
    page: _Count
    bytes: _Size
    mtime_ns: int
    pages: _Count

    @classmethod
    def of(
        cls, scan: str, page: int, size: int, mtime_ns: int, pages: int, identity: tuple[str, str]
    ) -> ManifestEntry:
        """Return the entry of a page.

        Args:
            scan: path below the scan root, with `/`.
            page: page number in the scan, from 1.
            size: of the scan file in bytes.
            mtime_ns: its modification time.
            pages: how many pages it has.
            identity: the fingerprints of settings and model.
        """
        return cls(
            digest(scan, size, mtime_ns, page, *identity)[:_ID_LENGTH], scan, page, size, mtime_ns, pages
        )

    @classmethod
    def from_json(cls, values: object) -> ManifestEntry:
        """Return the entry from plain values.

        Raises:
            ValueError: the values are not those of a page.
        """
        entry = msgspec.convert(values, cls)
        if b"\0" in os.fsencode(entry.scan):  # `fsencode` raises ValueError where no file can have the name.
            raise ValueError("a scan's path holds a NUL")
        return entry

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain values."""
        return msgspec.structs.asdict(self)

    def to_line(self) -> str:
        """Return the entry's line in the manifest."""
        return json.dumps(self.to_json(), separators=(",", ":")) + "\n"

    def belongs_to(self, identity: tuple[str, str]) -> bool:
        """Return whether the id is the one that this page has under a job's settings and model."""
        return self == self.of(self.scan, self.page, self.bytes, self.mtime_ns, self.pages, identity)

    @property
    def drawing(self) -> str:
        """The file name of the page's drawing (`--debug`); it differs for every page, settings and model."""
        start = os.fsencode(self.scan.replace("/", "-"))[:_DRAWING_PATH_BYTES].decode("utf-8", "ignore")
        return f"{start}-{self.page}-{self.id[:8]}.png"


def read_manifest(path: Place, start: int = 0) -> Iterator[tuple[ManifestEntry, int]]:
    """Read a manifest from a byte offset.

    Args:
        path: the file manifest.jsonl.
        start: byte offset of a line's start.

    Yields:
        Each page, and the byte offset after its line.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    try:
        with path.opened(start) as file:
            offset = start
            for line in file:
                offset += len(line)
                yield ManifestEntry.from_json(json.loads(line)), offset
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error


def manifest_ids(path: Place) -> list[str]:
    """Return the ids of all pages of a manifest in its order, as fast as the file can be read.

    Raises:
        NotAJob: the manifest is missing or damaged.
    """
    begin, end = len(_START), len(_START) + _ID_LENGTH
    try:
        with path.opened() as file:
            ids = [_id(line, begin, end) for line in file]
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    return ids


def _id(line: bytes, begin: int, end: int) -> str:
    found = line[begin:end].decode("ascii")
    if not line.startswith(_START) or not _ID.fullmatch(found) or not line.endswith(b"}\n"):
        raise ValueError("a line is not the line of a page")
    return found


def _damaged(path: Place, error: Exception) -> NotAJob:
    return NotAJob(
        f"cannot read {display_path(path)}: {error}",
        "Give the command that made the job again: it writes a new manifest.",
    )


def digest(*parts: object) -> str:
    """Return a digest of some values, hexadecimal."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
