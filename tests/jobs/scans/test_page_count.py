"""Counting pages: right for honest files, and no file harms the count of the others."""

from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lettermill.jobs.scans import page_count
from lettermill.jobs.scans.page_count import PageCounter
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.disk import Disk
from tests.hostile_files import long_tiff
from tests.support import killed_at_work


def child_of(counter: PageCounter) -> psutil.Process:
    child = counter._decoder._child
    assert child
    return psutil.Process(child._process.pid)


def several(path: Path, pages: int) -> Path:
    sheet = Image.new("1", (30, 20), 1)
    sheet.save(path, save_all=True, append_images=[sheet] * (pages - 1))
    return path


def test_counts_tiff_and_pdf(scans: Path) -> None:
    with PageCounter(Disk(scans), Limits()) as counter:
        assert counter.count(several(scans / "a.tif", 3).name) == 3
        assert counter.count(several(scans / "b.TIFF", 1).name) == 1
        assert counter.count(several(scans / "c\nd'\u202e.pdf", 4).name) == 4
        odd = scans / os.fsdecode(b"\xff.pdf")
        several(scans / "plain.pdf", 2).rename(odd)
        assert counter.count(odd.name) == 2


@pytest.mark.parametrize(
    "content", [b"", b"no scan", b"%PDF-1.7 cut off", b"II*\x00", b"MM\x00*\xff\xff\xff\xff"]
)
def test_what_cannot_be_counted_is_one_page(scans: Path, content: bytes) -> None:
    with PageCounter(Disk(scans), Limits()) as counter:
        for name in ("bad.tif", "bad.pdf"):
            (scans / name).write_bytes(content)
            assert counter.count(name) == 1
        assert counter.count("gone.tif") == 1
        assert counter.count(several(scans / "good.tif", 2).name) == 2


def test_an_endless_chain_of_pages(scans: Path) -> None:
    page = several(scans / "page.tif", 1).read_bytes()
    directory = struct.unpack_from("<I", page, 4)[0]
    entries = struct.unpack_from("<H", page, directory)[0]
    chained = bytearray(page)
    struct.pack_into("<I", chained, directory + 2 + 12 * entries, directory)
    (scans / "endless.tif").write_bytes(chained)
    with PageCounter(Disk(scans), Limits()) as counter:
        assert counter.count("endless.tif") == 1


def test_a_pdf_that_claims_a_million_pages_is_one_page(scans: Path) -> None:
    honest = several(scans / "honest.pdf", 2).read_bytes()
    (scans / "boasts.pdf").write_bytes(honest.replace(b"/Count 2", b"/Count 999999"))
    with PageCounter(Disk(scans), Limits()) as counter:
        assert counter.count("boasts.pdf") == 1
        assert counter.count("honest.pdf") == 2


def test_a_document_with_too_many_pages_is_one_page(scans: Path) -> None:
    with PageCounter(Disk(scans), Limits(max_pages=3)) as counter:
        for name in ("sheets.tif", "sheets.pdf"):
            assert counter.count(several(scans / name, 3).name) == 3
            assert counter.count(several(scans / name, 4).name) == 1


def test_a_file_that_hangs_is_one_page(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = several(scans / "good.tif", 2)
    with PageCounter(Disk(scans), Limits()) as counter:
        assert counter.count(good.name) == 2
        child = child_of(counter)
        child.suspend()
        monkeypatch.setattr(page_count, "_FILE_SECONDS", 1)
        assert counter.count(good.name) == 1
        monkeypatch.undo()
        assert not child.is_running()
        assert counter.count(good.name) == 2


def test_a_file_that_kills_the_child_is_one_page(scans: Path) -> None:
    good = several(scans / "good.tif", 2)
    page = several(scans / "page.tif", 1).read_bytes()
    (scans / "long.tif").write_bytes(long_tiff(page, 200_000))
    with PageCounter(Disk(scans), Limits(max_pages=1_000_000)) as counter:
        assert counter.count(good.name) == 2
        with killed_at_work(child_of(counter), signal.SIGKILL):
            assert counter.count("long.tif") == 1
        assert counter.count(good.name) == 2


def test_a_long_file_is_counted(scans: Path) -> None:
    page = several(scans / "page.tif", 1).read_bytes()
    (scans / "long.tif").write_bytes(long_tiff(page, 500))
    with PageCounter(Disk(scans), Limits(max_pages=1000)) as counter:
        assert counter.count("long.tif") == 500


@pytest.mark.parametrize("name", ["pipe.tif", "socket.tif", "folder.tif"])
def test_what_is_no_file_is_one_page(scans: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scans)  # A socket's path is short.
    os.mkfifo("pipe.tif")
    Path("folder.tif").mkdir()
    with socket.socket(socket.AF_UNIX) as bound, PageCounter(Disk(scans), Limits()) as counter:
        bound.bind("socket.tif")
        assert counter.count(name) == 1


def test_a_child_that_died_between_two_files(scans: Path) -> None:
    good = several(scans / "good.tif", 2)
    with PageCounter(Disk(scans), Limits()) as counter:
        counter.count(good.name)
        child_of(counter).kill()
        assert counter.count(good.name) == 2


def test_no_child_outlives_the_counter(scans: Path) -> None:
    with PageCounter(Disk(scans), Limits()) as counter:
        counter.count(several(scans / "good.tif", 2).name)
        child = child_of(counter)
    assert not child.is_running()
