"""Reads labelled images of fields, holds a part of them out, and augments the others as training lines."""

from __future__ import annotations

import csv
import dataclasses
import io
import unicodedata
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ScanError
from lettermill.jobs.results.compare import NOT_COMPARED
from lettermill.jobs.results.csv_tables import unescape_formula
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import ALPHABETS, DIGITS, LETTERS, MARKS, Alphabet, Settings
from lettermill.segmentation.line_image import line_image
from lettermill.segmentation.page import segment
from lettermill.training.lines.made_lines import TrainingLine

Array = NDArray[np.uint8]

HELD_OUT_EVERY = 7
"""Each such row of the truth is held out, to measure on: as the benches do."""

_LABELS_FILE = "labels.csv"
_EMPTY = "EMPTY"
"""The label of a field on which nothing is written; it is trained on as such."""

_MAKE_CSV = (
    "Give a CSV file in UTF-8 with the columns file,label: each image's path below the folder, and what is "
    "written on it."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Band:
    """Where the letters of a field are, in pixels of its image.

    Attributes:
        letter: height of the typical letter.
        middle: row of the letters' middle.
    """

    letter: float
    middle: float


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The image of a field and what is written on it.

    Attributes:
        name: its path below the folder.
        image: uint8, h×w, grey.
        text: capitals, digits and marks, without spaces; empty if nothing is written.
    """

    name: str
    image: Array
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSet:
    """The labelled fields of one folder.

    Attributes:
        name: of the folder or zip file.
        train: fields to train on.
        held_out: the fields of every seventh row of the truth, to measure on.
        left_out: rows of the truth that are not used, each with the reason.
    """

    name: str
    train: tuple[Field, ...]
    held_out: tuple[Field, ...]
    left_out: tuple[str, ...]

    @property
    def alphabet(self) -> Alphabet:
        """The smallest alphabet with all characters of the labels."""
        text = {character for field in (*self.train, *self.held_out) for character in field.text} - set(MARKS)
        return next(name for name, characters in ALPHABETS.items() if text <= set(characters))

    @property
    def has_marks(self) -> bool:
        """Whether a label has a mark; if none has, marks on the images are taken to be left out."""
        return any(mark in field.text for field in (*self.train, *self.held_out) for mark in MARKS)


def read_field_set(folder: Path, truth: Path | None) -> FieldSet:
    """Read the labelled images of a folder, or of a zip file.

    Args:
        folder: a folder of images, or a zip file of images.
        truth: a CSV file with the columns file (path below the folder) and label, as for `lettermill score`.
            None for the `labels.csv` in the zip file or the folder.

    Raises:
        BadData: the truth cannot be used, or leaves too few fields to train and measure.
    """
    train: list[Field] = []
    held_out: list[Field] = []
    left_out: list[str] = []
    images = _zipped_images(folder) if folder.suffix.lower() == ".zip" else _FolderImages(folder)
    for number, (name, label) in enumerate(_read_truth(images, truth).items()):
        stripped = label.strip()
        if stripped.upper() in NOT_COMPARED - {_EMPTY}:
            left_out.append(f"{name}: no label")
        elif len(stripped.splitlines()) > 1:
            left_out.append(f"{name}: several lines")
        else:
            try:
                image = images.image(name)
            except (KeyError, OSError, ScanError) as error:
                left_out.append(f"{name}: cannot be read ({error})")
                continue
            text = "" if stripped.upper() == _EMPTY else plain_text(stripped)
            (train if number % HELD_OUT_EVERY else held_out).append(Field(name, image, text))
    count = len(train) + len(held_out)
    if count < HELD_OUT_EVERY or not train or not any(field.text for field in held_out):
        raise BadData(
            f"{folder} has {count} fields that can be used; "
            f"one in {HELD_OUT_EVERY} is held out to measure on",
            f"Give at least {HELD_OUT_EVERY} labelled fields. {_MAKE_CSV}",
        )
    return FieldSet(folder.name, tuple(train), tuple(held_out), tuple(left_out))


def plain_text(label: str) -> str:
    """Return the characters of a label that the line network knows: capitals without accents, no spaces."""
    known = frozenset(LETTERS + DIGITS + MARKS)
    return "".join(one for one in unicodedata.normalize("NFKD", label).upper() if one in known)


class _FolderImages:
    """Images in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._settings = Settings(layout="line")

    def truth(self) -> bytes:
        return (self._folder / _LABELS_FILE).read_bytes()

    def image(self, name: str) -> Array:
        return read_page(self._folder / name, 1, self._settings.dpi, self._settings.limits)


class _ZippedImages:
    """Images in a zip file, by path or by name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._paths = {Path(name).name: name for name in archive.namelist()}

    def truth(self) -> bytes:
        return self._archive.read(self._paths[_LABELS_FILE])

    def image(self, name: str) -> Array:
        content = self._archive.read(self._paths[Path(name).name])
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
        if image is None:
            raise OSError("no image that can be read")
        return np.asarray(image, np.uint8)


def _zipped_images(path: Path) -> _ZippedImages:
    try:
        return _ZippedImages(zipfile.ZipFile(path))
    except (OSError, zipfile.BadZipFile) as error:
        raise BadData(f"{path} cannot be read as a zip file: {error}", _MAKE_CSV) from error


def _read_truth(images: _FolderImages | _ZippedImages, truth: Path | None) -> dict[str, str]:
    """Read labels by file.

    Raises:
        BadData: the file is missing or has other columns.
    """
    name = truth or _LABELS_FILE
    try:
        text = (truth.read_bytes() if truth else images.truth()).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        return {unescape_formula(row["file"]): unescape_formula(row["label"] or "") for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadData(f"cannot read {name}: {error}", _MAKE_CSV) from error
    except KeyError as error:
        raise BadData(f"{name} lacks {error}", _MAKE_CSV) from error


class FieldLines:
    """Turns fields into training lines, another one each time.

    Args:
        fields: the set.
        rng: the only source of randomness.
    """

    def __init__(self, fields: FieldSet, rng: np.random.Generator) -> None:
        self._fields = fields.train
        self._rng = rng
        self._marks_unknown = fields.alphabet == "digits" and not fields.has_marks
        self._bands: dict[int, Band | None] = {}

    def line(self) -> TrainingLine:
        """Augment one field, chosen at random."""
        number = int(self._rng.integers(len(self._fields)))
        field = self._fields[number]
        if number not in self._bands:
            self._bands[number] = find_band(field)
        grey = augmented(field.image, self._bands[number], self._rng)
        return TrainingLine(line_image(grey), field.text, self._marks_unknown)


def find_band(field: Field) -> Band | None:
    """Find where a field's letters are; None if the segmentation finds far more or fewer than it has."""
    lines = segment(field.image, "line").lines
    boxes = [candidate.box for line in lines for word in line.words for candidate in word.candidates]
    if not boxes or not max(1, 0.6 * len(field.text)) <= len(boxes) <= 1.7 * len(field.text) + 1:
        return None
    letter = float(lines[0].letter)
    tall = [box for box in boxes if box.height > 0.5 * letter] or boxes
    return Band(letter, float(np.median([box.y + box.height / 2 for box in tall])))


def augmented(image: Array, band: Band | None, rng: np.random.Generator) -> Array:
    """Cut a field as the segmentation may, and change its geometry and its scan.

    Args:
        image: uint8, h×w, grey.
        band: where its letters are, if it is known.
        rng: the only source of randomness.
    """
    grey = _cut(image, band, rng)
    if rng.random() < 0.5:
        height, width = grey.shape
        slant, turn = float(np.clip(rng.normal(0, 0.12), -0.3, 0.3)), rng.normal(0, 0.008)
        matrix = np.array([[1, -slant, slant * height / 2], [turn, 1, -turn * width / 2]], np.float32)
        grey = np.asarray(
            cv2.warpAffine(grey, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )
    stretch = float(np.exp(rng.normal(0, 0.14)))
    if rng.random() < 0.25:
        coarse = rng.uniform(0.4, 0.8)
        grey = _resized(grey, round(grey.shape[1] * coarse), round(grey.shape[0] * coarse))
    grey = _resized(grey, round(grey.shape[1] * stretch), grey.shape[0])
    if rng.random() < 0.25:
        grey = _bent(grey, rng)
    if rng.random() < 0.25:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), float(rng.uniform(0.3, 1.1))), np.uint8)
    if rng.random() < 0.15:
        change = cv2.erode if rng.random() < 0.5 else cv2.dilate
        grey = np.asarray(change(grey, np.ones((2, 2), np.uint8)), np.uint8)
    if rng.random() < 0.1:
        low, high = np.percentile(grey, (1, 95))
        grey = np.where(grey > low + (high - low) * rng.uniform(0.45, 0.75), 255, 0).astype(np.uint8)
    return grey


def _cut(grey: Array, band: Band | None, rng: np.random.Generator) -> Array:
    """Cut rows off: to about the height of the letters, or a little at both edges, or none."""
    height = grey.shape[0]
    kind = rng.random()
    if band is not None and kind < 0.45:
        half = band.letter * rng.uniform(0.62, 1.05)
        first = int(max(0, band.middle - half + rng.normal(0, 0.08) * band.letter))
        last = int(min(height, band.middle + half + rng.normal(0, 0.08) * band.letter))
        return grey[first:last] if last - first > 8 else grey
    if kind < 0.7:
        first, last = int(rng.uniform(0, 0.12) * height), height - int(rng.uniform(0, 0.12) * height)
        return grey[first:last]
    return grey


def _resized(grey: Array, width: int, height: int) -> Array:
    size = max(8, width), max(8, height)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _bent(grey: Array, rng: np.random.Generator) -> Array:
    """Bend a line in places."""
    height, width = grey.shape
    shift = height / 28 * rng.uniform(0.3, 1)
    coarse = rng.normal(0, shift, (3, max(3, width // 12), 2)).astype(np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bent = cv2.remap(
        grey, x + field[..., 0], y + field[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(bent, np.uint8)
