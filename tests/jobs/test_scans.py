"""Scans on disk: every format that is promised, and every way a file can be bad."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageOps

from jobs.errors import ErrorCode, NoScans, ScanError, UsageProblem
from jobs.scans import SCAN_SUFFIXES, count_pages, find_scans, read_page
from jobs.settings import Limits

LIMITS = Limits()
BLOCK, PAPER = (slice(6, 13), slice(6, 19)), (slice(20, 40), slice(30, 60))


def read(path: Path, page: int = 1, dpi: int = 72, limits: Limits = LIMITS) -> np.ndarray:
    pixels = read_page(path, page, dpi, limits)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2
    return pixels


def refused(path: Path, page: int = 1, limits: Limits = LIMITS, pages: int | None = None) -> ScanError:
    with pytest.raises(ScanError) as caught:
        read_page(path, page, 72, limits, pages)
    assert caught.value.message
    return caught.value


def shows_the_picture(pixels: np.ndarray) -> bool:
    return bool(pixels.shape == (40, 60) and pixels[BLOCK].max() < 60 and pixels[PAPER].min() > 195)


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "mode", "options"),
    [
        ("png", "RGB", {}),
        ("png", "L", {}),
        ("png", "1", {}),
        ("png", "P", {}),
        ("png", "LA", {}),
        ("png", "RGBA", {}),
        ("jpg", "RGB", {"quality": 90}),
        ("jpeg", "L", {"quality": 90, "progressive": True}),
        ("jpg", "CMYK", {"quality": 90}),
        ("webp", "RGB", {"lossless": True}),
        ("webp", "RGB", {"quality": 90}),
        ("bmp", "RGB", {}),
        ("bmp", "P", {}),
        ("bmp", "1", {}),
        ("tif", "RGB", {}),
        ("tif", "CMYK", {}),
        ("tif", "P", {}),
        ("tif", "L", {"compression": "tiff_lzw"}),
        ("tif", "L", {"compression": "tiff_adobe_deflate"}),
        ("tif", "L", {"compression": "packbits"}),
        ("tif", "RGB", {"compression": "jpeg", "quality": 90}),
        ("tiff", "1", {"compression": "group3"}),
        ("tiff", "1", {"compression": "group4"}),
        ("tiff", "1", {"compression": "group4", "tiffinfo": {262: 0}}),
        ("tif", "1", {}),
    ],
)
def test_formats(scans: Path, picture: Image.Image, suffix: str, mode: str, options: dict[str, Any]) -> None:
    path = scans / f"page.{suffix}"
    picture.convert(mode).save(path, **options)
    assert shows_the_picture(read(path))


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize("top", [65535, 4095, 1023])
def test_deep_grey(scans: Path, picture: Image.Image, suffix: str, top: int) -> None:
    grey = np.asarray(picture.convert("L"), np.float32) / 255 * top
    path = scans / f"deep.{suffix}"
    Image.fromarray(grey.astype(np.uint16)).save(path)
    assert shows_the_picture(read(path))


def test_big_endian_16_bit_tiff(scans: Path, picture: Image.Image) -> None:
    grey = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
    path = scans / "motorola.tif"
    tags = b"".join(
        (tag).to_bytes(2) + kind.to_bytes(2) + (1).to_bytes(4) + value.to_bytes(size) + bytes(4 - size)
        for tag, kind, size, value in [
            *((256, 3, 2, 60), (257, 3, 2, 40), (258, 3, 2, 16), (259, 3, 2, 1), (262, 3, 2, 1)),
            *((273, 4, 4, 122), (277, 3, 2, 1), (278, 3, 2, 40), (279, 4, 4, 4800)),
        ]
    )
    head = b"MM\x00\x2a\x00\x00\x00\x08" + (9).to_bytes(2) + tags + bytes(4)
    assert len(head) == 122
    path.write_bytes(head + np.asarray(grey).astype(">u2").tobytes())
    assert shows_the_picture(read(path))


def test_float_tiff(scans: Path, picture: Image.Image) -> None:
    path = scans / "float.tif"
    Image.fromarray(np.asarray(picture.convert("L"), np.float32) / 255).save(path)
    assert shows_the_picture(read(path))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(
    scans: Path, picture: Image.Image, suffix: str, orientation: int
) -> None:
    stored = Image.Exif()
    stored[0x0112] = orientation
    undone = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turn = Image.Exif()
    turn[0x0112] = undone
    turned = io.BytesIO()
    picture.save(turned, "PNG", exif=turn)
    path = scans / f"photograph.{suffix}"
    ImageOps.exif_transpose(Image.open(turned)).save(path, exif=stored, quality=95, lossless=True)
    assert shows_the_picture(read(path))


def test_transparent_paper_is_white(scans: Path) -> None:
    page = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    page.paste((0, 0, 0, 255), (4, 4, 21, 15))
    page.save(scans / "ink.png")
    assert shows_the_picture(read(scans / "ink.png"))


def test_light_ink_alone_shows_on_black(scans: Path) -> None:
    page = Image.new("RGBA", (60, 40), (255, 255, 255, 0))
    page.paste((255, 255, 255, 255), (4, 4, 21, 15))
    page.save(scans / "chalk.png")
    assert shows_the_picture(255 - read(scans / "chalk.png"))
    page.paste((0, 0, 0, 255), (30, 20, 31, 21))
    page.save(scans / "both.png")
    assert read(scans / "both.png").min() == 0
    assert read(scans / "both.png")[0, 0] == 255


def test_transparent_palette(scans: Path, picture: Image.Image) -> None:
    flat = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    flat.save(scans / "ink.png", transparency=flat.getpixel((59, 39)))
    assert shows_the_picture(read(scans / "ink.png"))


def test_every_page_of_a_tiff(scans: Path) -> None:
    sheets = [Image.new("L", (10 + 5 * number, 20), 50 * number) for number in range(4)]
    path = scans / "pages.tif"
    sheets[0].save(path, save_all=True, append_images=sheets[1:], compression="tiff_lzw")
    assert count_pages(path) == 4
    for number, sheet in enumerate(sheets):
        assert (read(path, number + 1) == np.asarray(sheet)).all()
    assert refused(path, 5).code is ErrorCode.NO_SUCH_PAGE


def test_every_page_of_a_pdf(scans: Path, picture: Image.Image) -> None:
    path = scans / "pages.pdf"
    second = Image.new("L", (30, 90), 128)
    picture.save(path, save_all=True, append_images=[second])
    assert count_pages(path) == 2
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


# --- bad files ----------------------------------------------------------------------------------


def test_empty_file(scans: Path) -> None:
    (scans / "nothing.png").touch()
    assert refused(scans / "nothing.png").code is ErrorCode.EMPTY_FILE


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "pdf"])
def test_text_under_the_suffix_of_an_image(scans: Path, suffix: str) -> None:
    path = scans / f"notes.{suffix}"
    path.write_text("Buy milk.\n" * 100)
    assert refused(path).code is ErrorCode.NOT_AN_IMAGE


@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("jpg", {}), ("bmp", {}), ("tif", {"compression": "raw"}), ("webp", {"lossless": True})],
)
def test_cut_off(scans: Path, suffix: str, options: dict[str, Any]) -> None:
    path = scans / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (80, 80), np.uint8)
    Image.fromarray(noise).save(path, **options)
    path.write_bytes(path.read_bytes()[:3000])
    # A cut WebP or TIFF shows before its pixels are decoded.
    assert refused(path).code in (ErrorCode.TRUNCATED, ErrorCode.NOT_AN_IMAGE)


def test_cut_off_pdf(scans: Path) -> None:
    (scans / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    assert refused(scans / "cut.pdf").code is ErrorCode.NOT_AN_IMAGE


def test_jpeg_named_png_reads(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "photo.png", "JPEG", quality=90)
    assert shows_the_picture(read(scans / "photo.png"))


def test_single_page_tiff_and_pdf_under_other_suffixes_read(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "sheet.png", "TIFF")
    picture.save(scans / "sheet.jpg", "PDF")
    picture.save(scans / "sheet.pdf", "PNG")
    for name in ("sheet.png", "sheet.jpg", "sheet.pdf"):
        assert shows_the_picture(read(scans / name)), name


@pytest.mark.parametrize(
    ("kind", "suffix"), [("TIFF", "png"), ("TIFF", "pdf"), ("PDF", "png"), ("PDF", "tif")]
)
def test_several_pages_under_another_suffix(
    scans: Path, picture: Image.Image, kind: str, suffix: str
) -> None:
    path = scans / f"sheets.{suffix}"
    picture.save(path, kind, save_all=True, append_images=[picture])
    problem = refused(path, pages=1)
    assert problem.code is ErrorCode.PAGES_LEFT_OUT
    assert "the file has 2 pages, of which 1 could be counted" in problem.message


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
        count_pages(scans / "secret.pdf")


def test_bomb(scans: Path) -> None:
    path = scans / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path, compress_level=1)
    assert path.stat().st_size < 1_000_000
    problem = refused(path)
    assert problem.code is ErrorCode.TOO_MANY_PIXELS
    assert "--max-megapixels" in problem.message
    assert "20000×20000" in problem.message


def test_pdf_bomb(scans: Path) -> None:
    document = pypdfium2.PdfDocument.new()
    document.new_page(14_400, 14_400)
    document.save(scans / "bomb.pdf")
    document.close()
    with pytest.raises(ScanError, match="--max-megapixels") as caught:
        read_page(scans / "bomb.pdf", 1, 300, LIMITS)
    assert caught.value.code is ErrorCode.TOO_MANY_PIXELS


def test_the_pixel_limit_is_an_option(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.png")
    assert refused(scans / "page.png", limits=Limits(max_megapixels=0.002)).code is ErrorCode.TOO_MANY_PIXELS
    assert shows_the_picture(read(scans / "page.png", limits=Limits(max_megapixels=0.0024)))


def test_many_bytes(scans: Path) -> None:
    with (scans / "long.png").open("wb") as file:
        file.truncate(2_000_000)
    problem = refused(scans / "long.png", limits=Limits(max_megabytes=1))
    assert problem.code is ErrorCode.TOO_MANY_BYTES
    assert "--max-megabytes" in problem.message


def test_gone(scans: Path) -> None:
    assert refused(scans / "gone.png").code is ErrorCode.SCAN_GONE
    assert refused(scans / "folder" / "gone.png").code is ErrorCode.SCAN_GONE


def test_folder_in_the_place_of_a_file(scans: Path) -> None:
    (scans / "page.png").mkdir()
    assert refused(scans / "page.png").code is ErrorCode.NOT_READABLE


def test_forbidden_file(open_folder: Path, picture: Image.Image, as_nobody: Callable[..., str]) -> None:
    for name in ("secret.png", "secret.pdf"):
        picture.save(open_folder / name)
        (open_folder / name).chmod(0)
    code = """
