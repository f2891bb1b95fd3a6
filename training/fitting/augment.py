"""Augments canvases as pens, hands, scanners and crops vary letters, and makes training glyphs of them.

The geometric part combines affine, perspective and elastic displacement (Simard, Steinkraus and Platt,
"Best practices for convolutional neural networks applied to visual document analysis", 2003) into one
remapping. Each augmented canvas goes through `segmentation.glyph.normalise`, so that the CNN is trained on
exactly what normalisation makes of such a letter.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, GLYPH_SIZE, normalise
from lettermill.training.training_settings import Augmentation

Array = NDArray[np.uint8]

_ELASTIC_GRID_POINTS = 5
"""Points per side of the grid that elastic displacement is drawn on."""

_MARKER_SHARE = 0.12
"""Share of pens that are markers."""

_CUT_SIDE_SHARES = (0.12, 0.43, 0.12, 0.33)
"""How often a cut is at the top, right, bottom, left: letters are cut from their neighbours most often."""

_SPARE = 1.2
"""Canvas over letter size, so that what leans or is stretched stays on the canvas."""


def augmented(canvases: Array, rng: np.random.Generator, how: Augmentation) -> Array:
    """Augment each canvas at random and normalise it.

    Args:
        canvases: uint8, n×48×48, 255 for ink.
        rng: the only source of randomness.
        how: the strength of each effect.

    Returns:
        uint8, n×28×28 glyphs.
    """
    glyphs = np.zeros((len(canvases), GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    chances = rng.random((len(canvases), 6))
    maps = _displacements(len(canvases), canvases.shape[1], rng, how)
    for index, canvas in enumerate(canvases):
        warped = cv2.remap(canvas, maps[index, 0], maps[index, 1], cv2.INTER_LINEAR)
        changed = warped.astype(np.uint8, copy=False)
        stroke, remnant, cut, coarse, speck, faint = chances[index]
        if stroke < how.stroke_probability:
            changed = _other_pen(changed, rng)
        if faint < how.faint_probability:
            changed = _faint(changed, rng)
        if remnant < how.remnant_probability:
            changed = _with_remnant(changed, canvases[int(rng.integers(len(canvases)))], rng)
        if cut < how.cut_probability:
            changed = _cut(changed, rng, how.deepest_cut)
        if speck < how.speck_probability:
            changed = _with_specks(changed, rng)
        if coarse < how.coarse_probability:
            changed = _coarse(changed, rng)
        glyph = normalise(changed)
        glyphs[index] = glyph if glyph.any() else normalise(canvas)
    return glyphs


def _displacements(count: int, size: int, rng: np.random.Generator, how: Augmentation) -> NDArray[np.float32]:
    """Draw the random position in pixels that each pixel is taken from: float32, count×2×size×size (x, y)."""
    angle = np.deg2rad(rng.normal(0, how.rotation_degrees, count))
    slant = rng.normal(0, how.slant, count)
    stretch = np.exp(rng.normal(0, how.stretch, count) / 2)
    cos, sin = np.cos(angle), np.sin(angle)
    one = np.ones(count)
    rotation = np.array([[cos, -sin], [sin, cos]])
    shape = np.array([[stretch, slant], [0 * one, 1 / stretch]])
    linear = (np.einsum("ijn,jkn->nik", rotation, shape) * _SPARE).astype(np.float32)
    tilt = rng.normal(0, how.perspective, (count, 2)).astype(np.float32)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    flat = np.stack([x.ravel(), y.ravel()])
    source = linear @ flat
    source /= 1 + (tilt[:, None, :] @ flat)
    source = source.reshape(count, 2, size, size)
    waves = rng.normal(0, 2 * how.elastic, (count, _ELASTIC_GRID_POINTS, _ELASTIC_GRID_POINTS, 2)).astype(
        np.float32
    )
    for index in range(count):
        source[index] += cv2.resize(waves[index], (size, size), interpolation=cv2.INTER_CUBIC).transpose(
            2, 0, 1
        )
    pixels: NDArray[np.float32] = (source + 1) * np.float32((size - 1) / 2)
    return pixels


def _other_pen(canvas: Array, rng: np.random.Generator) -> Array:
    """Make the stroke thicker or thinner: blur, then apply a steep tone curve at another level.

    Some pens are markers, which fill small loops.
    """
    marker = rng.random() < _MARKER_SHARE
    blurred = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(2.0, 3.2) if marker else rng.uniform(0.7, 2.2))
    peak = 0.95 * max(16.0, cv2.minMaxLoc(blurred)[1])
    level = peak * (rng.uniform(0.08, 0.25) if marker else rng.uniform(0.18, 0.72))
    width = min(peak * rng.uniform(0.1, 0.4), 1.9 * level)  # At most this, so that paper stays 0.
    curve = np.clip((np.arange(256) - level) / width * 255 + 128, 0, 255).astype(np.uint8)
    return cv2.LUT(blurred, curve).astype(np.uint8, copy=False)


def _faint(canvas: Array, rng: np.random.Generator) -> Array:
    """Let the stroke fade in places, as pencil and a dry pen do on rough paper."""
    size = canvas.shape[0]
    grain = int(rng.integers(6, 28))
    coarse = rng.uniform(0, 1, (grain, grain)).astype(np.float32)
    paper = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    strength = rng.uniform(0.3, 0.9)
    return np.clip(canvas * (1 - strength * paper), 0, 255).astype(np.uint8)


def _with_remnant(canvas: Array, other: Array, rng: np.random.Generator) -> Array:
    """Add a piece of a rule or the beginning of another letter where a crop would show it."""
    return _with_rule(canvas, rng) if rng.random() < 0.35 else _with_neighbour(canvas, other, rng)


def _with_rule(canvas: Array, rng: np.random.Generator) -> Array:
    """Draw a straight line, or a part of one, along one side of the ink."""
    turns = int(rng.integers(4))
    turned = np.rot90(canvas, turns).copy()
    size = turned.shape[1]
    start = min(size - 2, _last_column(turned) + int(rng.integers(-1, 4)))
    top = int(rng.integers(0, size // 2)) if rng.random() < 0.6 else 0
    bottom = int(rng.integers(size // 2, size)) if rng.random() < 0.6 else size
    turned[top:bottom, start : start + int(rng.integers(1, 4))] = rng.integers(120, 256)
    return np.ascontiguousarray(np.rot90(turned, -turns))


def _with_neighbour(canvas: Array, other: Array, rng: np.random.Generator) -> Array:
    """Let the first strokes of another letter reach into the crop, most often low on the right.

    Letters of a word overlap: the next one may start below a bar or a bowl.
    """
    at_left = rng.random() < 0.3
    page = np.fliplr(canvas).copy() if at_left else canvas.copy()
    size = page.shape[1]
    height = int(rng.integers(size // 3, size * 4 // 5))
    neighbour = cv2.resize(other, (height, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    neighbour = np.fliplr(neighbour) if at_left else neighbour
    inked = np.flatnonzero(neighbour.max(axis=0) > GLYPH_INK_LEVEL)
    end = min(size, _last_column(page) + 1 + int(rng.integers(0, 4)))
    width = int(rng.integers(2, 11))
    if inked.size and end > width:
        piece = neighbour[:, inked[0] : inked[0] + width]
        lowest = size - height
        top = (
            int(rng.integers(lowest // 2, lowest + 1)) if rng.random() < 0.7 else int(rng.integers(0, lowest))
        )
        part = page[top : top + height, end - piece.shape[1] : end]
        np.maximum(part, piece, out=part)
    return np.ascontiguousarray(np.fliplr(page) if at_left else page)


def _last_column(canvas: Array) -> int:
    """Return the last column that shows ink; 0 where none does."""
    inked = np.flatnonzero(canvas.max(axis=0) > GLYPH_INK_LEVEL)
    return int(inked[-1]) if inked.size else 0


def _cut(canvas: Array, rng: np.random.Generator, deepest: float) -> Array:
    """Cut up to `deepest` (a share of the ink's extent) off one side, most often the right or the left."""
    turns = int(rng.choice(4, p=_CUT_SIDE_SHARES))
    turned = np.rot90(canvas, turns).copy()
    rows = np.flatnonzero(turned.max(axis=1) > GLYPH_INK_LEVEL)
    if rows.size:
        turned[: int(rows[0] + rng.uniform(0.02, deepest) * rows.size)] = 0
    return np.ascontiguousarray(np.rot90(turned, -turns))


def _with_specks(canvas: Array, rng: np.random.Generator) -> Array:
    """Add a few specks of ink or punch holes of paper."""
    specked = canvas.copy()
    value = 255 if rng.random() < 0.5 else 0
    for _ in range(int(rng.integers(1, 5))):
        centre = int(rng.integers(canvas.shape[1])), int(rng.integers(canvas.shape[0]))
        cv2.circle(specked, centre, int(rng.integers(0, 3)), value, -1)
    return specked


def _coarse(canvas: Array, rng: np.random.Generator) -> Array:
    """Pass the canvas through a low resolution, half of the time through black and white only."""
    size = canvas.shape[0]
    small_size = int(rng.integers(14, 36))
    small = cv2.resize(canvas, (small_size, small_size), interpolation=cv2.INTER_AREA).astype(
        np.uint8, copy=False
    )
    if rng.random() < 0.5:
        small = ((small > rng.integers(70, 150)) * 255).astype(np.uint8)
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
