"""Draws what forms print around writing: rules, boxes, combs, guides, captions, patterns, cut neighbours."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.training.lines.writing import Written

Array = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclasses.dataclass(slots=True)
class Sheet:
    """A piece of a form with a line of writing on it.

    Attributes:
        print: float32, h×w: how dark the form's own print is, 0 to 1.
        ink: float32, h×w: the writing, 0 to 1.
        paper: float32, h×w: lightness of the paper, 1 for white.
        top: first row of a capital.
        left: first column of the writing.
        cap: height of a capital in pixels.
    """

    print: Plane
    ink: Plane
    paper: Plane
    top: int
    left: int
    cap: int


def lay_out(
    written: Written, captions: Sequence[Array], others: Sequence[Array], rng: np.random.Generator
) -> Sheet:
    """Put a line of writing on a form.

    Args:
        written: the writing.
        captions: printed words (uint8, h×w, 255 for ink), of which one or two may stand beside or above.
        others: writing whose cut rests may reach into the line from above and below.
        rng: the only source of randomness.
    """
    cap = written.cap
    above, below = (int(rng.uniform(0.05, 0.7) * cap) + 1 for _ in range(2))
    caption = captions[int(rng.integers(len(captions)))] if captions and rng.random() < 0.22 else None
    beside = caption is not None and rng.random() < 0.65
    before, behind = (int(rng.exponential(0.6) * cap) + 2 for _ in range(2))
    if caption is not None:
        share = rng.uniform(0.3, 0.75) if beside else rng.uniform(0.22, 0.45)
        scale = share * cap / 40
        size = tuple(max(2, round(side * scale)) for side in caption.shape[::-1])
        if size[0] > 9 * cap:
            caption = None
        else:
            caption = np.asarray(cv2.resize(caption, size, interpolation=cv2.INTER_AREA), np.uint8)
    if caption is not None and beside:
        before += caption.shape[1] + int(rng.uniform(0.1, 0.8) * cap)
    elif caption is not None:
        above += caption.shape[0] + int(rng.uniform(0, 0.3) * cap)
    top = above + written.top
    height, width = above + written.ink.shape[0] + below, before + written.ink.shape[1] + behind
    if caption is not None and not beside:
        width = max(width, caption.shape[1] + 4)
    sheet = Sheet(
        np.zeros((height, width), np.float32),
        np.zeros((height, width), np.float32),
        np.ones((height, width), np.float32),
        top,
        before,
        cap,
    )
    shade = rng.uniform(0.45, 1)
    rows, columns = written.ink.shape
    sheet.ink[above : above + rows, before : before + columns] = written.ink / 255
    if caption is not None:
        if beside:
            line = top + cap - caption.shape[0] + int(rng.normal(0, 0.1) * cap)
        else:
            line = int(rng.uniform(0, 3))
        _stamp(sheet.print, caption, max(0, line), int(rng.uniform(0, 0.4) * cap), rng.uniform(0.4, 1))
    if written.cells:
        _draw_cells(sheet, written, shade, rng)
    else:
        _draw_rules(sheet, shade, rng)
    if rng.random() < 0.16:
        _pattern(sheet, rng)
    if others and rng.random() < 0.2:
        _neighbours(sheet, others, rng)
    if rng.random() < 0.06:
        column = int(rng.uniform(0, 1) ** 3 * width)
        column = column if rng.random() < 0.5 else width - 1 - column
        cv2.line(sheet.print, (column, 0), (column, height), float(shade), _pen(cap, rng))
    if rng.random() < 0.07:
        _marks(sheet, rng)
    return sheet


def _pen(cap: int, rng: np.random.Generator) -> int:
    return max(1, round(cap * rng.uniform(0.01, 0.09)))


def _stamp(plane: Plane, ink: Array, top: int, left: int, shade: float) -> None:
    """Put ink on a plane where it fits."""
    height = min(ink.shape[0], plane.shape[0] - top)
    width = min(ink.shape[1], plane.shape[1] - left)
    if height > 0 and width > 0:
        part = plane[top : top + height, left : left + width]
        np.maximum(part, ink[:height, :width] * np.float32(shade / 255), out=part)


def _draw_cells(sheet: Sheet, written: Written, shade: float, rng: np.random.Generator) -> None:
    """Draw boxes or a comb around the cells of the writing."""
    cap = sheet.cap
    height, width = sheet.print.shape
    walls = [wall + sheet.left for wall in written.cells]
    pitch = walls[1] - walls[0]
    top = sheet.top - rng.uniform(0.05, 0.3) * cap
    bottom = sheet.top + cap * (1 + rng.uniform(0.03, 0.3))
    pen = _pen(cap, rng)
    style = rng.random()
    tint = rng.uniform(0.05, 0.4)
    offset = rng.normal(0, 0.02) * cap
    if style < 0.1:  # White cells on tint.
        sheet.paper[:] = 1 - tint
        gap = rng.uniform(0.03, 0.12) * pitch
        for one, other in itertools.pairwise(walls):
            cv2.rectangle(sheet.paper, (int(one + gap), int(top)), (int(other - gap), int(bottom)), 1.0, -1)
        return
    if style < 0.2:  # Tinted cells.
        gap = rng.uniform(0, 0.1) * pitch
        for one, other in itertools.pairwise(walls):
            cv2.rectangle(
                sheet.paper, (int(one + gap), int(top)), (int(other - gap), int(bottom)), 1 - tint, -1
            )
        if rng.random() < 0.5:
            return
    full = rng.random() < 0.62
    double = full and rng.random() < 0.25
    wall_top = top if full else bottom - rng.uniform(0.2, 0.6) * cap
    if double:
        gap = rng.uniform(0.04, 0.16) * pitch
        for one, other in itertools.pairwise(walls):
            corners = (int(one + gap), int(top)), (int(other - gap), int(bottom))
            cv2.rectangle(sheet.print, *corners, shade, pen)
    else:
        dotted = rng.random() < 0.08
        for number, wall in enumerate(walls):
            end = number in (0, len(walls) - 1)
            thick = pen + (1 if end and rng.random() < 0.3 else 0)
            first = top if end and rng.random() < 0.7 else wall_top
            _rule(sheet.print, (wall + offset, first), (wall + offset, bottom), shade, thick, dotted)
        _rule(sheet.print, (walls[0], bottom), (walls[-1], bottom), shade, pen, dotted)
        if full and rng.random() < 0.9:
            _rule(sheet.print, (walls[0], top), (walls[-1], top), shade, pen, dotted)
    if rng.random() < 0.15:
        _guides(sheet, walls, top, bottom, rng)
    if rng.random() < 0.06 and height > 4 and width > 4:  # Separators printed between cells.
        for wall in walls[2:-1:2]:
            cv2.circle(sheet.print, (int(wall), int(bottom - 0.2 * cap)), pen, shade, -1)


def _guides(
    sheet: Sheet, walls: Sequence[float], top: float, bottom: float, rng: np.random.Generator
) -> None:
    """Draw seven-segment guides or dots into the cells, faintly."""
    shade, pen = rng.uniform(0.1, 0.6), max(1, round(sheet.cap * rng.uniform(0.01, 0.06)))
    for one, other in itertools.pairwise(walls):
        inset = 0.22 * (other - one)
        left, right = one + inset, other - inset
        high, low = top + 0.15 * (bottom - top), bottom - 0.15 * (bottom - top)
        middle = (high + low) / 2
        if rng.random() < 0.9:
            for level in (high, middle, low):
                _rule(sheet.print, (left, level), (right, level), shade, pen, False)
            for column in (left, right):
                _rule(sheet.print, (column, high), (column, low), shade, pen, False)


def _rule(
    plane: Plane,
    start: tuple[float, float],
    end: tuple[float, float],
    shade: float,
    pen: int,
    dotted: bool,
) -> None:
    """Draw a rule: solid, or of dots or dashes."""
    if not dotted:
        cv2.line(plane, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), shade, pen)
        return
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    step = max(3, 3 * pen)
    for at in np.arange(0, length, step):
        x = start[0] + (end[0] - start[0]) * at / length
        y = start[1] + (end[1] - start[1]) * at / length
        cv2.circle(plane, (int(x), int(y)), max(1, pen // 2), shade, -1)


def _draw_rules(sheet: Sheet, shade: float, rng: np.random.Generator) -> None:
    """Draw a line to write on, or a box around the field."""
    cap, width = sheet.cap, sheet.print.shape[1]
    style = rng.random()
    if style > 0.52:
        return
    bottom = sheet.top + cap * (1 + rng.normal(0.06, 0.1))
    pen, dotted = _pen(cap, rng), rng.random() < 0.3
    tilt = rng.normal(0, 0.006) * width
    left = sheet.left - rng.exponential(0.7) * cap if rng.random() < 0.6 else 0
    _rule(sheet.print, (left, bottom), (width, bottom + tilt), shade, pen, dotted)
    if style < 0.2:
        top = sheet.top - rng.uniform(0.05, 0.35) * cap
        _rule(sheet.print, (left, top), (width, top + tilt), shade, pen, dotted)
        if style < 0.12:
            for column in (left, width - 1 - rng.exponential(0.3) * cap):
                _rule(sheet.print, (column, top), (column, bottom), shade, pen, False)
    elif style < 0.26:
        level = sheet.top + cap * rng.uniform(0.3, 0.7)
        _rule(sheet.print, (0, level), (width, level), shade * rng.uniform(0.2, 0.7), pen, True)


def _pattern(sheet: Sheet, rng: np.random.Generator) -> None:
    """Draw a pattern over the paper, as cheques and squared paper have."""
    height, width = sheet.paper.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    depth, period = rng.uniform(0.04, 0.3), rng.uniform(0.12, 1.2) * sheet.cap
    kind = rng.random()
    if kind < 0.5:
        angle = rng.uniform(0, np.pi)
        wave = np.sin((columns * np.cos(angle) + rows * np.sin(angle)) * (2 * np.pi / period))
        bend = np.sin(columns / (period * rng.uniform(0.5, 3)) + rng.uniform(0, 6))
        wave = np.sin(np.arcsin(np.clip(wave, -1, 1)) * 2 + 2 * bend) if rng.random() < 0.6 else wave
        sheet.paper *= 1 - np.float32(depth / 2) * (1 + wave)
    elif kind < 0.75:
        noise = rng.normal(0, 1, (max(2, round(height / period * 3)), max(2, round(width / period * 3))))
        sheet.paper *= 1 - np.float32(depth) * np.abs(
            cv2.resize(noise.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        )
    else:
        pen = max(1, round(sheet.cap * 0.03))
        for at in np.arange(rng.uniform(0, period), width, max(4, period)):
            cv2.line(sheet.print, (int(at), 0), (int(at), height), depth * 2, pen)
        for at in np.arange(rng.uniform(0, period), height, max(4, period)):
            cv2.line(sheet.print, (0, int(at)), (width, int(at)), depth * 2, pen)


def _neighbours(sheet: Sheet, others: Sequence[Array], rng: np.random.Generator) -> None:
    """Let the feet of a line above or the heads of one below reach into the sheet."""
    for below in (False, True):
        if rng.random() < 0.6:
            other = others[int(rng.integers(len(others)))]
            scale = sheet.cap * rng.uniform(0.7, 1.2) / other.shape[0]
            size = (max(2, round(other.shape[1] * scale)), max(2, round(other.shape[0] * scale)))
            ink = np.asarray(cv2.resize(other, size, interpolation=cv2.INTER_AREA), np.uint8)
            room = sheet.print.shape[0] - sheet.top - sheet.cap if below else sheet.top
            reach = max(1, min(int(rng.uniform(0.3, 1) * room), ink.shape[0] // 2))
            left = int(rng.uniform(0, sheet.print.shape[1] * 0.6))
            cut = ink[:reach] if below else ink[-reach:]
            row = sheet.print.shape[0] - reach if below else 0
            _stamp(sheet.ink, cut, row, left, 1.0)


def _marks(sheet: Sheet, rng: np.random.Generator) -> None:
    """Put specks or a stray stroke of a pen on the sheet."""
    height, width = sheet.ink.shape
    for _ in range(int(rng.integers(1, 6))):
        at = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        radius = max(1, round(sheet.cap * rng.uniform(0.01, 0.035)))
        cv2.circle(sheet.ink, at, radius, rng.uniform(0.4, 1), -1)
