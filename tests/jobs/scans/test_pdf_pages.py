"""PDFs: their pages as a viewer shows them, and every way a PDF can be bad."""

from __future__ import annotations

from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits
from tests.hostile_files import (
    long_pdf,
    pdf_with_image,
)
from tests.page_reading import read, refused, shows_the_picture

LIMITS = Limits()


def test_every_page_of_a_pdf(scans: Path, picture: Image.Image) -> None:
    path = scans / "pages.pdf"
    second = Image.new("L", (30, 90), 128)
    picture.save(path, save_all=True, append_images=[second])
    assert count_pages(path, LIMITS) == 2
    assert shows_the_picture(read(path))
    assert read(path, 2).shape == (90, 30)
    assert refused(path, 3).code is ErrorCode.NO_SUCH_PAGE


def test_pdf_resolution(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.pdf", resolution=72)
    assert read(scans / "page.pdf", dpi=144).shape == (80, 120)


def test_rotated_pdf_page_stands_as_a_viewer_shows_it(scans: Path) -> None:
    document = pypdfium2.PdfDocument.new()
    document.new_page(60, 40).set_rotation(90)
    document.save(scans / "turned.pdf")
    document.close()
    assert read(scans / "turned.pdf").shape == (60, 40)


def test_cut_off_pdf(scans: Path) -> None:
    (scans / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    assert refused(scans / "cut.pdf").code is ErrorCode.NOT_AN_IMAGE


def test_password(scans: Path, picture: Image.Image) -> None:
    # An Encrypt entry whose check value fits no password: PDFium asks for one.
    picture.save(scans / "secret.pdf")
    key = "<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + "41" * 32 + "> /U <" + "42" * 32 + "> >>"
    content = (
        (scans / "secret.pdf")
        .read_bytes()
        .replace(b"trailer\n<<", f"trailer\n<< /Encrypt {key} /ID [<41> <41>]".encode())
    )
    assert key.encode() in content
    (scans / "secret.pdf").write_bytes(content)
    assert refused(scans / "secret.pdf").code is ErrorCode.PASSWORD
    with pytest.raises(ScanError):
        count_pages(scans / "secret.pdf", LIMITS)


def test_pdf_bomb(scans: Path) -> None:
    document = pypdfium2.PdfDocument.new()
    document.new_page(14_400, 14_400)
    document.save(scans / "bomb.pdf")
    document.close()
    with pytest.raises(ScanError, match="--max-megapixels") as caught:
        read_page(scans / "bomb.pdf", 1, 300, LIMITS)
    assert caught.value.code is ErrorCode.TOO_MANY_PIXELS


def test_a_pdf_of_a_hundred_thousand_pages(scans: Path) -> None:
    (scans / "long.pdf").write_bytes(long_pdf(100_000))
    assert refused(scans / "long.pdf", pages=1).code is ErrorCode.TOO_MANY_PAGES
    with pytest.raises(ScanError, match="--max-pages"):
        count_pages(scans / "long.pdf", LIMITS)
    assert count_pages(scans / "long.pdf", Limits(max_pages=100_000)) == 100_000


def test_an_image_in_a_pdf_that_is_larger_than_the_page(scans: Path) -> None:
    """PDFium would draw nothing where it gets no memory for it."""
    (scans / "image.pdf").write_bytes(pdf_with_image(40_000))
    problem = refused(scans / "image.pdf")
    assert problem.code is ErrorCode.TOO_MANY_PIXELS
    assert "image on the page has 40000×40000 pixels" in problem.message


def test_an_image_in_a_pdf_that_cannot_be_decoded_is_no_empty_page(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.pdf")
    content = (scans / "page.pdf").read_bytes()
    start = content.index(b"\xff\xd8")
    (scans / "page.pdf").write_bytes(content[:start] + bytes(300) + content[start + 300 :])
    assert refused(scans / "page.pdf").code is ErrorCode.TRUNCATED
