"""Word lists: the file of `--lexicon`, checked when a job is made and kept in the job's folder."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from lettermill.jobs.errors import BadData
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

MAX_BYTES = 16 * 2**20
"""Larger files are refused: half a million names take about five megabytes."""

MAX_ENTRIES = 500_000
"""Longer lists are refused: with more words nearly every string of letters is near one of them, and a list
tells nothing."""

MAX_LETTERS = 64
"""Longer entries are refused: no name on a line is that long; it is a file of something else."""

_COMMENT = "#"

_PLAIN = str.maketrans(
    {"ẞ": "SS", "Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "Ħ": "H"}
)
"""Letters that Unicode does not take apart into a plain capital and its accent."""

_DROPPED = frozenset("PZM")
"""First letters of Unicode's categories of what is not written with the letters of a word: punctuation
(hyphens, apostrophes, full stops), spaces, and accents once they are taken off."""

_NEXT_STEP = "Give a text file in UTF-8 with a word or name a line."


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A word of the list.

    Attributes:
        letters: what is looked for in the ink: capitals and digits alone.
        line: where it stands in the file, from 1.
        begin: byte in the file where the entry, as it is written, begins.
        end: the byte behind it.
    """

    letters: str
    line: int
    begin: int
    end: int


@dataclasses.dataclass(frozen=True)
class WordList:
    """A checked word list.

    Attributes:
        path: the file.
        content: its bytes; lists are large, so the entries are read from them when they are needed.
        characters: the characters that may be read.
    """

    path: Path | Place
    content: bytes = dataclasses.field(repr=False)
    characters: str

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.content).hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Read the entries in the order of the file: blank lines and lines that start with # are none.

        Raises:
            BadData: a line is no UTF-8, too long, or has characters that cannot be read.
        """
        known = frozenset(self.characters)
        end = -1
        for number, line in enumerate(self.content.split(b"\n"), 1):
            begin, end = end + 1, end + 1 + len(line)
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._problem(number, "is not UTF-8") from error
            word = text.strip()
            if not word or word.startswith(_COMMENT):
                continue
            letters = plain(word)
            if not letters or not known.issuperset(letters):
                raise self._problem(number, f"({word[:40]!r}) has characters that the job's alphabet lacks")
            if len(letters) > MAX_LETTERS:
                raise self._problem(number, f"has more than {MAX_LETTERS} letters")
            begin += line.index(word.encode())
            yield Entry(letters, number, begin, begin + len(word.encode()))

    def _problem(self, number: int, what: str) -> BadData:
        return BadData(f"{display_path(self.path)}, line {number}: the line {what}", _NEXT_STEP)


def read_word_list(path: Path, characters: str) -> WordList:
    """Read a word list and check it.

    Args:
        path: a text file in UTF-8, a word a line.
        characters: the characters that may be read.

    Raises:
        BadData: the file is missing, too large, empty, or one of its lines cannot be used.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadData(
            f"cannot read the word list {display_path(path)}: {error.strerror}", _NEXT_STEP
        ) from error
    words = WordList(path, content, characters)
    check_word_list(words)
    return words


def check_word_list(words: WordList) -> None:
    """Check the entries of a word list.

    Raises:
        BadData: the file is too large, has none or too many, or one of them cannot be used.
    """
    if len(words.content) > MAX_BYTES:
        raise BadData(
            f"the word list {display_path(words.path)} is larger than {MAX_BYTES // 2**20} megabytes",
            _NEXT_STEP,
        )
    count = 0
    for entry in words.entries():
        count += 1
        if count > MAX_ENTRIES:
            raise BadData(
                f"{display_path(words.path)}, line {entry.line}: "
                f"the list has more than {MAX_ENTRIES:,} words",
                "Give the words that can stand on these pages: a list of all words tells nothing.",
            )
    if not count:
        raise BadData(f"the word list {display_path(words.path)} has no words", _NEXT_STEP)


def plain(text: str) -> str:
    """Return a text as it is looked for in the ink: capitals without accents, spaces or punctuation."""
    if text.isascii() and text.isalnum():
        return text.upper()
    apart = unicodedata.normalize("NFKD", text)
    kept = (char for char in apart if unicodedata.category(char)[0] not in _DROPPED)
    return "".join(kept).upper().translate(_PLAIN)
