"""Read TIFF as it is meant: which of its pictures are pages, how they are decoded, and what cannot be."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, BinaryIO

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.checks import SAVE_AS_PNG, check_pages, check_pixels
from lettermill.jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import TiffImageFile

_MOST_PICTURES_PER_PAGE = 16
"""Of a file, on average: the levels of a pyramid, each with its mask, are fewer."""


class _Tag(IntEnum):
    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    SAMPLES = 277
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    SAMPLE_FORMAT = 339
    EXIF = 34665


_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType: a smaller copy of another picture; the mask of another picture."""

_OLD_REDUCED = 2
"""Value of SubfileType: a smaller copy of another picture."""

_EXIF_THUMBNAIL = (160, 120)
"""Width and height of the second picture in the TIFF of a camera: by the Exif standard, its thumbnail."""

_WHITE_IS_ZERO = 0
"""Value of Photometric."""

_UNSIGNED, _FLOAT = 1, 3
"""Values of SampleFormat."""

_NATIVE_ORDER = {"I;16BS": "I;16NS", "I;32BS": "I;32NS", "F;32BF": "F;32NF"}
"""libtiff gives numbers in the machine's order; in these raw modes of big-endian files, Pillow forgets so."""

_UNREAD_COMPRESSIONS = {
    9: "JBIG",
    10: "JBIG",
    22610: "JPEG XR",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
"""Values of Compression that the libtiff in Pillow's wheels does not decode, and their names."""

_NUMBERS = {3: "H", 4: "I"}
"""TIFF's types of whole numbers, in the form of `struct`."""


def page_frames(image: TiffImageFile, limits: Limits) -> list[int]:
    """Return which of a file's pictures are pages: smaller copies of a picture and masks are not.

    Args:
        image: the opened file; afterwards it is at its first picture.
        limits: pages that are refused. A chain of pictures may be endless.

    Returns:
        The numbers of the pictures, from 0; at least one.

    Raises:
        ScanError: there are too many pages or pictures.
    """
    pages: list[int] = []
    widths: list[int] = []
    is_of_camera = False
    while len(pages) <= limits.max_pages:
        frame = len(widths)
        try:
            image.seek(frame)
        except EOFError:
            break
        except Exception:
            if image.tell() != frame:
                raise  # The chain is damaged. Otherwise this picture is of a kind that is not read.
        tags = image.tag_v2
        widths.append(tags.get(_Tag.WIDTH, 0))
        if frame == 0:
            is_of_camera = _Tag.EXIF in tags
        is_thumbnail = (
            frame == 1
            and is_of_camera
            and (widths[1], tags.get(_Tag.HEIGHT)) == _EXIF_THUMBNAIL
            and widths[0] > widths[1]
        )
        if not is_thumbnail and not _is_copy(tags):
            pages.append(frame)
        elif len(widths) > limits.max_pages * _MOST_PICTURES_PER_PAGE:
            check_pages(limits.max_pages + 1, None, limits)
    image.seek(0)
    # Where no picture claims to be a page, those that are as wide as the first are pages: no smaller copies.
    return pages or [frame for frame, width in enumerate(widths) if width == widths[0]]


def _is_copy(tags: Mapping[int, Any]) -> bool:
    kinds = tags.get(_Tag.NEW_SUBFILE_TYPE, 0)
    return bool(kinds & (_REDUCED | _MASK)) or tags.get(_Tag.SUBFILE_TYPE) == _OLD_REDUCED


def prepare(image: TiffImageFile, limits: Limits) -> None:
    """Make a picture ready to be decoded by libtiff.

    Raises:
        ScanError: it has tiles larger than the limit.
    """
    width, height = (int(image.tag_v2.get(tag, 0)) for tag in (_Tag.TILE_WIDTH, _Tag.TILE_HEIGHT))
    check_pixels("tile of the page", width, height, limits)
    image.tile = [
        tile._replace(args=(_NATIVE_ORDER.get(tile.args[0], tile.args[0]), *tile.args[1:]))
        for tile in image.tile
        if isinstance(tile.args, tuple)
    ]


def is_white_zero(image: TiffImageFile) -> bool:
    """Return whether the value 0 is white."""
    return image.tag_v2.get(_Tag.PHOTOMETRIC) == _WHITE_IS_ZERO


def is_unsigned(image: TiffImageFile) -> bool:
    """Return whether the values are unsigned integers."""
    return _first(image.tag_v2.get(_Tag.SAMPLE_FORMAT, _UNSIGNED)) == _UNSIGNED


def has_unread_compression(image: TiffImageFile) -> bool:
    """Return whether the current picture is compressed in a way that is not decoded."""
    return image.tag_v2.get(_Tag.COMPRESSION) in _UNREAD_COMPRESSIONS


def unread_kind(tags: Mapping[int, Any]) -> ScanError:
    """Return the error of a picture that is of a kind that cannot be decoded, by its tags."""
    compression, samples, bits, sample_format = (
        _first(tags.get(tag, 1)) for tag in (_Tag.COMPRESSION, _Tag.SAMPLES, _Tag.BITS, _Tag.SAMPLE_FORMAT)
    )
    if compression in _UNREAD_COMPRESSIONS:
        what = f"compressed with {_UNREAD_COMPRESSIONS[compression]}, which is not read"
    else:
        numbers = f"{'floating-point ' if sample_format == _FLOAT else ''}number{'s' if samples > 1 else ''}"
        what = f"of {samples} {numbers} of {bits} bits per pixel, which is not read, or it is damaged"
    return ScanError(ErrorCode.NOT_AN_IMAGE, f"this is a TIFF {what}: {SAVE_AS_PNG}")


def first_tags(file: BinaryIO) -> dict[int, int] | None:
    """Return the tags of a TIFF's first picture that are whole numbers, each with the first of its values.

    It is for files that Pillow does not open, so it reads the bytes itself.

    Returns:
        None where the file is no TIFF with a picture.
    """
    file.seek(0)
    head = file.read(8)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if not order:
        return None
    tags = {}
    try:
        file.seek(*struct.unpack(f"{order}4xI", head))
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = file.read(12 * count)
        for tag, number, values, content in struct.iter_unpack(f"{order}HHI4s", entries):
            if number in _NUMBERS:
                form = f"{order}{_NUMBERS[number]}"
                size = struct.calcsize(form)
                if values * size > len(content):  # The entry says where the values are.
                    file.seek(*struct.unpack(f"{order}I", content))
                    content = file.read(size)
                (tags[tag],) = struct.unpack(form, content[:size])
    except struct.error:
        return None
    return tags if _Tag.WIDTH in tags else None


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
