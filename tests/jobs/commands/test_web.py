"""`lettermill web`: how it begins and ends, and what it refuses."""

from __future__ import annotations

import re
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.support import Command, Starter, wait_for


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_an_address_and_ends(how: signal.Signals, start: Starter, tmp_path: Path) -> None:
    process = start("web", "--no-browser", "--name", "anna")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "web: " in log.read_text(), what="the address")
    address = re.findall(r"^web: (\S+)$", log.read_text(), re.MULTILINE)[0]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(address, timeout=60) as answer:
        assert b"There are no jobs yet" in answer.read()
    process.send_signal(how)
    assert process.wait(60) == 0
    assert (tmp_path / "results").is_dir()


def test_what_it_refuses(lettermill: Command, tmp_path: Path) -> None:
    for words, what in (
        (("--scans", tmp_path / "gone"), "does not exist"),
        (("--broker", "redis://127.0.0.1:9/0"), "Give --scans the folder that they have"),
        (("--webhook", "file:///etc/passwd"), "is no address for --webhook"),
        (("--webhook", "https://user:word@host/"), "is no address for --webhook"),
        (("--listen", "0.0.0.0"), "--listen without --behind"),
        (("--behind", "https://ocr.example/path"), "has a path"),
        (("--behind", "https://ocr.example"), "LETTERMILL_PROXY_SECRET_FILE names no file"),
        (("--webhook", "https://[host/"), "is no address for --webhook"),
    ):
        assert what in lettermill("web", "--no-browser", *words, status=2).stderr
