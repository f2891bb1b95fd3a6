"""The loss of the CNN, its size, and opening a saved one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.training.fitting import network
from lettermill.training.fitting.network import loss, multiply_adds, open_model
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


def test_half_a_target_may_be_an_ensemble_s_answer() -> None:
    """The own kind is the label's, however the ensemble spreads its half."""
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


def test_the_multiply_adds_are_those_of_the_layers() -> None:
    convolutions = [28 * 28 * 25 * 16, 14 * 14 * 9 * 16 * 28, 14 * 14 * 9 * 28 * 32]
    convolutions += [7 * 7 * 9 * 32 * 64, 7 * 7 * 9 * 64 * 72]
    dense = [3 * 3 * 72 * 160, 160 * 37]
    assert multiply_adds(network.build(37)) == sum(convolutions) + sum(dense)


def test_a_saved_model_is_opened_only_if_its_checksum_is_right(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    model = network.build(3)
    model.save(path)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for one, other in zip(open_model(path, sha256).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    path.write_bytes(content[:-30] + bytes([content[-30] ^ 1]) + content[-29:])
    with pytest.raises(ModelProblem, match=r"model\.keras is damaged"):
        open_model(path, sha256)
    with pytest.raises(ModelProblem, match=r"cannot read .*nowhere\.keras"):
        open_model(tmp_path / "nowhere.keras", sha256)
    path.write_bytes(b"no archive")
    with pytest.raises(ModelProblem, match="Keras cannot open"):
        open_model(path, hashlib.sha256(b"no archive").hexdigest())
