"""What the tests of training share: smaller networks and quick plots, for tests of something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lettermill.training.fitting import network
from lettermill.training.reports import plots


@pytest.fixture(scope="module")
def small_network() -> Iterator[None]:
    """Train smaller CNNs for a whole module, without compiling them, which takes longer than a few batches.

    tests/training/commands trains the real ones, compiled.
    """
    import tensorflow as tf

    few = network._Layout(((6, 5, True), (12, 3, True)), 24)
    more = network._Layout(((8, 5, True), (16, 3, True)), 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_LAYOUTS", {"first": few, "large": more})
        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)


@pytest.fixture
def quick_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write each plot as one white pixel; tests/training/reports draws real ones."""
    for name in dir(plots):
        if name.startswith("draw_"):
            monkeypatch.setattr(plots, name, _white_pixel)


def _white_pixel(*drawn: object) -> None:
    *_, path = drawn
    assert isinstance(path, Path)
    PIL.Image.fromarray(np.full((1, 1), 255, np.uint8)).save(path, "PNG")
