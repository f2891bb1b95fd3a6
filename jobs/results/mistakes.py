"""Find mistakes in a reading, and tell errors of segmentation from errors of classification.

The truth has no boxes, so the kinds are inferred from the shortest alignment of the two texts (Levenshtein
1966) and from the boxes of the letters that were read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from enum import StrEnum
from statistics import median

from lettermill.jobs.records.readings import Letter

MERGED_WIDTH_LETTERS = 1.5
"""A letter wider than this, in median letter widths of its line, also holds its neighbour."""

SPLIT_WIDTH_LETTERS = 1.2
"""Two letters that together are at most this wide, in median letter widths, are parts of one letter."""

SPLIT_GAP_LETTERS = 0.3
"""The largest gap between parts of one letter, in median letter widths."""

MOST_FOR_ONE_LETTERS = 2
"""The most letters that are read for one, or one for them; the rest of a run was invented or missed."""

ENOUGH_LETTERS = 3
"""From this many letters on, the median of a line says how wide a letter is."""


class Kind(StrEnum):
    """What went wrong."""

    CONFUSED = "confused"
    MISSED = "missed"
    INVENTED = "invented"
    SPLIT = "split"
    MERGED = "merged"


SEGMENTATION = (Kind.MISSED, Kind.INVENTED, Kind.SPLIT, Kind.MERGED)
"""The kinds in which the number of letters is wrong."""


@dataclasses.dataclass(frozen=True, slots=True)
class ReadLetter:
    """A letter that was read and the number of its line; lines are numbered through all pages of a file."""

    line: int
    letter: Letter


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """Neighbouring letters that went wrong together.

    Attributes:
        kind: what went wrong.
        start: where `written` begins in the truth.
        first: where `read` begins in the reading.
        written: the letters of the truth; empty if letters were invented, or are part of a split letter.
        read: the letters of the reading; empty if letters were missed, or merged into the letter beside.
    """

    kind: Kind
    start: int
    first: int
    written: str
    read: str

    @property
    def edits(self) -> int:
        """How many letters must be replaced, inserted or deleted to correct it."""
        return max(len(self.written), len(self.read))


def find_mistakes(truth: str, read: Sequence[ReadLetter]) -> list[Mistake]:
    """Compare a reading with the truth.

    A run of neighbouring edits that keeps the number of letters consists of confused letters. Letters read
    for half or twice their number are merged or split. Missing letters are merged if a letter beside them is
    too wide for one letter, else missed. Extra letters are parts of a split letter if one of them and a
    letter beside it are together no wider than one letter, else invented.

    Args:
        truth: characters of the alphabet.
        read: letters in the order of the reading.

    Returns:
        The mistakes in order; their edits add up to the Levenshtein distance.
    """
    mistakes: list[Mistake] = []
    for start, end, first, last in _runs(truth, "".join(one.letter.letter for one in read)):
        mistakes += _judge(truth, read, start, end, first, last)
    return mistakes


def _runs(truth: str, text: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield runs of neighbouring edits: start and end in the truth, start and end in the text."""
    from rapidfuzz.distance import Levenshtein

    run: tuple[int, int, int, int] | None = None
    for block in Levenshtein.opcodes(truth, text):
        if block.tag == "equal":
            if run:
                yield run
            run = None
        else:
            start, first = (run[0], run[2]) if run else (block.src_start, block.dest_start)
            run = start, block.src_end, first, block.dest_end
    if run:
        yield run


def _judge(
    truth: str, read: Sequence[ReadLetter], start: int, end: int, first: int, last: int
) -> Iterator[Mistake]:
    """Yield the mistakes of which a run of edits consists."""
    written, got = end - start, last - first
    text = "".join(one.letter.letter for one in read[first:last])
    if written == 0:
        for at in range(first, last):
            kind = Kind.SPLIT if _is_part(read, at) else Kind.INVENTED
            yield Mistake(kind, start, at, "", text[at - first])
    elif got == 0:
        kind = Kind.MERGED if end - start == 1 and _is_wide_beside(read, first) else Kind.MISSED
        for at in range(start, end):
            yield Mistake(kind, at, first, truth[at], "")
    elif written < got <= MOST_FOR_ONE_LETTERS * written:
        yield Mistake(Kind.SPLIT, start, first, truth[start:end], text)
    elif got < written <= MOST_FOR_ONE_LETTERS * got:
        yield Mistake(Kind.MERGED, start, first, truth[start:end], text)
    else:
        both = min(written, got)
        for offset in range(both):
            yield Mistake(Kind.CONFUSED, start + offset, first + offset, truth[start + offset], text[offset])
        yield from _judge(truth, read, start + both, end, first + both, last) if written != got else ()


def _is_wide_beside(read: Sequence[ReadLetter], at: int) -> bool:
    """Say whether the letter before or after a gap in the reading is too wide for one letter."""
    beside = read[max(0, at - 1) : at + 1]
    widths = [(one, _usual_width(read, one.line)) for one in beside]
    return any(usual and one.letter.box.width > MERGED_WIDTH_LETTERS * usual for one, usual in widths)


def _is_part(read: Sequence[ReadLetter], at: int) -> bool:
    """Say whether a letter and one beside it are together no wider than one letter."""
    one = read[at]
    usual = _usual_width(read, one.line)
    for other in (*read[max(0, at - 1) : at], *read[at + 1 : at + 2]):
        if usual and other.line == one.line:
            left, right = sorted((one.letter.box, other.letter.box), key=lambda box: box.x)
            gap = right.x - left.x - left.width
            together = max(right.x + right.width, left.x + left.width) - left.x
            if gap <= SPLIT_GAP_LETTERS * usual and together <= SPLIT_WIDTH_LETTERS * usual:
                return True
    return False


def _usual_width(read: Sequence[ReadLetter], line: int) -> float:
    """Return the median width of a line's letters in pixels; 0 if there are too few."""
    widths = [one.letter.box.width for one in read if one.line == line]
    return float(median(widths)) if len(widths) >= ENOUGH_LETTERS else 0.0
