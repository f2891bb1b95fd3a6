"""Searchable PDFs: the page looks as the scan does, and its words stand where the letters are."""

from __future__ import annotations

import ctypes
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw, TiffImagePlugin
from pypdfium2 import raw

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.records.readings import Box
from lettermill.jobs.scans.isolated import IsolatedDecoder
from lettermill.jobs.scans.reader import open_file, read_page
from lettermill.jobs.scans.text_layer import PageText, Word, write_searchable
from lettermill.jobs.settings import Limits

DPI = 200
INK = Box(60, 90, 120, 40)
WORDS = (Word("HELLO", INK), Word("I", Box(190, 92, 10, 38)))


def drawn(mode: str = "RGB") -> Image.Image:
    """A page as a viewer shows it: a block where the first word is, and a corner that tells its turns."""
    page = Image.new(mode, (400, 300), "white")
    pen = ImageDraw.Draw(page)
    pen.rectangle((INK.x, INK.y, INK.x + INK.width - 1, INK.y + INK.height - 1), fill="black")
    pen.rectangle((0, 0, 30, 50), fill="black" if mode == "1" else "gray")
    return page


STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What was done to a picture that has to be shown with this EXIF orientation."""


@pytest.fixture(scope="module")
def own() -> Iterator[IsolatedDecoder]:
    one = IsolatedDecoder()
    yield one
    one.close()


def searchable(own: IsolatedDecoder, scan: Path, *pages: PageText, limits: Limits | None = None) -> bytes:
    with (
        open_file(scan) as file,
        (scan.parent / "text").open("w+b") as text,
        (scan.parent / "out").open("w+b") as out,
    ):
        text.write(msgspec.json.encode(pages))
        text.flush()
        own.write_searchable(file, text, out, DPI, limits or Limits(), len(pages))
        out.seek(0)
        return out.read()


def words(pdf: bytes, size: tuple[int, int], page: int = 0) -> list[tuple[str, tuple[float, ...]]]:
    """The words of a page and where they begin and end: left, top, right, bottom in pixels."""
    found: list[tuple[str, tuple[float, ...]]] = []
    with pypdfium2.PdfDocument(pdf) as document:
        sheet = document[page]
        text = sheet.get_textpage()
        letters: list[tuple[str, list[tuple[float, float]]]] = []
        for index in range(text.count_chars()):
            char = text.get_text_range(index, 1)
            if not char.strip():
                letters.append((" ", []))
                continue
            left, bottom, right, top = text.get_charbox(index, loose=True)
            letters.append(
                (char, [to_pixels(sheet, size, x, y) for x in (left, right) for y in (bottom, top)])
            )
        for run in re.finditer(r"\S+", "".join(char for char, _ in letters)):
            ends = [corner for _, corners in letters[run.start() : run.end()] for corner in corners]
            across, down = zip(*ends, strict=True)
            found.append((run[0], (min(across), min(down), max(across), max(down))))
    return found


def to_pixels(sheet: pypdfium2.PdfPage, size: tuple[int, int], x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    fine = 100  # The answer is in whole pixels.
    raw.FPDF_PageToDevice(sheet, 0, 0, size[0] * fine, size[1] * fine, 0, x, y, across, down)
    return across.value / fine, down.value / fine


def check(pdf: bytes, scan: Path, page: int = 1) -> None:
    """The page looks like the scan, and a selection of its words covers the ink and not much more."""
    shown = read_page(scan, page, DPI, Limits())
    height, width = shown.shape
    with pypdfium2.PdfDocument(pdf) as document:
        sheet = document[page - 1]
        scale = width / sheet.get_width()
        assert sheet.get_height() * scale == pytest.approx(height, abs=1)
        pixels = sheet.render(scale=scale, grayscale=True).to_numpy()[:height, :width].astype(int)
    assert np.abs(pixels - shown[: len(pixels)]).mean() < 3
    for (text, box), word in zip(words(pdf, (width, height), page - 1), WORDS, strict=True):
        assert text == word.text
        left, top, right, bottom = box
        assert left == pytest.approx(word.box.x, abs=1)
        assert right == pytest.approx(word.box.x + word.box.width, abs=1)
        assert top == pytest.approx(word.box.y, abs=0.35 * word.box.height)
        assert top <= word.box.y + 1
        assert word.box.y + word.box.height - 1 <= bottom <= word.box.y + 1.4 * word.box.height


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.tif"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures(own: IsolatedDecoder, scans: Path, name: str, mode: str) -> None:
    drawn(mode).save(scans / name, quality=95) if name != "a.tif" else drawn(mode).save(scans / name)
    check(searchable(own, scans / name, PageText((WORDS,))), scans / name)


def test_black_and_white_palettes_transparency_and_deep_grey(own: IsolatedDecoder, scans: Path) -> None:
    drawn("1").save(scans / "fax.tif", compression="group4")
    drawn("RGB").convert("P").save(scans / "palette.png")
    clear = drawn("RGBA")
    clear.putalpha(drawn("L").point(lambda value: 255 if value < 250 else 0))
    clear.save(scans / "clear.png")
    Image.fromarray(np.asarray(drawn("L")).astype(np.uint16) * 257).save(scans / "deep.png")
    drawn("RGB").convert("CMYK").save(scans / "press.jpg", quality=95)
    for path in sorted(scans.glob("*.*")):
        check(searchable(own, path, PageText((WORDS,))), path)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_pictures_that_a_camera_turned(
    own: IsolatedDecoder, scans: Path, orientation: int, name: str
) -> None:
    stored = drawn().transpose(STORED[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(scans / name, exif=exif, quality=95)
    assert np.abs(read_page(scans / name, 1, DPI, Limits()).astype(int) - np.asarray(drawn("L"))).mean() < 3
    check(searchable(own, scans / name, PageText((WORDS,))), scans / name)


def test_a_jpeg_is_kept_as_it_is(own: IsolatedDecoder, scans: Path) -> None:
    drawn().save(scans / "a.jpg", quality=35)
    content = searchable(own, scans / "a.jpg", PageText((WORDS,)))
    assert (scans / "a.jpg").read_bytes() in content


@pytest.mark.parametrize(
    ("stated", "points"),
    [
        ((400, 400), (72, 54)),
        ((200, 100), (144, 216)),
        ((72, 72), (144, 108)),
        ((1, 1), (144, 108)),
        (None, (144, 108)),
    ],
)
def test_a_page_has_the_size_that_the_picture_states(
    own: IsolatedDecoder, scans: Path, stated: tuple[int, int] | None, points: tuple[int, int]
) -> None:
    more = {"dpi": stated} if stated else {}
    drawn().save(scans / "a.tif", **more)
    pdf = searchable(own, scans / "a.tif", PageText((WORDS,)))
    with pypdfium2.PdfDocument(pdf) as document:
        assert document[0].get_size() == pytest.approx(points, abs=0.1)
    assert [word for word, _ in words(pdf, (400, 300))] == ["HELLO", "I"]


def test_the_resolution_of_a_turned_picture_turns_with_it(own: IsolatedDecoder, scans: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn().transpose(STORED[6]).save(scans / "a.png", exif=exif, dpi=(200, 400))
    with pypdfium2.PdfDocument(searchable(own, scans / "a.png", PageText((WORDS,)))) as document:
        assert document[0].get_size() == pytest.approx((400 * 72 / 400, 300 * 72 / 200), abs=0.1)


def test_every_page_of_a_tiff(own: IsolatedDecoder, scans: Path) -> None:
    with TiffImagePlugin.AppendingTiffWriter(str(scans / "a.tif"), True) as file:
        for mode in ("L", "1", "RGB"):
            drawn(mode).save(file)
            file.newFrame()
    pages = [PageText((WORDS,)), PageText(), PageText((WORDS,))]
    pdf = searchable(own, scans / "a.tif", *pages)
    with pypdfium2.PdfDocument(pdf) as document:
        assert len(document) == 3
    check(pdf, scans / "a.tif", 1)
    assert words(pdf, (400, 300), 1) == []
    check(pdf, scans / "a.tif", 3)


class CountedReads(io.FileIO):
    """A file that counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:  # type: ignore[override]
        self.reads += 1
        return super().read(size)


