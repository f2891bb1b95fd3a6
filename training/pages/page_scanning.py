"""Scans a made page: turned, bent, lit, blurred, faxed, photographed on a table; its regions move with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.regions import Region
from lettermill.training.pages.made_pages import photograph
from lettermill.training.pages.page_planes import Field, Planes

Array = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class ScannedPage:
    """A scan whose regions are known.

    Attributes:
        image: uint8, h×w, grey.
        ink: uint8, 4×h×w: for each region how much of its ink a pixel holds; filled areas are 255.
        fields: where the fields lie and what is written in them.
    """

    image: Array
    ink: Array
    fields: Sequence[Field]


def scan_page(
    planes: Planes, pictures: Sequence[Array], rng: np.random.Generator, plain: bool = False
) -> ScannedPage:
    """Scan a page.

    Args:
        planes: the page.
        pictures: photographs of what may lie around it.
        rng: the only source of randomness.
        plain: whether it is scanned without faults.
    """
    height, width = planes.area.shape
    strength = np.ones(len(Region), np.float32)
    strength[Region.WRITING] = rng.uniform(0.5, 1)
    strength[Region.PRINT] = rng.uniform(0.5, 1)
    strength[Region.LINES] = rng.uniform(0.25, 1)
    strength[Region.OTHER] = rng.uniform(0.6, 1)
    light = planes.paper.copy()
    for region in Region:
        light *= 1 - strength[region] * (
            planes.ink[region] / np.float32(255) if plain else _inked(planes.ink[region], rng)
        )
    ink = planes.ink.copy()
    for region in (Region.PRINT, Region.OTHER):
        ink[region][planes.area == 1 + region] = 255
    fields = list(planes.fields)
    if plain:
        return ScannedPage((light * 255).astype(np.uint8), ink, fields)

    kind = rng.random()
    on_table = 0.45 <= kind < 0.75
    if kind < 0.75:
        light, ink, matrix = _placed(
            light, ink, 1.0 if not on_table else rng.uniform(0.7, 1.15), on_table, pictures, rng
        )
        fields = [
            Field(one.text, np.asarray(cv2.perspectiveTransform(one.corners[None], matrix)[0], np.float32))
            for one in fields
        ]
    if rng.random() < 0.4:
        corners = rng.uniform(0.5, 1, (2, 2)).astype(np.float32)
        light = light * cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), float(rng.uniform(0.3, 1.2))), np.float32)
    if rng.random() < 0.6:
        light = light + rng.normal(0, rng.uniform(0.004, 0.05), light.shape).astype(np.float32)
    if rng.random() < 0.5:  # A scanner that makes grey ink black and grey paper white.
        dark, bright = rng.uniform(0, 0.35), rng.uniform(0.7, 1)
        light = (light - dark) / (bright - dark)
    grey = np.clip(light * rng.uniform(180, 255), 0, 255).astype(np.uint8)
    kind = rng.random()
    if kind < 0.12 and not on_table:
        level = float(np.percentile(grey, 80)) * rng.uniform(0.65, 0.9)
        grey = np.where(grey > level, 255, 0).astype(np.uint8)
        if rng.random() < 0.4:
            specks = rng.random(grey.shape) < rng.uniform(0, 0.006)
            grey[specks] = 255 - grey[specks]
    elif kind < 0.45:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 85))]
        _, compressed = cv2.imencode(".jpg", grey, quality)
        grey = np.asarray(cv2.imdecode(compressed, cv2.IMREAD_GRAYSCALE), np.uint8)
    if rng.random() < 0.03:
        grey = np.asarray(255 - grey, np.uint8)
    return ScannedPage(grey, ink, fields)


def _inked(plane: Array, rng: np.random.Generator) -> NDArray[np.float32]:
    """Blur the ink of a plane and make it darker, as pens and presses do: thin strokes become black, too."""
    ink = plane.astype(np.float32) / 255
    if rng.random() < 0.6:
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(0.25, 0.8))), np.float32)
    return np.minimum(1, ink * np.float32(np.exp(rng.uniform(0, 1))))


def _placed(
    light: NDArray[np.float32],
    ink: Array,
    share: float,
    on_table: bool,
    pictures: Sequence[Array],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], Array, NDArray[np.float64]]:
    """Turn the sheet, lay it on something, and look at it from aside.

    Args:
        light: float32, h×w, of the sheet.
        ink: uint8, 4×h×w.
        share: how much of the picture's height and width the sheet fills.
        on_table: whether it is photographed on something, not scanned.
        pictures: photographs.
        rng: the only source of randomness.

    Returns:
        The picture, its regions, and the map from sheet to picture.
    """
    height, width = light.shape
    sheet = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    centre = np.array([width / 2, height / 2])
    turn = np.deg2rad(rng.normal(0, 3 if on_table else 0.8))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = (sheet - centre) * share @ rotation.T + centre
    if on_table:
        corners += rng.normal(0, 0.02, (4, 2)) * (width, height)
        corners += rng.normal(0, 0.2 * abs(1 - share), 2) * (width, height)
    matrix = np.asarray(cv2.getPerspectiveTransform(sheet, corners.astype(np.float32)), np.float64)
    size = (width, height)
    inside = cv2.warpPerspective(np.ones(light.shape, np.float32), matrix, size, flags=cv2.INTER_LINEAR)
    moved = cv2.warpPerspective(light, matrix, size, flags=cv2.INTER_LINEAR)
    planes = np.stack([cv2.warpPerspective(plane, matrix, size, flags=cv2.INTER_LINEAR) for plane in ink])
    if on_table and pictures:
        table = 255 - photograph(pictures[int(rng.integers(len(pictures)))], height, width, rng)
        around = table.astype(np.float32) / 255
        if rng.random() < 0.3:
            around = np.asarray(cv2.GaussianBlur(around, (0, 0), 6), np.float32)
        planes[Region.OTHER][inside < 0.5] = 255
    else:
        around = np.full(light.shape, rng.choice([0.0, 1.0, rng.uniform(0, 1)]), np.float32)
        planes[Region.OTHER][inside < 0.5] = 255 if on_table else 0
    light = np.asarray(inside * moved + (1 - inside) * around, np.float32)
    return light, np.asarray(planes, np.uint8), matrix
