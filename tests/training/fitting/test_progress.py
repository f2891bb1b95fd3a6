"""The progress bar of a training."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

BAR = """
from lettermill.training.fitting.progress import bar
with bar(1000, 0, 5) as advance:
    for _ in range(3):
        advance(2, 128, 0.5, 0.75)
"""


def test_a_terminal_gets_a_bar() -> None:
    terminal, end = pty.openpty()
    subprocess.run([sys.executable, "-c", BAR], stderr=end, check=True, timeout=60)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "epoch 2/5" in shown and "loss 0.500 accuracy 75.0%" in shown
    assert "glyphs/s" in shown and "left" in shown


def test_anything_else_gets_none() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True, timeout=60)
    assert done.stderr == b"" and done.stdout == b""
