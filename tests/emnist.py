"""Writes files in the form that EMNIST and MNIST are published in, small ones with drawn characters."""

from __future__ import annotations

import gzip
import string
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

MAPPINGS = {
    "letters": {n: (ord(c), ord(c.lower())) for n, c in enumerate(string.ascii_uppercase, start=1)},
    "balanced": {n: (ord(c),) for n, c in enumerate(string.digits + string.ascii_uppercase + "abdefghnqrt")},
    "byclass": {
        n: (ord(c),) for n, c in enumerate(string.digits + string.ascii_uppercase + string.ascii_lowercase)
    },
}
"""By split: label number to code points."""


def write_idx(folder: Path, name: str, images: NDArray[np.uint8], labels: list[int]) -> None:
    """Write images (uint8, n×h×w, stored as given) and their labels as a gzip IDX pair."""
    head = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
    (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    numbers = struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels)
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(numbers))


def picture(character: str, rng: np.random.Generator) -> np.ndarray:
    """White on black, 28×28, upright."""
    image = np.zeros((56, 56), np.uint8)
    cv2.putText(
        image, character, (14, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 255, int(rng.integers(2, 6)), cv2.LINE_AA
    )
    turn = cv2.getRotationMatrix2D((28, 28), float(rng.normal(0, 8)), float(rng.uniform(0.7, 1)))
    return cv2.resize(cv2.warpAffine(image, turn, (56, 56)), (28, 28), interpolation=cv2.INTER_AREA)


def write_split(folder: Path, name: str, copies: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Write train (some of each class, in rounds), test (one of each) and the mapping.

    Returns the images of the test file and of the training file, upright.
    """
    rng = np.random.default_rng(len(name))
    written = []
    for part, rounds in (("test", 1), ("train", copies)):
        numbers = list(MAPPINGS[name]) * rounds
        images = np.stack([picture(chr(MAPPINGS[name][number][0]), rng) for number in numbers])
        write_idx(folder, f"emnist-{name}-{part}", images.transpose(0, 2, 1), numbers)
        written.append(images)
    lines = [" ".join(map(str, (number, *points))) for number, points in MAPPINGS[name].items()]
    (folder / f"emnist-{name}-mapping.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    return written[0], written[1]
