"""Scans are opened safely: what is no file, may not be read, is too large or is outside is refused."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.scans.find import find_scans
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.scans.reader import open_unchanged, read_page
from lettermill.jobs.settings import Limits
from tests.page_reading import read, refused, shows_the_picture

LIMITS = Limits()


def test_empty_file(scans: Path) -> None:
    (scans / "nothing.png").touch()
    assert refused(scans / "nothing.png").code is ErrorCode.EMPTY_FILE


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "pdf"])
def test_text_under_the_suffix_of_an_image(scans: Path, suffix: str) -> None:
    path = scans / f"notes.{suffix}"
    path.write_text("Buy milk.\n" * 100)
    assert refused(path).code is ErrorCode.NOT_AN_IMAGE


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


def test_the_page_limit_is_inclusive(scans: Path, picture: Image.Image) -> None:
    for suffix in ("tif", "pdf"):
        path = scans / f"sheets.{suffix}"
        picture.save(path, save_all=True, append_images=[picture] * 2)
        assert count_pages(path, Limits(max_pages=3)) == 3
        assert shows_the_picture(read(path, 3, limits=Limits(max_pages=3)))
        assert refused(path, limits=Limits(max_pages=2)).code is ErrorCode.TOO_MANY_PAGES


def test_memory_is_bounded(scans: Path) -> None:
    """In a process of its own: the bound would stay."""
    Image.new("RGBA", (8000, 8000)).save(scans / "page.png", compress_level=1)
    code = """
import sys
from pathlib import Path
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits
limits = Limits(max_megapixels=64)
bound_memory(600_000_000)
try:
    read_page(Path(sys.argv[1]), 1, 72, limits)
except MemoryError:
    sys.stdout.write("MemoryError ")
bound_memory(limits.memory_bytes)
sys.stdout.write(str(read_page(Path(sys.argv[1]), 1, 72, limits).shape))
"""
    done = subprocess.run([sys.executable, "-c", code, scans / "page.png"], capture_output=True, text=True)
    assert done.stdout == "MemoryError (8000, 8000)", done.stderr


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