def test_a_document_is_looked_through_once_and_not_for_each_page(scans: Path) -> None:
    def reads(pages: int) -> int:
        page = drawn("1")
        page.save(scans / "a.tif", save_all=True, append_images=[page] * (pages - 1))
        with CountedReads(scans / "a.tif") as file:
            write_searchable(file, [PageText()] * pages, io.BytesIO(), 300, Limits())  # type: ignore[arg-type]
            return file.reads

    assert reads(40) < 5 * reads(10)


def with_box(page: pypdfium2.PdfPage) -> None:
    page.set_mediabox(-20, -30, 180, 150)
    page.set_cropbox(0, 0, 144, 108)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_a_pdf_keeps_its_pages(own: IsolatedDecoder, scans: Path, turned: int, cropped: bool) -> None:
    shown = drawn().rotate(turned, expand=True)
    shown.save(scans / "plain.pdf", resolution=DPI)
    with pypdfium2.PdfDocument(scans / "plain.pdf") as document:
        page = document[0]
        page.set_rotation(turned)
        if cropped and turned in (0, 180):
            with_box(page)
        document.save(scans / "a.pdf")
    pdf = searchable(own, scans / "a.pdf", PageText((WORDS,)))
    check(pdf, scans / "a.pdf")
    with pypdfium2.PdfDocument(pdf) as document:
        assert document[0].get_rotation() == turned
        kinds = [item.type for item in document[0].get_objects()]
    assert kinds.count(raw.FPDF_PAGEOBJ_IMAGE) == 1


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_words_that_are_turned_on_the_scan(own: IsolatedDecoder, scans: Path, turns: int) -> None:
    drawn().save(scans / "a.png")
    box = Box(60, 90, 40, 120) if turns != 2 else INK
    pdf = searchable(own, scans / "a.png", PageText(((Word("HELLO", box),),), turns))
    ((text, place),) = words(pdf, (400, 300))
    assert text == "HELLO"
    along = (0, 2) if turns == 2 else (1, 3)
    ends = (box.x, box.y, box.x + box.width, box.y + box.height)
    assert [place[end] for end in along] == pytest.approx([ends[end] for end in along], abs=1)
    with pypdfium2.PdfDocument(pdf) as document:
        page = document[0].get_textpage()
        first, last = page.get_charbox(0), page.get_charbox(4)
    forward = {1: last[1] < first[1], 2: last[0] < first[0], 3: last[1] > first[1]}
    assert forward[turns]


