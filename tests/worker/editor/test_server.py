"""The server of the editor: who gets in, how much is taken, how it ends."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.worker.editor import server
from tests.support import Starter, wait_for
from tests.worker.editor.conftest import Editing

EditingOf = Callable[..., Editing]


def test_only_the_page_itself_gets_in(editing: EditingOf, template: Path) -> None:
    browser = editing()
    before = template.read_bytes()
    assert browser.refused("/template", b"{}", Origin="http://evil.example") == 403
    too_much = b" " * (server._MOST_TEMPLATE_BYTES + 1)
    assert browser.send("/template", too_much)["status"] == 413
    browser.jar.clear()
    assert browser.refused("/") == browser.refused("/blank.png") == browser.refused("/template") == 403
    assert template.read_bytes() == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_how_it_ends(start: Starter, tmp_path: Path, template: Path, how: signal.Signals) -> None:
    process = start("template", "edit", template, "--no-browser")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "editor: " in log.read_text(), what="the address")
    process.send_signal(how)
    assert process.wait(60) == 0
    assert f"Next: lettermill run SCANS --template {template}" in log.read_text()
