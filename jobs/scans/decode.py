"""Scans on disk: finding them, counting their pages, and decoding a page to grey pixels.

Everything that opens an image or a PDF is here. A page that cannot be read raises `ScanError` with a
code and a sentence; nothing else may escape from `read_page` but `MemoryError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, NoScans, ScanError
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.scans.isolated import contained
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.disk import READ, regular_file
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

if TYPE_CHECKING:
    from PIL.Image import Image

RASTER_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib"})
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
PDF_SUFFIXES = frozenset({".pdf"})
DOCUMENT_SUFFIXES = TIFF_SUFFIXES | PDF_SUFFIXES
"""Files that may hold several pages; only these are opened when a job is made."""

SCAN_SUFFIXES = RASTER_SUFFIXES | DOCUMENT_SUFFIXES

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF")
POINTS_PER_INCH = 72
_MOST_METADATA = 16 << 20
"""Bytes of a PNG's colour profile or text. Pillow's own limit of 1 MB refuses honest profiles of scanners."""

_TILE = (322, 323)
"""TIFF's tags of the width and the height of a tile."""

_VISIBLE = 128  # alpha
_LIGHT = 192  # grey: on white paper such ink is faint at best


def find_scans(root: Path | Place) -> tuple[list[str], int]:
    """List the scans below a folder.

    Hidden files and folders are left out; links to folders are not followed, so there is no endless tree.

    Args:
        root: the scan root.

    Returns:
        Paths below the root with `/`, numbers in names counted as numbers (scan2 before scan10), and how
        many other files were passed over because of their suffix.

    Raises:
        UsageProblem: the root is missing, no folder, or may not be listed.
        NoScans: there is no file with a suffix of `SCAN_SUFFIXES`.
    """
    scans, others = [], 0
    for path in locate(root).files():
        # Keys of an object store may have empty parts, which no path has.
        nameable = "//" not in path and not path.startswith("/")
        if nameable and os.path.splitext(path)[1].lower() in SCAN_SUFFIXES:  # noqa: PTH122 - a string
            scans.append(path)
        else:
            others += 1
    if not scans:
        seen = f"{others} other files" if others else "no files"
        known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
        raise NoScans(
            f"no scans below {display_path(root)} ({seen} there)",
            f"Scans are files that end with one of: {known}",
        )
    scans.sort()  # Names that differ only in leading zeros.
    scans.sort(key=_natural)
    return scans, others


def _natural(path: str) -> str:
    """A path with its numbers so that they sort by size: the count of their digits first.

    NUL is in no path and sorts before everything, so what ends where another has a number comes first.
    """
    return re.sub("[0-9]+", lambda found: _number(found[0].lstrip("0")), path)


def _number(digits: str) -> str:
    return f"\0{chr(len(digits))}{digits}"


@contextlib.contextmanager
def open_scan(root: Path | Place, scan: str, limits: Limits) -> Iterator[tuple[BinaryIO, tuple[int, int]]]:
    """Open a scan of a folder.

    Args:
        root: the scan root, which the file must lie below when all links are resolved.
        scan: path below the root, with `/`.
        limits: what is refused.

    Yields:
        The file, for `read_page`, whatever its name stands for in the meantime; its size in bytes and its
        modification time in nanoseconds.

    Raises:
        ScanError: it is gone, outside of the root, no regular file, may not be read, or is too large to be
            fetched from an object store.
    """
    with disk_errors():
        file, size, mtime_ns = locate(root).open_below(scan, limits.max_megabytes * 1e6)
    with file:
        if os.fstat(file.fileno()).st_size < size:
            _check_bytes(size, limits)
        yield file, (size, mtime_ns)


@contextlib.contextmanager
def open_unchanged(root: Path | Place, scan: str, entry: ManifestEntry, limits: Limits) -> Iterator[BinaryIO]:
    """Open a scan of a job, provided that it is still the file that the job was made of.

    Args:
        root: as for `open_scan`.
        scan: as for `open_scan`.
        entry: one of its pages.
        limits: what is refused.

    Yields:
        The file.

    Raises:
        ScanError: as `open_scan`, or it was changed.
    """
    with open_scan(root, scan, limits) as (file, found):
        if found != (entry.bytes, entry.mtime_ns):
            raise ScanError(
                ErrorCode.SCAN_CHANGED,
                "the file was changed after the job was made: run again to read it anew",
            )
        yield file


def open_file(path: Path) -> BinaryIO:
    """Open a file that a person named, wherever it lies.

    Raises:
        ScanError: it is missing, no regular file, or may not be read.
    """
    with disk_errors():
        return regular_file(os.open(path, READ))


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the disk's errors into `ScanError`."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ScanError(
            ErrorCode.SCAN_GONE,
            "the file is not there: put it back; or, where it is, give submit the --scans of the workers; "
            "and run again",
        ) from error
    except PermissionError as error:
        raise ScanError(
            ErrorCode.NOT_READABLE, "the file may not be read: correct its permissions and run again"
        ) from error
    except OSError as error:
        raise ScanError(
            ErrorCode.NOT_READABLE,
            f"the file cannot be read ({error.strerror}): check the disk or network folder and run again",
        ) from error


