"""Compares boxes with truth: what became of each letter, segmentation errors apart from the CNN's."""

from __future__ import annotations

import bisect
import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Fate = Literal["right", "misread", "missed", "split", "merged", "out of order"]

SEGMENTATION: tuple[str, ...] = ("missed", "split", "merged", "invented", "out of order")

_SAME = 0.5  # intersection over union from which a box is the letter's own
_HELD = 0.5  # share of a letter or a piece that lies in the other


class Boxed(Protocol):
    """Anything with a box and a character."""

    @property
    def character(self) -> str: ...
    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Fates:
    """The fate of each letter that is written, and how many were read that are not there."""

    letters: tuple[Fate, ...]
    invented: int

    @property
    def counts(self) -> Counter[str]:
        """How often each fate was met; `invented` among them."""
        return Counter(self.letters) + Counter(invented=self.invented)


def judge(truth: Sequence[Boxed], read: Sequence[Boxed]) -> Fates:
    """Say what became of each letter.

    Each box that was read belongs to the letter with which it shares most, one to one, from the best pair
    down. A letter is

    - right or misread where a box is its own (intersection over union at least a half), or where a box that
      is too small or too large was read rightly all the same;
    - merged where the box over it holds another letter, a rule or a caption as well and was not read rightly;
    - split where only pieces of it were boxed; a second box inside it splits it too, unless the first holds
      it whole;
    - missed where no box has half of it or lies by half in it;
    - out of order where it was boxed, but does not follow those that were read before it (the longest
      rising run is taken to be in order).

    What is left was invented.

    Args:
        truth: the letters in reading order.
        read: what was read, in the order of the reading.
    """
    shared, inside, held, same = _overlaps(truth, read)
    owner: dict[int, int] = {}
    taken: dict[int, int] = {}
    for flat in np.argsort(-same, axis=None, kind="stable"):
        letter, box = (int(index) for index in np.unravel_index(flat, same.shape))
        if shared[letter, box] <= 0:
            break
        near = same[letter, box] >= _SAME or held[letter, box] >= _HELD or inside[letter, box] >= _HELD
        if near and letter not in taken and box not in owner:
            taken[letter], owner[box] = box, letter
    fates: list[Fate] = [
        _fate(truth[letter], read, taken.get(letter), held[letter], same[letter])
        for letter in range(len(truth))
    ]
    for letter in range(len(truth)):
        if letter not in taken and read:
            over = int(np.argmax(held[letter]))
            if held[letter, over] >= _HELD:
                fates[letter] = "merged"
                if over in owner:
                    fates[owner[over]] = "merged"
    invented = 0
    for box in range(len(read)):
        if box in owner:
            continue
        around = int(np.argmax(inside[:, box])) if truth else -1
        whole = around >= 0 and around in taken and held[around, taken[around]] > 0.9
        if around >= 0 and inside[around, box] >= _HELD and not whole:
            fates[around] = "split"
        else:
            invented += 1
    placed = [letter for letter in range(len(truth)) if fates[letter] in ("right", "misread")]
    rising = _longest_rising([taken[letter] for letter in placed])
    for position, letter in enumerate(placed):
        if position not in rising:
            fates[letter] = "out of order"
    return Fates(tuple(fates), invented)


def _fate(
    letter: Boxed,
    read: Sequence[Boxed],
    box: int | None,
    held: NDArray[np.float64],
    same: NDArray[np.float64],
) -> Fate:
    """Judge a letter by its own box alone."""
    if box is None:
        return "missed"
    if read[box].character == letter.character:
        return "right"
    if same[box] >= _SAME:
        return "misread"
    return "merged" if held[box] >= _HELD else "split"


def _overlaps(truth: Sequence[Boxed], read: Sequence[Boxed]) -> tuple[NDArray[np.float64], ...]:
    """Shared area of each letter and box; as a share of the box, of the letter, and of their union."""
    first, second = (
        np.array([(box.x, box.y, box.x + box.width, box.y + box.height) for box in boxes], float).reshape(
            -1, 4
        )
        for boxes in (truth, read)
    )
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return shared, shared / areas[1][None, :], shared / areas[0][:, None], shared / union


def _longest_rising(values: Sequence[int]) -> set[int]:
    """Return the positions of a longest strictly rising subsequence."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect.bisect_left(ends, value)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        last[length : length + 1] = [position]
    chosen = set()
    position = last[-1] if last else -1
    while position >= 0:
        chosen.add(position)
        position = before[position]
    return chosen
