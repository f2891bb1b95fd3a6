"""Decode image files to grey pixels: PNG, JPEG, WebP, BMP and TIFF with Pillow, HEIC with libheif."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.checks import (
    SAVE_AS_PNG,
    check_pages,
    check_pixels,
    decoder_errors,
    no_such_page,
)
from lettermill.jobs.scans.file_kind import file_kind, is_heic
from lettermill.jobs.scans.heic import decode_heic
from lettermill.jobs.scans.mend import mended_start, seems_cut, whole_jpeg
from lettermill.jobs.scans.tiff import (
    first_tags,
    has_unread_compression,
    is_unsigned,
    is_white_zero,
    page_frames,
    prepare,
    unread_kind,
)
from lettermill.jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.TiffImagePlugin import TiffImageFile

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF")

_MOST_METADATA_BYTES = 16 << 20
"""Of a PNG's colour profile or text. Pillow's own limit of 1 MB refuses honest profiles of scanners."""

_DEEP_MODES = ("I", "F")
"""What the names of Pillow's modes with more than 8 bits per value begin with."""

_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
"""Pillow's modes with colours that alpha has been multiplied into, and those without."""

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
    if is_heic(file):
        with decoder_errors():
            image = decode_heic(file, limits)
        yield lambda page: _only_page(image, page)
        return
    image, source = _opened(file)
    with image:
        frames = _page_frames(image, limits)
        check_pages(len(frames), pages, limits)

        def load(page: int) -> Image:
            if page > len(frames):
                raise no_such_page(page)
            return _load(image, frames[page - 1], source, limits)

        yield load


def count_image_pages(file: BinaryIO, limits: Limits) -> int:
    """Count the pages of an image file.

    Raises:
        ScanError: the file cannot be opened, or has too many pages.
    """
    if is_heic(file):
        return 1
    with _opened(file)[0] as image:
        return check_pages(len(_page_frames(image, limits)), None, limits)


def _opened(file: BinaryIO) -> tuple[Image, BinaryIO]:
    """Open an image, and return it with the file that it is decoded from: a copy where it was mended."""
    import PIL.Image
    import PIL.PngImagePlugin
    import PIL.TiffImagePlugin

    PIL.Image.MAX_IMAGE_PIXELS = None  # Limits.max_megapixels decides, with a message that names its option.
    PIL.PngImagePlugin.MAX_TEXT_CHUNK = _MOST_METADATA_BYTES
    # Without it, Pillow decodes uncompressed files itself: those of separate 16-bit planes wrongly.
    PIL.TiffImagePlugin.READ_LIBTIFF = True
    try:
        with decoder_errors():
            return PIL.Image.open(file, formats=_FORMATS), file
    except ScanError as error:
        if mended := mended_start(file):
            with contextlib.suppress(ScanError), decoder_errors():
                image = PIL.Image.open(mended, formats=_FORMATS)
                image.format = None  # Its bytes are not those of the file.
                return image, mended
        raise _not_an_image(file) from error


def _not_an_image(file: BinaryIO) -> ScanError:
    """Return the error of a file that Pillow does not open."""
    if tags := first_tags(file):
        return unread_kind(tags)
    kind = file_kind(file)
    if kind:
        return ScanError(
            ErrorCode.NOT_AN_IMAGE, f"this is a file of the kind {kind}, which is not read: {SAVE_AS_PNG}"
        )
    return ScanError(
        ErrorCode.NOT_AN_IMAGE,
        f"this is not a PNG, JPEG, WebP, BMP, TIFF, HEIC or PDF file, or its start is damaged: {SAVE_AS_PNG}",
    )


def _page_frames(image: Image, limits: Limits) -> list[int]:
    """Return the numbers of the pictures that are pages: all others than TIFF files have one."""
    from PIL.TiffImagePlugin import TiffImageFile

    if not isinstance(image, TiffImageFile):
        return [0]
    with decoder_errors():
        return page_frames(image, limits)


def _only_page(image: Image, page: int) -> Image:
    if page > 1:
        raise no_such_page(page)
    return image


def _load(image: Image, frame: int, source: BinaryIO, limits: Limits) -> Image:
    """Decode one of the pictures of a file.

    Args:
        image: the opened file.
        frame: the picture's number, from 0.
        source: what it is decoded from.
        limits: what is refused.

    Raises:
        ScanError: it is too large, damaged, or of a kind that is not read.
    """
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.TiffImagePlugin import TiffImageFile

    if isinstance(image, TiffImageFile):
        with decoder_errors():
            return _load_tiff(image, frame, limits)
    check_pixels("page", *image.size, limits)
    if isinstance(image, JpegImageFile):
        return _load_jpeg(image, source)
    with decoder_errors():
        image.load()
    return image


def _load_jpeg(image: JpegImageFile, source: BinaryIO) -> Image:
    try:
        with decoder_errors():
            image.load()
    except ScanError:
        with decoder_errors():
            if whole := whole_jpeg(source):
                whole.format = None  # Its bytes are not those of the file.
                return whole
        raise
    if seems_cut(image, source):
        with decoder_errors():
            if not whole_jpeg(source):
                raise ScanError.with_remedy(ErrorCode.TRUNCATED, "the image is cut off")
    return image


def _load_tiff(image: TiffImageFile, frame: int, limits: Limits) -> Image:
    try:
        image.seek(frame)
    except (KeyError, SyntaxError) as error:
        raise unread_kind(image.tag_v2) from error
    check_pixels("page", *image.size, limits)
    if has_unread_compression(image):
        raise unread_kind(image.tag_v2)
    prepare(image, limits)
    image.load()
    return _deep_grey(image) if image.mode.startswith(_DEEP_MODES) else image


def _deep_grey(image: TiffImageFile) -> Image:
    """Return the picture of a TIFF with more than 8 bits of grey with 8 bits, 0 black to 255 white."""
    import PIL.Image

    values = np.asarray(image)
    if values.dtype == np.int32 and is_unsigned(image):
        values = values.view(np.uint32)  # Pillow takes them for signed.
    grey = _eight_bits(values)
    deep = PIL.Image.fromarray(255 - grey if is_white_zero(image) else grey)
    deep.info = image.info
    return deep


def to_grey(image: Image) -> NDArray[np.uint8]:
    """Return a picture's grey values, uint8 h×w, 0 black to 255 white; see `on_paper` for transparency."""
    return np.asarray(on_paper(image).convert("L"))


def on_paper(image: Image) -> Image:
    """Return a picture with 8 bits per colour; a transparent picture is laid on white or black paper."""
    import PIL.Image

    if image.mode.startswith(_DEEP_MODES):
        return PIL.Image.fromarray(_eight_bits(np.asarray(image)))
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if not np.asarray(rgba.getchannel("A")).any():
            return rgba.convert("RGB")  # Programs that do not know the channel leave it 0.
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
