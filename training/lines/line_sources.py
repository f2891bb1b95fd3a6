"""Loads what lines are made from: glyphs, pen strokes of characters and of words, fonts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from lettermill.jobs.errors import BadData
from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.segmentation.glyph import ink_of
from lettermill.training.letters.set_formats import FONT_SUFFIXES, read_npz, unreadable
from lettermill.training.letters.sources import ALIGNED_FILE, canvas_of
from lettermill.training.letters.stroke_archive import (
    HELD_OUT_SITES,
    STROKES_FILE,
    WORD_STROKES_FILE,
    Drawing,
    read_strokes_archive,
)
from lettermill.training.lines.hands import SIGNS, Array, Drawn, GlyphSet, crop

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

PRINT_FOLDER = "print"
"""A folder of this name holds fonts of print, for captions, and no handwriting."""

HELD_OUT_WORD_SITES = frozenset({"hpb", "art", "apa", "app", "pap", "ape"})
"""The same for its words."""

_GLYPHS_KEPT_OF_TEN = 9
"""Of ten glyphs of a set one is left out, to measure on."""

_HELD_OUT_GLYPH = 7
_GLYPH_INK_PIXELS = 40
"""Longest side of the ink on a canvas."""

_LEAST_CHARACTERS = 8
"""Different characters that a writer must have drawn to write lines."""

_FONT_PIXELS = 60
_LEAST_CAPITAL_PIXELS = 10
_PLAIN_CAPITALS = "ABCDEFHIKLMNORTUVXZ"
"""Capitals without a tail or a round top: their height is that of a font's capitals."""

_CAPTIONS = 500
_CAPTION_FONT_PIXELS = 56
_LEAST_CAPTION_PIXELS = 50
_UPPER_CASE_SHARE = 0.35

_CAPTION_TEXT = (
    "NOM PRENOM Name: Surname Date of birth (jj/mm/aaaa) Adresse First name No. Tel. Ville CODE POSTAL "
    "Total EUR Rs. Nom : Prénom : Signature ID Number Class Age Sex M F Please print Amount Address City "
    "State Zip Phone Email 1. 2. 3) a) (if any) Last Middle Day Month Year DD MM YYYY"
)
_CAPTION_WORDS = tuple(_CAPTION_TEXT.split())


@dataclasses.dataclass(frozen=True, slots=True)
class Font:
    """A font's characters.

    Attributes:
        glyphs: the ink of each character.
        capital: height of a capital in pixels.
    """

    glyphs: Mapping[str, Drawn]
    capital: int


@dataclasses.dataclass(slots=True)
class LineSources:
    """What lines are made from; any part may be empty.

    Attributes:
        glyphs: of sets without writers; None if there is no set.
        writers: for each writer the drawings of each character.
        words: whole words as pen strokes, with their text.
        fonts: handwriting fonts.
        captions: printed words, uint8, h×w, 255 for ink.
    """

    glyphs: GlyphSet | None = None
    writers: list[dict[str, list[Drawing]]] = dataclasses.field(default_factory=list)
    words: list[tuple[Drawing, str]] = dataclasses.field(default_factory=list)
    fonts: list[Font] = dataclasses.field(default_factory=list)
    captions: list[Array] = dataclasses.field(default_factory=list)

    @property
    def vocabulary(self) -> list[str]:
        """The words that people wrote: letters only."""
        return [word for _, text in self.words for word in text.split() if word.isalpha()]

    @property
    def drawings_by_character(self) -> dict[str, list[Drawing]]:
        """All writers' drawings of each character."""
        joined: dict[str, list[Drawing]] = {}
        for writer in self.writers:
            for character, drawings in writer.items():
                joined.setdefault(character, []).extend(drawings)
        return joined


def load_sources(folders: Sequence[Path], report: Callable[[str], None] = lambda line: None) -> LineSources:
    """Load what lies directly in some folders.

    Args:
        folders: glyph sets (`NAME.npz` with x and y), pen strokes (`NAME_strokes.npz`,
            `NAME_words_strokes.npz`), handwriting fonts; in folders named `print`, fonts of captions.
        report: called with one line per kind, and with the files that are ignored.

    Raises:
        BadData: a folder is missing, a file is damaged, or nothing can write a line.
    """
    sources = LineSources()
    images: list[Array] = []
    labels: list[str] = []
    writers: dict[str, dict[str, list[Drawing]]] = {}
    printed: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise BadData(f"{folder} is not a folder", "Give --data the folder that holds the training sets.")
        for path in sorted(folder.iterdir()):
            name = path.name.lower()
            if name.endswith(WORD_STROKES_FILE):
                sources.words += _read_words(path)
            elif name.endswith(STROKES_FILE):
                _add_drawings(path, writers)
            elif name.endswith(".npz") and not name.endswith(ALIGNED_FILE):
                _add_glyphs(path, images, labels)
            elif path.suffix.lower() in FONT_SUFFIXES and folder.name == PRINT_FOLDER:
                printed.append(path)
            elif path.suffix.lower() in FONT_SUFFIXES:
                font = read_line_font(path)
                sources.fonts += [font] if font else []
            else:
                report(f"{path.name}: not used for lines")
    sources.writers = [writer for writer in writers.values() if len(writer) >= _LEAST_CHARACTERS]
    if images:
        sources.glyphs = GlyphSet.of_images(np.stack(images), labels, _GLYPH_INK_PIXELS)
    if not (images or sources.writers or sources.fonts):
        raise BadData(
            f"nothing in {', '.join(map(str, folders))} can write a line",
            "Expected are .npz sets of glyphs, …_strokes.npz or handwriting fonts. "
            "docs/training.md describes each.",
        )
    sources.captions = _captions(printed or _installed_print_fonts())
    report(
        f"lines are made from {len(images)} glyphs, {len(sources.writers)} writers' pen strokes, "
        f"{len(sources.words)} words as pen strokes, {len(sources.fonts)} fonts"
    )
    return sources


