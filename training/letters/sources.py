"""Finds the training sets in folders and turns them into labelled glyphs without duplicates.

A *source* is where letters come from: the part of the file's name before the first `_`, `-` or `.`
(`nist_az_uniform.npz` → nist), or the folder's name for a folder of images. All sets cut from NIST Special
Database 19 count as one source, because their writers are the same people.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, GLYPH_SIZE, ink_of, normalise
from lettermill.training.letters.fonts import read_font
from lettermill.training.letters.set_formats import (
    FONT_SUFFIXES,
    LabelledImages,
    class_folders,
    looks_like_pixels,
    read_aligned,
    read_class_folders,
    read_idx,
    read_kaggle_csv,
    read_npz,
    read_zip,
)
from lettermill.training.letters.stroke_archive import STROKES_FILE, WORD_STROKES_FILE
from lettermill.training.letters.strokes import read_plain_strokes, read_strokes, read_varied_strokes

FONTS = "fonts"
"""The source of everything that is drawn from fonts: nobody wrote it, so nothing is measured on it."""

ALIGNED = " aligned"
"""Suffix of the source of letters that `aligned_letters` cut from fields: they are trained on, never measured
on, because a network chose the cuts."""

ALIGNED_FILE = "_aligned.npz"
"""Suffix of the name of a file of such letters."""

RENDERED = " re-rendered"
"""Suffix of a source whose pen strokes are drawn again: its letters are trained on, never measured on."""

CANVAS_SIZE = 48
"""Width and height of a canvas in pixels: finer than a glyph, so that an augmented canvas still gives a sharp
glyph."""

_CANVAS_BORDER_PIXELS = 4
_FROM_NIST_SD19 = frozenset({"nist", "mnist", "emnist"})


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """Labelled glyphs of any number of sources."""

    glyphs: NDArray[np.uint8]
    """uint8, n×28×28: what the CNN reads."""

    canvases: NDArray[np.uint8]
    """uint8, n×48×48: the same ink, finer; it is augmented and then normalised for training."""

    labels: NDArray[np.str_]
    """n strings of one character, as in the file (lower case stays lower case); "" for the reject class."""

    sources: NDArray[np.str_]
    """n names of sources."""

    writers: NDArray[np.str_]
    """n names of writers; "" if unknown."""

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Return a SHA-256 of everything that training sees."""
        digest = hashlib.sha256()
        for array in (self.glyphs, self.canvases):
            digest.update(np.ascontiguousarray(array).data)
        for names in (self.labels, self.sources, self.writers):
            digest.update("\n".join(names.tolist()).encode())
        return digest.hexdigest()

    def __getitem__(self, choice: NDArray[np.bool_] | NDArray[np.intp]) -> Letters:
        """Return the letters that a mask or an index array selects."""
        return Letters(*(getattr(self, field.name)[choice] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One file (or folder of images) that holds labelled letters."""

    path: Path
    source: str
    kind: str
    read: Callable[[Path], LabelledImages]


def find(folders: Sequence[Path]) -> tuple[list[Found], list[Path]]:
    """List the training sets directly in some folders, and the files that are ignored.

    Raises:
        BadData: a folder is missing, or none of them holds a training set.
    """
    found: list[Found] = []
    ignored: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise BadData(f"{folder} is not a folder", "Give --data the folder that holds the training sets.")
        classes = class_folders(folder)
        if classes:
            found.append(Found(folder, folder.resolve().name, "class folders", read_class_folders))
        for path in sorted(set(folder.iterdir()) - set(classes)):
            recognised = _recognise(path)
            found += recognised
            if not recognised and not path.name.endswith(("-labels-idx1-ubyte.gz", "-mapping.txt")):
                ignored.append(path)
    if not found:
        raise BadData(
            f"no training set in {', '.join(map(str, folders))}",
            "Expected are .npz, .zip with labels.csv, EMNIST's …-images-idx3-ubyte.gz, Kaggle's A–Z csv, "
            "…_strokes.json, fonts, or one sub-folder of images per class. docs/training.md describes each.",
        )
    return found, ignored


def load(
    found: Iterable[Found],
    report: Callable[[str], None] = lambda line: None,
    part_of: Callable[[Letters], NDArray[np.int64]] | None = None,
) -> Letters:
    """Read, normalise and join the sets that `find` found, without duplicates.

    Of glyphs that are equal in every pixel one is kept, or none if their labels differ.

    Args:
        found: the sets.
        report: called with one line per file, and one on duplicates.
        part_of: returns the number of the part that each letter will belong to (int64, n), 0 for training.
            Of equal glyphs the one of the highest part is kept, so that nothing measured on was trained on.
    """
    parts = [read(one, report) for one in found]
    joined = Letters(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Letters)
        )
    )
    ranks = part_of(joined) if part_of else np.zeros(len(joined), np.int64)
    chosen, across = _one_of_each(joined, ranks)
    if len(chosen) < len(joined):
        report(f"{len(joined) - len(chosen)} duplicate or empty glyphs left out")
    if across:
        report(f"  {across} of them because validation or test holds the same glyph")
    return joined[chosen]


def read(one: Found, report: Callable[[str], None] = lambda line: None) -> Letters:
    """Read and normalise one set, duplicates included, and report what it holds."""
    content = one.read(one.path)
    letters = _letters(content, one.source)
    report(f"{one.path.name}: {len(letters)} glyphs ({one.kind}, source {one.source})")
    for remark in content.remarks:
        report(f"  {remark}")
    return letters


def report_ignored(paths: Sequence[Path], report: Callable[[str], None]) -> None:
    """Report the files that are no training sets."""
    for path in paths:
        report(f"{path.name}: ignored, not a format that training reads")


def origins(letters: Letters) -> NDArray[np.str_]:
    """Return the n sources of letters without the suffixes for re-rendered and aligned letters."""
    names, places = np.unique(letters.sources, return_inverse=True)
    plain = [name.removesuffix(RENDERED).removesuffix(ALIGNED) for name in names.tolist()]
    return np.array(plain, dtype=names.dtype)[places]


def written(letters: Letters) -> NDArray[np.bool_]:
    """Mark letters that a person wrote and labelled (not fonts, re-rendered or aligned): bool, n."""
    return np.asarray((letters.sources == origins(letters)) & (letters.sources != FONTS))


def canvas_of(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale one character's ink into a canvas, like `normalise` but finer and without its stretch.

    Args:
        ink: uint8, h×w, 255 for ink.

    Returns:
        uint8, 48×48: the ink's bounding box, centred, with 4 empty pixels at each end of its longer axis.
    """
    canvas = np.zeros((CANVAS_SIZE, CANVAS_SIZE), np.uint8)
    strong = ink >= GLYPH_INK_LEVEL
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if rows.size == 0:
        return canvas
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = crop.shape
    scale = (CANVAS_SIZE - 2 * _CANVAS_BORDER_PIXELS) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (CANVAS_SIZE - size[1]) // 2, (CANVAS_SIZE - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _recognise(path: Path) -> list[Found]:
    """Return what a file holds: pen strokes are drawn in two ways; nothing if it is no training set."""
    name = path.name.lower()
    source = re.split(r"[_.\-]", name)[0]
    source = "nist" if source in _FROM_NIST_SD19 else source
    if name.endswith(WORD_STROKES_FILE):  # For lines only.
        return []
    if name.endswith(STROKES_FILE):
        return [
            Found(path, source, "pen strokes, one pen", read_plain_strokes),
            Found(path, source + RENDERED, "pen strokes, several pens", read_varied_strokes),
        ]
    if name.endswith(ALIGNED_FILE):
        return [Found(path, source + ALIGNED, "NumPy archive", read_aligned)]
    if name.endswith(".npz"):
        return [Found(path, source, "NumPy archive", read_npz)]
    if name.endswith(".zip"):
        return [Found(path, source, "zip with labels.csv", read_zip)]
    if name.endswith("-images-idx3-ubyte.gz"):
        return [Found(path, source, "IDX pair", read_idx)]
    if name.endswith("_strokes.json"):
        return [Found(path, source + RENDERED, "pen strokes", read_strokes)]
    if path.suffix.lower() in FONT_SUFFIXES:
        return [Found(path, FONTS, "font", read_font)]
    if name.endswith(".csv") and path.is_file() and looks_like_pixels(path):
        return [Found(path, "nist", "Kaggle CSV", read_kaggle_csv)]
    return []


def _letters(content: LabelledImages, source: str) -> Letters:
    count = len(content.labels)
    glyphs = np.zeros((count, GLYPH_SIZE, GLYPH_SIZE), np.uint8)
    canvases = np.zeros((count, CANVAS_SIZE, CANVAS_SIZE), np.uint8)
    for index, image in enumerate(content.images):
        ink = ink_of(image)
        glyphs[index], canvases[index] = normalise(ink), canvas_of(ink)
    return Letters(
        glyphs,
        canvases,
        np.array(content.labels, dtype="<U1"),
        np.full(count, source),
        np.array(content.writers, dtype=np.str_),
    )


def _one_of_each(letters: Letters, ranks: NDArray[np.int64]) -> tuple[NDArray[np.intp], int]:
    """Index one of each set of equal glyphs: the first one of the highest rank.

    Empty glyphs and glyphs with contradicting labels are left out.

    Returns:
        The indexes in the order of the letters, and the number of glyphs of rank 0 that were left out for
        one of a higher rank.
    """
    same: dict[bytes, list[int]] = {}
    for index, glyph in enumerate(letters.glyphs):
        same.setdefault(glyph.tobytes(), []).append(index)
    same.pop(bytes(GLYPH_SIZE * GLYPH_SIZE), None)
    chosen, across = [], 0
    for places in same.values():
        if len({letters.labels[place].upper() for place in places}) == 1:
            best = max(places, key=lambda place: ranks[place])  # The first of several.
            chosen.append(best)
            across += sum(ranks[place] == 0 for place in places) if ranks[best] else 0
    return np.array(sorted(chosen), dtype=np.intp), int(across)
