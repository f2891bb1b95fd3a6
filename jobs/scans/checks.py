"""Check scans against a job's limits, and turn what disks and decoders raise into `ScanError`."""

from __future__ import annotations

import contextlib
import errno
import warnings
from collections.abc import Iterator

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.settings import Limits

SAVE_AS_PNG = "open it in an image program, save it as PNG and run again"
"""The advice for a file of a kind that is not read."""

_LONGEST_MESSAGE_CHARACTERS = 200
"""Of what a library says of a file."""


def check_bytes(size: int, limits: Limits) -> None:
    """Check the size of a file in bytes.

    Raises:
        ScanError: it is larger than the limit.
    """
    if size > limits.max_megabytes * 1e6:
        raise ScanError.with_remedy(
            ErrorCode.TOO_MANY_BYTES,
            f"the file has {size / 1e6:.0f} MB, the limit is {limits.max_megabytes:g} MB",
        )


def check_pixels(what: str, width: int, height: int, limits: Limits, otherwise: str = "") -> None:
    """Check the size of a page, or of what is on it, in pixels.

    Args:
        what: what has that size: "the {what} has …".
        width: in pixels.
        height: in pixels.
        limits: what is refused.
        otherwise: what a person can do other than raise the limit: "…, or …".

    Raises:
        ScanError: it is larger than the limit.
    """
    if width * height > limits.max_megapixels * 1e6:
        error = ScanError.with_remedy(
            ErrorCode.TOO_MANY_PIXELS,
            f"the {what} has {width}×{height} pixels ({width * height / 1e6:.0f} megapixels), "
            f"the limit is {limits.max_megapixels:g}",
        )
        raise ScanError(error.code, error.message + otherwise)


def check_pages(found: int, expected: int | None, limits: Limits) -> int:
    """Check the number of pages of a file.

    Args:
        found: how many the file has.
        expected: how many the job reads of it; None where only one page is wanted.
        limits: what is refused.

    Returns:
        The number that was found.

    Raises:
        ScanError: there are more than the limit, or more than expected: then pages would be left out.
    """
    if found > limits.max_pages:
        raise ScanError(
            ErrorCode.TOO_MANY_PAGES,
            f"the file has more than {limits.max_pages} pages: split it, or raise the limit with --max-pages",
        )
    if expected is not None and found > expected:
        raise ScanError.with_remedy(
            ErrorCode.PAGES_LEFT_OUT, f"the file has {found} pages, of which {expected} could be counted"
        )
    return found


def no_such_page(page: int) -> ScanError:
    """Return the error of a page number that the file does not have."""
    return ScanError(ErrorCode.NO_SUCH_PAGE, f"the file has no page {page}: it was changed or is damaged")


def memory_message(limits: Limits) -> str:
    """Return the message of a page that needs more memory than one may take."""
    return (
        f"the page takes more memory than the {limits.memory_bytes / 1e9:.1f} GB that one may: "
        "save it smaller, or raise the limit with --max-megapixels"
    )


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


@contextlib.contextmanager
def decoder_errors() -> Iterator[None]:
    """Turn every error that an image decoder raises over damaged bytes into a `ScanError`.

    Decoders do not expect damaged bytes: KeyError, struct.error, AttributeError and others were all seen.
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
            raise  # The disk's error, and not the decoder's (EINVAL: it seeks where no file can be).
        raise ScanError.with_remedy(
            ErrorCode.TRUNCATED, f"the image is cut off or damaged ({first_line(error)})"
        ) from error


def first_line(error: Exception) -> str:
    """Return a library's message in one line."""
    return str(error).strip().split("\n")[0][:_LONGEST_MESSAGE_CHARACTERS]
