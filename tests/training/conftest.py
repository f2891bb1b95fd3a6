"""What the tests of training share: a smaller network and quick plots, for tests of something else."""

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
    """Train a smaller CNN for a whole module, without compiling it, which takes longer than its few batches.

    tests/training/commands trains the real one, compiled.
    """
    import tensorflow as tf

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_CONVOLUTIONS", ((8, 5, True), (16, 3, True)))
        patch.setattr(network, "_HIDDEN_UNITS", 32)
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
