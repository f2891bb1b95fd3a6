"""Files that viewers open though a byte is wrong, and files that only look so."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.scans.mend import mended_start, whole_jpeg
from tests.hostile_files import png_chunk
from tests.page_reading import read, refused, shows_the_picture

WAYS = [
    {"quality": 90},
    {"quality": 60, "subsampling": 2},
    {"quality": 90, "progressive": True},
    {"quality": 90, "restart_marker_blocks": 3},
]


def photo(size: tuple[int, int] = (160, 120), mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG of noise, whose last pixels are not those of a blank page."""
    noise = np.random.default_rng(3).integers(100, 255, (size[1], size[0], 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", WAYS)
def test_a_jpeg_without_its_end_marker_is_whole(scans: Path, options: dict[str, Any], mode: str) -> None:
    content = photo(mode=mode, **options)
    for name, end in {"whole": len(content), "half": -1, "none": -2}.items():
        (scans / f"{name}.jpg").write_bytes(content[:end])
    whole = read(scans / "whole.jpg")
    assert np.array_equal(read(scans / "half.jpg"), whole)
    assert np.array_equal(read(scans / "none.jpg"), whole)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("cut", [10, 20, 50, 400, 3000])
def test_a_jpeg_that_is_cut_is_not(scans: Path, options: dict[str, Any], cut: int) -> None:
    content = photo(**options)
    for tail in (b"", bytes(cut + 20), b"\xff" * cut):
        (scans / "cut.jpg").write_bytes(content[:-cut] + tail)
        assert refused(scans / "cut.jpg").code is ErrorCode.TRUNCATED


def test_a_jpeg_that_was_cut_between_restarts(scans: Path) -> None:
    content = photo(restart_marker_blocks=3)
    for number in range(8):
        content_before = content[: content.rindex(bytes((0xFF, 0xD0 + number)))]
        assert whole_jpeg(io.BytesIO(content_before)) is None


def test_a_cut_jpeg_with_an_end_marker(scans: Path) -> None:
    content = photo()
    (scans / "cut.jpg").write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    assert refused(scans / "cut.jpg").code is ErrorCode.TRUNCATED


def test_middle_grey_in_the_corner_is_no_fault(scans: Path) -> None:
    Image.new("L", (60, 40), 128).save(scans / "grey.jpg")
    assert read(scans / "grey.jpg")[-1, -1] == 128


def test_zeros_behind_the_end_are_no_fault(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "padded.jpg", quality=90)
    (scans / "padded.jpg").write_bytes((scans / "padded.jpg").read_bytes() + bytes(5000))
    assert shows_the_picture(read(scans / "padded.jpg"))


@pytest.mark.parametrize("junk", [b"\0", b"\n", b"junk", b"\xff\x00", b"\xff\xff\xff"])
def test_junk_behind_the_start_of_a_jpeg(scans: Path, picture: Image.Image, junk: bytes) -> None:
    picture.save(scans / "junk.jpg", quality=90)
    content = (scans / "junk.jpg").read_bytes()
    for end in (len(content), -2):
        (scans / "junk.jpg").write_bytes(content[:2] + junk + content[2:20] + junk + content[20:end])
        assert shows_the_picture(read(scans / "junk.jpg"))
    (scans / "junk.jpg").write_bytes(content[:2] + junk + content[2:-60])
    assert refused(scans / "junk.jpg").code is ErrorCode.TRUNCATED


@pytest.mark.parametrize("kind", [b"tEXt", b"pHYs", b"gAMA", b"eXIf", b"prVt"])
def test_a_chunk_with_a_wrong_checksum_that_a_png_can_do_without(
    scans: Path, picture: Image.Image, kind: bytes
) -> None:
    picture.save(scans / "page.png")
    whole = (scans / "page.png").read_bytes()
    chunk = bytearray(png_chunk(kind, b"12345678"))
    chunk[-1] ^= 1
    (scans / "page.png").write_bytes(whole[:33] + chunk + whole[33:-12] + chunk + whole[-12:])
    assert shows_the_picture(read(scans / "page.png"))


def test_a_wrong_checksum_of_a_chunk_that_it_needs(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.png")
    content = bytearray((scans / "page.png").read_bytes())
    content[29:33] = struct.pack(">I", 1)
    (scans / "page.png").write_bytes(content)
    assert refused(scans / "page.png").code is ErrorCode.NOT_AN_IMAGE


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_nothing_to_mend(content: bytes) -> None:
    assert mended_start(io.BytesIO(content)) is None
