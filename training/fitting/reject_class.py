"""Makes training images of the reject class from letters: what wrong cuts and form lines look like.

Segmentation hands such images to the CNN, and the CNN has to reject them: parts of letters, runs of two to
four touching letters, pieces of rules and boxes, blots and specks.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, normalise

Array = NDArray[np.uint8]

KINDS = ("part", "run", "furniture", "blot")
"""What is made: part of a letter, run of letters, form lines, blot; in the order of `_SHARES`."""

_SHARES = (0.36, 0.38, 0.13, 0.13)


def made_non_letters(
    canvases: Array, count: int, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Make canvases that do not show one whole letter.

    Args:
        canvases: uint8, n×48×48, 255 for ink: the letters to cut and to join.
        count: how many canvases to make.
        rng: the only source of randomness.

    Returns:
        The canvases (uint8, count×48×48), and the index of each into `KINDS` (int64, count).
    """
    kinds = rng.choice(len(KINDS), count, p=_SHARES)
    made = np.zeros((count, *canvases.shape[1:]), np.uint8)
    for index, kind in enumerate(kinds):
        letters = canvases[rng.integers(len(canvases), size=4)]
        make = (_part, _run, _form_lines, _blot)[kind]
        made[index] = make(letters, rng)
    return made, kinds


def non_letter_glyphs(
    canvases: Array, count: int, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Make canvases as `made_non_letters` does and normalise them: uint8, count×28×28, and the kinds."""
    made, kinds = made_non_letters(canvases, count, rng)
    return np.stack([normalise(canvas) for canvas in made]), kinds


def _part(letters: Array, rng: np.random.Generator) -> Array:
    """Keep a quarter to a half of a letter, most often its left or its right part."""
    turns = int(rng.choice(4, p=(0.15, 0.35, 0.15, 0.35)))
    turned = np.rot90(letters[0], turns).copy()
    rows = np.flatnonzero(turned.max(axis=1) > GLYPH_INK_LEVEL)
    if rows.size:
        turned[int(rows[0] + rng.uniform(0.22, 0.5) * rows.size) :] = 0
    return np.ascontiguousarray(np.rot90(turned, -turns))


def _run(letters: Array, rng: np.random.Generator) -> Array:
    """Join two to four letters side by side; sometimes only a part of the last one."""
    crops = [_crop(letter) for letter in letters[: int(rng.choice((2, 3, 4), p=(0.75, 0.17, 0.08)))]]
    height = 40
    crops = [
        cv2.resize(
            crop, (max(4, round(crop.shape[1] * height * grow / crop.shape[0])), round(height * grow))
        ).astype(np.uint8, copy=False)
        for crop, grow in zip(crops, rng.uniform(0.8, 1.0, len(crops)), strict=True)
    ]
    # A letter that is a single stroke would become as wide as high: keep it a stroke.
    crops = [crop if crop.shape[1] < 3 * height else crop[:, :height] for crop in crops]
    if rng.random() < 0.25 and crops[-1].shape[1] > 12:
        crops[-1] = crops[-1][:, : int(rng.uniform(0.4, 0.7) * crops[-1].shape[1])]
    line = np.zeros((height + 8, sum(crop.shape[1] for crop in crops) + 40), np.uint8)
    at = 16
    for crop in crops:
        top = int(rng.integers(0, line.shape[0] - crop.shape[0] + 1))
        at = max(0, at + int(rng.integers(-7, 4)))
        part = line[top : top + crop.shape[0], at : at + crop.shape[1]]
        np.maximum(part, crop, out=part)
        at += crop.shape[1]
    return _fitted(line, letters.shape[1])


def _form_lines(letters: Array, rng: np.random.Generator) -> Array:
    """Draw a horizontal rule, dashes, two rules, or a rule with a part of a letter, as forms leave them."""
    size = letters.shape[1]
    image = np.zeros((size, size), np.uint8)
    thick, ink = int(rng.integers(1, 5)), int(rng.integers(140, 256))
    y, tilt = int(rng.integers(8, size - 8)), int(rng.integers(-3, 4))
    kind = rng.integers(4)
    if kind == 1:
        for x in range(2, size - 2, int(rng.integers(6, 12))):
            cv2.line(image, (x, y), (x + 3, y), ink, thick)
        return image
    left, right = int(rng.integers(0, 12)), int(rng.integers(size - 12, size))
    cv2.line(image, (left, y - tilt), (right, y + tilt), ink, thick, cv2.LINE_AA)
    if kind == 2:  # Two parallel lines.
        apart = int(rng.integers(8, 30))
        cv2.line(image, (left, y - tilt + apart), (right, y + tilt + apart), ink, thick, cv2.LINE_AA)
    if kind == 3:  # A part of a letter on the rule.
        np.maximum(image, _part(letters, rng), out=image)
    return image


def _blot(letters: Array, rng: np.random.Generator) -> Array:
    """Draw a filled blob, some specks, or a scribble."""
    size = letters.shape[1]
    image = np.zeros((size, size), np.uint8)
    kind = rng.integers(3)
    if kind == 0:
        points = int(rng.integers(6, 14))
        angle = np.sort(rng.uniform(0, 2 * np.pi, points))
        radius = rng.uniform(9, 21, points)
        outline = np.stack([np.cos(angle) * radius * rng.uniform(0.5, 1), np.sin(angle) * radius], axis=1)
        cv2.fillPoly(image, [np.rint(outline + size / 2).astype(np.int32)], 255, cv2.LINE_AA)
    elif kind == 1:
        for x, y in rng.integers(6, size - 6, (int(rng.integers(2, 7)), 2)):
            cv2.circle(image, (int(x), int(y)), int(rng.integers(1, 4)), 255, -1, cv2.LINE_AA)
    else:
        walk = np.cumsum(rng.normal(0, 12, (int(rng.integers(8, 20)), 2)), axis=0)
        walk = (walk - walk.mean(axis=0)) * (size / 2 - 4) / max(1.0, float(np.abs(walk).max()))
        points_ = np.rint(np.clip(walk + size / 2, 2, size - 3)).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(image, [points_], False, 255, int(rng.integers(2, 5)), cv2.LINE_AA)
    return image


def _crop(canvas: Array) -> Array:
    """Crop a canvas to its ink; a small square if it has none."""
    strong = canvas > GLYPH_INK_LEVEL
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if rows.size == 0:
        return canvas[:8, :8]
    return canvas[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fitted(image: Array, size: int) -> Array:
    """Scale an image's ink into a canvas without changing its aspect ratio."""
    crop = _crop(image)
    scale = (size - 8) / max(crop.shape)
    width, height = max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale))
    canvas = np.zeros((size, size), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    canvas[top : top + height, left : left + width] = cv2.resize(
        crop, (width, height), interpolation=cv2.INTER_AREA
    )
    return canvas
