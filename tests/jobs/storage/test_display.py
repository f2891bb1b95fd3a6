"""Paths and refusals as people can read them."""

from __future__ import annotations

import os
from pathlib import Path

from lettermill.jobs.storage.display import display_path, not_writable

ODD = Path("a") / os.fsdecode(b"caf\xe9.png")


def test_bytes_that_are_not_utf_8_show_as_escapes() -> None:
    assert display_path("Größe.png") == "Größe.png"
    assert display_path(ODD) == "a/caf\\xe9.png"


def test_what_a_disk_refuses_names_the_file_the_cause_and_what_to_do() -> None:
    error = not_writable(ODD, OSError(28, "No space left on device"))
    assert error.what == "cannot write a/caf\\xe9.png: No space left on device"
    assert "Free some space" in error.next_step
    error = not_writable("job", OSError(13, "Permission denied"), "delete", "Ask its owner.")
    assert str(error) == "cannot delete job: Permission denied\nAsk its owner."
