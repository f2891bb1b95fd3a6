"""The loss of the CNN, its size, and opening a saved one."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from lettermill.training.fitting import network
from lettermill.training.fitting.network import loss, multiply_adds
from lettermill.training.measure import non_letter_probability
from lettermill.training.training_settings import CLASSES, LABELS
from tests.emnist import MAPPINGS

# Keras 3 asks TensorFlow's variables for NumPy arrays in NumPy 1's way when it saves a model.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


def test_the_loss_is_half_over_all_classes_and_half_over_the_letters_own_kind() -> None:
    from lettermill.training.fitting import network

    logits = np.random.default_rng(5).normal(0, 2, (2, 36)).astype(np.float32)
    targets = np.eye(36, dtype=np.float32)[[14, 26]]  # O and 0
    got = np.asarray(network.loss(LABELS, 0.0)(targets, logits))

    def cross_entropy(row: np.ndarray, place: int) -> float:
        return float(np.log(np.exp(row).sum()) - row[place])

    assert got[0] == pytest.approx(
        (cross_entropy(logits[0], 14) + cross_entropy(logits[0, :26], 14)) / 2, rel=1e-4
    )
    assert got[1] == pytest.approx(
        (cross_entropy(logits[1], 26) + cross_entropy(logits[1, 26:], 0)) / 2, rel=1e-4
    )
    # Which of O and 0 is surer changes nothing about the half that a job of letters sees.
    surer = logits.copy()
    surer[:, 26] += 3
    again = np.asarray(network.loss(LABELS, 0.0)(targets[:1], surer[:1]))
    half = cross_entropy(logits[0, :26], 14)
    assert 2 * again[0] - cross_entropy(surer[0], 14) == pytest.approx(half, rel=1e-3)


def test_what_is_no_letter_teaches_only_the_last_output() -> None:
    from lettermill.training.fitting import network

    logits = np.random.default_rng(6).normal(0, 2, (2, len(CLASSES))).astype(np.float32)
    targets = np.eye(len(CLASSES), dtype=np.float32)[[14, len(LABELS)]]  # an O, and none
    got = np.asarray(network.loss(CLASSES, 0.0)(targets, logits))
    odds = np.log(np.exp(logits[:, :-1]).sum(axis=1)) - logits[:, -1]
    which = np.asarray(network.loss(LABELS, 0.0)(targets[:1, :-1], logits[:1, :-1]))
    assert got[0] == pytest.approx(which[0] + np.log1p(np.exp(-odds[0])), rel=1e-4)
    assert got[1] == pytest.approx(np.log1p(np.exp(odds[1])), rel=1e-4)
    assert non_letter_probability(logits)[1] == pytest.approx(np.exp(-got[1]), rel=1e-4)


def test_half_a_target_may_be_a_teacher_s_answer() -> None:
    """The own kind is the label's, however the teacher spreads its half."""
    from lettermill.training.fitting import network

    logits = np.random.default_rng(7).normal(0, 2, (1, len(LABELS))).astype(np.float32)
    target = np.zeros((1, len(LABELS)), np.float32)
    target[0, LABELS.index("O")], target[0, LABELS.index("0")] = 0.6, 0.4
    got = float(np.asarray(network.loss(LABELS, 0.0)(target, logits))[0])
    total, letters = np.log(np.exp(logits[0]).sum()), np.log(np.exp(logits[0, :26]).sum())
    zero, o = logits[0, LABELS.index("0")], logits[0, LABELS.index("O")]
    assert got == pytest.approx((0.6 * (total - o) + 0.4 * (total - zero) + letters - o) / 2, rel=1e-4)


def test_the_loss_of_classes_of_one_kind_is_the_plain_one() -> None:
    logits = np.random.default_rng(5).normal(0, 2, (1, 26)).astype(np.float32)
    targets = np.eye(26, dtype=np.float32)[[4]]
    plain = np.log(np.exp(logits[0]).sum()) - logits[0, 4]
    assert float(np.asarray(loss(LABELS[:26], 0.0)(targets, logits))[0]) == pytest.approx(plain, rel=1e-5)


def test_the_loss_tells_capitals_from_lower_case() -> None:
    labels = tuple(chr(points[0]) for points in MAPPINGS["byclass"].values())
    logits = np.random.default_rng(5).normal(0, 2, (1, 62)).astype(np.float32)
    targets = np.eye(62, dtype=np.float32)[[labels.index("o")]]
    whole = np.log(np.exp(logits[0]).sum()) - logits[0, labels.index("o")]
    lower = np.log(np.exp(logits[0, 36:]).sum()) - logits[0, labels.index("o")]
    assert float(np.asarray(loss(labels, 0.0)(targets, logits))[0]) == pytest.approx(
        (whole + lower) / 2, rel=1e-5
    )


def test_the_multiply_adds_of_the_first_network_are_those_of_its_layers() -> None:
    convolutions = [28 * 28 * 25 * 16, 14 * 14 * 9 * 16 * 28, 14 * 14 * 9 * 28 * 32]
    convolutions += [7 * 7 * 9 * 32 * 64, 7 * 7 * 9 * 64 * 72]
    dense = [3 * 3 * 72 * 160, 160 * 37]
    assert multiply_adds(network.build(37, "first")) == sum(convolutions) + sum(dense)


def test_the_multiply_adds_of_the_large_network_are_those_of_its_layers() -> None:
    convolutions = [28 * 28 * 25 * 24, 14 * 14 * 9 * 24 * 48, 14 * 14 * 9 * 48 * 64]
    convolutions += [7 * 7 * 9 * 64 * 128, 7 * 7 * 9 * 128 * 128, 7 * 7 * 9 * 128 * 160]
    dense = [3 * 3 * 160 * 256, 256 * 37]
    assert multiply_adds(network.build(37, "large")) == sum(convolutions) + sum(dense)
    assert multiply_adds(network.build(37)) == multiply_adds(network.build(37, "large"))


@pytest.mark.parametrize("size", get_args(network.Size))
def test_both_networks_read_glyphs_and_have_an_output_per_class(size: network.Size) -> None:
    model = network.build(5, size)
    (glyphs,), (logits,) = model.inputs, model.outputs
    assert (glyphs.name, glyphs.dtype, glyphs.shape) == ("glyphs", "uint8", (None, 28, 28))
    assert (logits.dtype, logits.shape) == ("float32", (None, 5))
