"""The network: the same logits in any batch and process, no word on standard error, damage refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.worker.reading.litert_network import BATCH_GLYPHS, Network


@pytest.fixture(scope="module")
def content() -> bytes:
    return load_model(installed_model_folder()).network


def test_one_logit_per_class_in_any_number_of_batches(content: bytes) -> None:
    network = Network(content)
    glyphs = np.random.default_rng(2).integers(0, 256, (2 * BATCH_GLYPHS + 1, 28, 28), np.uint8)
    logits = network.logits(glyphs)
    assert (logits.shape, logits.dtype) == ((2 * BATCH_GLYPHS + 1, network.outputs), np.float32)
    for count in (0, 1, BATCH_GLYPHS, BATCH_GLYPHS + 1):
        np.testing.assert_array_equal(network.logits(glyphs[:count]), logits[:count])
    np.testing.assert_array_equal(network.logits(glyphs[::-1]), logits[::-1])


def test_a_damaged_network_is_refused(content: bytes) -> None:
    for damaged in (b"", b"damaged", content[: len(content) // 2], content[:-8], b"\0" * len(content)):
        with pytest.raises(ModelProblem, match="cannot be loaded"):
            Network(damaged)


def test_a_network_says_nothing_and_reads_the_same_after_a_fork() -> None:
    """Workers are forked; and what LiteRT prints would stand in their logs and beside answers."""
    code = """
import os, sys
import numpy as np
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.worker.reading.litert_network import Network

network = Network(load_model(installed_model_folder()).network)
glyphs = np.random.default_rng(1).integers(0, 256, (70, 28, 28), np.uint8)
here = network.logits(glyphs).tobytes()
child = os.fork()
if child == 0:
    anew = Network(load_model(installed_model_folder()).network)
    os._exit(0 if network.logits(glyphs).tobytes() == anew.logits(glyphs).tobytes() == here else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
