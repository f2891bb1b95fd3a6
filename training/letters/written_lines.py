"""Lines of writing cut as the workers cut them, for what training on single letters cannot show.

A line's letters stand close, touch, and have each other's strokes in their boxes; and most runs of parts that
the lattice asks about are no letter at all: halves, two letters, a letter and the next one's stem. Lines are
written from known letters, so each run's label is known from the ink that it holds.
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
"""Writes one character with capitals so many pixels high: uint8, h×w, 255 for ink, cropped to it but from
the top of a capital downwards."""

_PIXELS = (14, 64)  # height of a capital: from what a coarse scan of a form shows to what is scaled down
_GAPS = (-0.12, 0.3)  # between letters, as a share of the capitals' height, typical of a line
_UNEVEN = 0.06  # standard deviation of a gap
_TOUCHING = 0.35  # how many lines' letters are pushed together until most touch
_OVERLAP = (0.0, 0.1)  # by how much they then share ink, as a share of the capitals' height
_SINKS = 0.04  # standard deviation of the baseline
_WHOLE, _ALONE = 0.9, 0.1  # share of its letter's ink a piece has; share of another letter's that it may have
_HALF = 0.6  # less of a letter than this, and it is a part
_INKED = 128


@dataclasses.dataclass(frozen=True, slots=True)
class _Placed:
    """A letter on the line: where its ink alone stands."""

    character: str
    left: int
    top: int
    ink: NDArray[np.bool_]


def cut_line(
    characters: Sequence[str], write: Write, rng: np.random.Generator
) -> Iterator[tuple[Array, str]]:
    """Write a line on grainy, unevenly lit paper, cut it, and yield what was cut with its label.

    Args:
        characters: what is written; no spaces.
        write: draws one character.
        rng: the only source of chance.

    Yields:
        Ink (uint8, h×w, 255 for ink) with its character, or with "" where it is a part of one or several;
        of these no more than of letters. What is neither is left out.
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
    """Write a line letter by letter: the page, uint8 h×w, dark on light, and each letter's place on it."""
    cap = int(np.exp(rng.uniform(*np.log(_PIXELS))))
    margin = cap
    touching, gap = rng.random() < _TOUCHING, rng.uniform(*_GAPS)
    truth: list[_Placed] = []
    for character in characters:
        ink = write(character, cap)
        top = margin + max(-margin // 2, round(rng.normal(0, _SINKS) * cap))
        if not truth:
            left = margin
        elif touching:
            left = _beside(truth[-1], ink >= _INKED, top) - round(rng.uniform(*_OVERLAP) * cap)
        else:
            last = truth[-1]
            left = last.left + last.ink.shape[1] + round((gap + rng.normal(0, _UNEVEN)) * cap)
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
    """The column from which the next letter's ink just meets the last one's."""
    first, end = max(last.top, top), min(last.top + last.ink.shape[0], top + ink.shape[0])
    mine, other = ink[first - top : end - top], last.ink[first - last.top : end - last.top]
    both = mine.any(axis=1) & other.any(axis=1)
    if not both.any():
        return last.left + int(last.ink.shape[1])
    reach = other.shape[1] - other[:, ::-1].argmax(axis=1)
    return last.left + int((reach - mine.argmax(axis=1))[both].max())


def _candidates(page: Array) -> Iterator[Candidate]:
    """Every run of parts that the lattice could ask about."""
    segmentation = segment(page, "line")
    for line in segmentation.lines:
        for word in line.words:
            if segmentation.ink is not None:
                doubtful = [True] * len(word.candidates)
                yield from over_segment(word, doubtful, line.letter, segmentation.ink, page.shape).candidates


def _label(candidate: Candidate, truth: Sequence[_Placed]) -> str | None:
    """Return whose ink a piece holds: the character, "" for a part or several, None where that is unclear."""
    box = candidate.box
    piece = cv2.resize(candidate.ink, (box.width, box.height), interpolation=cv2.INTER_AREA)
    own = np.asarray(cv2.dilate(piece, np.ones((3, 3), np.uint8)) >= _INKED)
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
    if best >= _WHOLE and second <= _ALONE:
        return character
    if best < _HALF or second > _HALF:
        return NO_LETTER
    return None
