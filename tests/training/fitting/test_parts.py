"""The parts of training on their own: split, draw, bend, measure; and what importing the command costs."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

from lettermill.training.fitting.augment import augmented
from lettermill.training.fitting.batches import batches, drawing_weights
from lettermill.training.letters.sources import Letters, canvas_of
from lettermill.training.letters.split import classes_of, split, without_test
from lettermill.training.measure import (
    calibration_error,
    fitted_temperature,
    masked_softmax,
    measure,
    non_letter_probability,
)
from lettermill.training.training_settings import CLASSES, LABELS, Augmentation, TrainingSettings


def some_letters() -> Letters:
    """A of source one (4), A of source two (1), an a, a digit, and three writers of Chars74K."""
    image = np.zeros((48, 48), np.uint8)
    cv2.putText(image, "A", (8, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 255, 3)
    rows = [("A", "one", "")] * 4 + [("A", "two", ""), ("a", "two", ""), ("7", "two", "")]
    rows += [("A", "chars74k", writer) for writer in ("002", "005", "001")]
    labels, sources, writers = (np.array(column) for column in zip(*rows, strict=True))
    canvases = np.stack([canvas_of(image)] * len(rows))
    return Letters(np.zeros((len(rows), 28, 28), np.uint8), canvases, labels, sources, writers)


def test_writers_are_on_one_side_only() -> None:
    parts = split(some_letters(), TrainingSettings())
    assert parts.test.writers.tolist() == ["002"]
    assert parts.validation.writers.tolist() == ["005"]
    assert not {"002", "005"} & set(parts.train.writers.tolist())
    assert "002" not in without_test(some_letters(), TrainingSettings()).writers


def test_lower_case_trains_capitals_only_where_the_settings_say_so() -> None:
    without = split(some_letters(), TrainingSettings(lower_case_as_capitals=""))
    assert "a" not in without.train.labels
    with_a = split(some_letters(), TrainingSettings(lower_case_as_capitals="a", validate_on="two"))
    assert "a" not in with_a.validation.labels
    both = split(some_letters(), TrainingSettings(lower_case_as_capitals="a"))
    chosen = both.train[both.train.labels == "a"]
    assert classes_of(chosen).tolist() == [LABELS.index("A")]


def test_weights_balance_classes_and_temper_sources() -> None:
    letters = some_letters()[:5]
    weights = drawing_weights(letters, TrainingSettings(source_balance=0.5))
    assert weights.sum() == pytest.approx(1)
    assert weights[:4].sum() / weights[4] == pytest.approx(2)  # 4 against 1, to the power one half


def test_the_seed_decides_the_batches() -> None:
    letters, settings = some_letters()[:5], TrainingSettings(batch=4, glyphs_per_epoch=8)
    (one, targets), (other, _) = next(batches(letters, settings)), next(batches(letters, settings))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (4, 28, 28) and one.dtype == np.uint8
    assert targets.shape == (4, 37) and targets.sum() == 4


def test_bent_glyphs_stay_letters_of_the_normal_form() -> None:
    canvases = np.repeat(some_letters().canvases[:1], 200, axis=0)
    glyphs = augmented(canvases, np.random.default_rng(1), Augmentation())
    assert glyphs.any(axis=(1, 2)).all()
    assert not glyphs[:, :3].any() and not glyphs[:, :, :3].any()
    assert len({glyph.tobytes() for glyph in glyphs}) > 190


def test_an_empty_canvas_can_be_bent() -> None:
    assert (
        not augmented(
            np.zeros((3, 48, 48), np.uint8), np.random.default_rng(1), Augmentation(speck_probability=0)
        )
        .sum(axis=(1, 2))
        .all()
    )


def test_masking_leaves_only_the_alphabet() -> None:
    logits = np.zeros((1, 36), np.float32)
    logits[0, LABELS.index("0")] = 9
    logits[0, LABELS.index("O")] = 8
    probabilities = masked_softmax(logits, 1.0, "".join(LABELS[:26]))
    assert LABELS[int(probabilities.argmax())] == "O"
    assert probabilities[0, 26:].sum() == 0 and probabilities.sum() == pytest.approx(1)


def test_calibration_error_of_an_overconfident_and_an_honest_reader() -> None:
    right = np.array([True] * 3 + [False])
    assert calibration_error(np.full(4, 0.95), right) == pytest.approx(0.2)
    assert calibration_error(np.full(4, 0.75), right) == pytest.approx(0)


def test_the_temperature_mends_outputs_that_were_scaled() -> None:
    rng = np.random.default_rng(2)
    honest = rng.normal(0, 2, (20_000, 36))
    chances = masked_softmax(honest.astype(np.float32), 1.0)
    classes = np.array([rng.choice(36, p=row / row.sum()) for row in chances])
    scaled = (3 * honest).astype(np.float32)
    temperature = fitted_temperature(scaled, classes, np.ones(len(classes)))
    assert temperature == pytest.approx(3, rel=0.05)
    assert (
        measure(scaled, classes, temperature).calibration_error
        < 0.02
        < measure(scaled, classes).calibration_error
    )


def test_the_command_does_not_import_tensorflow_by_being_named() -> None:
    code = (
        "import sys, lettermill.training.commands.train; "
        "sys.exit(bool({'tensorflow', 'keras', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


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


def test_half_a_target_may_be_what_teachers_say() -> None:
    """The own kind is the label's, however the teachers spread their half."""
    from lettermill.training.fitting import network

    logits = np.random.default_rng(7).normal(0, 2, (1, len(LABELS))).astype(np.float32)
    target = np.zeros((1, len(LABELS)), np.float32)
    target[0, LABELS.index("O")], target[0, LABELS.index("0")] = 0.6, 0.4
    got = float(np.asarray(network.loss(LABELS, 0.0)(target, logits))[0])
    total, letters = np.log(np.exp(logits[0]).sum()), np.log(np.exp(logits[0, :26]).sum())
    zero, o = logits[0, LABELS.index("0")], logits[0, LABELS.index("O")]
    assert got == pytest.approx((0.6 * (total - o) + 0.4 * (total - zero) + letters - o) / 2, rel=1e-4)