def _add_glyphs(path: Path, images: list[Array], labels: list[str]) -> None:
    """Add the letters and digits of a glyph set, but for a tenth that is kept to measure on."""
    content = read_npz(path)
    wanted = frozenset(LETTERS + LETTERS.lower() + DIGITS)
    for number, (image, label) in enumerate(zip(content.images, content.labels, strict=True)):
        if number % (_GLYPHS_KEPT_OF_TEN + 1) != _HELD_OUT_GLYPH and label in wanted:
            canvas = canvas_of(ink_of(image))
            if canvas.any():
                images.append(canvas)
                labels.append(label)


def _add_drawings(path: Path, writers: dict[str, dict[str, list[Drawing]]]) -> None:
    """Add the characters of a file of pen strokes to their writers."""
    for drawing, character, writer, site in read_strokes_archive(path, "char_first_stroke"):
        if site not in HELD_OUT_SITES:
            writers.setdefault(writer, {}).setdefault(character, []).append(drawing)


def _read_words(path: Path) -> list[tuple[Drawing, str]]:
    """Read words as pen strokes, without the characters that the line network does not know."""
    known = frozenset(LETTERS + DIGITS + MARKS + " ")
    return [
        (drawing, "".join(character for character in text if character in known))
        for drawing, text, _, site in read_strokes_archive(path, "word_first_stroke")
        if site not in HELD_OUT_WORD_SITES
    ]


def read_line_font(path: Path) -> Font | None:
    """Draw a handwriting font's characters; None if it lacks a capital.

    Raises:
        BadData: the file is no font.
    """
    from PIL import ImageFont

    try:
        font = ImageFont.truetype(str(path), _FONT_PIXELS)
        drawn = {character: _font_glyph(font, character) for character in LETTERS + DIGITS + MARKS + SIGNS}
    except (OSError, ValueError) as error:
        raise unreadable(path, "a font", error) from error
    if any(drawn[letter] is None for letter in LETTERS):
        return None
    there = {character: one for character, one in drawn.items() if one is not None}
    capital = int(np.median([-there[letter].top for letter in _PLAIN_CAPITALS]))
    if capital < _LEAST_CAPITAL_PIXELS:
        return None
    return Font({name: Drawn(one.ink, one.top + capital) for name, one in there.items()}, capital)


def _font_glyph(font: FreeTypeFont, character: str) -> Drawn | None:
    """Draw one character of a font; its top is counted from the baseline. None if there is no ink."""
    from PIL import Image, ImageDraw

    left, top, right, bottom = (int(side) for side in font.getbbox(character, anchor="ls"))
    if right <= left or bottom <= top:
        return None
    image = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(image).text((1 - left, 1 - top), character, 255, font, anchor="ls")
    grey = np.asarray(image)
    x, y, width, height = cv2.boundingRect((grey >= 32).astype(np.uint8))
    if not width:
        return None
    return Drawn(grey[y : y + height, x : x + width], top - 1 + y)


def _installed_print_fonts() -> list[Path]:
    """Return fonts of print that are always there: those that come with Matplotlib."""
    import matplotlib as mpl

    return sorted((Path(mpl.get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf"))


def _captions(fonts: Sequence[Path]) -> list[Array]:
    """Print captions as forms have them."""
    from PIL import Image, ImageDraw, ImageFont

    rng = np.random.default_rng(1)
    loaded = [ImageFont.truetype(str(path), _CAPTION_FONT_PIXELS) for path in fonts]
    captions = []
    for _ in range(_CAPTIONS if loaded else 0):
        font = loaded[int(rng.integers(len(loaded)))]
        count = int(rng.integers(1, 4))
        start = int(rng.integers(len(_CAPTION_WORDS) - 3))
        text = " ".join(_CAPTION_WORDS[start : start + count])
        text = text.upper() if rng.random() < _UPPER_CASE_SHARE else text
        _, _, right, bottom = font.getbbox(text)
        image = Image.new("L", (int(right) + 2, int(bottom) + 2))
        ImageDraw.Draw(image).text((0, 0), text, 255, font)
        caption = crop(np.asarray(image))
        captions += [caption] if caption.size > _LEAST_CAPTION_PIXELS else []
    return captions
