"""Writes lines from known letters and cuts them as workers do, for what single letters cannot show.

In a line letters are close, touch, and have strokes of their neighbours in their boxes. Most candidates that
the lattice scores are not one whole letter: halves, two letters, a letter with the next one's stem. Because
the lines are written from known letters, each candidate's label follows from the ink that it holds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.over_segmentation import over_segment
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Candidate
from lettermill.training.letters.set_formats import NO_LETTER

Array = NDArray[np.uint8]

Write = Callable[[str, int], Array]
"""Draws one character for a given height of capitals in pixels: uint8, h×w, 255 for ink. The image is cropped
to the ink, but starts at the top of a capital."""

_CAPITAL_PIXELS = (14, 64)
"""Bounds of the height of a capital: from that of a coarse scan of a form to one that is scaled down."""

_GAP_CAPITALS = (-0.12, 0.3)
"""Bounds of a line's typical gap between letters, in heights of a capital."""

_GAP_DEVIATION_CAPITALS = 0.06
"""Standard deviation of a gap, in heights of a capital."""

_TOUCHING_SHARE = 0.35
"""Share of lines whose letters are pushed together until most of them touch."""

_OVERLAP_CAPITALS = (0.0, 0.1)
"""Bounds of the overlap of touching letters, in heights of a capital."""

_BASELINE_DEVIATION_CAPITALS = 0.04
"""Standard deviation of a letter's baseline, in heights of a capital."""

_WHOLE_SHARE, _ALONE_SHARE = 0.9, 0.1
"""A candidate is a letter if it has at least the first share of that letter's ink, and at most the second
share of any other letter's."""

_PART_SHARE = 0.6
"""A candidate with less than this share of any letter's ink is a part of a letter."""

_INKED = 128


@dataclasses.dataclass(frozen=True, slots=True)
class _Placed:
    """A letter on the line: the position of its own ink, in pixels from the top left of the page."""

    character: str
    left: int
    top: int
    ink: NDArray[np.bool_]


def cut_line(
    characters: Sequence[str], write: Write, rng: np.random.Generator
) -> Iterator[tuple[Array, str]]:
    """Write a line on grainy, unevenly lit paper, cut it, and yield each candidate with its label.

    Args:
        characters: the text, without spaces.
        write: draws one character.
        rng: the only source of randomness.

    Yields:
        The ink (uint8, h×w, 255 for ink) with its character, or with "" for a part of a letter or for
        several letters. There are at most as many "" as letters; unclear candidates are left out.
    """
    page, truth = _written(characters, write, rng)
    letters, others = [], []
    for candidate in _candidates(page):
        label = _label(candidate, truth)
        if label:
            letters.append((candidate.ink, label))
        elif label == NO_LETTER:
            others.append((candidate.ink, label))
    yield from letters
    if others:
        for index in rng.permutation(len(others))[: len(letters)].tolist():
            yield others[index]


def _written(
    characters: Sequence[str], write: Write, rng: np.random.Generator
) -> tuple[Array, list[_Placed]]:
    """Write a line letter by letter; return the page (uint8, h×w, dark on light) and the letters."""
    cap = int(np.exp(rng.uniform(*np.log(_CAPITAL_PIXELS))))
    margin = cap
    touching, gap = rng.random() < _TOUCHING_SHARE, rng.uniform(*_GAP_CAPITALS)
    truth: list[_Placed] = []
    for character in characters:
        ink = write(character, cap)
        top = margin + max(-margin // 2, round(rng.normal(0, _BASELINE_DEVIATION_CAPITALS) * cap))
        if not truth:
            left = margin
        elif touching:
            left = _beside(truth[-1], ink >= _INKED, top) - round(rng.uniform(*_OVERLAP_CAPITALS) * cap)
        else:
            last = truth[-1]
            left = last.left + last.ink.shape[1] + round((gap + rng.normal(0, _GAP_DEVIATION_CAPITALS)) * cap)
        left = max(left, truth[-1].left + 1 if truth else 0)
        truth.append(_Placed(character, left, top, ink >= _INKED))
    width = max(placed.left + placed.ink.shape[1] for placed in truth) + margin
    height = max(placed.top + placed.ink.shape[0] for placed in truth) + margin
    sheet = np.zeros((height, width), np.float32)
    for placed in truth:
        rows, columns = placed.ink.shape
        part = sheet[placed.top : placed.top + rows, placed.left : placed.left + columns]
        np.maximum(part, placed.ink, out=part)
    light = np.linspace(rng.uniform(150, 250), rng.uniform(150, 250), width)[None, :]
    paper = light - rng.uniform(70, 140) * sheet + rng.normal(0, rng.uniform(1, 6), sheet.shape)
    page = np.clip(paper, 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(page, (0, 0), rng.uniform(0.4, 0.4 + cap / 60)).astype(
        np.uint8, copy=False
    ), truth


def _beside(last: _Placed, ink: NDArray[np.bool_], top: int) -> int:
    """Return the column at which the next letter's ink just meets the last one's."""
    first, end = max(last.top, top), min(last.top + last.ink.shape[0], top + ink.shape[0])
    mine, other = ink[first - top : end - top], last.ink[first - last.top : end - last.top]
    both = mine.any(axis=1) & other.any(axis=1)
    if not both.any():
        return last.left + int(last.ink.shape[1])
    reach = other.shape[1] - other[:, ::-1].argmax(axis=1)
    return last.left + int((reach - mine.argmax(axis=1))[both].max())


def _candidates(page: Array) -> Iterator[Candidate]:
    """Yield every candidate that the lattice could score."""
    segmentation = segment(page, "line")
    for line in segmentation.lines:
        for word in line.words:
            if segmentation.ink is not None:
                doubtful = [True] * len(word.candidates)
                yield from over_segment(word, doubtful, line.letter, segmentation.ink, page.shape).candidates


def _label(candidate: Candidate, truth: Sequence[_Placed]) -> str | None:
    """Return a candidate's label: its character, "" for a part or several letters, None if unclear."""
    box = candidate.box
    shrunk = cv2.resize(candidate.ink, (box.width, box.height), interpolation=cv2.INTER_AREA)
    own = np.asarray(cv2.dilate(shrunk, np.ones((3, 3), np.uint8)) >= _INKED)
    shares = [(0.0, "")]
    for placed in truth:
        left, top = max(box.x, placed.left), max(box.y, placed.top)
        right = min(box.x + box.width, placed.left + placed.ink.shape[1])
        bottom = min(box.y + box.height, placed.top + placed.ink.shape[0])
        if left < right and top < bottom:
            ink = placed.ink[top - placed.top : bottom - placed.top, left - placed.left : right - placed.left]
            held = int(
                np.count_nonzero(ink & own[top - box.y : bottom - box.y, left - box.x : right - box.x])
            )
            shares.append((held / max(1, int(np.count_nonzero(placed.ink))), placed.character))
    (best, character), *others = sorted(shares, reverse=True)
    second = others[0][0] if others else 0.0
    if best >= _WHOLE_SHARE and second <= _ALONE_SHARE:
        return character
    if best < _PART_SHARE or second > _PART_SHARE:
        return NO_LETTER
    return None
