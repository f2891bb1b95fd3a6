"""Finds words that are written downwards, letter below letter, and reads them so.

White space does not tell them from single letters in the rows of a form, such as the answers of a test: both
are columns of letters, far from each other. So the letters decide: in words, most pairs of neighbours are
common ones, and in answers and codes few are.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from lettermill.jobs.records.readings import Box, Letter, LineReading

LEAST_COLUMN_LETTERS = 3
"""Letters of the shortest column: two are below each other by chance."""

LEAST_PAIRS = 3
"""Pairs of neighbours from which they show that letters make words: those of one word of four letters."""

WIDEST_GAP_LETTERS = 1.5
"""Paper between a letter of a word and the one below it; lines of text are one letter height apart."""

ASIDE_LETTERS = 0.6
"""How far the middle of a letter may be to the side of the one above: some align them on the left."""

LEAST_CLEAR_LETTERS, LEAST_CLEAR_RATIO = 0.8, 2.0
"""Paper beside a column: in letter heights, and in gaps between its letters."""

WORD_PAIRS_SHARE, DOUBTFUL_PAIRS_SHARE = 0.6, 0.5
"""Share of common pairs in words, 0.8 on average, and the one from which it is uncertain; by chance 0.25."""

ACROSS_LESS_SHARE = 0.2
"""How much smaller the share must be if the same letters are read across."""

ANSWERS = frozenset("ABCDEF")
"""Columns of nothing else are answers or grades, though AB, BE and DE are common pairs."""

FOLLOWERS = {
    "A": "BCDGILMNPRSTUY",
    "B": "AEILORU",
    "C": "AEHIKLORTU",
    "D": "AEIORSU",
    "E": "ACDEFLMNPRSTUVWXY",
    "F": "AEIOR",
    "G": "AEHIOR",
    "H": "AEIOU",
    "I": "ABCDEFGLMNORSTV",
    "K": "EI",
    "L": "ADEILOSUY",
    "M": "AEIOPU",
    "N": "ACDEGIOSTU",
    "O": "CDFLMNOPRSTUVW",
    "P": "AEILOPR",
    "Q": "U",
    "R": "ADEIMORSTUY",
    "S": "ACEHIOPSTU",
    "T": "AEHIORSTUY",
    "U": "LMNPRST",
    "V": "AEI",
    "W": "AEIO",
}
"""Letters that often follow each letter: the most frequent pairs in English words, four fifths of all."""


class _Placed(NamedTuple):
    """A letter that stands alone, and where.

    Attributes:
        letter: the letter.
        line: the number of its line.
        clear: paper in pixels to its neighbours in the line; infinite if it is alone.
    """

    letter: Letter
    line: int
    clear: float

    @property
    def x(self) -> float:
        """Column of its middle."""
        return self.letter.box.x + self.letter.box.width / 2

    @property
    def bottom(self) -> int:
        """Row below it."""
        return self.letter.box.y + self.letter.box.height


_Column = list[_Placed]


def read_downward_words(lines: Sequence[LineReading]) -> tuple[tuple[LineReading, ...], bool]:
    """Read columns of single letters downwards if they make words only so.

    Args:
        lines: of a page, in reading order, as they are read across.

    Returns:
        The lines, each downward word one of them, in the place of the lines that its letters were in; and
        whether there are letters that may be words in this direction, read so or not.
    """
    columns = _columns(lines)
    in_columns = {id(placed.letter) for column in columns for placed in column}
    is_pure = [all(id(letter) in in_columns or letter.is_mark for letter in line.letters) for line in lines]
    found: list[LineReading] = []
    may_be = False
    start = 0
    for pure, group in itertools.groupby(is_pure):
        stop = start + len(list(group))
        within = [column for column in columns if start <= column[0].line < stop]
        across = lines[start:stop] if pure else []
        share, share_across = _common_share(_words(within)), _common_share([_text(line) for line in across])
        is_clear = share >= share_across + ACROSS_LESS_SHARE
        may_be |= share >= DOUBTFUL_PAIRS_SHARE and is_clear
        if pure and is_clear and share >= WORD_PAIRS_SHARE:
            found += [_line_of(column, lines) for column in sorted(within, key=lambda column: column[0].x)]
        else:
            found += lines[start:stop]
        start = stop
    return tuple(found), may_be


def _columns(lines: Sequence[LineReading]) -> list[_Column]:
    """Chains of letters that stand alone, each below the one before and far from what is beside it."""
    columns: list[_Column] = []
    for placed in sorted(_single_letters(lines), key=lambda one: (one.letter.box.y, one.letter.box.x)):
        height = placed.letter.box.height
        above = [
            column
            for column in columns
            if abs(column[-1].x - placed.x) <= ASIDE_LETTERS * height
            and 0 <= placed.letter.box.y - column[-1].bottom <= WIDEST_GAP_LETTERS * height
        ]
        if above:
            max(above, key=lambda column: column[-1].bottom).append(placed)
        else:
            columns.append([placed])
    return [column for column in columns if len(column) >= LEAST_COLUMN_LETTERS and _is_clear(column)]


def _single_letters(lines: Sequence[LineReading]) -> Iterator[_Placed]:
    """The letters that have paper on both sides."""
    for number, line in enumerate(lines):
        letters = [letter for letter in line.letters if not letter.is_mark]
        boxes = [letter.box for letter in letters]
        gaps = [right.x - left.x - left.width for left, right in itertools.pairwise(boxes)]
        sides = zip([np.inf, *gaps], [*gaps, np.inf], strict=True)
        for letter, clear in zip(letters, map(min, sides), strict=True):
            if clear >= LEAST_CLEAR_LETTERS * letter.box.height:
                yield _Placed(letter, number, float(clear))


def _is_clear(column: _Column) -> bool:
    """Whether the letters of a column are nearer to each other than to what is beside them."""
    gaps = [low.letter.box.y - high.bottom for high, low in itertools.pairwise(column)]
    return min(placed.clear for placed in column) >= LEAST_CLEAR_RATIO * float(np.median(gaps))


def _words(columns: Sequence[_Column]) -> list[str]:
    """What columns say downwards."""
    return ["".join(placed.letter.letter for placed in column) for column in columns]


def _text(line: LineReading) -> str:
    """What a line says, without spaces."""
    return "".join(letter.letter for letter in line.letters if not letter.is_mark)


def _common_share(texts: Sequence[str]) -> float:
    """Share of common pairs among the neighbours in texts, 0 if they are too few or nothing but answers."""
    pairs = [left + right for text in texts for left, right in itertools.pairwise(text)]
    if len(pairs) < LEAST_PAIRS or set("".join(texts)) <= ANSWERS:
        return 0.0
    return sum(pair[1] in FOLLOWERS.get(pair[0], "") for pair in pairs) / len(pairs)


def _line_of(column: _Column, lines: Sequence[LineReading]) -> LineReading:
    """Make one line with one word of a column."""
    letters = tuple(msgspec.structs.replace(placed.letter, word=1) for placed in column)
    left, top = (min(getattr(one.box, side) for one in letters) for side in "xy")
    right = max(one.box.x + one.box.width for one in letters)
    low = max(one.box.y + one.box.height for one in letters)
    has_list = any(lines[placed.line].lexicon_text for placed in column)
    text = "".join(letter.letter for letter in letters)
    return LineReading(Box(left, top, right - left, low - top), letters, text if has_list else "")
