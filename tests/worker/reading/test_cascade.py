"""The CNN's two networks: which of them reads a glyph, and what a model folder has of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import CARD_FILE, FIRST_FILE, installed_model_folder, load_model
from lettermill.worker.reading.cascade import Cascade, load_cnn, top_probability
from lettermill.worker.reading.litert_network import BATCH_GLYPHS, Network
from tests.random_cnn import random_cnn

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

NEVER, ALWAYS = 2.0, 0.0
"""Bounds of the probability that no glyph reaches, and that all do."""


@pytest.fixture(scope="module")
def first() -> Network:
    return Network(random_cnn(1, contrast=10))


@pytest.fixture(scope="module")
def large() -> Network:
    return Network(random_cnn(2))


@pytest.fixture(scope="module")
def glyphs() -> np.ndarray:
    numbers = np.random.default_rng(3)
    glyphs = numbers.integers(0, 256, (100, 28, 28), np.uint8)
    glyphs[:, :, :10] = glyphs[:, :, 18:] = 0
    glyphs[::3] //= 16
    return glyphs


def test_the_large_network_reads_what_the_first_is_not_sure_of(
    first: Network, large: Network, glyphs: np.ndarray
) -> None:
    probability = top_probability(first.logits(glyphs))
    bound = float(np.median(probability))
    logits = Cascade(first, large, bound).logits(glyphs)
    sure = probability >= bound
    assert 0 < sure.sum() < len(glyphs)
    np.testing.assert_array_equal(logits[sure], first.logits(glyphs)[sure])
    np.testing.assert_array_equal(logits[~sure], large.logits(glyphs)[~sure])


def test_a_probability_of_just_the_bound_is_sure(first: Network, large: Network, glyphs: np.ndarray) -> None:
    logits = first.logits(glyphs[:1])
    bound = float(top_probability(logits)[0])
    np.testing.assert_array_equal(Cascade(first, large, bound).logits(glyphs[:1]), logits)


@pytest.mark.parametrize("bound", [ALWAYS, NEVER])
def test_one_network_may_read_everything(
    first: Network, large: Network, glyphs: np.ndarray, bound: float
) -> None:
    alone = first if bound == ALWAYS else large
    cascade = Cascade(first, large, bound)
    np.testing.assert_array_equal(cascade.logits(glyphs), alone.logits(glyphs))
    assert cascade.logits(glyphs[:0]).shape == (0, 37) and cascade.outputs == 37


def test_a_glyph_is_read_the_same_in_any_batch(first: Network, large: Network, glyphs: np.ndarray) -> None:
    cascade = Cascade(first, large, float(np.median(top_probability(first.logits(glyphs)))))
    together = cascade.logits(glyphs)
    order = np.random.default_rng(4).permutation(len(glyphs))
    for size in (1, 7, BATCH_GLYPHS + 1):
        for start in range(0, len(glyphs), size):
            own = order[start : start + size]
            np.testing.assert_array_equal(cascade.logits(glyphs[own]), together[own])


def test_networks_of_other_classes_do_not_fit_together(large: Network) -> None:
    with pytest.raises(ModelProblem, match="the first network has 36 outputs, the large one 37"):
        Cascade(Network(random_cnn(1, classes=36)), large, 0.9)


def test_the_top_probability_is_that_of_the_softmax() -> None:
    logits = np.random.default_rng(5).normal(0, 3, (50, 37)).astype(np.float32)
    odds = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(
        top_probability(logits), (odds / odds.sum(axis=1, keepdims=True)).max(1), rtol=1e-5
    )
    far = np.array([[1e30, 0, -1e30], [5, 5, 5]], np.float32)
    np.testing.assert_allclose(top_probability(far), [1, 1 / 3], rtol=1e-6)


def model_folder(folder: Path, first: bytes | None, sure_above: float = NEVER) -> Path:
    """Copy the large network that comes with Lettermill, and put another first one beside it, or none."""
    shutil.copytree(installed_model_folder(), folder)
    (folder / FIRST_FILE).unlink(missing_ok=True)
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card.pop("first_network", None)
    if first is not None:
        (folder / FIRST_FILE).write_bytes(first)
        card["first_network"] = {"sha256": hashlib.sha256(first).hexdigest(), "sure_above": sure_above}
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_a_model_without_a_first_network_is_read_by_the_large_one(tmp_path: Path, glyphs: np.ndarray) -> None:
    model = load_model(model_folder(tmp_path / "model", None))
    cnn = load_cnn(model)
    assert isinstance(cnn, Network)
    np.testing.assert_array_equal(cnn.logits(glyphs), Network(model.network).logits(glyphs))


def test_a_model_with_a_first_network_is_read_by_both(
    tmp_path: Path, first: Network, glyphs: np.ndarray
) -> None:
    bound = float(np.median(top_probability(first.logits(glyphs))))
    model = load_model(model_folder(tmp_path / "model", random_cnn(1, contrast=10), bound))
    cnn = load_cnn(model)
    assert isinstance(cnn, Cascade)
    expected = Cascade(first, Network(model.network), bound)
    np.testing.assert_array_equal(cnn.logits(glyphs), expected.logits(glyphs))


def test_a_first_network_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelProblem, match="cannot be loaded"):
        load_cnn(load_model(model_folder(tmp_path / "damaged", b"no network")))
    with pytest.raises(ModelProblem, match="the first network has 36 outputs, the large one 37"):
        load_cnn(load_model(model_folder(tmp_path / "fewer", random_cnn(1, classes=36))))
    folder = model_folder(tmp_path / "gone", random_cnn(1, contrast=10))
    (folder / FIRST_FILE).unlink()
    with pytest.raises(ModelProblem, match=r"cannot read the network .*first\.tflite"):
        load_cnn(load_model(folder))


def test_the_model_that_comes_with_lettermill_can_be_loaded() -> None:
    model = load_model(installed_model_folder())
    cnn = load_cnn(model)
    assert cnn.outputs == len(model.card["labels"])
    assert isinstance(cnn, Network if model.first_card is None else Cascade)
