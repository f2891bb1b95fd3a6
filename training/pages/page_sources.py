"""Loads what pages are made from: hands that write, fonts of print, symbols, pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.training.letters.set_formats import FONT_SUFFIXES
from lettermill.training.lines.line_sources import PRINT_FOLDER, LineSources, load_sources
from lettermill.training.lines.writing import Written
from lettermill.training.pages.field_writing import read_writing

Array = NDArray[np.uint8]

SYMBOLS_FOLDER, PICTURES_FOLDER, WRITING_FOLDER = "symbols", "pictures", "writing"
"""Folders of these names hold fonts of symbols, for logos, photographs, for pictures and tables, and what
`field_writing` cut out of fields."""

_PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_PICTURE_PIXELS = 1400


@dataclasses.dataclass(frozen=True, slots=True)
class PageSources:
    """What pages are made from.

    Attributes:
        hands: glyphs, pen strokes and fonts that write.
        print_fonts: files of fonts of print.
        symbol_fonts: files of fonts of symbols; may be empty.
        pictures: uint8, h×w, grey photographs; may be empty.
        words: whole words as people wrote them with a pen; may be empty.
    """

    hands: LineSources
    print_fonts: Sequence[Path]
    symbol_fonts: Sequence[Path]
    pictures: Sequence[Array]
    words: Sequence[Written] = ()


def load_page_sources(
    folders: Sequence[Path], report: Callable[[str], None] = lambda line: None
) -> PageSources:
    """Load what lies directly in some folders, as `load_sources` does, and what only pages use.

    Args:
        folders: glyph sets, pen strokes, handwriting fonts; folders named `print`, `symbols`,
            `pictures`, `writing`.
        report: called with a line about what was found.

    Raises:
        BadData: a folder is missing, a file is damaged, nothing can write, or there is no font of print.
    """
    special = (PRINT_FOLDER, SYMBOLS_FOLDER, PICTURES_FOLDER, WRITING_FOLDER)
    hands = load_sources([folder for folder in folders if folder.name not in special], report)
    found = {
        name: [
            path
            for folder in folders
            if folder.name == name and folder.is_dir()
            for path in sorted(folder.iterdir())
        ]
        for name in special
    }
    fonts = [path for path in found[PRINT_FOLDER] if path.suffix.lower() in FONT_SUFFIXES]
    symbols = [path for path in found[SYMBOLS_FOLDER] if path.suffix.lower() in FONT_SUFFIXES]
    pictures = [_picture(path) for path in found[PICTURES_FOLDER] if path.suffix.lower() in _PICTURE_SUFFIXES]
    words = [word for path in found[WRITING_FOLDER] for word in read_writing(path)]
    if not fonts:
        raise BadData(
            "there is no font of print",
            f"Give --data a folder named {PRINT_FOLDER}; docs/training-fonts.md lists fonts.",
        )
    report(
        f"pages: {len(words)} words as pen on paper, {len(fonts)} fonts of print, "
        f"{len(symbols)} fonts of symbols, {len(pictures)} photographs"
    )
    return PageSources(hands, fonts, symbols, pictures, words)


def _picture(path: Path) -> Array:
    """Read a photograph, grey, at most 1,400 pixels high or wide."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise BadData(f"{path} is not a picture", "Give PNG, JPEG or WebP files.")
    scale = min(1.0, _PICTURE_PIXELS / max(image.shape))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
