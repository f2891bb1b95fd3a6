"""What lies below a scan folder and is not read: counted when a job is made, shown with its results."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, Any

import msgspec

from lettermill.jobs.storage.display import display_path

NAMES_KEPT = 20
"""How many links and other names are kept; of more only the number. A person looks at the first few."""

SUFFIXES_KEPT = 20
"""How many suffixes are kept, the most frequent ones; the others count together, as `OTHER_SUFFIXES`."""

OTHER_SUFFIXES = "*"

_SUFFIX = re.compile(r"\.\w{1,12}")
"""What counts as a suffix. `. May` of "letter of 4. May" is none, nor are bytes that are not UTF-8."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class Names(msgspec.Struct, frozen=True):
    """Some paths below the scan folder.

    Attributes:
        count: how many there are.
        first: the first `NAMES_KEPT` of them, in order.
    """

    count: _Count = 0
    first: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: Iterable[str]) -> Names:
        """Return the names of these paths."""
        ordered = sorted(paths)
        return cls(len(ordered), tuple(ordered[:NAMES_KEPT]))

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return ", ".join([*map(_shown, self.first), *([f"and {more} more"] if more else [])])

    def to_json(self) -> dict[str, Any]:
        """Return the names as plain values."""
        return {"count": self.count, "first": [display_path(path) for path in self.first]}


class LeftOut(msgspec.Struct, frozen=True):
    """What lies below a scan folder and is not read, apart from hidden files and those of systems.

    Attributes:
        by_suffix: files that do not end like a scan by their suffix in small letters, most frequent first;
            the empty one stands for files without any.
        linked_folders: links to folders, which are not followed.
        no_files: what is neither a file nor a folder: links to nothing, pipes, devices.
    """

    by_suffix: dict[str, _Count] = {}
    linked_folders: Names = Names()
    no_files: Names = Names()

    @classmethod
    def of(cls, files: Iterable[str], linked_folders: Iterable[str], no_files: Iterable[str]) -> LeftOut:
        """Count what is left out.

        Args:
            files: paths of files that do not end like a scan.
            linked_folders: paths of links to folders.
            no_files: paths of what is neither a file nor a folder.
        """
        suffixes = Counter(map(_suffix, files))
        ordered = sorted(suffixes.items(), key=lambda one: (not one[0], -one[1], one[0]))
        kept = dict(ordered[:SUFFIXES_KEPT])
        if others := suffixes.total() - sum(kept.values()):
            kept[OTHER_SUFFIXES] = others
        return cls(kept, Names.of(linked_folders), Names.of(no_files))

    def __bool__(self) -> bool:
        return bool(self.by_suffix or self.linked_folders.count or self.no_files.count)

    def without(self, suffixes: Collection[str]) -> LeftOut:
        """Return it without the files of some suffixes."""
        kept = {suffix: count for suffix, count in self.by_suffix.items() if suffix not in suffixes}
        return msgspec.structs.replace(self, by_suffix=kept)

    def has_more_than(self, other: LeftOut) -> bool:
        """Return whether more files of a suffix, or other names, are left out than there."""
        return (
            any(count > other.by_suffix.get(suffix, 0) for suffix, count in self.by_suffix.items())
            or not set(self.linked_folders.first) <= set(other.linked_folders.first)
            or not set(self.no_files.first) <= set(other.no_files.first)
        )

    @property
    def files(self) -> str:
        """The files by suffix, in words: `2 .docx, 1 .gif, 1 without a suffix`."""
        return ", ".join(f"{count} {_named(suffix)}" for suffix, count in self.by_suffix.items())

    def sentences(self) -> Iterator[str]:
        """Yield what is left out and why, a sentence each without a full stop."""
        if self.by_suffix:
            yield f"left out, because they do not end like scans: {self.files}"
        if self.linked_folders.count:
            yield f"left out, because links to folders are not followed: {self.linked_folders}"
        if self.no_files.count:
            yield f"left out, because no file is there (a broken link, a pipe, a device): {self.no_files}"

    def to_json(self) -> dict[str, Any]:
        """Return it as in summary.json."""
        return {
            "by_suffix": self.by_suffix,
            "linked_folders": self.linked_folders.to_json(),
            "no_files": self.no_files.to_json(),
        }


NOTHING = LeftOut()


def _suffix(path: str) -> str:
    found = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a string
    return found if _SUFFIX.fullmatch(found) else ""


def _named(suffix: str) -> str:
    if suffix == OTHER_SUFFIXES:
        return "with other suffixes"
    return suffix or "without a suffix"


def _shown(path: str) -> str:
    """Return a path for a sentence; one that holds commas or line breaks is quoted."""
    shown = display_path(path)
    return shown if shown.isprintable() and "," not in shown else repr(shown)
