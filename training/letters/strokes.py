"""Re-renders pen strokes: one drawing becomes several images, each with another pen and other jitter.

The strokes of an image can only be augmented together. Drawn from the pen's path, each stroke moves by itself
(the bar of an A slips, the bowl of a P opens), as it does between two letters of one writer.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.letters.set_formats import LabelledImages, checked
from lettermill.training.letters.stroke_archive import Drawing, Stroke, read_strokes_archive
from lettermill.training.letters.written_lines import cut_line

RENDERINGS = 6
"""Images that are drawn from one drawing."""

LINES = 12
"""Lines that are written with each writer's letters and cut."""

_LINE_CHARACTERS = 16
_IMAGE_PIXELS = 96
_BORDER_PIXELS = 14

_SHIFT_SHARE = 0.025
"""Standard deviation of a stroke's shift, as a share of the image's side."""

_TURN_RADIANS = 0.05
"""Standard deviation of a stroke's turn about its middle."""

_GROWTH_SHARE = 0.05
"""Standard deviation of a stroke's growth."""

_ARCHIVE_RENDERINGS = 2
"""Images that are drawn from one drawing of an archive: it has many drawings of each character."""

_PLAIN_THICKNESS = 0.07
"""Thickness of a plain pen, as a share of the image's side."""

_THINNEST_SHARE, _THICKEST_SHARE = 0.03, 0.15
"""Bounds of the pen's thickness, as a share of the image's side."""

_BROAD_NIB_SHARE = 0.3
"""How often the pen has a broad nib."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Character:
    """One drawing of one character.

    Attributes:
        label: the character.
        writer: who is held out together: the writer, or the site that it comes from.
        hand: the writer.
        drawing: its strokes.
    """

    label: str
    writer: str
    hand: str
    drawing: Drawing


def read_strokes(path: Path) -> LabelledImages:
    """Read drawings as pen strokes, render each `RENDERINGS` times, and write `LINES` lines with them.

    Args:
        path: a JSON file that maps each label to drawings. A drawing is a list of strokes, and a stroke a
            list of [x, y]. Drawing i of each label is by writer i, counted from 1, as in Chars74K.

    Raises:
        BadData: the file holds something else.
    """
    try:
        drawings: dict[str, list[list[list[list[float]]]]] = json.loads(path.read_text(encoding="utf-8"))
        characters = [
            _Character(
                label, f"{number:03}", f"{number:03}", [_points(stroke) for stroke in drawing if stroke]
            )
            for label, each in drawings.items()
            for number, drawing in enumerate(each, start=1)
        ]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadData(
            f"{path} cannot be read as pen strokes: {error}",
            "It must map each label to drawings, a drawing to strokes, and a stroke to points [x, y].",
        ) from error
    return _re_rendered(path, characters, RENDERINGS)


def read_plain_strokes(path: Path) -> LabelledImages:
    """Read an archive of pen strokes and draw each character once with a plain pen; the site is the writer.

    Args:
        path: an archive as `lettermill.training.letters.stroke_archive` describes it.

    Raises:
        BadData: the file holds something else.
    """
    characters = _characters(path)
    return checked(
        path,
        [_drawn(_scaled(one.drawing), _PLAIN_THICKNESS, np.zeros(2, np.float32)) for one in characters],
        [one.label for one in characters],
        [one.writer for one in characters],
    )


def read_varied_strokes(path: Path) -> LabelledImages:
    """Read an archive of pen strokes, render each character twice and write lines as `read_strokes` does."""
    return _re_rendered(path, _characters(path), _ARCHIVE_RENDERINGS)


def _characters(path: Path) -> list[_Character]:
    return [
        _Character(text, site, writer, drawing)
        for drawing, text, writer, site in read_strokes_archive(path, "char_first_stroke")
    ]


def _re_rendered(path: Path, characters: Sequence[_Character], renderings: int) -> LabelledImages:
    """Render each character with several pens, and write lines with each hand and cut them."""
    images, labels, writers = [], [], []
    rng = np.random.default_rng(len(characters))
    hands: dict[tuple[str, str], list[_Character]] = {}
    for one in characters:
        if one.drawing:
            images += [render(one.drawing, rng) for _ in range(renderings)]
            labels += [one.label] * renderings
            writers += [one.writer] * renderings
            hands.setdefault((one.hand, one.writer), []).append(one)  # Two sites may have the same name.
    content = checked(path, images, labels, writers)
    for (_, writer), hand in sorted(hands.items()):
        own: dict[str, list[Drawing]] = {}
        for one in hand:
            if one.label in LETTERS + DIGITS:
                own.setdefault(one.label, []).append(one.drawing)
        usual = float(np.median([_extent(one)[1] for each in own.values() for one in each])) if own else 0.0
        for _ in range(LINES if own else 0):
            text = rng.choice(sorted(own), _LINE_CHARACTERS, p=_shares(sorted(own))).tolist()
            for image, label in cut_line(text, functools.partial(_written, own, usual, rng), rng):
                content.images.append(image)
                content.labels.append(label)
                content.writers.append(writer)
    return content


def _shares(characters: list[str]) -> NDArray[np.float64]:
    """Return how often each character is written: digits a third as often as letters, which are the task."""
    weights = np.array([1 / 3 if character.isdigit() else 1.0 for character in characters])
    return np.asarray(weights / weights.sum())


def _written(
    drawings: Mapping[str, Sequence[Drawing]],
    usual: float,
    rng: np.random.Generator,
    character: str,
    cap: int,
) -> NDArray[np.uint8]:
    """Draw one character as `written_lines` needs it, with its height relative to the writer's letters."""
    drawing = drawings[character][int(rng.integers(len(drawings[character])))]
    image = render(drawing, rng)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width, high = _extent(drawing)
    height = max(3, round(cap * float(np.clip(high / max(1.0, usual), 0.2, 1.3))))
    if width > high:  # A dash has no height to go by.
        height = max(3, round(crop.shape[0] * cap * width / max(1.0, usual) / crop.shape[1]))
    size = (max(2, round(crop.shape[1] * height / crop.shape[0])), height)
    letter = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(letter, max(0, cap - height), 0, 0, 0, cv2.BORDER_CONSTANT, value=0).astype(
        np.uint8, copy=False
    )


