"""Mend the bytes of files that every viewer opens and Pillow does not: nothing that shows is changed."""

from __future__ import annotations

import io
import os
import random
import zlib
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8"
_JPEG_SCAN = 0xDA
"""The marker after whose header the pixels of a JPEG begin."""

_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that consist of their two bytes."""

JPEG_END = b"\xff\xd9"

_RESTARTS = tuple(bytes((0xFF, marker)) for marker in range(0xD0, 0xD8))
"""The markers between which a JPEG may keep its pixels, in turn."""

_OTHER_PIXELS = random.Random(1).randbytes(4096).replace(b"\xff", b"")
"""What a decoder takes for more of a JPEG's pixels: arbitrary bytes, and no marker."""

_PADDING = bytes(16)
"""What ends a file that was filled up to its size; a picture's last pixels do not look so."""

FILL_LEVELS = (127, 128)
"""Grey levels with which libjpeg fills what is missing of a picture."""


def mended_start(file: BinaryIO) -> BinaryIO | None:
    """Return a copy of a file that can be opened, as viewers do.

    Junk between the segments of a JPEG's header is left out; so are chunks of a PNG that a viewer can do
    without and whose checksum is wrong.

    Returns:
        None where there is nothing to mend.
    """
    file.seek(0)
    start = file.read(len(_PNG_START))
    if start == _PNG_START:
        mend = _png_without_bad_chunks
    elif start.startswith(_JPEG_START):
        mend = _jpeg_without_junk
    else:
        return None
    content = start + file.read()
    mended = mend(content)
    return io.BytesIO(mended) if mended != content else None


def _png_without_bad_chunks(content: bytes) -> bytes:
    parts, at = [content[: len(_PNG_START)]], len(_PNG_START)
    while at < len(content):
        name = content[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(content[at : at + 4])
        is_needed = name[:1].isupper()
        if is_needed or zlib.crc32(content[at + 4 : end - 4]) == int.from_bytes(content[end - 4 : end]):
            parts.append(content[at:end])
        at = end
    return b"".join(parts)


def _jpeg_without_junk(content: bytes) -> bytes:
    parts, at = [_JPEG_START], len(_JPEG_START)
    while (start := content.find(b"\xff", at)) >= 0 and start + 4 <= len(content):
        marker = content[start + 1]
        if marker == 0xFF or marker == 0 or marker in _JPEG_WITHOUT_LENGTH:
            at = start + (1 if marker == 0xFF else 2)
            continue
        at = start + 2 + int.from_bytes(content[start + 2 : start + 4])
        parts.append(content[start:at])
        if marker == _JPEG_SCAN:
            return b"".join((*parts, content[at:]))
    return content


def seems_cut(image: Image, file: BinaryIO) -> bool:
    """Return whether a decoded JPEG may be one whose missing pixels were made up.

    Its last pixel is of middle grey, or its file is filled up with zeros.
    """
    file.seek(-min(len(_PADDING), file.seek(0, os.SEEK_END)), os.SEEK_END)
    last = (image.width - 1, image.height - 1, image.width, image.height)
    return file.read() == _PADDING or np.asarray(image.crop(last).convert("L"))[0, 0] in FILL_LEVELS


def whole_jpeg(file: BinaryIO) -> Image | None:
    """Decode a JPEG with or without its end marker, provided that every pixel is there.

    A decoder makes up the pixels that are missing. So the file is decoded with two endings: where the
    pixels do not depend on what follows, nothing is missing.

    Returns:
        None where pixels are missing.
    """
    import PIL.Image

    file.seek(0)
    content = file.read()
    if content.endswith(_PADDING):
        content = content.rstrip(b"\0")
        if not content.endswith(JPEG_END):
            return None
    content = content.removesuffix(JPEG_END).rstrip(b"\xff")  # A lone 0xFF is half a marker.
    newest = max(range(len(_RESTARTS)), key=lambda number: content.rfind(_RESTARTS[number]))
    other_pixels = _OTHER_PIXELS + _RESTARTS[(newest + 1) % len(_RESTARTS)] + _OTHER_PIXELS
    one, other = (
        PIL.Image.open(io.BytesIO(content + more + JPEG_END), formats=["JPEG"])
        for more in (b"", other_pixels)
    )
    return one if np.array_equal(np.asarray(one), np.asarray(other)) else None
