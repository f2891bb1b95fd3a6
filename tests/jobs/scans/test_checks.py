"""Limits are inclusive, and errors of disks and decoders become rows with a code."""

from __future__ import annotations

import errno
import struct
import warnings

import pytest

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.checks import (
    check_bytes,
    check_pages,
    check_pixels,
    decoder_errors,
    disk_errors,
    first_line,
    memory_message,
)
from lettermill.jobs.settings import Limits

LIMITS = Limits(max_megapixels=1, max_megabytes=2, max_pages=3)


def test_limits_are_inclusive() -> None:
    check_bytes(2_000_000, LIMITS)
    check_pixels("page", 1000, 1000, LIMITS)
    assert check_pages(3, None, LIMITS) == 3
    assert check_pages(2, 2, LIMITS) == 2
    with pytest.raises(ScanError, match=r"the file has 3 MB, the limit is 2 MB: .*--max-megabytes"):
        check_bytes(3_000_000, LIMITS)
    with pytest.raises(ScanError, match=r"the tile has 2000×1000 pixels .*--max-megapixels"):
        check_pixels("tile", 2000, 1000, LIMITS)
    with pytest.raises(ScanError, match=r"more than 3 pages: .*--max-pages"):
        check_pages(4, None, LIMITS)
    with pytest.raises(ScanError, match="has 2 pages, of which 1 could be counted"):
        check_pages(2, 1, LIMITS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file"), ErrorCode.SCAN_GONE),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory"), ErrorCode.SCAN_GONE),
        (PermissionError(errno.EACCES, "Permission denied"), ErrorCode.NOT_READABLE),
        (OSError(errno.EIO, "Input/output error"), ErrorCode.NOT_READABLE),
    ],
)
def test_the_disks_errors(error: OSError, code: ErrorCode) -> None:
    with pytest.raises(ScanError) as caught, disk_errors():
        raise error
    assert caught.value.code is code
    with pytest.raises(ScanError) as caught, disk_errors(), decoder_errors():
        raise error  # A decoder reads from the disk, too.
    assert caught.value.code is code


@pytest.mark.parametrize(
    "error", [KeyError(270), struct.error("short"), OSError("broken data"), OSError(errno.EINVAL, "Invalid")]
)
def test_a_decoders_errors_are_damage(error: Exception) -> None:
    with pytest.raises(ScanError) as caught, decoder_errors():
        raise error
    assert caught.value.code is ErrorCode.TRUNCATED


def test_what_is_no_fault_of_the_bytes_passes() -> None:
    with pytest.raises(MemoryError), decoder_errors():
        raise MemoryError
    error = ScanError(ErrorCode.PASSWORD, "asks")
    with pytest.raises(ScanError) as caught, decoder_errors():
        raise error
    assert caught.value is error
    with decoder_errors():
        warnings.warn("odd metadata", stacklevel=1)


def test_messages_are_one_short_line() -> None:
    assert first_line(ValueError("  first\nsecond")) == "first"
    assert len(first_line(ValueError("x" * 1000))) == 200
    assert "1.1 GB" in memory_message(LIMITS)
