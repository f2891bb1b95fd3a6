"""Images of a PDF page that cannot be decoded, are cut, or are missing; beside a stamp that is drawn."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode
from tests.hostile_files import page_of, pdf, stream
from tests.page_reading import read, refused

SIDE = 80
"""Of the image, in pixels."""

FLATE = b"/Filter /FlateDecode"


def pixels(bits: int = 8, colours: int = 1) -> bytes:
    """Arbitrary pixels above ten white rows."""
    noise = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE * bits * colours // 8), np.uint8)
    noise[-10:] = 255
    return noise.tobytes()


def jpeg(kind: str = "JPEG") -> bytes:
    content = io.BytesIO()
    Image.frombytes("L", (SIDE, SIDE), pixels()).save(content, kind)
    return content.getvalue()


def image(entries: bytes, data: bytes, colour: bytes = b"/ColorSpace /DeviceGray", bits: int = 8) -> bytes:
    start = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent %d " % (SIDE, SIDE, bits)
    return stream(start + colour + b" " + entries, data)


def page(
    *images: bytes, draw: bytes = b"q 200 0 0 200 0 0 cm /I0 Do Q ", stamp: bytes = b"5 5 30 8 re f"
) -> bytes:
    """A PDF page of 200 by 200 points with the images and a stamp."""
    names = b" ".join(b"/I%d %d 0 R" % (number, 5 + number) for number in range(len(images)))
    return pdf(*page_of(stream(b"", draw + stamp), b"/XObject << %b >>" % names), *images)


HALF = slice(None, -1500)

PALETTE = b"/ColorSpace [/Indexed /DeviceRGB 15 <%b>]" % bytes(48).hex().encode()


@pytest.mark.parametrize(
    "whole",
    [
        image(b"/Filter /DCTDecode", jpeg()),
        image(b"/Filter /DCTDecode", jpeg() + b"\r\n"),
        image(b"/Filter /DCTDecode", jpeg()[:-2]),
        image(b"/Filter /JPXDecode", jpeg("JPEG2000")),
        image(b"/Filter [/FlateDecode /DCTDecode]", zlib.compress(jpeg())),
        image(FLATE, zlib.compress(pixels())),
        image(b"", pixels()),
        *(image(FLATE, zlib.compress(pixels(bits)), bits=bits) for bits in (1, 2, 4, 16)),
        image(FLATE, zlib.compress(pixels(8, 3)), b"/ColorSpace /DeviceRGB"),
        image(FLATE, zlib.compress(pixels(16, 3)), b"/ColorSpace /DeviceRGB", 16),
        image(FLATE, zlib.compress(pixels(8, 4)), b"/ColorSpace /DeviceCMYK"),
        image(FLATE, zlib.compress(pixels(4)), PALETTE, 4),
        image(FLATE, zlib.compress(pixels(1)), b"/ImageMask true", 1),
    ],
)
def test_images_that_are_whole(scans: Path, whole: bytes) -> None:
    (scans / "page.pdf").write_bytes(page(whole))
    assert read(scans / "page.pdf").shape == (200, 200)


@pytest.mark.parametrize(
    "broken",
    [
        image(b"/Filter /DCTDecode", b"garbage"),
        image(b"/Filter /DCTDecode", jpeg()[HALF]),
        image(b"/Filter /DCTDecode", jpeg()[HALF] + b"\xff\xd9"),
        image(b"/Filter /JPXDecode", b"garbage"),
        image(b"/Filter /JPXDecode", jpeg("JPEG2000")[HALF]),
        image(b"/Filter /JBIG2Decode", b"garbage" * 20, bits=1),
        image(b"/Filter /NoSuchDecode", b"garbage"),
        image(b"/Filter [/FlateDecode /DCTDecode]", zlib.compress(jpeg()[HALF])),
        image(FLATE, b"garbage"),
        image(FLATE, zlib.compress(pixels())[HALF]),
        image(b"", pixels()[HALF]),
    ],
)
def test_an_image_that_cannot_be_decoded_or_is_cut(scans: Path, broken: bytes) -> None:
    for stamp in (b"5 5 30 8 re f", b""):
        (scans / "page.pdf").write_bytes(page(broken, stamp=stamp))
        problem = refused(scans / "page.pdf")
        assert problem.code is ErrorCode.TRUNCATED
        assert "an image on the page" in problem.message


BROKEN = image(b"/Filter /DCTDecode", b"garbage")


def test_a_small_image_that_is_broken_leaves_the_page(scans: Path) -> None:
    logo = b"q 40 0 0 20 150 170 cm /I0 Do Q "
    (scans / "page.pdf").write_bytes(page(BROKEN, draw=logo))
    assert read(scans / "page.pdf").min() == 0
    (scans / "page.pdf").write_bytes(page(BROKEN, draw=logo, stamp=b""))
    assert refused(scans / "page.pdf").code is ErrorCode.TRUNCATED


def test_many_strips_that_are_broken_count_together(scans: Path) -> None:
    strips = b"".join(b"q 200 0 0 10 0 %d cm /I0 Do Q " % (10 * number) for number in range(4))
    (scans / "page.pdf").write_bytes(page(BROKEN, draw=strips))
    assert refused(scans / "page.pdf").code is ErrorCode.TRUNCATED


def form(matrix: bytes) -> bytes:
    """A form that draws the second image."""
    entries = b"/Type /XObject /Subtype /Form /BBox [0 0 400 400] /Matrix [%b]" % matrix
    return stream(entries + b" /Resources << /XObject << /I 6 0 R >> >>", b"q 2 0 0 2 0 0 cm /I Do Q")


def test_an_image_within_a_form_is_as_large_as_it_is_shown(scans: Path) -> None:
    draw = b"q 100 0 0 100 0 0 cm /I0 Do Q "
    (scans / "page.pdf").write_bytes(page(form(b"1 0 0 1 0 0"), BROKEN, draw=draw))
    assert refused(scans / "page.pdf").code is ErrorCode.TRUNCATED
    (scans / "page.pdf").write_bytes(page(form(b".1 0 0 .1 0 0"), BROKEN, draw=draw))
    assert read(scans / "page.pdf").min() == 0


@pytest.mark.parametrize(
    "draw",
    [
        b"q 200 0 0 200 0 0 cm /Gone Do Q ",
        b"q\n200 0 0 200 0 0 cm\n/GS0 gs\n/Gone Do\nQ\n",
        b"q 0 200 -200 0 200 0 cm /Gone Do Q ",
        b"q 200 0 0 15 0 0 cm /Gone Do Q q 200 0 0 15 0 15 cm /Gone Do Q ",
    ],
)
def test_an_image_that_the_file_does_not_have(scans: Path, draw: bytes) -> None:
    (scans / "page.pdf").write_bytes(page(draw=draw))
    assert refused(scans / "page.pdf").code is ErrorCode.TRUNCATED


def test_a_missing_image_that_is_small_or_beside_the_scan_leaves_the_page(scans: Path) -> None:
    (scans / "page.pdf").write_bytes(page(draw=b"q 20 0 0 20 0 0 cm /Gone Do Q "))
    assert read(scans / "page.pdf").min() == 0
    both = b"q 200 0 0 200 0 0 cm /I0 Do Q q 200 0 0 200 0 0 cm /Gone Do Q "
    (scans / "page.pdf").write_bytes(page(image(FLATE, zlib.compress(pixels())), draw=both))
    assert read(scans / "page.pdf").min() == 0
