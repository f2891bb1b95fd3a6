"""Images: every format that is promised, and every way an image file can be bad."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.settings import Limits
from tests.hostile_files import (
    chained_tiff,
    packed,
    png_chunk,
    tiff,
    tiff_with_tile,
)
from tests.page_reading import read, refused, shows_the_picture
from tests.tiff_files import picture as tiff_picture
from tests.tiff_files import tiff as tiff_of

LIMITS = Limits()


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


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_an_alpha_that_is_0_everywhere_is_not_believed(
    scans: Path, picture: Image.Image, mode: str, suffix: str
) -> None:
    page = picture.convert(mode)
    page.putalpha(0)
    if suffix == "webp" or (suffix, mode) == ("png", "PA"):
        page = page.convert("RGBA")
    page.save(scans / f"page.{suffix}", lossless=True, exact=True)
    assert shows_the_picture(read(scans / f"page.{suffix}"))


def test_a_page_of_nothing_stays_one(scans: Path) -> None:
    for level in (0, 255):
        Image.new("RGBA", (60, 40), (level, level, level, 0)).save(scans / "nothing.png")
        assert np.ptp(read(scans / "nothing.png")) == 0


@pytest.mark.parametrize(("mode", "samples", "photometric"), [("La", 2, 1), ("RGBa", 4, 2)])
@pytest.mark.parametrize("planes", [1, 2])
def test_colours_that_alpha_was_multiplied_into(
    scans: Path, picture: Image.Image, mode: str, samples: int, photometric: int, planes: int
) -> None:
    grey = np.asarray(picture.convert("L"))
    alpha = np.full_like(grey, 255)
    alpha[20:, :15] = 0
    shown = np.where(alpha == 0, 0, grey)
    layers = [shown] * (samples - 1) + [alpha]
    tags, strip = tiff_picture(np.stack(layers, 2), photometric, packed=False, extra=1, planes=planes)
    if planes == 2:
        strip = np.stack(layers).tobytes()
    content = tiff_of((tags, strip), strips=samples if planes == 2 else 1)
    (scans / f"{mode}.tif").write_bytes(content)
    pixels = read(scans / f"{mode}.tif")
    assert shows_the_picture(pixels)
    if (mode, planes) != ("La", 2):  # Pillow loses the alpha of these.
        assert pixels[30, 5] == 255


def test_every_page_of_a_tiff(scans: Path) -> None:
    sheets = [Image.new("L", (10 + 5 * number, 20), 50 * number) for number in range(4)]
    path = scans / "pages.tif"
    sheets[0].save(path, save_all=True, append_images=sheets[1:], compression="tiff_lzw")
    assert count_pages(path, LIMITS) == 4
    for number, sheet in enumerate(sheets):
        assert (read(path, number + 1) == np.asarray(sheet)).all()
    assert refused(path, 5).code is ErrorCode.NO_SUCH_PAGE


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


def test_jpeg_named_png_reads(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "photo.png", "JPEG", quality=90)
    assert shows_the_picture(read(scans / "photo.png"))


def test_bomb(scans: Path) -> None:
    path = scans / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path, compress_level=1)
    assert path.stat().st_size < 1_000_000
    problem = refused(path)
    assert problem.code is ErrorCode.TOO_MANY_PIXELS
    assert "--max-megapixels" in problem.message
    assert "20000×20000" in problem.message


def test_the_pixel_limit_is_an_option(scans: Path, picture: Image.Image) -> None:
    picture.save(scans / "page.png")
    assert refused(scans / "page.png", limits=Limits(max_megapixels=0.002)).code is ErrorCode.TOO_MANY_PIXELS
    assert shows_the_picture(read(scans / "page.png", limits=Limits(max_megapixels=0.0024)))


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
