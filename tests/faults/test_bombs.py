"""Small files that unpack to gigabytes, to endless pages or to hours: a row each, and the rest is read."""

from __future__ import annotations

import csv
import os
import re
import threading
from pathlib import Path

import psutil
import pytest
from PIL import Image

from lettermill.jobs.settings import Limits
from tests.hostile_files import (
    chained_tiff,
    long_pdf,
    nested_forms,
    packed,
    pdf_that_unpacks,
    pdf_with_image,
    png_chunk,
    tiff_with_tile,
)
from tests.support import PATIENCE_SECONDS, Starter, descendants, draw

LIMITS = Limits(max_megapixels=40, max_pages=1000, page_seconds=20)

MAPPED = 200e6
"""Pages of the libraries' own files: in memory, but not counted."""

REFUSED = {
    "black.png": "TOO_MANY_PIXELS",
    "profile.png": "NOT_AN_IMAGE",
    "tile.tif": "TOO_MANY_PIXELS",
    "chain.tif": "TOO_MANY_PAGES",
    "long.pdf": "TOO_MANY_PAGES",
    "content.pdf": "OUT_OF_MEMORY",
    "image.pdf": "TOO_MANY_PIXELS",
    "link.png": "OUTSIDE",
}


def bombs(folder: Path) -> None:
    Image.new("1", (40_000, 40_000)).save(folder / "black.png", compress_level=1)
    whole = (folder / "page 0.png").read_bytes()
    profile = png_chunk(b"iCCP", b"a\0\0" + packed(bytes(1 << 20), 1024))
    (folder / "profile.png").write_bytes(whole[:33] + profile + whole[33:])
    (folder / "tile.tif").write_bytes(tiff_with_tile(32_768))
    (folder / "chain.tif").write_bytes(chained_tiff(100_000))
    (folder / "long.pdf").write_bytes(long_pdf(100_000))
    (folder / "content.pdf").write_bytes(pdf_that_unpacks(1023))
    (folder / "image.pdf").write_bytes(pdf_with_image(40_000))
    (folder / "forms.pdf").write_bytes(nested_forms(30))
    (folder / "link.png").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.png")


def most_held(process: psutil.Process) -> int:
    """The most that a process ever held, in bytes; 0 where it has gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+)", status)
    return int(found[1]) << 10 if found else 0


@pytest.mark.slow
def test_bombs_are_rows_and_the_rest_is_read(start: Starter, tmp_path: Path) -> None:
    folder, out = tmp_path / "scans", tmp_path / "out"
    for number in range(6):
        draw(folder / f"page {number}.png", ["SMALL PAGE"])
    bombs(folder)
    assert sum(path.stat().st_size for path in folder.iterdir() if path.suffix == ".pdf") < 20e6
    options = ("--max-megapixels", "40", "--max-pages", "1000", "--page-seconds", "20", "--workers", "2")
    run = start("run", folder, "--out", "out", *options)
    peaks: dict[int, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for process in descendants(run.pid):
                peaks[process.pid] = max(peaks.get(process.pid, 0), most_held(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert run.wait(PATIENCE_SECONDS) == 1
    finally:
        ended.set()
        watcher.join()
    (table,) = out.glob("*-*/pages.csv")
    with table.open(newline="", encoding="utf-8") as file:
        rows = {row["scan"]: row for row in csv.DictReader(file)}
    forms = rows.pop("forms.pdf")  # Time or memory, whichever ends first.
    assert forms["error_code"] in ("TIMEOUT", "OUT_OF_MEMORY")
    assert {scan: row["error_code"] for scan, row in rows.items() if row["error_code"]} == REFUSED
    assert {row["status"] for scan, row in rows.items() if scan not in REFUSED} == {"DONE"}
    assert len(rows) == 6 + len(REFUSED)
    # None of them ended its worker.
    assert {row["attempts"] for row in rows.values()} == {"1"}
    assert max(peaks.values()) < LIMITS.memory_bytes + MAPPED
