"""Scans on disk: every format that is promised, and every way a file can be bad."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from lettermill.jobs.errors import ErrorCode, NoScans, ScanError, UsageProblem
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.scans.decode import _natural, count_pages, find_scans, open_unchanged, read_page
from lettermill.jobs.settings import Limits
from tests.hostile_files import (
    chained_tiff,
    long_pdf,
    packed,
    pdf_with_image,
    png_chunk,
    tiff,
    tiff_with_tile,
)

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
    assert count_pages(path, LIMITS) == 4
    for number, sheet in enumerate(sheets):
        assert (read(path, number + 1) == np.asarray(sheet)).all()
    assert refused(path, 5).code is ErrorCode.NO_SUCH_PAGE


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
        count_pages(scans / "secret.pdf", LIMITS)


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


@pytest.mark.parametrize("suffix", ["png", "tif", "pdf"])
def test_what_is_no_file_is_refused_at_once(
    scans: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scans)  # A socket's path is short.
    Path(f"folder.{suffix}").mkdir()
    os.mkfifo(f"pipe.{suffix}")
    Path(f"device.{suffix}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"socket.{suffix}")
        for name in ("folder", "pipe", "device", "socket"):
            problem = refused(scans / f"{name}.{suffix}")
            assert problem.code is ErrorCode.NOT_READABLE, name
            with pytest.raises(ScanError):
                count_pages(scans / f"{name}.{suffix}", LIMITS)


def test_forbidden_file(open_folder: Path, picture: Image.Image, as_nobody: Callable[..., str]) -> None:
    for name in ("secret.png", "secret.pdf"):
        picture.save(open_folder / name)
        (open_folder / name).chmod(0)
    code = """
from lettermill.jobs.errors import ScanError
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits
for path in sys.argv[1:]:
    try:
        read_page(Path(path), 1, 72, Limits())
    except ScanError as error:
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
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.scans.find import find_scans
for path in sys.argv[1:]:
    try:
        find_scans(Path(path))
    except UsageProblem as error:
        sys.stdout.write(error.what + "\\n")