def count_pages(scan: Path | BinaryIO, limits: Limits) -> int:
    """Count the pages of a TIFF or PDF file; to be called in a process of its own (`jobs.scans.isolated`).

    Raises:
        ScanError: the file cannot be opened, or has too many pages; the worker that reads it will find the
            same and record it.
    """
    if isinstance(scan, Path):
        with open_file(scan) as file:
            return count_pages(file, limits)
    with disk_errors():
        if is_pdf(scan):
            with open_pdf(scan) as document:
                return _checked_count(len(document), None, limits)
        with _open_image(scan) as image, decoding():
            return _checked_count(_frames(image, limits), None, limits)


def read_page(
    scan: Path | BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None = None
) -> NDArray[np.uint8]:
    """Decode one page to grey.

    Args:
        scan: the scan, or its file from `open_scan`.
        page: page number from 1; 1 for files of a single image.
        dpi: dots per inch at which a PDF page is rendered.
        limits: what is refused.
        pages: how many pages the caller reads of this file; more in the file is an error, so that none is
            left out in silence. None where only this page is wanted.

    Returns:
        uint8, h×w, 0 black to 255 white, as a viewer shows the page (EXIF rotation applied, transparency
        on white, or on black where only light ink is opaque).

    Raises:
        ScanError: the page cannot be read.
    """
    if isinstance(scan, Path):
        with open_file(scan) as file:
            return read_page(file, page, dpi, limits, pages)
    with disk_errors():
        size = os.fstat(scan.fileno()).st_size
        if size == 0:
            raise ScanError(ErrorCode.EMPTY_FILE, "the file is empty (0 bytes): scan the page again")
        _check_bytes(size, limits)
        if is_pdf(scan):
            return contained().render(scan, page, dpi, limits, pages)
        return _decode(scan, page, limits, pages)


def _check_bytes(size: int, limits: Limits) -> None:
    if size > limits.max_megabytes * 1e6:
        raise ScanError(
            ErrorCode.TOO_MANY_BYTES,
            f"the file has {size / 1e6:.0f} MB, the limit is {limits.max_megabytes:g} MB: "
            "raise it with --max-megabytes",
        )


def is_pdf(file: BinaryIO) -> bool:
    """Say whether a file is a PDF, by its start."""
    file.seek(0)
    return b"%PDF-" in file.read(1024)


