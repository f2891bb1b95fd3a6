"""Scans a sheet: pen and paper become grey values, from a clean scan to a fax, a photograph, a few pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.training.lines.form_paper import Plane, Sheet

Array = NDArray[np.uint8]


def scan(sheet: Sheet, rng: np.random.Generator) -> Array:
    """Scan a sheet.

    Args:
        sheet: the form with its writing.
        rng: the only source of randomness.

    Returns:
        uint8, h×w: grey values, dark ink on light paper.
    """
    ink, paper, printed = _warped(sheet, rng)
    height, width = ink.shape
    strength = rng.uniform(0.35, 1)
    if rng.random() < 0.15:  # A pencil or a dry pen.
        grain = rng.normal(1, rng.uniform(0.1, 0.4), ink.shape).astype(np.float32)
        ink = np.clip(ink * cv2.GaussianBlur(grain, (0, 0), 0.7), 0, 1)
    dark = rng.uniform(0.5, 1) if rng.random() < 0.6 else rng.uniform(0.15, 0.6)
    light = paper * np.minimum(1 - strength * ink, 1 - dark * printed)
    if rng.random() < 0.3:
        corners = rng.uniform(0.55, 1, (2, 2)).astype(np.float32)
        light = light * cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)

    pixels = float(np.exp(rng.uniform(np.log(9), np.log(48))))
    scale = pixels / sheet.cap
    if scale < 1:
        size = (max(4, round(width * scale)), max(4, round(height * scale)))
        light = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.6:
        light = cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.3, 0.3 + pixels / 22)))
    if rng.random() < 0.7:
        light = light + rng.normal(0, rng.uniform(0.005, 0.06), light.shape).astype(np.float32)
    grey = np.clip(light * rng.uniform(170, 255), 0, 255).astype(np.uint8)
    kind = rng.random()
    if kind < 0.12:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.7), np.uint8)
        level = float(np.percentile(grey, 90)) * rng.uniform(0.6, 0.85)
        grey = np.where(grey > level, 255, 0).astype(np.uint8)
        if rng.random() < 0.3:
            specks = rng.random(grey.shape) < rng.uniform(0, 0.01)
            grey[specks] = 255 - grey[specks]
    elif kind < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
        _, compressed = cv2.imencode(".jpg", grey, quality)
        grey = np.asarray(cv2.imdecode(compressed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(grey, np.uint8)


def _warped(sheet: Sheet, rng: np.random.Generator) -> tuple[Plane, Plane, Plane]:
    """Slant the writing, and bend and turn the sheet a little."""
    height, width = sheet.ink.shape
    slant = float(np.clip(rng.normal(0, 0.14), -0.4, 0.4))
    foot = sheet.top + sheet.cap
    slanted = np.array([[1, -slant, slant * foot], [0, 1, 0]], np.float32)
    ink: Plane = np.asarray(
        cv2.warpAffine(sheet.ink, slanted, (width, height), flags=cv2.INTER_LINEAR), np.float32
    )
    planes = [ink, sheet.paper, sheet.print]
    if rng.random() < 0.5:
        turn, shear = rng.normal(0, 0.012), rng.normal(0, 0.02)
        matrix = np.array([[1, shear, -shear * foot], [turn, 1, -turn * width / 2]], np.float32)
        planes = [
            np.asarray(
                cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32
            )
            for plane in planes
        ]
    if rng.random() < 0.3:
        shift = (sheet.cap / 16) * rng.uniform(0.3, 1)
        rows, columns = max(2, round(height / sheet.cap * 2)), max(2, round(width / sheet.cap * 2))
        coarse = rng.normal(0, shift, (rows, columns, 2)).astype(np.float32)
        field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        y, x = np.mgrid[:height, :width].astype(np.float32)
        map_x, map_y = x + field[..., 0], y + field[..., 1]
        planes = [
            np.asarray(
                cv2.remap(plane, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
            )
            for plane in planes
        ]
    return planes[0], planes[1], planes[2]
