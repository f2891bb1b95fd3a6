"""TIFF: which pictures are pages, values that Pillow alone gets wrong, and kinds that are not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.settings import Limits
from tests.page_reading import read, refused, shows_the_picture
from tests.tiff_files import Tags, picture, tiff

WHOLE, COPY, MASK, ONE_OF_SEVERAL = {}, {"subfile": 1}, {"subfile": 4}, {"subfile": 2}
OLD_COPY: dict[str, int] = {"old_subfile": 2}


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


@pytest.mark.parametrize(
    ("pictures", "pages"),
    [
        ([WHOLE, COPY], [0]),
        ([COPY, WHOLE], [1]),
        ([WHOLE, COPY, COPY, MASK], [0]),
        ([WHOLE, {"subfile": 5}], [0]),
        ([WHOLE, OLD_COPY], [0]),
        ([{"old_subfile": 1}, {"old_subfile": 3}], [0, 1]),
        ([ONE_OF_SEVERAL, COPY, ONE_OF_SEVERAL], [0, 2]),
        ([COPY, ONE_OF_SEVERAL, COPY, {"subfile": 3}, WHOLE], [1, 4]),
    ],
)
def test_copies_and_masks_are_not_pages(
    scans: Path, pictures: list[dict[str, int]], pages: list[int]
) -> None:
    path = scans / "page.tif"
    levels = [np.full((20, 10), 10 * number + 10, np.uint8) for number in range(len(pictures))]
    path.write_bytes(tiff(*(picture(level, **tags) for level, tags in zip(levels, pictures, strict=True))))
    assert count_pages(path, Limits()) == len(pages)
    assert [read(path, number)[0, 0] for number in range(1, len(pages) + 1)] == [
        levels[page][0, 0] for page in pages
    ]
    assert refused(path, len(pages) + 1).code is ErrorCode.NO_SUCH_PAGE


@pytest.mark.parametrize(
    ("exif", "size", "pages"),
    [({34665: 8}, (120, 160), 1), ({}, (120, 160), 2), ({34665: 8}, (240, 160), 2)],
)
def test_the_thumbnail_of_a_camera_is_not_a_page(
    scans: Path, exif: Tags, size: tuple[int, int], pages: int
) -> None:
    path = scans / "camera.tif"
    tags, strip = picture(np.zeros((480, 640), np.uint8))
    path.write_bytes(tiff((tags | exif, strip), picture(np.zeros(size, np.uint8))))
    assert count_pages(path, Limits()) == pages


def test_where_all_are_copies_those_as_wide_as_the_first_are_pages(scans: Path) -> None:
    path = scans / "fax.tif"
    sizes = [(20, 10), (30, 10), (5, 3)]
    path.write_bytes(tiff(*(picture(np.zeros(size, np.uint8), subfile=1) for size in sizes)))
    assert count_pages(path, Limits()) == 2
    assert read(path, 2).shape == (30, 10)


def test_copies_count_against_the_limit_of_pages(scans: Path) -> None:
    path = scans / "many.tif"
    copies = [picture(np.zeros((2, 2), np.uint8), subfile=1) for _ in range(40)]
    path.write_bytes(tiff(picture(np.zeros((2, 2), np.uint8)), *copies))
    assert count_pages(path, Limits(max_pages=3)) == 1
    with pytest.raises(ScanError, match="--max-pages"):
        count_pages(path, Limits(max_pages=2))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("kind", "tags"),
    [
        ("u2", {}),
        ("i4", {"form": 2}),
        ("f4", {"form": 3}),
        ("f4", {"form": 3, "photometric": 0}),
    ],
)
def test_deep_values(
    scans: Path, picture_of: Any, order: str, is_packed: bool, kind: str, tags: dict[str, int]
) -> None:
    path = scans / "deep.tif"
    path.write_bytes(tiff(picture_of(f"{order}{kind}", packed=is_packed, **tags), order=order))
    assert shows_the_picture(read(path))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_signed_values_use_half_the_range(scans: Path, picture_of: Any, order: str, is_packed: bool) -> None:
    path = scans / "signed.tif"
    path.write_bytes(tiff(picture_of(f"{order}i2", form=2, packed=is_packed), order=order))
    assert shows_the_picture(np.minimum(read(path).astype(int) * 2, 255).astype(np.uint8))


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("kind", "tags"), [("u2", {"photometric": 0}), ("u4", {})])
def test_deep_values_of_little_endian_files(
    scans: Path, picture_of: Any, is_packed: bool, kind: str, tags: dict[str, int]
) -> None:
    path = scans / "deep.tif"
    path.write_bytes(tiff(picture_of(f"<{kind}", packed=is_packed, **tags)))
    assert shows_the_picture(read(path))


@pytest.fixture
def picture_of(picture: Image.Image) -> Any:
    """A function that makes the picture of a TIFF of the drawn picture in values of some type."""
    from tests import tiff_files

    def make(kind: str, photometric: int = 1, **tags: Any) -> tuple[Tags, bytes]:
        dtype = np.dtype(kind)
        top = 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
        levels = grey(picture) / 255
        values = ((1 - levels if photometric == 0 else levels) * top).astype(dtype)
        return tiff_files.picture(values, photometric, **tags)

    return make


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("samples", "tags"), [(3, {}), (4, {"extra": 2})])
def test_planes_of_16_bits(
    scans: Path, picture: Image.Image, order: str, samples: int, tags: dict[str, int]
) -> None:
    """Pillow alone takes each for 8 bits."""
    from tests import tiff_files

    deep = (grey(picture).astype(np.uint16) * 257).astype(f"{order}u2")
    planes = [deep] * 3 + [np.full_like(deep, 65535)] * (samples - 3)
    basic, _ = tiff_files.picture(np.stack(planes, 2), photometric=2, packed=False, planes=2, **tags)
    path = scans / "planes.tif"
    path.write_bytes(tiff((basic, np.stack(planes).tobytes()), order=order, strips=samples))
    assert shows_the_picture(read(path))


def test_uncompressed_colour_with_fewer_samples_of_hue(scans: Path, picture: Image.Image) -> None:
    """As cameras wrote it; Pillow alone says that it is cut off."""
    luma = grey(picture)
    blocks = luma.reshape(20, 2, 30, 2).transpose(0, 2, 1, 3).reshape(20, 30, 4)
    strip = np.concatenate((blocks, np.full((20, 30, 2), 128, np.uint8)), 2).tobytes()
    tags: Tags = {256: 60, 257: 40, 258: [8, 8, 8], 259: 1, 262: 6, 277: 3, 278: 40, 530: [2, 2]}
    (scans / "camera.tif").write_bytes(tiff((tags, strip)))
    assert shows_the_picture(read(scans / "camera.tif"))


@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ({259: 34712}, "TIFF compressed with JPEG 2000"),
        ({259: 50001}, "TIFF compressed with WebP"),
        ({259: 34661}, "TIFF compressed with JBIG"),
        ({258: [64], 339: 3}, "TIFF of 1 floating-point number of 64 bits"),
        ({277: 2, 258: [16, 16], 338: 2}, "TIFF of 2 numbers of 16 bits"),
        ({277: 5, 258: [8] * 5, 262: 5, 338: 2}, "TIFF of 5 numbers of 8 bits"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_kinds_that_are_not_read_are_named(scans: Path, tags: Tags, says: str, order: str) -> None:
    path = scans / "odd.tif"
    basic, strip = picture(np.zeros((40, 60), np.uint8))
    path.write_bytes(tiff((basic | tags, strip), order=order))
    problem = refused(path)
    assert problem.code is ErrorCode.NOT_AN_IMAGE
    assert says in problem.message
    assert "save it as PNG" in problem.message


def test_a_page_that_is_not_read_leaves_the_others(scans: Path) -> None:
    path = scans / "pages.tif"
    tags, strip = picture(np.zeros((40, 60), np.uint8))
    path.write_bytes(tiff((tags, strip), (tags | {259: 34712}, strip), (tags | {257: 30}, strip)))
    assert count_pages(path, Limits()) == 3
    assert read(path, 1).shape == (40, 60)
    assert "JPEG 2000" in refused(path, 2).message
    assert read(path, 3).shape == (30, 60)
