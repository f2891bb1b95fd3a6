"""Decode image files to grey pixels: PNG, JPEG, WebP, BMP and TIFF, with Pillow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.checks import check_pages, check_pixels, decoder_errors, no_such_page
from lettermill.jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF")

_MOST_METADATA_BYTES = 16 << 20
"""Of a PNG's colour profile or text. Pillow's own limit of 1 MB refuses honest profiles of scanners."""

_TILE_TAGS = (322, 323)
"""TIFF's tags of the width and the height of a tile."""

_VISIBLE_LEVEL = 128
"""Alpha (0–255) from which a transparent image's pixel shows."""

_LIGHT_LEVEL = 192
"""Grey (0–255) from which ink would be faint at best on white paper."""


def decode_page(file: BinaryIO, page: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    """Decode a page of an image file to grey.

    Args, result and errors are those of `reader.read_page`.
    """
    from PIL import ImageOps

    with open_image(file, limits, pages) as load, decoder_errors():
        return to_grey(ImageOps.exif_transpose(load(page)))


@contextlib.contextmanager
def open_image(file: BinaryIO, limits: Limits, pages: int | None = None) -> Iterator[Callable[[int], Image]]:
    """Open an image file of one or several pages; they are counted once.

    Args and errors are those of `reader.read_page`.

    Yields:
        A function that decodes a page, by its number from 1. It returns the picture as it is stored, before
        EXIF rotation, which is valid until the next call.
    """
    from PIL.TiffImagePlugin import TiffImageFile

    with _opened(file) as image:
        if isinstance(image, TiffImageFile):
            with decoder_errors():
                check_pages(_count_frames(image, limits), pages, limits)

        def load(page: int) -> Image:
            with decoder_errors():
                _load(image, page, limits)
            return image

        yield load


def count_image_pages(file: BinaryIO, limits: Limits) -> int:
    """Count the pages of an image file.

    Raises:
        ScanError: the file cannot be opened, or has too many pages.
    """
    with _opened(file) as image, decoder_errors():
        return check_pages(_count_frames(image, limits), None, limits)


def _opened(file: BinaryIO) -> Image:
    import PIL.Image
    import PIL.PngImagePlugin

    PIL.Image.MAX_IMAGE_PIXELS = None  # Limits.max_megapixels decides, with a message that names its option.
    PIL.PngImagePlugin.MAX_TEXT_CHUNK = _MOST_METADATA_BYTES
    try:
        with decoder_errors():
            return PIL.Image.open(file, formats=_FORMATS)
    except ScanError as error:
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE,
            "this is not a PNG, JPEG, WebP, BMP, TIFF or PDF file, or its start is damaged: "
            "open it in an image program, save it as PNG and run again",
        ) from error


def _load(image: Image, page: int, limits: Limits) -> None:
    from PIL.TiffImagePlugin import TiffImageFile

    if page > 1:
        try:
            image.seek(page - 1)
        except EOFError as error:
            raise no_such_page(page) from error
    check_pixels("page", *image.size, limits)
    if isinstance(image, TiffImageFile):
        width, height = (int(image.tag_v2.get(tag, 0)) for tag in _TILE_TAGS)  # May be larger than the page.
        check_pixels("tile of the page", width, height, limits)
    image.load()


def _count_frames(image: Image, limits: Limits) -> int:
    """Count a TIFF's pages, up to one more than the limit: their chain may be endless."""
    frames = 1
    with contextlib.suppress(EOFError):
        while frames <= limits.max_pages:
            image.seek(frames)
            frames += 1
    image.seek(0)
    return frames


def to_grey(image: Image) -> NDArray[np.uint8]:
    """Return a picture's grey values, uint8 h×w, 0 black to 255 white; see `on_paper` for transparency."""
    return np.asarray(on_paper(image).convert("L"))


def on_paper(image: Image) -> Image:
    """Return a picture with 8 bits per colour; a transparent picture is laid on white or black paper."""
    if image.mode.startswith(("I", "F")):
        import PIL.Image

        return PIL.Image.fromarray(_eight_bits(np.asarray(image)))
    if "A" in image.getbands() or "transparency" in image.info:
        import PIL.Image

        rgba = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", rgba.size, _paper_behind(rgba))
        return PIL.Image.alpha_composite(paper, rgba)
    return image


def _paper_behind(image: Image) -> str:
    """Return the paper for a transparent image: white; black where everything visible is light."""
    seen = np.asarray(image.convert("L"))[np.asarray(image.getchannel("A")) >= _VISIBLE_LEVEL]
    return "black" if seen.size and seen.min() >= _LIGHT_LEVEL else "white"


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale deeper grey to 8 bits: by 257 where 16 bits are used, else by the range of the values."""
    numbers: NDArray[np.floating[Any]] = np.nan_to_num(values.astype(np.float32))
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    if low < 0 or high > 65535 or high < 4096:
        numbers = (numbers - low) * (255 / max(high - low, 1e-6))
    else:
        numbers = numbers / 257
    return np.rint(numbers).astype(np.uint8)
