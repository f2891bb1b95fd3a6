"""Writes files in the form that EMNIST and MNIST are published in."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_idx(folder: Path, name: str, images: NDArray[np.uint8], labels: list[int]) -> None:
    """Write images (uint8, n×h×w, stored as given) and their labels as a gzip IDX pair."""
    head = struct.pack(">HBBIII", 0, 8, 3, *images.shape)
    (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
    numbers = struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels)
    (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(numbers))
