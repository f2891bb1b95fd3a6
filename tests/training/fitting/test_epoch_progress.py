"""The progress bar of a training."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

BAR = """
from lettermill.training.fitting.epoch_progress import bar
with bar(1000, 0, 5, print) as (advance, say):
    for _ in range(3):
        advance(2, 128, 0.5, 0.75)
    say("epoch 2/5 done")
"""


def test_a_terminal_gets_a_bar() -> None:
    terminal, end = pty.openpty()
    subprocess.run([sys.executable, "-c", BAR], stdout=end, stderr=end, check=True, timeout=60)
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "epoch 2/5" in shown and "loss 0.500 accuracy 75.0%" in shown
    assert "glyphs/s" in shown and "left" in shown
    assert "\nepoch 2/5 done" in shown or "\x1b[2Kepoch 2/5 done" in shown


def test_anything_else_gets_none() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, check=True, timeout=60)
    assert done.stderr == b"" and done.stdout == b"epoch 2/5 done\n"


def test_lines_are_where_the_bar_is_wherever_the_output_goes() -> None:
    terminal, end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=end, check=True, timeout=60
    )
    os.close(end)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert done.stdout == b"" and "epoch 2/5 done" in shown
