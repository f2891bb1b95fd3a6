"""Figures: properties that hold for any answers, and values that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.training.measure import (
    TARGETS,
    RejectScores,
    accept_curve,
    area_under_curve,
    calibration_error,
    confusions,
    coverage,
    figures,
    fitted_temperature,
    masked_softmax,
    mcnemar,
    measure,
    per_class,
    rejection,
    reliability,
    share,
    worst_errors,
)
from lettermill.training.training_settings import LABELS
from tests.drawn_letters import answers_of

counted = st.integers(0, 5000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole)))


letters = st.lists(
    st.tuples(st.sampled_from([0.2, 0.5, 0.9, 0.99, 0.999, 1.0]) | st.floats(0.01, 1), st.booleans()),
    min_size=1,
    max_size=80,
).map(lambda rows: (np.array([row[0] for row in rows]), np.array([row[1] for row in rows])))


Some = tuple[NDArray[np.float64], NDArray[np.bool_]]


@given(counted)
def test_a_shares_interval_holds_it_and_lies_within_0_and_1(counts: tuple[int, int]) -> None:
    part, whole = counts
    interval = share(part, whole)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    if whole:
        assert interval.value == part / whole
        mirrored = share(whole - part, whole)
        assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-12)


@given(counted)
def test_wilsons_interval_is_that_of_the_formula(counts: tuple[int, int]) -> None:
    """The formula that Lettermill had before SciPy, whose z has more digits."""
    part, whole = counts
    if not whole:
        return
    z = 1.959964
    value, spread = part / whole, z**2 / whole
    middle = (value + spread / 2) / (1 + spread)
    half = z * math.sqrt(value * (1 - value) / whole + spread / whole / 4) / (1 + spread)
    interval = share(part, whole)
    assert interval.low == pytest.approx(max(0.0, min(value, middle - half)), abs=1e-8)
    assert interval.high == pytest.approx(min(1.0, max(value, middle + half)), abs=1e-8)


@given(st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1))
def test_the_area_under_the_curve_is_the_share_of_pairs(few: list[int], others: list[int]) -> None:
    scores = RejectScores(np.array(few) / 9, np.array(others) / 9, np.full(len(others), "blot"))
    pairs = [1.0 if other > one else 0.5 if other == one else 0.0 for one in few for other in others]
    assert area_under_curve(scores) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_wilsons_interval_as_worked_out_by_hand() -> None:
    interval = share(8, 10)  # (0.8 + z²/20 ± z·√(0.016 + z²/400)) / (1 + z²/10) with z = 1.96
    assert (interval.low, interval.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


@given(letters)
def test_the_calibration_error_is_a_share(some: Some) -> None:
    assert 0 <= calibration_error(*some) <= 1


@given(letters)
def test_each_letter_is_in_one_bin(some: Some) -> None:
    confidence, right = some
    bins = reliability(confidence, right)
    assert sum(bin_.count for bin_ in bins) == len(right)
    assert sum(bin_.right for bin_ in bins) == right.sum()
    zoom = reliability(confidence, right, 0.9, 10)
    assert sum(bin_.count for bin_ in zoom) == (confidence >= 0.9).sum()


@given(letters, st.floats(0, 1), st.floats(0, 1))
def test_a_higher_target_never_accepts_more(some: Some, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert coverage(*some, high)[0] <= coverage(*some, low)[0]


@given(letters, st.sampled_from(TARGETS))
def test_what_is_accepted_reaches_the_target_and_no_more_would(some: Some, target: float) -> None:
    confidence, right = some
    accepted, wrong, threshold = coverage(confidence, right, target)
    over = confidence >= threshold
    assert (over.sum(), (over & ~right).sum()) == (accepted, wrong)
    assert wrong <= (1 - target) * accepted + 1e-6
    for lower in np.unique(confidence[confidence < threshold]):
        assert right[confidence >= lower].mean() < target


@given(letters)
def test_the_accept_curve_ends_with_all_letters(some: Some) -> None:
    confidence, right = some
    curve = accept_curve(confidence, right)
    assert curve[-1].tolist() == [confidence.min(), 1.0, pytest.approx(1 - right.mean())]
    assert (np.diff(curve[:, 0]) < 0).all() and (np.diff(curve[:, 1]) > 0).all()


def test_a_long_accept_curve_is_thinned() -> None:
    confidence = np.linspace(0.1, 1, 5000)
    assert len(accept_curve(confidence, np.ones(5000, bool))) <= 400


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(mended: int, spoilt: int) -> None:
    p = mcnemar(mended, spoilt)
    assert p == mcnemar(spoilt, mended) and 0 < p <= 1
    count = mended + spoilt
    exact = sum(math.comb(count, k) for k in range(min(mended, spoilt) + 1)) * 2 / 2**count
    assert p == pytest.approx(min(1, exact), rel=1e-6)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_that_of_the_formula(mended: int, spoilt: int) -> None:
    """The sum that Lettermill had before SciPy."""
    count, less = mended + spoilt, min(mended, spoilt)
    logs = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * math.log(2)
        for k in range(less + 1)
    ]
    assert mcnemar(mended, spoilt) == pytest.approx(min(1.0, 2 * math.fsum(map(math.exp, logs))), rel=1e-9)


def test_mcnemar_holds_for_many_letters() -> None:
    assert 0 < mcnemar(10_000, 10_500) < 0.001


def test_headline_figures_of_four_letters() -> None:
    one = figures(answers_of([("A", "A", 0.995), ("B", "B", 0.9), ("C", "A", 0.8), ("C", "C", 0.6)]))
    assert (one.count, one.wrong, one.accuracy.value) == (4, 1, 0.75)
    assert one.loss.value == pytest.approx(-(np.log([0.995, 0.9, 0.1, 0.6]).sum()) / 4)
    assert one.loss.low <= one.loss.value <= one.loss.high
    assert one.calibration_error == pytest.approx((0.005 + 0.1 + 0.8 + 0.4) / 4)
    assert one.doubtful == 3 and one.doubtful_calibration_error == pytest.approx((0.1 + 0.8 + 0.4) / 3)
    for row in one.coverage:
        assert (row.share.value, row.threshold.value, row.wrong) == (0.5, 0.9, 0)
        assert row.share.low <= 0.5 <= row.share.high


def test_nothing_can_be_accepted_where_the_surest_is_wrong() -> None:
    one = figures(answers_of([("A", "B", 0.99), ("B", "B", 0.9)]))
    assert [(row.accepted, row.share.value) for row in one.coverage] == [(0, 0.0)] * 3
    assert all(row.threshold.value > 1 for row in one.coverage)


def test_the_same_letters_give_the_same_intervals() -> None:
    rng = np.random.default_rng(1)
    rows = [("A", "A" if rng.random() < 0.9 else "B", float(rng.uniform(0.5, 1))) for _ in range(300)]
    one = figures(answers_of(rows))
    assert one == figures(answers_of(rows))
    assert one.loss.low < one.loss.value < one.loss.high


def test_classes_confusions_and_worst_errors() -> None:
    answers = answers_of(
        [("A", "A", 0.9), ("A", "B", 0.7), ("B", "B", 0.9), ("A", "B", 0.95), ("B", "A", 0.6)]
    )
    worst, other = per_class(answers)
    assert (worst.label, worst.count, worst.precision, worst.recall) == ("A", 3, 1 / 2, 1 / 3)
    assert worst.f1 == pytest.approx(0.4)
    assert (other.label, other.precision, other.recall, other.f1) == ("B", 1 / 3, 1 / 2, pytest.approx(0.4))
    assert confusions(answers) == [("A", "B", 2), ("B", "A", 1)]
    assert worst_errors(answers).tolist() == [3, 1, 4]
    assert answers.ranking(3)[0] == ("B", 0.95)


def test_a_long_label_is_never_answered() -> None:
    labels = ("A", "B", "not a letter")
    logits = np.array([[1, 2, 9]], np.float32)
    assert masked_softmax(logits, 1.0, labels=labels)[0].tolist() == pytest.approx(
        [0.2689, 0.7311, 0], abs=1e-4
    )
    assert measure(logits, np.array([1]), labels=labels).accuracy == 1


def test_rejecting_what_is_no_letter() -> None:
    letters, others = np.linspace(0, 0.1, 1000), np.array([0.05, 0.0995, 0.2, 0.9])
    scores = RejectScores(letters, others, np.full(4, "blot"))
    threshold, rejected = rejection(scores, 0.01)
    assert (letters > threshold).sum() == 10
    assert rejected.tolist() == [False, True, True, True]
    assert area_under_curve(scores) == pytest.approx((0.5 + 0.995 + 1 + 1) / 4, abs=0.002)
    assert area_under_curve(RejectScores(letters, letters, np.full(1000, "blot"))) == pytest.approx(0.5)


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
