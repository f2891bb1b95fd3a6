"""Read and check a word list: the file of `--lexicon`, checked when a job is made and kept in its folder."""

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
"""Longer lists are refused: with more words, nearly every string of letters is similar to one of them, so a
list would be of no use."""

MAX_LETTERS = 64
"""Longer entries are refused: no name is that long, so the file is no word list."""

_COMMENT = "#"

_PLAIN = str.maketrans(
    {"ẞ": "SS", "Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "Ħ": "H"}
)
"""Letters that Unicode does not decompose into a plain capital and its accent."""

_DROPPED_CATEGORIES = frozenset("PZM")
"""First letters of the Unicode categories that are left out of words: punctuation (hyphens, apostrophes, full
stops), spaces, and accents once they are separated from their letters."""

_NEXT_STEP = "Give a text file in UTF-8 with one word or name per line."


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A word of the list.

    Attributes:
        letters: the word as it is searched for in the ink: capitals and digits alone.
        line: number of its line in the file, from 1.
        begin: offset in bytes of the entry as it is written in the file.
        end: offset of the byte after it.
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
        content: its bytes; lists are large, so entries are parsed from the bytes when they are needed.
        characters: the characters that an entry may have.
    """

    path: Path | Place
    content: bytes = dataclasses.field(repr=False)
    characters: str

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.content).hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Parse the entries in the order of the file, without blank lines and lines that start with #.

        Raises:
            BadData: a line is not UTF-8, too long, or has characters that the alphabet lacks.
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
        path: a text file in UTF-8, one word per line.
        characters: the characters that an entry may have.

    Raises:
        BadData: the file is missing, too large or empty, or one of its lines cannot be used.
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
        BadData: the file is too large, has no entries or too many, or one of them cannot be used.
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
                "Give only the words that these pages can contain: a list of all words is of no use.",
            )
    if not count:
        raise BadData(f"the word list {display_path(words.path)} has no words", _NEXT_STEP)


def plain(text: str) -> str:
    """Return a text as it is searched for in the ink: capitals without accents, spaces or punctuation."""
    if text.isascii() and text.isalnum():
        return text.upper()
    apart = unicodedata.normalize("NFKD", text)
    kept = (char for char in apart if unicodedata.category(char)[0] not in _DROPPED_CATEGORIES)
    return "".join(kept).upper().translate(_PLAIN)