def _decode(file: BinaryIO, page: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    from PIL import ImageOps

    with open_image(file, page, limits, pages) as image, decoding():
        return grey(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def open_image(file: BinaryIO, page: int, limits: Limits, pages: int | None = None) -> Iterator[Image]:
    """Decode a page of an image file.

    Args and errors are those of `read_page`.

    Yields:
        The picture as it is stored, before EXIF rotation.
    """
    with open_images(file, limits, pages) as load:
        yield load(page)


@contextlib.contextmanager
def open_images(file: BinaryIO, limits: Limits, pages: int | None = None) -> Iterator[Callable[[int], Image]]:
    """Open an image file of which several pages are wanted: they are counted once.

    Args and errors are those of `read_page`.

    Yields:
        What decodes a page, by its number from 1, as `open_image` yields it; the picture before it is gone.
    """
    from PIL.TiffImagePlugin import TiffImageFile

    with _open_image(file) as image:
        if isinstance(image, TiffImageFile):
            with decoding():
                _checked_count(_frames(image, limits), pages, limits)

        def load(page: int) -> Image:
            with decoding():
                _load(image, page, limits)
            return image

        yield load


def _load(image: Image, page: int, limits: Limits) -> None:
    from PIL.TiffImagePlugin import TiffImageFile

    if page > 1:
        try:
            image.seek(page - 1)
        except EOFError as error:
            raise _no_such_page(page) from error
    _check_pixels("page", *image.size, limits)
    if isinstance(image, TiffImageFile):
        width, height = (int(image.tag_v2.get(tag, 0)) for tag in _TILE)  # May be larger than the page.
        _check_pixels("tile of the page", width, height, limits)
    image.load()


def _frames(image: Image, limits: Limits) -> int:
    """Count a TIFF's pages, and no further than one too many: their chain may be endless."""
    frames = 1
    with contextlib.suppress(EOFError):
        while frames <= limits.max_pages:
            image.seek(frames)
            frames += 1
    image.seek(0)
    return frames


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Turn whatever an image decoder raises over damaged bytes into a `ScanError`.

    Decoders meet their bytes unprepared: KeyError, struct.error, AttributeError and others were all seen.
    Warnings of odd metadata are dropped; what matters shows in the pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ScanError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # The disk's error, not the decoder's, which seeks where no file can be.
        raise ScanError(
            ErrorCode.TRUNCATED,
            f"the image is cut off or damaged ({plain(error)}): copy or scan it again",
        ) from error


def _checked_count(found: int, expected: int | None, limits: Limits) -> int:
    if found > limits.max_pages:
        raise ScanError(
            ErrorCode.TOO_MANY_PAGES,
            f"the file has more than {limits.max_pages} pages: split it, or raise the limit with --max-pages",
        )
    if expected is not None and found > expected:
        raise ScanError(
            ErrorCode.PAGES_LEFT_OUT,
            f"the file has {found} pages, of which {expected} could be counted: give it its right suffix "
            "(.tif, .pdf), or save it anew, and run again",
        )
    return found


def _no_such_page(page: int) -> ScanError:
    return ScanError(ErrorCode.NO_SUCH_PAGE, f"the file has no page {page}: it was changed or is damaged")


def _open_image(file: BinaryIO) -> Image:
    import PIL.Image
    import PIL.PngImagePlugin

    PIL.Image.MAX_IMAGE_PIXELS = None  # Limits.max_megapixels decides, with a message that names its option.
    PIL.PngImagePlugin.MAX_TEXT_CHUNK = _MOST_METADATA
    try:
        with decoding():
            return PIL.Image.open(file, formats=_FORMATS)
    except ScanError as error:
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE,
            "this is not a PNG, JPEG, WebP, BMP, TIFF or PDF file, or its start is damaged: "
            "open it in an image program, save it as PNG and run again",
        ) from error


def grey(image: Image) -> NDArray[np.uint8]:
    """Return a picture's grey values, uint8 h×w, as they show on paper where it is transparent."""
    return np.asarray(on_paper(image).convert("L"))


def on_paper(image: Image) -> Image:
    """Return a picture with 8 bits a colour, as it shows on paper where it is transparent."""
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
    """The paper on which a transparent image shows: white; black where all that shows is light."""
    seen = np.asarray(image.convert("L"))[np.asarray(image.getchannel("A")) >= _VISIBLE]
    return "black" if seen.size and seen.min() >= _LIGHT else "white"


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale deeper grey to 8 bits: by 257 where 16 bits are used, by the range where fewer or more are."""
    numbers: NDArray[np.floating[Any]] = np.nan_to_num(values.astype(np.float32))
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
    if low < 0 or high > 65535 or high < 4096:
        numbers = (numbers - low) * (255 / max(high - low, 1e-6))
    else:
        numbers = numbers / 257
    return np.rint(numbers).astype(np.uint8)


def render(file: BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    """Draw a page of a PDF; to be called in a process of its own (`lettermill.jobs.scans.isolated`).

    Args and errors are those of `read_page`.
    """
    import pypdfium2

    with disk_errors(), open_pdf(file) as document, decoding():
        _checked_count(len(document), pages, limits)
        if page > len(document):
            raise _no_such_page(page)
        try:
            sheet = document[page - 1]
            scale = dpi / POINTS_PER_INCH
            width, height = sheet.get_size()
            _check_pixels("page", round(width * scale), round(height * scale), limits)
            images = list(sheet.get_objects([pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]))
            for image in images:
                width, height = image.get_px_size()
                _check_pixels("image on the page", width, height, limits)
            pixels = sheet.render(scale=scale, grayscale=True).to_numpy()
            if pixels.min() == pixels.max():
                # PDFium leaves out what it cannot decode; a page of which nothing is left is not empty.
                for image in images:
                    image.get_bitmap()
            return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)  # A copy: the bitmap closes.
        except pypdfium2.PdfiumError as error:
            raise ScanError(
                ErrorCode.TRUNCATED,
                f"page {page} of the PDF is damaged ({plain(error)}): make the PDF again",
            ) from error


def open_pdf(file: BinaryIO) -> Any:
    """Open a PDF (pypdfium2.PdfDocument); to be called in a process of its own (`jobs.scans.isolated`).

    Raises:
        ScanError: it is damaged or asks for a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ScanError(
                ErrorCode.PASSWORD, "the PDF asks for a password: save a copy without one and run again"
            ) from error
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE, f"the PDF is damaged ({plain(error)}): make it again"
        ) from error
    if len(document) > os.fstat(file.fileno()).st_size:
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE, f"the PDF claims {len(document)} pages, more than it has bytes"
        )
    return document


def _check_pixels(what: str, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_megapixels * 1e6:
        raise ScanError(
            ErrorCode.TOO_MANY_PIXELS,
            f"the {what} has {width}×{height} pixels ({width * height / 1e6:.0f} megapixels), "
            f"the limit is {limits.max_megapixels:g}: raise it with --max-megapixels",
        )


def plain(error: Exception) -> str:
    """Return a library's message in one line."""
    return str(error).strip().split("\n")[0][:200]
