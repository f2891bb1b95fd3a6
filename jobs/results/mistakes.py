"""What went wrong where a reading differs from the truth: segmentation apart from classification.

The truth has no boxes, so the kinds are inferred: from the shortest alignment of the two texts (Levenshtein
1966) and from the boxes of the letters that were read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from enum import StrEnum
from statistics import median

from lettermill.jobs.records.readings import Letter

MERGED_WIDTH = 1.5
"""A letter wider than so many of its line's median letters holds its neighbour as well."""

SPLIT_WIDTH = 1.2
"""Two letters that together are no wider than so many of their line's median letters are parts of one."""

SPLIT_GAP = 0.3
"""Parts of one letter are no farther apart than so many median letters are wide."""

MOST_FOR_ONE = 2
"""Letters that are read for one or one for them; of a longer run the rest was invented or missed."""

LEAST_LETTERS = 3
"""Letters of a line from which their median says how wide a letter is."""


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
class Placed:
    """A letter that was read and the number of its line; lines of all pages of a file count on."""

    line: int
    letter: Letter


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """Neighbouring letters that went wrong together.

    Attributes:
        kind: how.
        start: where `written` begins in the truth.
        first: where `read` begins in the reading.
        written: the letters of the truth; empty where letters were invented, and where a letter next to it
            was split.
        read: the letters of the reading; empty where letters were missed, or merged into the one beside.
    """

    kind: Kind
    start: int
    first: int
    written: str
    read: str

    @property
    def edits(self) -> int:
        """How many letters must be replaced, inserted or deleted to mend it."""
        return max(len(self.written), len(self.read))


def find_mistakes(truth: str, read: Sequence[Placed]) -> list[Mistake]:
    """Compare a reading with the truth.

    A run of neighbouring edits that leaves the number of letters as it is holds confused letters. Letters
    read for half or twice their number are merged or split. What is only missing is merged where a letter
    beside it is too wide for one, else missed; what is only too much is a part of a split letter where it
    and a letter beside it are together no wider than one, else invented.

    Args:
        truth: characters of the alphabet.
        read: letters in the order of the reading.

    Returns:
        The mistakes in order; their edits add up to the Levenshtein distance.
    """
    mistakes: list[Mistake] = []
    for start, end, first, last in _runs(truth, "".join(placed.letter.letter for placed in read)):
        mistakes += _judge(truth, read, start, end, first, last)
    return mistakes


def _runs(truth: str, text: str) -> Iterator[tuple[int, int, int, int]]:
    """Runs of neighbouring edits: start and end in the truth, start and end in the text."""
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
    truth: str, read: Sequence[Placed], start: int, end: int, first: int, last: int
) -> Iterator[Mistake]:
    """Say what a run of edits is made of."""
    written, got = end - start, last - first
    text = "".join(placed.letter.letter for placed in read[first:last])
    if written == 0:
        for at in range(first, last):
            kind = Kind.SPLIT if _is_part(read, at) else Kind.INVENTED
            yield Mistake(kind, start, at, "", text[at - first])
    elif got == 0:
        kind = Kind.MERGED if end - start == 1 and _is_wide_beside(read, first) else Kind.MISSED
        for at in range(start, end):
            yield Mistake(kind, at, first, truth[at], "")
    elif written < got <= MOST_FOR_ONE * written:
        yield Mistake(Kind.SPLIT, start, first, truth[start:end], text)
    elif got < written <= MOST_FOR_ONE * got:
        yield Mistake(Kind.MERGED, start, first, truth[start:end], text)
    else:
        both = min(written, got)
        for offset in range(both):
            yield Mistake(Kind.CONFUSED, start + offset, first + offset, truth[start + offset], text[offset])
        yield from _judge(truth, read, start + both, end, first + both, last) if written != got else ()


def _is_wide_beside(read: Sequence[Placed], at: int) -> bool:
    """Whether the letter before or after a gap in the reading is too wide for one letter."""
    beside = read[max(0, at - 1) : at + 1]
    widths = [(placed, _usual_width(read, placed.line)) for placed in beside]
    return any(usual and placed.letter.box.width > MERGED_WIDTH * usual for placed, usual in widths)


def _is_part(read: Sequence[Placed], at: int) -> bool:
    """Whether a letter and one beside it are together no wider than a letter."""
    one = read[at]
    usual = _usual_width(read, one.line)
    for other in (*read[max(0, at - 1) : at], *read[at + 1 : at + 2]):
        if usual and other.line == one.line:
            left, right = sorted((one.letter.box, other.letter.box), key=lambda box: box.x)
            gap = right.x - left.x - left.width
            together = max(right.x + right.width, left.x + left.width) - left.x
            if gap <= SPLIT_GAP * usual and together <= SPLIT_WIDTH * usual:
                return True
    return False


def _usual_width(read: Sequence[Placed], line: int) -> float:
    """Median width of a line's letters in pixels; 0 where there are too few to tell."""
    widths = [placed.letter.box.width for placed in read if placed.line == line]
    return float(median(widths)) if len(widths) >= LEAST_LETTERS else 0.0
