"""Read what is likely to be written on a job's pages: the value of `--context`, a pack's name or a file.

A pack is the file of a character n-gram. Some come with Lettermill, made of lists of names and of words of
languages; `lettermill context build` makes one of a list. A list itself, a word or `word,count` a line, is
made into one when the job is made. The job keeps the pack in its folder.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import installed_model_folder
from lettermill.jobs.inputs.word_list import MAX_BYTES, MAX_LETTERS, plain
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:  # Few jobs have a context, and loading NumPy takes longer than the rest.
    from lettermill.jobs.inputs.ngram import Ngram

PACKS = ("names", "english", "french", "german", "spanish", "italian", "portuguese", "dutch")
"""Names of the packs that come with Lettermill."""

PACK_SUFFIX = ".npz"

MOST_COUNT = 1_000_000
"""Larger counts of a word are refused."""

_PACK_START = b"PK"
"""How a pack's content begins: it is a zip file."""

_COUNT = re.compile(r"^(.*),\s*(\d+)$")
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015/]+")
"""What stands between the words of an entry."""

_COMMENT = "#"

_LIST_HELP = "Give a text file in UTF-8 with one word, or word,count, per line; or the name of a pack."


@dataclasses.dataclass(frozen=True)
class ContextPack:
    """What is likely to be written: a checked pack.

    Attributes:
        content: the bytes of its file.
    """

    content: bytes = dataclasses.field(repr=False)

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the file."""
        return hashlib.sha256(self.content).hexdigest()

    @functools.cached_property
    def ngram(self) -> Ngram:
        """The n-gram.

        Raises:
            ValueError: the content is no n-gram of this version.
        """
        from lettermill.jobs.inputs.ngram import Ngram

        return Ngram.from_bytes(self.content)


def installed_pack_folder() -> Path:
    """Return the folder of the packs that come with Lettermill."""
    return installed_model_folder().with_name("contexts")


def read_context(name: str) -> ContextPack:
    """Return a context.

    Args:
        name: of a pack that comes with Lettermill, or else the path of a pack or of a list.

    Raises:
        BadData: there is no such pack or file, or it cannot be used.
    """
    if name in PACKS:
        path = installed_pack_folder() / f"{name}{PACK_SUFFIX}"
        return context_of(path.read_bytes(), path)
    path = Path(name)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadData(
            f"cannot read the context {display_path(path)}: {error.strerror}",
            f"Give the name of a pack ({', '.join(PACKS)}), or a file.",
        ) from error
    return context_of(content, path)


def context_of(content: bytes, path: Path | Place) -> ContextPack:
    """Return the context of a file's content.

    Args:
        content: of a pack, or of a list.
        path: the file, for messages.

    Raises:
        BadData: it cannot be used.
    """
    if len(content) > MAX_BYTES:
        raise BadData(
            f"the context {display_path(path)} is larger than {MAX_BYTES // 2**20} megabytes", _LIST_HELP
        )
    if not content.startswith(_PACK_START):
        from lettermill.jobs.inputs.ngram import make_ngram

        return ContextPack(make_ngram(_words(content, path)).to_bytes())
    pack = ContextPack(content)
    try:
        _ = pack.ngram
    except ValueError as error:
        raise BadData(
            f"the context {display_path(path)} is no pack of this version: {error}",
            "Make it again with: lettermill context build",
        ) from error
    return pack


def words_of(text: str) -> list[str]:
    """Return the words of a text as a context spells them: capitals without accents, and digits."""
    return [word for piece in _SEPARATORS.split(text) if (word := plain(piece))]


def _words(content: bytes, path: Path | Place) -> Counter[str]:
    """Count the words of a list.

    Raises:
        BadData: a line is not UTF-8 or cannot be used, or there is no word.
    """
    known = frozenset(LETTERS + DIGITS)
    words: Counter[str] = Counter()
    for number, line in enumerate(content.split(b"\n"), 1):

        def problem(what: str, number: int = number) -> BadData:
            return BadData(f"{display_path(path)}, line {number}: the line {what}", _LIST_HELP)

        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise problem("is not UTF-8") from error
        if not text or text.startswith(_COMMENT):
            continue
        counted = _COUNT.match(text)
        count = int(counted[2]) if counted else 1
        if not 0 < count <= MOST_COUNT:
            raise problem(f"has a count that is not between 1 and {MOST_COUNT:,}")
        found = words_of(counted[1] if counted else text)
        if not found or not all(known.issuperset(word) for word in found):
            raise problem(f"({text[:40]!r}) has characters other than letters and digits")
        if max(map(len, found)) > MAX_LETTERS:
            raise problem(f"has more than {MAX_LETTERS} letters in a word")
        words.update(dict.fromkeys(found, count))
    if not words:
        raise BadData(f"the context {display_path(path)} has no words", _LIST_HELP)
    return words
