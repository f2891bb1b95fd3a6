"""`lettermill watch`: scans that are put into a folder, until it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from tests.support import Command, Starter, wait_for


def test_a_scan_is_read_and_moved_and_one_that_cannot_be_read_too(
    start: Starter, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    inbox, done, out = tmp_path / "inbox", tmp_path / "done", tmp_path / "out"
    draw_page(inbox / "card.png", ["HELLO"])
    (inbox / "broken.png").write_bytes(b"no image")
    watch = start("watch", inbox, "--out", out, "--done", done, "--settle", "0.2", "--workers", "1")
    wait_for((done / "card.png").exists, what="the scan that was read")
    wait_for((out / "failed" / "broken.png.txt").exists, what="what to do with the other")
    assert not list(inbox.iterdir())
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(60) == 130
    assert next(out.glob("*/letters.csv")).is_file()


def test_folders_on_disk_alone_can_be_watched(lettermill: Command, tmp_path: Path) -> None:
    done = lettermill("watch", "s3://bucket/inbox", "--out", tmp_path / "out", status=2)
    assert "FOLDER takes a folder on disk" in done.stderr
