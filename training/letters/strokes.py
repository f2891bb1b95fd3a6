"""Re-renders pen strokes: one drawing becomes several images, each with another pen and other jitter.

The strokes of an image can only be augmented together. Drawn from the pen's path, each stroke moves by itself
(the bar of an A slips, the bowl of a P opens), as it does between two letters of one writer.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.letters.set_formats import LabelledImages, checked
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

_THINNEST_SHARE, _THICKEST_SHARE = 0.03, 0.15
"""Bounds of the pen's thickness, as a share of the image's side."""

_BROAD_NIB_SHARE = 0.3
"""How often the pen has a broad nib."""

Stroke = NDArray[np.float32]


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
        strokes = {
            (label, number): [_points(stroke) for stroke in drawing if stroke]
            for label, each in drawings.items()
            for number, drawing in enumerate(each, start=1)
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadData(
            f"{path} cannot be read as pen strokes: {error}",
            "It must map each label to drawings, a drawing to strokes, and a stroke to points [x, y].",
        ) from error
    images, labels, writers = [], [], []
    rng = np.random.default_rng(len(strokes))
    for (label, writer), drawing in strokes.items():
        if drawing:
            images += [render(drawing, rng) for _ in range(RENDERINGS)]
            labels += [label] * RENDERINGS
            writers += [f"{writer:03}"] * RENDERINGS
    content = checked(path, images, labels, writers)
    for writer in sorted({writer for _, writer in strokes}):
        own = {
            label: drawing
            for (label, number), drawing in strokes.items()
            if number == writer and drawing and label in LETTERS + DIGITS
        }
        for _ in range(LINES if own else 0):
            text = rng.choice(sorted(own), _LINE_CHARACTERS, p=_shares(sorted(own))).tolist()
            for image, label in cut_line(text, functools.partial(_written, own, rng), rng):
                content.images.append(image)
                content.labels.append(label)
                content.writers.append(f"{writer:03}")
    return content


def _shares(characters: list[str]) -> NDArray[np.float64]:
    """Return how often each character is written: digits a third as often as letters, which are the task."""
    weights = np.array([1 / 3 if character.isdigit() else 1.0 for character in characters])
    return np.asarray(weights / weights.sum())


def _written(
    drawings: dict[str, list[Stroke]], rng: np.random.Generator, character: str, cap: int
) -> NDArray[np.uint8]:
    """Draw one character as `written_lines` needs it, with its height relative to the writer's letters."""
    image = render(drawings[character], rng)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    usual = float(np.median([_extent(drawing)[1] for drawing in drawings.values()]))
    width, high = _extent(drawings[character])
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


def render(drawing: list[Stroke], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw strokes with a random pen.

    Args:
        drawing: float32 arrays n×2: points in any unit, x to the right, y down.
        rng: the only source of randomness.

    Returns:
        uint8, 96×96, white ink on black.
    """
    points = np.concatenate(drawing)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (_IMAGE_PIXELS - 2 * _BORDER_PIXELS) / max(1.0, float((high - low).max()))
    middle = (low + high) / 2
    thickness = max(
        1, round(_IMAGE_PIXELS * float(np.exp(rng.uniform(np.log(_THINNEST_SHARE), np.log(_THICKEST_SHARE)))))
    )
    nib = np.zeros(2, np.float32)
    if rng.random() < _BROAD_NIB_SHARE:
        angle = rng.uniform(0, np.pi)
        nib = np.array([np.cos(angle), np.sin(angle)], np.float32) * rng.uniform(1, thickness + 1)
    image = np.zeros((_IMAGE_PIXELS, _IMAGE_PIXELS), np.uint8)
    for stroke in drawing:
        moved = _moved((stroke - middle) * scale, rng) + _IMAGE_PIXELS / 2
        for shift in (-0.5, 0.0, 0.5) if nib.any() else (0.0,):
            # Coordinates have four fractional bits, so that thin strokes are not jagged.
            fixed = np.rint((moved + shift * nib) * 16).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(image, [fixed], False, 255, thickness, cv2.LINE_AA, shift=4)
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