"""
    told = as_nobody(code, open_folder, open_folder / "closed", open_folder / "list only").splitlines()
    assert len(told) == 3
    assert all("cannot list the folder" in line and "Permission denied" in line for line in told)


# --- bombs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_png_whose_metadata_unpacks_to_a_gigabyte(scans: Path, picture: Image.Image, kind: bytes) -> None:
    picture.convert("L").save(scans / "page.png")
    whole = (scans / "page.png").read_bytes()
    start = b"a\0" + (b"\1\0\0\0" if kind == b"iTXt" else b"\0")
    bomb = png_chunk(kind, start + packed(bytes(1 << 20), 1 << 10))
    (scans / "page.png").write_bytes(whole[:33] + bomb + whole[33:])
    assert refused(scans / "page.png").code is ErrorCode.NOT_AN_IMAGE


def test_a_png_with_a_large_colour_profile_reads(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.png", icc_profile=random.Random(1).randbytes(3_000_000))
    assert shows_the_picture(read(scans / "page.png"))


def test_a_tile_that_is_larger_than_its_page(scans: Path) -> None:
    (scans / "tile.tif").write_bytes(tiff_with_tile(32768))
    problem = refused(scans / "tile.tif")
    assert problem.code is ErrorCode.TOO_MANY_PIXELS
    assert "tile of the page has 32768×32768 pixels" in problem.message


def test_a_large_page_behind_a_small_one(scans: Path, picture: Image.Image) -> None:
    small = tiff(60, 40, zlib.compress(bytes(2400)), (273, 256), (277, 1), (278, 40), (279, 20))
    directory = len(small)
    large = bytearray(tiff(40_000, 40_000, b"", (273, 256), (277, 1), (278, 40_000), (279, 20))[8:256])
    chained = bytearray(small)
    struct.pack_into("<I", chained, 8 + 2 + 12 * 9, directory)
    (scans / "pages.tif").write_bytes(chained + large)
    assert count_pages(scans / "pages.tif", LIMITS) == 2
    assert refused(scans / "pages.tif", page=2).code is ErrorCode.TOO_MANY_PIXELS


def test_a_chain_of_pages_is_followed_no_further_than_the_limit(scans: Path) -> None:
    """Half a million directories: to follow them all would take minutes."""
    (scans / "chain.tif").write_bytes(chained_tiff(500_000))
    with pytest.raises(ScanError) as caught:
        count_pages(scans / "chain.tif", Limits(max_pages=1000))
    assert caught.value.code is ErrorCode.TOO_MANY_PAGES
    problem = refused(scans / "chain.tif", limits=Limits(max_pages=1000), pages=1)
    assert problem.code is ErrorCode.TOO_MANY_PAGES
    assert "--max-pages" in problem.message


def test_a_pdf_of_a_hundred_thousand_pages(scans: Path) -> None:
    (scans / "long.pdf").write_bytes(long_pdf(100_000))
    assert refused(scans / "long.pdf", pages=1).code is ErrorCode.TOO_MANY_PAGES
    with pytest.raises(ScanError, match="--max-pages"):
        count_pages(scans / "long.pdf", LIMITS)
    assert count_pages(scans / "long.pdf", Limits(max_pages=100_000)) == 100_000


def test_the_page_limit_is_inclusive(scans: Path, picture: Image.Image) -> None:
    for suffix in ("tif", "pdf"):
        path = scans / f"sheets.{suffix}"
        picture.save(path, save_all=True, append_images=[picture] * 2)
        assert count_pages(path, Limits(max_pages=3)) == 3
        assert shows_the_picture(read(path, 3, limits=Limits(max_pages=3)))
        assert refused(path, limits=Limits(max_pages=2)).code is ErrorCode.TOO_MANY_PAGES


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


def test_a_place_that_no_file_has_is_damage_and_not_the_disk(scans: Path) -> None:
    far = 1 << 62
    (scans / "far.tif").write_bytes(struct.pack("<2sHHHQ", b"II", 43, 8, 0, far))
    assert refused(scans / "far.tif").code in (ErrorCode.TRUNCATED, ErrorCode.NOT_AN_IMAGE)


def test_a_webp_canvas_without_end(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.webp", save_all=True, append_images=[picture.rotate(180)])
    content = bytearray((scans / "page.webp").read_bytes())
    assert content[12:16] == b"VP8X"
    content[24:30] = (16_383).to_bytes(3, "little") * 2
    (scans / "page.webp").write_bytes(content)
    assert refused(scans / "page.webp").code is ErrorCode.TOO_MANY_PIXELS


def test_a_bmp_of_few_runs(scans: Path) -> None:
    """A jump of 255 rows of a hundred million pixels."""
    data = bytes([0, 2, 255, 255, 0, 1])
    header = struct.pack("<IiiHHIIiiII", 40, 100_000_000, 2, 1, 8, 1, len(data), 0, 0, 1, 0)
    head = struct.pack("<2sIHHI", b"BM", 58 + len(data), 0, 0, 58)
    (scans / "runs.bmp").write_bytes(head + header + bytes(4) + data)
    assert refused(scans / "runs.bmp", limits=Limits(max_megapixels=100)).code is ErrorCode.TOO_MANY_PIXELS


def test_memory_is_bounded(scans: Path) -> None:
    """In a process of its own: the bound would stay."""
    Image.new("RGBA", (8000, 8000)).save(scans / "page.png", compress_level=1)
    code = """
import sys
from pathlib import Path
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.scans.decode import read_page
from lettermill.jobs.settings import Limits
limits = Limits(max_megapixels=64)
bound_memory(600_000_000)
try:
    read_page(Path(sys.argv[1]), 1, 72, limits)
except MemoryError:
    sys.stdout.write("MemoryError ")
