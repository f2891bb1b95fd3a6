"""An ensemble answers with the mean of its networks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.training.fitting import network
from lettermill.training.fitting.ensemble import Ensemble
from lettermill.training.measure import masked_softmax, non_letter_probability
from lettermill.training.training_settings import CLASSES, LABELS

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.usefixtures("small_network"),
]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Two networks with random weights; one has not seen source one, the other not source two."""
    import keras

    folder = tmp_path_factory.mktemp("left-out")
    hashes = {}
    for seed, source in enumerate(("one", "two")):
        keras.utils.set_random_seed(seed)
        path = folder / f"without_{source}" / "model.keras"
        path.parent.mkdir()
        network.build(len(CLASSES)).save(path)
        hashes[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


@pytest.fixture(scope="module")
def ensemble(networks: dict[Path, str]) -> Ensemble:
    return Ensemble(networks, CLASSES)


def test_the_answer_is_the_mean_and_the_reject_class_is_binary(ensemble: Ensemble) -> None:
    glyphs = some_glyphs()
    answers = ensemble.answers(glyphs)
    assert answers.shape == (len(glyphs), 37) and answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    logits = ensemble.logits_of_unseen(glyphs, "neither")
    assert len(logits) == len(ensemble) == 2
    rejected = [non_letter_probability(one) for one in logits]
    np.testing.assert_allclose(answers[:, -1], np.mean(rejected, axis=0), atol=1e-6)
    characters = [
        (1 - score)[:, None] * masked_softmax(one, 1.0, labels=CLASSES)
        for one, score in zip(logits, rejected, strict=True)
    ]
    np.testing.assert_allclose(answers[:, :-1], np.mean(characters, axis=0)[:, :-1], atol=1e-6)


def some_glyphs() -> NDArray[np.uint8]:
    return np.asarray(np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8))


def test_the_network_that_has_not_seen_a_source_is_known(ensemble: Ensemble) -> None:
    glyphs = some_glyphs()
    one, two = ensemble.logits_of_unseen(glyphs, "neither")
    for source, logits in (("one", one), ("two", two)):
        (found,) = ensemble.logits_of_unseen(glyphs, source)
        np.testing.assert_array_equal(found, logits)


def test_the_digest_is_that_of_the_networks(ensemble: Ensemble, networks: dict[Path, str]) -> None:
    assert ensemble.digest() == Ensemble(networks, CLASSES).digest()
    first = dict(list(networks.items())[:1])
    assert ensemble.digest() != Ensemble(first, CLASSES).digest()


def test_networks_of_other_classes_are_refused(networks: dict[Path, str]) -> None:
    with pytest.raises(BadData, match="has 37 classes, not 36"):
        Ensemble(networks, LABELS)
