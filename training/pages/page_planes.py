"""The planes of a made page: what is writing, what is print, what are form lines, and what is neither."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.regions import Region

Array = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field of a made page and what is written in it.

    Attributes:
        text: as it is written, without spaces; empty if nothing is.
        corners: float32, 4×2: the field's corners (x, y) in page pixels, clockwise from the top left one.
    """

    text: str
    corners: NDArray[np.float32] = dataclasses.field(compare=False)


@dataclasses.dataclass(slots=True)
class Planes:
    """A page before it is scanned.

    Attributes:
        ink: uint8, 4×h×w: for each region how dark its ink is, 255 for black.
        area: uint8, h×w: 1 + the region of a filled area, which is no paper; else 0.
        paper: float32, h×w: lightness of the paper, 1 for white.
        fields: the fields of the page.
    """

    ink: Array
    area: Array
    paper: NDArray[np.float32]
    fields: list[Field]

    @staticmethod
    def empty(height: int, width: int) -> Planes:
        """Return an empty sheet."""
        return Planes(
            np.zeros((len(Region), height, width), np.uint8),
            np.zeros((height, width), np.uint8),
            np.ones((height, width), np.float32),
            [],
        )

    def stamp(self, region: Region, image: Array, left: int, top: int, shade: float = 1.0) -> None:
        """Put ink on a plane; what reaches beyond the page is cut.

        Args:
            region: what the ink is.
            image: uint8, h×w, 255 for ink.
            left: column of the page for its first column.
            top: row of the page for its first row.
            shade: how dark its ink becomes, 0 to 1.
        """
        height, width = self.area.shape
        x, y = max(0, left), max(0, top)
        right, bottom = min(width, left + image.shape[1]), min(height, top + image.shape[0])
        if right <= x or bottom <= y:
            return
        part = self.ink[region, y:bottom, x:right]
        new = (image[y - top : bottom - top, x - left : right - left] * np.float32(shade)).astype(np.uint8)
        np.maximum(part, new, out=part)

    def fill(self, region: Region, image: Array, left: int, top: int) -> None:
        """Put a filled area on the page: all of it is that region, also where it is light.

        Args:
            region: what the area is.
            image: uint8, h×w, 255 for black.
            left: column of the page for its first column.
            top: row of the page for its first row.
        """
        self.stamp(region, image, left, top)
        self.area[max(0, top) : top + image.shape[0], max(0, left) : left + image.shape[1]] = 1 + region
