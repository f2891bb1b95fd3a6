"""A teacher gives the answers of its network, the reject class apart from the characters."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting.teacher import Teacher
from lettermill.training.measure import masked_softmax, non_letter_probability
from lettermill.training.training_settings import CLASSES, LABELS
from lettermill.worker.reading.litert_network import Network
from tests.random_cnn import random_cnn

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.usefixtures("small_network"),
]


def some_glyphs() -> NDArray[np.uint8]:
    return np.asarray(np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8))


@pytest.mark.parametrize("contrast", [1.0, 10.0])
def test_the_reject_class_is_binary_and_the_characters_share_the_rest(contrast: float) -> None:
    content, glyphs = random_cnn(1, contrast=contrast), some_glyphs()
    logits = Network(content).logits(glyphs)
    answers = Teacher(content, CLASSES).answers(glyphs)
    assert answers.shape == (40, 37) and answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    rejected = non_letter_probability(logits)
    np.testing.assert_allclose(answers[:, -1], rejected, atol=1e-6)
    characters = (1 - rejected)[:, None] * masked_softmax(logits, 1.0, labels=CLASSES)[:, :-1]
    np.testing.assert_allclose(answers[:, :-1], characters, atol=1e-6)


def test_without_a_reject_class_the_answer_is_the_softmax() -> None:
    content, glyphs = random_cnn(1, classes=36, contrast=5.0), some_glyphs()
    answers = Teacher(content, LABELS).answers(glyphs)
    assert answers.shape == (40, 36) and answers.dtype == np.float32
    odds = np.exp(Network(content).logits(glyphs).astype(np.float64))
    np.testing.assert_allclose(answers, odds / odds.sum(axis=1, keepdims=True), atol=1e-6)


def test_the_surest_answers_are_numbers() -> None:
    answers = Teacher(random_cnn(1, contrast=1e5), CLASSES).answers(some_glyphs())
    assert answers.max() > 0.999 and answers.min() >= 0
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


def test_no_glyphs_have_no_answers() -> None:
    assert Teacher(random_cnn(1), CLASSES).answers(some_glyphs()[:0]).shape == (0, 37)


def test_the_digest_is_that_of_the_network() -> None:
    digest = Teacher(random_cnn(1), CLASSES).digest()
    assert digest == Teacher(random_cnn(1), CLASSES).digest()
    assert digest != Teacher(random_cnn(1, contrast=5.0), CLASSES).digest()


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ModelProblem, match="cannot be loaded"):
        Teacher(b"no network", CLASSES)
