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
    page_of,
    pdf,
    pdf_with_image,
    stream,
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


CASES = Path(__file__).parents[2] / "cases/files/containers"


@pytest.mark.parametrize("name", ["form-drawn.pdf", "form-not-drawn.pdf"])
def test_values_of_form_fields_are_drawn(name: str) -> None:
    pixels = read(CASES / name)
    for y in (21, 61, 101):
        assert pixels[y : y + 26, 20:140].min() < 100
        assert pixels[y : y + 26, 20:140].max() > 200


def annotated(more: bytes, form: bytes = b"") -> bytes:
    """A PDF page of 200 by 200 points with one annotation that is a black square of 100 by 100."""
    catalog, pages, page, content = page_of(stream(b"", b""))
    square = b"<< /Type /Annot /Rect [50 50 150 150] /AP << /N 6 0 R >> %b >>" % more
    drawn = stream(b"/Type /XObject /Subtype /Form /BBox [0 0 100 100]", b"0 0 100 100 re f")
    return pdf(
        catalog.replace(b" >>", b" " + form + b" >>"),
        pages,
        page.replace(b"/Type /Page ", b"/Type /Page /Annots [5 0 R] "),
        content,
        square,
        drawn,
    )


FORM = b"/AcroForm << /Fields [5 0 R] >>"


@pytest.mark.parametrize(
    ("more", "form", "is_shown"),
    [
        (b"/Subtype /Stamp /F 4", b"", True),
        (b"/Subtype /FreeText /F 4 /Contents (A)", b"", True),
        (b"/Subtype /Ink /F 4", b"", True),
        (b"/Subtype /Stamp /F 2", b"", False),
        (b"/Subtype /Widget /FT /Sig /T (s) /F 4", FORM, True),
        (b"/Subtype /Widget /FT /Btn /Ff 65536 /T (b) /F 4", FORM, True),
        (b"/Subtype /Widget /FT /Sig /T (s) /F 2", FORM, False),
        (b"/Subtype /Widget /FT /Sig /T (s)", FORM, True),
    ],
)
def test_annotations_are_drawn_unless_they_are_hidden(
    scans: Path, more: bytes, form: bytes, is_shown: bool
) -> None:
    (scans / "page.pdf").write_bytes(annotated(more, form))
    pixels = read(scans / "page.pdf")
    assert pixels[100, 100] == (0 if is_shown else 255)
    assert pixels[10, 10] == 255


def test_a_form_that_only_adobe_draws(scans: Path) -> None:
    form = FORM[:-3] + b" /XFA 6 0 R >> /NeedsRendering true"
    (scans / "xfa.pdf").write_bytes(annotated(b"/Subtype /Stamp /F 4", form))
    assert "XFA" in refused(scans / "xfa.pdf").message


def test_a_portfolio_says_that_files_are_attached() -> None:
    problem = refused(CASES / "portfolio.pdf")
    assert problem.code is ErrorCode.FILES_ATTACHED
    assert "save the attached files" in problem.message


def test_a_file_attached_to_a_page_is_nothing_to_say() -> None:
    assert read(CASES / "attachment.pdf").min() < 100


def test_a_blank_page_beside_others_of_a_pdf_with_attachments(scans: Path) -> None:
    document = pypdfium2.PdfDocument(CASES / "attachment.pdf")
    document.new_page(60, 40)
    document.save(scans / "pages.pdf")
    document.close()
    assert read(scans / "pages.pdf", 2).min() == 255


def test_a_crop_box_outside_of_the_page() -> None:
    assert "crop box" in refused(CASES / "crop-outside.pdf").message


def test_a_page_that_is_too_large_names_the_resolution() -> None:
    with pytest.raises(ScanError, match=r"--max-megapixels, or a lower --dpi"):
        read_page(CASES / "huge.pdf", 1, 300, LIMITS)
    assert read(CASES / "huge.pdf", dpi=10).shape == (2000, 2000)
