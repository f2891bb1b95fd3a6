"""A copy of the example form, and its editor as a process."""

from __future__ import annotations

import json
import re
import shutil
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.review_browser import Browser
from tests.support import ROOT, Starter, wait_for

FORM = ROOT / "examples" / "form"


class Editing(Browser):
    """A client of the editor that sends and gets JSON."""

    def get(self, path: str) -> dict[str, Any]:
        return dict(json.loads(self.open(path)))

    def send(self, path: str, body: dict[str, Any] | bytes) -> dict[str, Any]:
        """Send something; the answer, with its status."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            return {"status": 200, **json.loads(self.open(path, content))}
        except urllib.error.HTTPError as error:
            with error:
                return {"status": error.code, **json.loads(error.read())}


EditingOf = Callable[..., Editing]


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The example's template, in a folder of its own."""
    folder = tmp_path / "form"
    folder.mkdir()
    for name in ("blank.png", "form.toml", "towns.txt"):
        shutil.copy(FORM / name, folder)
    return folder / "form.toml"


@pytest.fixture
def editing(start: Starter, tmp_path: Path, template: Path) -> EditingOf:
    """Start the editor in the background; a client that opened its address."""

    def begin(*words: object) -> Editing:
        start("template", "edit", template, "--no-browser", *words)
        log = tmp_path / "process-0.log"
        wait_for(lambda: "editor: " in log.read_text(), what="the address")
        return Editing(re.findall(r"^editor: (\S+)$", log.read_text(), re.MULTILINE)[0])

    return begin