def test_the_text_shows_nowhere(own: IsolatedDecoder, scans: Path) -> None:
    drawn().save(scans / "a.png")
    size = (400, 300)
    with_text, without = (
        pypdfium2.PdfDocument(searchable(own, scans / "a.png", text))
        for text in (PageText(((Word("HELLO", Box(200, 200, 100, 40)),),)), PageText())
    )
    with with_text, without:
        pictures = [
            one[0].render(scale=size[0] / one[0].get_width()).to_numpy() for one in (with_text, without)
        ]
    assert (pictures[0] == pictures[1]).all()
    assert pictures[1].min() < 10


def test_what_cannot_be_opened(own: IsolatedDecoder, scans: Path) -> None:
    content = io.BytesIO()
    drawn().save(content, "PNG")
    (scans / "cut.png").write_bytes(content.getvalue()[:300])
    with pytest.raises(ScanError) as caught:
        searchable(own, scans / "cut.png", PageText())
    assert caught.value.code is ErrorCode.TRUNCATED
    drawn().save(scans / "large.png")
    with pytest.raises(ScanError) as caught:
        searchable(own, scans / "large.png", PageText(), limits=Limits(max_megapixels=0.01))
    assert caught.value.code is ErrorCode.TOO_MANY_PIXELS
    (scans / "broken.pdf").write_bytes(b"%PDF-1.7\n" + json.dumps(["no PDF"]).encode())
    with pytest.raises(ScanError) as caught:
        searchable(own, scans / "broken.pdf", PageText())
    assert caught.value.code is ErrorCode.NOT_AN_IMAGE


CASES = Path(__file__).parents[2] / "cases/files/containers"


@pytest.mark.parametrize(
    "name", ["junk.jpg", "no-end.jpg", "turned.heic", "thumbnail-first.tif", "white-is-zero-16.tif"]
)
def test_files_that_are_read_though_they_are_odd_look_as_they_do_to_the_reader(
    own: IsolatedDecoder, tmp_path: Path, name: str
) -> None:
    scan = tmp_path / name
    scan.write_bytes((CASES / name).read_bytes())
    expected = read_page(scan, 1, DPI, Limits()).astype(int)
    with pypdfium2.PdfDocument(searchable(own, scan, PageText())) as document:
        assert len(document) == 1
        width, _ = document[0].get_size()
        shown = document[0].render(scale=expected.shape[1] / width, grayscale=True).to_numpy().astype(int)
        rows, columns = (min(sizes) for sizes in zip(shown.shape, expected.shape, strict=True))
        assert np.abs(shown[:rows, :columns] - expected[:rows, :columns]).mean() < 3
