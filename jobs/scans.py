"""Scans on disk: finding them, counting their pages, and decoding a page to grey pixels.

Everything that opens an image or a PDF is here. A page that cannot be read raises `ScanError` with a
code and a sentence; nothing else may escape from `read_page` but `MemoryError`.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jobs.errors import ErrorCode, NoScans, ScanError, UsageProblem
from jobs.files import shown
from jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

RASTER_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib"})
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
PDF_SUFFIXES = frozenset({".pdf"})
DOCUMENT_SUFFIXES = TIFF_SUFFIXES | PDF_SUFFIXES
"""Files that may hold several pages; only these are opened when a job is made."""

SCAN_SUFFIXES = RASTER_SUFFIXES | DOCUMENT_SUFFIXES

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "TIFF")
_POINTS_PER_INCH = 72
_VISIBLE = 128  # alpha
_LIGHT = 192  # grey: on white paper such ink is faint at best


def find_scans(root: Path) -> tuple[list[str], int]:
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
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises where a folder above is closed
        problem = "is a file, not a folder" if os.path.lexists(root) else "does not exist"
        raise UsageProblem(f"{shown(root)} {problem}", "Give the folder that holds the scans.")
    scans, others = [], 0
    for path in _walk(root):
        if os.path.splitext(path)[1].lower() in SCAN_SUFFIXES:  # noqa: PTH122 - a string, not a Path
            scans.append(path)
        else:
            others += 1
    if not scans:
        seen = f"{others} other files" if others else "no files"
        known = " ".join(sorted(suffix[1:] for suffix in SCAN_SUFFIXES))
        raise NoScans(
            f"no scans below {shown(root)} ({seen} there)", f"Scans are files that end with one of: {known}"
        )
    scans.sort(key=_natural)
    return scans, others


def _walk(root: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise _no_listing(error.filename, error) from error

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        below = os.path.relpath(folder, root)
        prefix = "" if below == "." else below.replace(os.sep, "/") + "/"
        for name in names:
            if not name.startswith(".") and _is_file(Path(folder) / name):
                yield prefix + name


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # A folder that may be listed, but not entered.
        raise _no_listing(path.parent, error) from error


def _no_listing(folder: Path | str, error: OSError) -> UsageProblem:
    return UsageProblem(
        f"cannot list the folder {shown(folder)}: {error.strerror}",
        "Correct its permissions, or move it out of the scans.",
    )


def _natural(path: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"([0-9]+)", path)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts], path


def count_pages(path: Path) -> int:
    """Count the pages of a TIFF or PDF file; to be called in a process of its own (`jobs.page_count`).

    Raises:
        ScanError: the file cannot be opened; the worker that reads it will find the same and record it.
    """
    if path.suffix.lower() in PDF_SUFFIXES:
        with _open_pdf(path) as document:
            pages = len(document)
        if pages > path.stat().st_size:
            raise ScanError(ErrorCode.NOT_AN_IMAGE, f"the PDF claims {pages} pages, more than it has bytes")
        return pages
    with _open_image(path) as image, _decoding():
        return int(getattr(image, "n_frames", 1))


def read_page(path: Path, page: int, dpi: int, limits: Limits, pages: int | None = None) -> NDArray[np.uint8]:
    """Decode one page to grey.

    Args:
        path: the scan.
        page: page number from 1; 1 for files of a single image.
        dpi: dots per inch at which a PDF page is rendered.
        limits: pixels and bytes that are refused.
        pages: how many pages the caller reads of this file; more in the file is an error, so that none is
            left out in silence. None where only this page is wanted.

    Returns:
        uint8, h×w, 0 black to 255 white, as a viewer shows the page (EXIF rotation applied, transparency
        on white, or on black where only light ink is opaque).

    Raises:
        ScanError: the page cannot be read.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise ScanError(ErrorCode.EMPTY_FILE, "the file is empty (0 bytes): scan the page again")
        if size > limits.max_megabytes * 1e6:
            raise ScanError(
                ErrorCode.TOO_MANY_BYTES,
                f"the file has {size / 1e6:.0f} MB, the limit is {limits.max_megabytes:g} MB: "
                "raise it with --max-megabytes",
            )
        with path.open("rb") as file:
            is_pdf = b"%PDF-" in file.read(1024)
        if is_pdf:
            return _render(path, page, dpi, limits, pages)
        return _decode(path, page, limits, pages)
    except FileNotFoundError as error:
        raise ScanError(
            ErrorCode.SCAN_GONE, "the file is no longer there: put it back and run again"
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


def _decode(path: Path, page: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    from PIL import ImageOps

    with _open_image(path) as image, _decoding():
        if image.format == "TIFF":
            _check_count(int(getattr(image, "n_frames", 1)), pages)
        if page > 1:
            try:
                image.seek(page - 1)
            except EOFError as error:
                raise _no_such_page(page) from error
        _check_pixels(*image.size, limits)
        image.load()
        return grey(ImageOps.exif_transpose(image))


@contextlib.contextmanager
def _decoding() -> Iterator[None]:
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
        if isinstance(error, OSError) and error.errno is not None:
            raise  # The disk's error, not the decoder's.
        raise ScanError(
            ErrorCode.TRUNCATED,
            f"the image is cut off or damaged ({_plain(error)}): copy or scan it again",
        ) from error


def _check_count(found: int, expected: int | None) -> None:
    if expected is not None and found > expected:
        raise ScanError(
            ErrorCode.PAGES_LEFT_OUT,
            f"the file has {found} pages, of which {expected} could be counted: give it its right suffix "
            "(.tif, .pdf), or save it anew, and run again",
        )


def _no_such_page(page: int) -> ScanError:
    return ScanError(ErrorCode.NO_SUCH_PAGE, f"the file has no page {page}: it was changed or is damaged")


def _open_image(path: Path) -> Image:
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # Limits.max_megapixels decides, with a message that names its option.
    try:
        with _decoding():
            return PIL.Image.open(path, formats=_FORMATS)
    except ScanError as error:
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE,
            "this is not a PNG, JPEG, WebP, BMP, TIFF or PDF file, or its start is damaged: "
            "open it in an image program, save it as PNG and run again",
        ) from error


def grey(image: Image) -> NDArray[np.uint8]:
    """Return a picture's grey values, uint8 h×w, as they show on paper where it is transparent."""
    if image.mode.startswith(("I", "F")):
        return _eight_bits(np.asarray(image))
    if "A" in image.getbands() or "transparency" in image.info:
        import PIL.Image

        rgba = image.convert("RGBA")
        paper = PIL.Image.new("RGBA", rgba.size, _paper_behind(rgba))
        image = PIL.Image.alpha_composite(paper, rgba)
    return np.asarray(image.convert("L"))


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


def _render(path: Path, page: int, dpi: int, limits: Limits, pages: int | None) -> NDArray[np.uint8]:
    import pypdfium2

    with _open_pdf(path) as document:
        _check_count(len(document), pages)
        if page > len(document):
            raise _no_such_page(page)
        try:
            sheet = document[page - 1]
            scale = dpi / _POINTS_PER_INCH
            width, height = sheet.get_size()
            _check_pixels(round(width * scale), round(height * scale), limits)
            pixels = sheet.render(scale=scale, grayscale=True).to_numpy()
            return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)  # A copy: the bitmap closes.
        except pypdfium2.PdfiumError as error:
            raise ScanError(
                ErrorCode.TRUNCATED,
                f"page {page} of the PDF is damaged ({_plain(error)}): make the PDF again",
            ) from error


def _open_pdf(path: Path) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ScanError(
                ErrorCode.PASSWORD, "the PDF asks for a password: save a copy without one and run again"
            ) from error
        raise ScanError(
            ErrorCode.NOT_AN_IMAGE, f"the PDF is damaged ({_plain(error)}): make it again"
        ) from error


def _check_pixels(width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_megapixels * 1e6:
        raise ScanError(
            ErrorCode.TOO_MANY_PIXELS,
            f"the page has {width}×{height} pixels ({width * height / 1e6:.0f} megapixels), "
            f"the limit is {limits.max_megapixels:g}: raise it with --max-megapixels",
        )


def _plain(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
