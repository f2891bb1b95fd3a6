"""The child that decodes says when it begins, answers with JSON and pixels, and ends with its asker."""

from __future__ import annotations

import io
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.machine import python_command
from lettermill.jobs.scans.requests import Answer, Count, Render, Request, WriteSearchable
from lettermill.jobs.settings import Limits

LIMITS = Limits(max_megapixels=4)


class Asker:
    """The other end of the child's socket, and the child."""

    def __init__(self) -> None:
        self.socket, end = socket.socketpair()
        self.socket.settimeout(60)
        self.answers = self.socket.makefile("rb")
        with end:
            self.process = subprocess.Popen(
                python_command("-m", "lettermill.jobs.scans.child"), stdin=end.fileno()
            )

    def ask(self, request: Request, *files: Path, write: Path | None = None) -> Answer:
        opened = [file.open("rb") for file in files] + ([write.open("wb")] if write else [])
        handles = [file.fileno() for file in opened]
        socket.send_fds(self.socket, [msgspec.json.encode(request)], handles)
        for file in opened:
            file.close()
        assert self.answers.readline() == b"\n"
        return msgspec.json.decode(self.answers.readline(), type=Answer)

    def close(self) -> None:
        self.answers.close()
        self.socket.close()


@pytest.fixture
def asker() -> Iterator[Asker]:
    asker = Asker()
    yield asker
    asker.close()
    assert asker.process.wait(60) == 0


@pytest.fixture
def page(scans: Path, picture: Image.Image) -> Path:
    picture.save(scans / "page.pdf")
    return scans / "page.pdf"


def test_it_counts_draws_and_writes(asker: Asker, page: Path, tmp_path: Path) -> None:
    assert asker.ask(Count(LIMITS), page) == Answer(pages=1)
    answer = asker.ask(Render(LIMITS, 1, 72, None), page)
    assert answer == Answer(shape=(40, 60))
    pixels = np.frombuffer(asker.answers.read(40 * 60), np.uint8).reshape(40, 60)
    assert pixels[10, 10] < 60
    assert pixels[30, 40] > 195
    text = tmp_path / "text.json"
    text.write_text(json.dumps([[[[["HELLO", [4, 4, 17, 11]]]], 0]]))
    assert asker.ask(WriteSearchable(LIMITS, 72), page, text, write=tmp_path / "out.pdf") == Answer()
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF-")


def test_what_is_wrong_with_a_file_is_an_answer(asker: Asker, page: Path, scans: Path) -> None:
    assert asker.ask(Render(LIMITS, 2, 72, None), page).code is ErrorCode.NO_SUCH_PAGE
    (scans / "bad.pdf").write_bytes(b"%PDF-1.7 cut off")
    answer = asker.ask(Count(LIMITS), scans / "bad.pdf")
    assert (answer.code, answer.pages) == (ErrorCode.NOT_AN_IMAGE, 0)
    assert "damaged" in answer.message
    deep = io.BytesIO()
    Image.new("L", (3000, 3000)).save(deep, "PDF", resolution=72)
    (scans / "large.pdf").write_bytes(deep.getvalue())
    assert asker.ask(Render(LIMITS, 1, 72, None), scans / "large.pdf").code is ErrorCode.TOO_MANY_PIXELS
    assert asker.ask(Count(LIMITS), page).pages == 1
