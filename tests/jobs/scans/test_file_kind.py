"""Files of other kinds are named, whatever their suffix."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.scans.file_kind import file_kind, is_heic
from tests.page_reading import refused


@pytest.mark.parametrize(("kind", "says"), [("GIF", "GIF"), ("JPEG2000", "JPEG 2000"), ("AVIF", "AVIF")])
@pytest.mark.parametrize("suffix", ["png", "jpg", "heic", "tif"])
def test_pictures_that_are_not_read(
    scans: Path, picture: Image.Image, kind: str, says: str, suffix: str
) -> None:
    picture.save(scans / f"page.{suffix}", kind)
    problem = refused(scans / f"page.{suffix}")
    assert problem.code is ErrorCode.NOT_AN_IMAGE
    assert f"kind {says}," in problem.message


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"PK\x03\x04\x14\0", "ZIP or Office"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "HTML"),
        (b"<svg xmlns=", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "video"),
        (b"\0\0\0\x10ftypabcd\0\0\0\0heic", None),
        (b"", None),
        (b"\xff\xd8\xff\xe0", None),
    ],
)
def test_starts(start: bytes, kind: str | None) -> None:
    assert file_kind(io.BytesIO(start)) == kind
    assert is_heic(io.BytesIO(start)) is (kind == "HEIC")