bound_memory(limits.memory)
sys.stdout.write(str(read_page(Path(sys.argv[1]), 1, 72, limits).shape))
"""
    done = subprocess.run([sys.executable, "-c", code, scans / "page.png"], capture_output=True, text=True)
    assert done.stdout == "MemoryError (8000, 8000)", done.stderr


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
            assert count_pages(path, LIMITS) == 1


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


@given(st.lists(st.text(st.sampled_from("ab/019é \udcff"), min_size=1), max_size=8))
def test_numbers_in_names_count_as_numbers(names: list[str]) -> None:
    def parts(path: str) -> tuple[list[tuple[int, int, str]], str]:
        return [
            (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split("([0-9]+)", path)
        ], path

    assert sorted(sorted(names), key=_natural) == sorted(names, key=parts)


# --- below the scan root ------------------------------------------------------------------------


@contextlib.contextmanager
def opened(root: Path, scan: str) -> Iterator[BinaryIO]:
    status = (root / scan).stat()
    with open_unchanged(root, scan, entry(scan, status.st_size, status.st_mtime_ns), LIMITS) as file:
        yield file


def entry(scan: str, size: int, mtime_ns: int) -> ManifestEntry:
    return ManifestEntry.of(scan, 1, size, mtime_ns, 1, ("", ""))


def not_opened(root: Path, scan: str, size: int = 0, mtime_ns: int = 0) -> ErrorCode:
    changed = entry(scan, size, mtime_ns)
    with pytest.raises(ScanError) as caught, open_unchanged(root, scan, changed, LIMITS):
        pass
    return caught.value.code


@pytest.mark.parametrize("suffix", ["png", "tif", "pdf"])
def test_what_is_opened_is_read(scans: Path, picture: Image.Image, suffix: str) -> None:
    (scans / "box").mkdir()
    picture.save(scans / "box" / f"page.{suffix}")
    with opened(scans, f"box/page.{suffix}") as file:
        (scans / "box" / f"page.{suffix}").write_bytes(b"")  # Whatever the name stands for by now.
        (scans / "box" / f"page.{suffix}").unlink()
        assert refused_file(file).code is ErrorCode.EMPTY_FILE
    picture.save(scans / "box" / f"page.{suffix}")
    with opened(scans, f"box/page.{suffix}") as file:
        (scans / "box" / f"page.{suffix}").unlink()
        assert shows_the_picture(read_page(file, 1, 72, LIMITS))


def refused_file(file: BinaryIO) -> ScanError:
    with pytest.raises(ScanError) as caught:
        read_page(file, 1, 72, LIMITS)
    return caught.value


def test_links_within_the_scan_root_are_followed(scans: Path, picture: Image.Image, tmp_path: Path) -> None:
    (scans / "box").mkdir()
    picture.save(scans / "box" / "page.png")
    (scans / "link.png").symlink_to("box/page.png")
    (scans / "second").symlink_to(scans / "box")
    (tmp_path / "other name").symlink_to(scans)
    for root in (scans, tmp_path / "other name", tmp_path):
        for scan in ("link.png", "second/page.png"):
            below = scan if root != tmp_path else f"scans/{scan}"
            with opened(root, below) as file:
                assert shows_the_picture(read_page(file, 1, 72, LIMITS))


def test_links_out_of_the_scan_root_are_not_opened(scans: Path, picture: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "scans and more").mkdir()
    picture.save(tmp_path / "scans and more" / "page.png")
    (scans / "link.png").symlink_to(tmp_path / "scans and more" / "page.png")
    (scans / "folder").symlink_to("../scans and more")
    (scans / "chain.png").symlink_to("folder/page.png")
    (scans / "device.png").symlink_to("/dev/zero")
    assert "link.png" in find_scans(scans)[0]  # It gets a row.
    for scan in ("link.png", "folder/page.png", "chain.png", "device.png", "../scans and more/page.png"):
        assert not_opened(scans, scan) is ErrorCode.OUTSIDE, scan
    assert not_opened(scans, str(tmp_path / "scans and more" / "page.png")) is ErrorCode.OUTSIDE
    with opened(tmp_path, "scans/chain.png") as file:
        assert shows_the_picture(read_page(file, 1, 72, LIMITS))


def test_a_folder_that_becomes_a_link_meanwhile(
    scans: Path, picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking where a path leads and opening it."""
    (tmp_path / "outside").mkdir()
    picture.save(tmp_path / "outside" / "page.png")
    (scans / "box").mkdir()
    picture.save(scans / "box" / "page.png")
    resolve = os.path.realpath

    def resolve_and_swap(path: Any, *, strict: bool = False) -> str:
        resolved = resolve(path, strict=strict)
        if strict:
            (scans / "box").rename(scans / "before")
            (scans / "box").symlink_to(tmp_path / "outside")
        return resolved

    monkeypatch.setattr(os.path, "realpath", resolve_and_swap)
    assert not_opened(scans, "box/page.png") in (ErrorCode.NOT_READABLE, ErrorCode.SCAN_GONE)


def test_what_became_of_a_scan_since(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.png")
    status = (scans / "page.png").stat()
    assert not_opened(scans, "page.png", status.st_size + 1, status.st_mtime_ns) is ErrorCode.SCAN_CHANGED
    assert not_opened(scans, "page.png", status.st_size, status.st_mtime_ns - 1) is ErrorCode.SCAN_CHANGED
    assert not_opened(scans, "gone.png") is ErrorCode.SCAN_GONE
    assert not_opened(scans, "page.png/below.png") is ErrorCode.SCAN_GONE
    (scans / "dangling.png").symlink_to("nowhere")
    assert not_opened(scans, "dangling.png") is ErrorCode.SCAN_GONE
    (scans / "round.png").symlink_to("round.png")
    assert not_opened(scans, "round.png") is ErrorCode.NOT_READABLE
    os.mkfifo(scans / "pipe.png")
    assert not_opened(scans, "pipe.png") is ErrorCode.NOT_READABLE
