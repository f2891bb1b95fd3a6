"""Writes a text with one hand: free, touching, or one character a cell."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.training.lines.hands import SIGNS, Drawn, Hand

Array = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A line of writing.

    Attributes:
        ink: uint8, h×w, 255 for ink.
        cap: height of its capitals in pixels.
        top: first row of a capital.
        text: what was written, without spaces and `SIGNS`.
        cells: the columns of the walls between cells, if it was written in cells; else empty.
    """

    ink: Array
    cap: int
    top: int
    text: str
    cells: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Cells:
    """A row of cells.

    Attributes:
        pitch: width of a cell in heights of a capital.
        empty: cells before and behind the text.
        crossed: share of cells whose character is crossed out.
    """

    pitch: float
    empty: tuple[int, int]
    crossed: float


def write(text: str, hand: Hand, cap: int, cells: Cells | None, rng: np.random.Generator) -> Written | None:
    """Write a text.

    Args:
        text: characters, `SIGNS` and spaces.
        hand: draws the characters.
        cap: height of a capital in pixels.
        cells: the cells to write in; None for a free line.
        rng: the only source of randomness.

    Returns:
        The line; None if the hand can't draw one of the characters.
    """
    drawn: list[tuple[Drawn, int] | None] = []
    size_deviation = rng.uniform(0, 0.07)
    for character in text:
        if character == " ":
            drawn.append(None)
            continue
        size = max(4, round(cap * float(np.clip(rng.normal(1, size_deviation), 0.8, 1.2))))
        one = hand.draw(character, size, rng)
        if one is None or not one.ink.size:
            return None
        drawn.append((one, cap - size))
    if cells is not None:
        return _in_cells(text, drawn, cap, cells, rng)
    return _free(text, drawn, cap, rng)


def _free(text: str, drawn: list[tuple[Drawn, int] | None], cap: int, rng: np.random.Generator) -> Written:
    """Place the characters one after the other."""
    kind = rng.random()
    if kind < 0.3:
        gap, deviation = rng.uniform(-0.08, 0.04), 0.05
    elif kind < 0.85:
        gap, deviation = rng.uniform(0.02, 0.3), rng.uniform(0.02, 0.1)
    else:
        gap, deviation = rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.2)
    space = rng.uniform(0.35, 1.0) + gap
    drift, wave = rng.normal(0, 0.015), rng.uniform(0, 0.06)
    phase, baseline_deviation = rng.uniform(0, 6), rng.uniform(0, 0.05)
    placed: list[tuple[Array, int, int]] = []
    end = 0.0
    for one in drawn:
        if one is None:
            end += space * cap
            continue
        letter, lower = one
        left = end + rng.normal(gap, deviation) * cap
        if placed:
            left = max(left, placed[-1][1] + 0.25 * placed[-1][0].shape[1])
        rise = drift * left / cap + wave * np.sin(left / cap / 2.5 + phase)
        rise += rng.normal(0, baseline_deviation)
        placed.append((letter.ink, round(left), letter.top + lower + round(float(rise) * cap)))
        end = left + letter.ink.shape[1]
    return _drawn(text, placed, cap, ())


def _in_cells(
    text: str, drawn: list[tuple[Drawn, int] | None], cap: int, cells: Cells, rng: np.random.Generator
) -> Written:
    """Place the characters in cells, not always in the middle, some over the wall."""
    pitch = cells.pitch * cap
    jitter = rng.uniform(0.02, 0.12)
    shift = rng.normal(0, 0.08)
    baseline_deviation = rng.uniform(0, 0.07)
    placed: list[tuple[Array, int, int]] = []
    kept = []
    for number, (character, one) in enumerate(zip(text, drawn, strict=True), start=cells.empty[0]):
        if one is None:
            continue
        letter, lower = one
        middle = (number + 0.5 + shift + rng.normal(0, jitter)) * pitch
        top = letter.top + lower + round(rng.normal(0, baseline_deviation) * cap)
        placed.append((letter.ink, round(middle - letter.ink.shape[1] / 2), top))
        if rng.random() < cells.crossed:
            placed.append((_crossing(cap, pitch, rng), round(number * pitch), 0))
        else:
            kept.append(character)
    total = cells.empty[0] + len(text) + cells.empty[1]
    return _drawn("".join(kept), placed, cap, tuple(number * pitch for number in range(total + 1)))


def _crossing(cap: int, pitch: float, rng: np.random.Generator) -> Array:
    """Draw what crosses a cell's character out: scribbled strokes over the whole cell."""
    image = np.zeros((cap, max(3, round(pitch))), np.uint8)
    height, width = image.shape
    pen = max(1, round(cap * rng.uniform(0.06, 0.14)))
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(2, 4))):
            start, end = rng.uniform(0, 1, 2) * height
            cv2.line(image, (0, int(start)), (width, int(end)), 255, pen, cv2.LINE_AA)
    count = int(rng.integers(4, 10))
    points = np.stack([np.linspace(0, width, count), np.where(np.arange(count) % 2, 0, height)], axis=1)
    points += rng.normal(0, 0.08 * cap, points.shape)
    cv2.polylines(image, [np.rint(points).astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return image


def _drawn(text: str, placed: list[tuple[Array, int, int]], cap: int, cells: tuple[float, ...]) -> Written:
    """Put the pieces of ink on one image."""
    left = min([0, *(x for _, x, _ in placed)])
    top = min([0, *(y for _, _, y in placed)])
    right = max([2, *(x + ink.shape[1] for ink, x, _ in placed), round(cells[-1]) if cells else 0])
    bottom = max([cap, *(y + ink.shape[0] for ink, _, y in placed)])
    image = np.zeros((bottom - top, right - left), np.uint8)
    for ink, x, y in placed:
        part = image[y - top : y - top + ink.shape[0], x - left : x - left + ink.shape[1]]
        np.maximum(part, ink, out=part)
    known = "".join(one for one in text if one != " " and one not in SIGNS)
    return Written(image, cap, -top, known, tuple(wall - left for wall in cells))
