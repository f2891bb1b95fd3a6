"""Sheets of paper with writing in a handwriting font, as arrays of grey or colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.pages.hands import FontHand

Image = NDArray[np.uint8]

PAPER, INK = 245, 40
"""Grey levels of paper and pen."""


@dataclasses.dataclass(frozen=True)
class Writer:
    """Writes in one handwriting font, each letter a little different.

    Attributes:
        hand: the font.
        seed: decides how each letter differs.
    """

    hand: FontHand
    seed: int = 7

    def mask(self, text: str, cap: int = 44, pen: float = 5.0, spacing: float = 0.3) -> Image:
        """Write one line.

        Args:
            text: letters and spaces.
            cap: height of a capital in pixels.
            pen: width of a stroke in pixels.
            spacing: clear space between letters, in capital heights; a space is 1.0 wide.

        Returns:
            The ink, 0 to 255: uint8, height × width, cropped to the writing's height with a small margin.
        """
        rng = np.random.default_rng([self.seed, *text.encode()])
        height, base, x = 2 * cap, int(1.5 * cap), cap // 4
        line = np.zeros((height, cap * (len(text) + 2) * 2), np.uint8)
        for character in text:
            if character == " ":
                x += cap
                continue
            glyph = self.hand.write(character, cap * rng.uniform(0.93, 1.05), pen, rng)
            top = max(0, min(height - glyph.mask.shape[0], base - round(glyph.foot)))
            rows, columns = glyph.mask.shape
            area = line[top : top + rows, x : x + columns]
            np.maximum(area, glyph.mask[: area.shape[0], : area.shape[1]], out=area)
            x += columns + round(cap * spacing * rng.uniform(0.8, 1.2))
        return line[:, : x + cap // 4]


def sheet(width: int = 900, height: int = 500, paper: int = PAPER, seed: int = 1) -> Image:
    """An empty sheet, uint8, with the faint noise of a scanner."""
    noise = np.random.default_rng(seed).normal(paper, 0.8, (height, width))
    return np.clip(noise, 0, 255).astype(np.uint8)


def ink(page: Image, mask: Image, x: int, y: int, level: int = INK) -> None:
    """Lay ink on a page in place: `mask` (0 to 255) darkens it towards `level`, top-left corner at x, y."""
    rows, columns = mask.shape[:2]
    area = page[y : y + rows, x : x + columns]
    share = mask[: area.shape[0], : area.shape[1]].astype(np.float32) / 255
    area[...] = np.round(area * (1 - share) + level * share).astype(np.uint8)


def written(lines: Sequence[str], writer: Writer, cap: int = 44, level: int = INK, margin: int = 50) -> Image:
    """A sheet with lines of writing, just large enough for them."""
    masks = [writer.mask(line, cap) for line in lines]
    page = sheet(max(mask.shape[1] for mask in masks) + 2 * margin, len(lines) * 2 * cap + 2 * margin)
    for number, mask in enumerate(masks):
        ink(page, mask, margin, margin + number * 2 * cap, level)
    return page


def writer(fonts: Path, name: str = "patrick-hand", seed: int = 7) -> Writer:
    """The writer of a font below the folder of npm packages that examples/README.md names."""
    (path,) = fonts.glob(f"**/{name}-latin-400-normal.woff2")
    return Writer(FontHand(path), seed)
