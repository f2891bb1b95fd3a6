"""Finds the training sets in folders and turns them into labelled glyphs without duplicates.

A *source* is where letters come from: the part of the file's name before the first `_`, `-` or `.`
(`nist_az_uniform.npz` → nist), or the folder's name for a folder of images. Sets that were all cut
from NIST Special Database 19 count as one source, because their writers are the same people.
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
from lettermill.training.letters import fonts, strokes
from lettermill.training.letters import set_formats as formats
from lettermill.training.letters.set_formats import LabelledImages

FONTS = "fonts"
"""The source of everything that is drawn from font files: written by nobody, so nothing is measured on it."""

SELF_LABELLED = " self-labelled"
"""Ends the source's name of letters that `self_labels` labelled: they train, and measure nothing."""

SELF_LABELLED_FILE = "_self-labelled.npz"
"""Ends the name of a file of them."""

RENDERED = " re-rendered"
"""Ends the name of a source whose pen strokes are drawn anew: its letters train, and measure nothing."""

CANVAS_SIZE = 48
"""Width and height of a canvas: finer than a glyph, so that a bent canvas still gives a sharp glyph."""

_CANVAS_BORDER = 4
_FROM_NIST_SD19 = frozenset({"nist", "mnist", "emnist"})


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """Labelled glyphs of any number of sources."""

    glyphs: NDArray[np.uint8]
    """uint8, n×28×28: what the CNN sees when it reads."""

    canvases: NDArray[np.uint8]
    """uint8, n×48×48: the same ink, finer, to be bent and then normalised for training."""

    labels: NDArray[np.str_]
    """n strings of one character, as the file says (lower case stays lower case)."""

    sources: NDArray[np.str_]
    """n names of sources."""

    writers: NDArray[np.str_]
    """n names of writers, empty where unknown."""

    def __len__(self) -> int:
        return len(self.labels)

    def digest(self) -> str:
        """Return a SHA-256 of everything that a training sees."""
        digest = hashlib.sha256()
        for array in (self.glyphs, self.canvases):
            digest.update(np.ascontiguousarray(array).data)
        for names in (self.labels, self.sources, self.writers):
            digest.update("\n".join(names.tolist()).encode())
        return digest.hexdigest()

    def __getitem__(self, choice: NDArray[np.bool_] | NDArray[np.intp]) -> Letters:
        """Return those that a mask or an index array chooses."""
        return Letters(*(getattr(self, field.name)[choice] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """One file (or folder of images) that holds labelled letters."""

    path: Path
    source: str
    kind: str
    read: Callable[[Path], LabelledImages]


def find(folders: Sequence[Path]) -> tuple[list[Found], list[Path]]:
    """List what can be trained on in the folders (not below them) and what is left aside.

    Raises:
        BadData: a folder is missing, or there is nothing to train on in all of them.
    """
    found: list[Found] = []
    aside: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise BadData(f"{folder} is not a folder", "Give --data the folder that holds the training sets.")
        classes = formats.class_folders(folder)
        if classes:
            found.append(Found(folder, folder.resolve().name, "class folders", formats.read_class_folders))
        for path in sorted(set(folder.iterdir()) - set(classes)):
            one = _recognise(path)
            if one is not None:
                found.append(one)
            elif not path.name.endswith(("-labels-idx1-ubyte.gz", "-mapping.txt")):
                aside.append(path)
    if not found:
        raise BadData(
            f"no training set in {', '.join(map(str, folders))}",
            "Expected are .npz, .zip with labels.csv, EMNIST's …-images-idx3-ubyte.gz, Kaggle's A–Z csv, "
            "…_strokes.json, fonts, or one sub-folder of images a class. docs/training.md describes each.",
        )
    return found, aside


def load(
    found: Iterable[Found],
    report: Callable[[str], None] = lambda line: None,
    part_of: Callable[[Letters], NDArray[np.int64]] | None = None,
) -> Letters:
    """Read, normalise and join what `find` found, without duplicates.

    Of glyphs that are equal to the last pixel one stays; where their labels differ, none does.

    Args:
        found: the files.
        report: is called with a line on each file, and one on duplicates.
        part_of: numbers the part that each letter will belong to (int64, n), 0 for training; of equal
            glyphs the one of the highest part stays, so that nothing that is measured on was trained on.
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
    """Read and normalise one file, duplicates and all, and say what it holds."""
    content = one.read(one.path)
    letters = _letters(content, one.source)
    report(f"{one.path.name}: {len(letters)} glyphs ({one.kind}, source {one.source})")
    for remark in content.remarks:
        report(f"  {remark}")
    return letters


def origins(letters: Letters) -> NDArray[np.str_]:
    """Return n names of sources, without what says that letters were re-rendered or self-labelled."""
    names, places = np.unique(letters.sources, return_inverse=True)
    plain = [name.removesuffix(RENDERED).removesuffix(SELF_LABELLED) for name in names.tolist()]
    return np.array(plain, dtype=names.dtype)[places]


def written(letters: Letters) -> NDArray[np.bool_]:
    """Mark the letters that a person wrote and labelled: not from a font, re-rendered or self-labelled."""
    return np.asarray((letters.sources == origins(letters)) & (letters.sources != FONTS))


def canvas_of(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale one character's ink into a canvas: as `normalise` does, but finer and without the stretch.

    Args:
        ink: uint8, h×w, 255 for ink.

    Returns:
        uint8, 48×48, the ink's bounding box centred, 4 empty pixels around the longer axis.
    """
    canvas = np.zeros((CANVAS_SIZE, CANVAS_SIZE), np.uint8)
    strong = ink >= GLYPH_INK_LEVEL
    rows, columns = np.flatnonzero(strong.any(axis=1)), np.flatnonzero(strong.any(axis=0))
    if rows.size == 0:
        return canvas
    crop = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = crop.shape
    scale = (CANVAS_SIZE - 2 * _CANVAS_BORDER) / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (CANVAS_SIZE - size[1]) // 2, (CANVAS_SIZE - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _recognise(path: Path) -> Found | None:
    name = path.name.lower()
    source = re.split(r"[_.\-]", name)[0]
    source = "nist" if source in _FROM_NIST_SD19 else source
    if name.endswith(SELF_LABELLED_FILE):
        return Found(path, source + SELF_LABELLED, "NumPy archive", formats.read_npz)
    if name.endswith(".npz"):
        return Found(path, source, "NumPy archive", formats.read_npz)
    if name.endswith(".zip"):
        return Found(path, source, "zip with labels.csv", formats.read_zip)
    if name.endswith("-images-idx3-ubyte.gz"):
        return Found(path, source, "IDX pair", formats.read_idx)
    if name.endswith("_strokes.json"):
        return Found(path, source + RENDERED, "pen strokes", strokes.read_strokes)
    if path.suffix.lower() in formats.FONT_SUFFIXES:
        return Found(path, FONTS, "font", fonts.read_font)
    if name.endswith(".csv") and path.is_file() and formats.looks_like_pixels(path):
        return Found(path, "nist", "Kaggle CSV", formats.read_kaggle_csv)
    return None


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
    """Index one of each glyph, the first of the highest rank.

    Empty glyphs and glyphs with contradicting labels are left out.

    Returns:
        The indexes in the order of the letters, and how many glyphs of rank 0 gave way to one of a
        higher rank.
    """
    same: dict[bytes, list[int]] = {}
    for index, glyph in enumerate(letters.glyphs):
        same.setdefault(glyph.tobytes(), []).append(index)
    same.pop(bytes(GLYPH_SIZE * GLYPH_SIZE), None)
    chosen, across = [], 0
    for places in same.values():
        if len({letters.labels[place].upper() for place in places}) == 1:
            best = max(places, key=lambda place: ranks[place])  # the first of these
            chosen.append(best)
            across += sum(ranks[place] == 0 for place in places) if ranks[best] else 0
    return np.array(sorted(chosen), dtype=np.intp), int(across)