def _extent(drawing: list[Stroke]) -> tuple[float, float]:
    """Return the width and height of a drawing in its own unit."""
    points = np.concatenate(drawing)
    width, height = (points.max(axis=0) - points.min(axis=0)).tolist()
    return width, height


def _points(stroke: list[list[float]]) -> Stroke:
    """Return a stroke's points: float32, n×2.

    Raises:
        ValueError: a point is not a pair of numbers.
    """
    points = np.asarray(stroke, np.float32)
    if points.shape != (len(stroke), 2) or not np.isfinite(points).all():
        raise ValueError("a point is no pair of numbers")
    return points


def render(drawing: Drawing, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes with a random pen.

    Args:
        drawing: float32 arrays n×2: points in any unit, x to the right, y down.
        rng: the only source of randomness.

    Returns:
        uint8, 96×96, white ink on black.
    """
    thickness = float(np.exp(rng.uniform(np.log(_THINNEST_SHARE), np.log(_THICKEST_SHARE))))
    nib = np.zeros(2, np.float32)
    if rng.random() < _BROAD_NIB_SHARE:
        angle = rng.uniform(0, np.pi)
        reach = rng.uniform(1, max(1, round(_IMAGE_PIXELS * thickness)) + 1)
        nib = np.array([np.cos(angle), np.sin(angle)], np.float32) * reach
    return _drawn([_moved(stroke, rng) for stroke in _scaled(drawing)], thickness, nib)


def _scaled(drawing: Drawing) -> Drawing:
    """Scale a drawing to the image, with its middle at 0."""
    points = np.concatenate(drawing)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (_IMAGE_PIXELS - 2 * _BORDER_PIXELS) / max(1.0, float((high - low).max()))
    return [(stroke - (low + high) / 2) * scale for stroke in drawing]


def _drawn(drawing: Drawing, thickness: float, nib: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw scaled strokes with a pen whose thickness is a share of the image's side."""
    image = np.zeros((_IMAGE_PIXELS, _IMAGE_PIXELS), np.uint8)
    for stroke in drawing:
        for shift in (-0.5, 0.0, 0.5) if nib.any() else (0.0,):
            # Coordinates have four fractional bits, so that thin strokes are not jagged.
            fixed = np.rint((stroke + _IMAGE_PIXELS / 2 + shift * nib) * 16)
            lines = fixed.astype(np.int32).reshape(-1, 1, 2)
            pixels = max(1, round(_IMAGE_PIXELS * thickness))
            cv2.polylines(image, [lines], False, 255, pixels, cv2.LINE_AA, shift=4)
    return image


def _moved(stroke: Stroke, rng: np.random.Generator) -> Stroke:
    """Shift one stroke a little, and turn and grow it about its middle."""
    middle = (stroke.min(axis=0) + stroke.max(axis=0)) / 2
    angle, grow = rng.normal(0, _TURN_RADIANS), 1 + rng.normal(0, _GROWTH_SHARE)
    turn = grow * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved: Stroke = (
        (stroke - middle) @ turn.T + middle + rng.normal(0, _SHIFT_SHARE * _IMAGE_PIXELS, 2)
    ).astype(np.float32)
    return moved
