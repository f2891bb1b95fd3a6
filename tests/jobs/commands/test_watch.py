"""`lettermill watch`: scans that are put into a folder, until it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from tests.support import Command, Starter, wait_for

SOON: dict[str, object] = {"set": {"lettermill.jobs.watching.put_aside.FINAL_SECONDS": 1}}
"""A scan that was not read is moved after a second."""


def test_a_scan_is_read_and_moved_and_one_that_cannot_be_read_too(
    start: Starter, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    inbox, done, out = tmp_path / "inbox", tmp_path / "done", tmp_path / "out"
    draw_page(inbox / "card.png", ["HELLO"])
    (inbox / "broken.png").write_bytes(b"no image")
    words = ["--out", out, "--done", done, "--settle", "0.2", "--workers", "1"]
    watch = start("watch", inbox, *words, faults=SOON)
    wait_for((done / "card.png").exists, what="the scan that was read")
    wait_for((out / "failed" / "broken.png").exists, what="the other")
    assert "NOT_AN_IMAGE" in (out / "failed" / "broken.png.txt").read_text()
    wait_for(lambda: not list(inbox.iterdir()), what="an empty inbox")
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(60) == 130
    assert next(out.glob("*-*/letters.csv")).is_file()


def test_folders_on_disk_alone_can_be_watched(lettermill: Command, tmp_path: Path) -> None:
    done = lettermill("watch", "s3://bucket/inbox", "--out", tmp_path / "out", status=2)
    assert "FOLDER takes a folder on disk" in done.stderr
