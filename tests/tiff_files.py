"""TIFFs of any pictures and tags, more than Pillow writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Tags = dict[int, int | Sequence[int]]


def tiff(*pictures: tuple[Tags, bytes], order: str = "<", strips: int = 1) -> bytes:
    """A TIFF of pictures, each with its tags and the bytes of its strips, which are equally long."""
    out = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4))
    link = 4
    for tags, strip in pictures:
        place = len(out)
        out += strip + bytes(len(strip) % 2)
        entries = b""
        size = len(strip) // strips
        places = {273: range(place, place + len(strip), size), 279: [size] * strips}
        for tag, value in sorted((tags | places).items()):
            values = [value] if isinstance(value, int) else list(value)
            kind, form = (4, "I") if tag in (254, 273, 279) else (3, "H")
            content = struct.pack(f"{order}{len(values)}{form}", *values)
            if len(content) > 4:
                content, out = struct.pack(f"{order}I", len(out)), out + content + bytes(len(content) % 2)
            entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + content.ljust(4, b"\0")
        struct.pack_into(f"{order}I", out, link, len(out))
        out += struct.pack(f"{order}H", len(entries) // 12) + entries
        link = len(out)
        out += bytes(4)
    return bytes(out)


def picture(
    values: NDArray[np.generic], photometric: int = 1, packed: bool = True, **tags: int
) -> tuple[Tags, bytes]:
    """One picture of a TIFF, height × width or height × width × samples; `packed` ones are deflated."""
    height, width, *samples = values.shape
    count = samples[0] if samples else 1
    named = {"subfile": 254, "old_subfile": 255, "planes": 284, "extra": 338, "form": 339}
    bits = values.dtype.itemsize * 8
    content = values.tobytes()
    basic: Tags = {256: width, 257: height, 258: [bits] * count, 259: 8 if packed else 1}
    basic |= {262: photometric, 277: count, 278: height}
    return basic | {named[name]: value for name, value in tags.items()}, (
        zlib.compress(content, 9) if packed else content
    )