for path in sys.argv[1:]:
    try:
        scans.read_page(Path(path), 1, 72, settings.Limits())
    except errors.ScanError as error:
        sys.stdout.write(error.code + " ")
"""
    assert as_nobody(code, open_folder / "secret.png", open_folder / "secret.pdf") == "NOT_READABLE " * 2


def test_forbidden_folders(open_folder: Path, picture: Image.Image, as_nobody: Callable[..., str]) -> None:
    for name, mode in (("closed", 0), ("list only", 0o644)):
        (open_folder / name / "inner").mkdir(parents=True)
        picture.save(open_folder / name / "inner" / "page.png")
        picture.save(open_folder / name / "page.png")
        (open_folder / name).chmod(mode)
    code = """
for path in sys.argv[1:]:
    try:
        scans.find_scans(Path(path))
    except errors.UsageProblem as error:
        sys.stdout.write(error.what + "\\n")
"""
    told = as_nobody(code, open_folder, open_folder / "closed", open_folder / "list only").splitlines()
    assert len(told) == 3
    assert all("cannot list the folder" in line and "Permission denied" in line for line in told)


def test_damaged_bytes_never_raise_anything_else(scans: Path, picture: Image.Image) -> None:
    chance = random.Random(7)
    for suffix in sorted(SCAN_SUFFIXES - {".jpe", ".jfif", ".dib", ".tiff", ".jpeg"}):
        path = scans / f"damaged{suffix}"
        picture.save(path)
        whole = path.read_bytes()
        for _ in range(40):
            content = bytearray(whole)
            for _ in range(4):
                content[chance.randrange(min(len(content), 400))] = chance.randrange(256)
            path.write_bytes(content)
            try:
                read_page(path, 1, 72, Limits(max_megapixels=1))
            except ScanError as error:
                assert error.message


# --- names and folders --------------------------------------------------------------------------

ODD_NAMES = [
    "with space.png",
    "quote'\".png",
    "new\nline.png",
    "tab\t.png",
    "=1+1.png",
    "-n.png",
    "Größe.png",
    "\u202egnp.png",
    "100%.png",
    "back\\slash.png",
    os.fsdecode(b"caf\xe9.png"),
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(scans: Path, picture: Image.Image, name: str) -> None:
    for suffix in (".png", ".tif", ".pdf"):
        path = (scans / name).with_suffix(suffix)
        drawn = io.BytesIO()
        picture.save(drawn, Image.registered_extensions()[suffix])
        path.write_bytes(drawn.getvalue())
        assert path.name in find_scans(scans)[0]
        assert shows_the_picture(read(path))
        if suffix != ".png":
            assert count_pages(path) == 1


def test_finds_scans_in_natural_order_and_counts_the_rest(scans: Path) -> None:
    for name in ("b/scan10.PNG", "b/scan2.png", "a.TIF", "z.pdf", "notes.txt", "table.csv", ".hidden.png"):
        (scans / name).parent.mkdir(exist_ok=True)
        (scans / name).touch()
    (scans / ".cache").mkdir()
    (scans / ".cache" / "page.png").touch()
    (scans / "folder.png").mkdir()
    assert find_scans(scans) == (["a.TIF", "b/scan2.png", "b/scan10.PNG", "z.pdf"], 2)


def test_follows_links_to_files_but_not_to_folders(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.png").touch()
    (scans / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    (scans / "endless").symlink_to(scans)
    (scans / "dangling.png").symlink_to(tmp_path / "nowhere")
    (scans / "round.png").symlink_to(scans / "round.png")
    assert find_scans(scans) == (["linked.png"], 0)


def test_a_pipe_is_no_scan(scans: Path) -> None:
    os.mkfifo(scans / "pipe.png")
    with pytest.raises(NoScans):
        find_scans(scans)


@pytest.mark.parametrize("names", [[], ["notes.txt"]])
def test_no_scans(scans: Path, names: list[str]) -> None:
    for name in names:
        (scans / name).touch()
    with pytest.raises(NoScans, match="png"):
        find_scans(scans)


def test_missing_folder_and_file_as_folder(scans: Path) -> None:
    (scans / "file").touch()
    with pytest.raises(UsageProblem, match="does not exist"):
        find_scans(scans / "missing")
    with pytest.raises(UsageProblem, match="is a file"):
        find_scans(scans / "file")
