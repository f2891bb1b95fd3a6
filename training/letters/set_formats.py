"""Reads labelled images in the file formats of training sets, one function per format.

| function | format |
|---|---|
| `read_npz` | NumPy archive: `x` uint8 n×h×w, `y` n one-character strings |
| `read_aligned` | the same; the label "" is the reject class |
| `read_zip` | images and `labels.csv` (file,label) in a zip |
| `read_idx` | EMNIST's and MNIST's gzip IDX pair (Cohen et al. 2017, arXiv:1702.05373) |
| `read_kaggle_csv` | Kaggle "A_Z Handwritten Data.csv": no header, label 0–25, then 784 pixels |
| `read_class_folders` | a folder of images, one sub-folder per class |

Pen strokes and fonts are drawn, not read: see `lettermill.training.letters.strokes` and
`lettermill.training.letters.fonts`.

Each function returns upright grey images. Glyph normalisation takes care of size, polarity and margins.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.jobs.scans.decode import to_grey
from lettermill.jobs.settings import LETTERS

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

FONT_SUFFIXES = frozenset({".ttf", ".otf", ".woff", ".woff2"})

NO_LETTER = ""
"""The label of the reject class: the image does not show one whole character."""

_PNG, _PNG_KIND, _PNG_TRANSPARENT = b"\x89PNG\r\n\x1a\n", 25, (b"\x04", b"\x06")

_KAGGLE_COLUMNS = 785
_LEAST_PIXEL_COLUMNS = 100
"""Columns from which a CSV file is taken for images."""

_NAMED_FILES = 5
"""Files that a remark names."""

_IDX_UBYTE = 0x08
_CHARS74K_WRITER = re.compile(r"\.(\d{3})\.png$")


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImages:
    """The content of one file or folder."""

    images: list[NDArray[np.uint8]]
    """Each uint8, h×w."""

    labels: list[str]
    """One character per image; "" for the reject class."""

    writers: list[str]
    """The writer of each image; "" if the file does not say."""

    remarks: tuple[str, ...] = ()
    """What was left out, one sentence each."""


def read_npz(path: Path) -> LabelledImages:
    """Read a NumPy archive with `x` (uint8, n×h×w) and `y` (n one-character strings)."""
    images, labels = _arrays(path)
    return checked(path, images, labels, [""] * len(labels))


def read_aligned(path: Path) -> LabelledImages:
    """Read such an archive of letters cut from fields; the label "" is the reject class."""
    images, labels = _arrays(path)
    return checked(path, images, labels, [""] * len(labels), other_label=NO_LETTER)


def _arrays(path: Path) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """Return the images and labels of a NumPy archive."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not {"x", "y"} <= set(archive.files):
                raise BadData(
                    f"{path} has the arrays {', '.join(archive.files) or 'none'}, not x and y",
                    "Store the images as x (uint8, n×h×w) and their labels as y (n one-character strings).",
                )
            x, y = archive["x"], archive["y"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise unreadable(path, "a NumPy archive", error) from error
    if x.ndim != 3 or x.dtype != np.uint8 or y.shape != (len(x),):
        what = f"{path}: x is {x.dtype} of shape {x.shape}, y of shape {y.shape}"
        if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
            what += f", and {np.count_nonzero(~np.isfinite(x))} values of x are not numbers"
        raise BadData(what, "x must be uint8 (0–255) of shape n×h×w, y must hold one label for each image.")
    return list(x), [str(label) for label in y]


def read_zip(path: Path) -> LabelledImages:
    """Read images and their `labels.csv` (file,label) from a zip.

    If a file is named like a Chars74K drawing (`…A.017.png`), the number is the writer.
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    writers: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read("labels.csv").decode("utf-8-sig")
            for row in csv.DictReader(io.StringIO(text)):
                images.append(_decoded(archive.read(row["file"]), f"{path}: {row['file']}"))
                labels.append(row["label"] or "")
                writer = _CHARS74K_WRITER.search(row["file"])
                writers.append(writer.group(1) if writer else "")
    except KeyError as error:
        raise BadData(
            f"{path} lacks a file or a column: {error.args[0]}",
            "The zip must hold labels.csv with the columns file,label and its files.",
        ) from error
    except (OSError, RuntimeError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile, zlib.error) as error:
        # RuntimeError: it has a password.
        raise unreadable(path, "a zip of images", error) from error
    return checked(path, images, labels, writers)


def read_idx(path: Path) -> LabelledImages:
    """Read `…-images-idx3-ubyte.gz` and the labels file beside it.

    EMNIST stores its images transposed, MNIST does not. The split's mapping file (`read_mapping`) says what
    its label numbers mean.
    """
    labels_path = path.with_name(path.name.replace("-images-idx3", "-labels-idx1"))
    if not labels_path.exists():
        raise BadData(f"{labels_path} is missing", f"Put the labels file beside {path.name}.")
    pixels, numbers = _idx_array(path, 3), _idx_array(labels_path, 1)
    if len(pixels) != len(numbers):
        raise BadData(
            f"{path} has {len(pixels)} images and {labels_path.name} {len(numbers)} labels",
            "Download both files again: they do not belong together.",
        )
    names = read_mapping(path)
    unknown = sorted(set(numbers.tolist()) - set(names))
    if unknown:
        raise BadData(f"{labels_path}: the labels {unknown} have no known character", _mapping_advice(path))
    if path.name.startswith("emnist"):
        pixels = pixels.transpose(0, 2, 1)
    return checked(
        path, list(np.ascontiguousarray(pixels)), [names[n] for n in numbers.tolist()], [""] * len(numbers)
    )


def read_mapping(path: Path) -> dict[int, str]:
    """Return the character of each label number of an images file's split, in order.

    EMNIST's splits have a mapping file, `emnist-SPLIT-mapping.txt`: a label number, then one or more code
    points, the first of which is the class. Without one, letters are 1–26 and digits 0–9.
    """
    split = re.sub(r"-(train|test)-images-idx3-ubyte\.gz$", "", path.name)
    mapping = path.with_name(f"{split}-mapping.txt")
    if mapping.exists():
        try:
            rows = [line.split() for line in mapping.read_text(encoding="ascii").splitlines() if line.strip()]
            names = {int(row[0]): chr(int(row[1])) for row in rows}
        except (ValueError, IndexError, OverflowError) as error:
            raise unreadable(mapping, "a mapping (one label and code point per line)", error) from error
        if len(set(names.values())) < len(rows):
            raise BadData(
                f"{mapping} names a label or a character twice", "Take the file of the EMNIST archive."
            )
        return dict(sorted(names.items()))
    if split == "emnist-letters":
        return dict(enumerate(LETTERS, start=1))
    if not path.name.startswith("emnist") or split in {"emnist-digits", "emnist-mnist"}:
        return {number: str(number) for number in range(10)}
    raise BadData(f"{mapping} is missing", _mapping_advice(path))


def read_kaggle_csv(path: Path) -> LabelledImages:
    """Read Kaggle's "A_Z Handwritten Data.csv": no header, label 0–25 first, then 28×28 pixels."""
    import pandas as pd

    try:
        # Refuses empty cells, and everything that is not a whole number from 0 to 255.
        table = pd.read_csv(path, header=None, dtype=np.uint8).to_numpy()
    except (OSError, ValueError, OverflowError) as error:
        raise BadData(
            f'{path} cannot be read as a CSV file like Kaggle\'s "A_Z Handwritten Data.csv": {error}',
            "Expected are 785 whole numbers in every row and no header: a label 0–25 and 784 pixels 0–255.",
        ) from error
    if table.shape[1] != _KAGGLE_COLUMNS or table[:, 0].max() >= len(LETTERS):
        raise BadData(
            f"{path} has {table.shape[1]} columns and labels up to {table[:, 0].max()}",
            "Expected are 785 columns without a header: a label 0–25 and 784 pixels.",
        )
    images = table[:, 1:].reshape(-1, 28, 28)
    return checked(path, list(images), [LETTERS[n] for n in table[:, 0].tolist()], [""] * len(table))


def read_class_folders(folder: Path) -> LabelledImages:
    """Read a folder of images, one sub-folder per class, named by the class's one character.

    Own crops are rarely all in order: empty classes, other files and images that cannot be decoded are left
    out and named in the remarks.
    """
    images: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    empty, others, broken = [], [], []
    for class_folder in class_folders(folder):
        before = len(images)
        for path in sorted(class_folder.iterdir()):
            name = f"{class_folder.name}/{path.name}"
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                others.append(name)
                continue
            try:
                images.append(_decoded(path.read_bytes(), str(path)))
                labels.append(class_folder.name)
            except (BadData, OSError):
                broken.append(name)
        if len(images) == before:
            empty.append(class_folder.name)
    remarks = [
        f"{what} ({len(names)}): "
        + ", ".join([*names[:_NAMED_FILES], *(["…"] if names[_NAMED_FILES:] else [])])
        for names, what in (
            (broken, "images left out because they cannot be decoded"),
            (others, "files ignored because they are no images"),
        )
        if names
    ]
    if empty:
        remarks.append(f"classes without images: {' '.join(empty)}")
    if not images:
        raise BadData(
            f"{folder} holds no images: {'; '.join(remarks)}",
            "Put the images of each letter into a sub-folder of its name: A/0001.png …",
        )
    content = checked(folder, images, labels, [""] * len(labels))
    return dataclasses.replace(content, remarks=tuple(remarks))


def class_folders(folder: Path) -> list[Path]:
    """Return the sub-folders whose names are one character."""
    return sorted(child for child in folder.iterdir() if len(child.name) == 1 and child.is_dir())


def looks_like_pixels(path: Path) -> bool:
    """Tell whether a CSV file's first line has enough columns to be pixels."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        return lines.readline().count(",") >= _LEAST_PIXEL_COLUMNS


def _idx_array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Decode a gzip IDX file: two zero bytes, type, number of dimensions, big-endian sizes, values."""
    try:
        content = gzip.decompress(path.read_bytes())
        zeros, kind, found = struct.unpack_from(">HBB", content)
        if (zeros, kind, found) != (0, _IDX_UBYTE, dimensions):
            raise ValueError(f"its head says type {kind:#x} with {found} dimensions")
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise unreadable(path, "a gzip IDX file", error) from error


def _mapping_advice(path: Path) -> str:
    return f"Put the split's mapping file from the EMNIST archive beside {path.name}."


def _decoded(content: bytes, name: str) -> NDArray[np.uint8]:
    try:
        if content.startswith(_PNG) and content[_PNG_KIND : _PNG_KIND + 1] in _PNG_TRANSPARENT:
            return to_grey(PIL.Image.open(io.BytesIO(content)))  # OpenCV's grey ignores transparency.
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
    except (cv2.error, OSError):  # cv2.error: more pixels than OpenCV accepts.
        image = None
    if image is None:
        raise BadData(f"{name} is not an image that can be read", "Remove the file or replace it.")
    return image.astype(np.uint8, copy=False)


def checked(
    path: Path,
    images: list[NDArray[np.uint8]],
    labels: list[str],
    writers: list[str],
    other_label: str | None = None,
) -> LabelledImages:
    """Return the content of a file after checking its labels and images.

    Args:
        path: the file, for the messages.
        images: uint8, h×w each.
        labels: one character each.
        writers: of the images; "" if unknown.
        other_label: a label that need not be one character.

    Raises:
        BadData: a label is not one character, or an image is empty.
    """
    for label in labels:
        if len(label) != 1 and label != other_label:
            raise BadData(
                f"{path} has the label {label!r}",
                "Training takes images of single characters, each labelled with that character.",
            )
    if any(image.size == 0 for image in images):
        raise BadData(f"{path} has an image without pixels", "Remove it.")
    return LabelledImages(images, labels, writers)


def unreadable(path: Path, what: str, error: Exception) -> BadData:
    """Return the error for a file that cannot be read in the format of its name."""
    return BadData(f"{path} cannot be read as {what}: {error}", "Remove the file or download it again.")
