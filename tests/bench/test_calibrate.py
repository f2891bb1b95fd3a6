"""How letters are judged, and what the fitted calibration promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.calibrate import (
    LEAST_FIELDS,
    LEAST_LETTERS,
    JudgedImage,
    judge,
    knots,
    least_confidences,
    low_mean,
    steps,
)
from lettermill.jobs.results.flagging import UNLIKE_FROM_LETTERS
from lettermill.worker.reading.calibration import log_odds

judgements = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=600)


@pytest.mark.parametrize(
    ("read", "truth", "right"),
    [
        ("ANNA", "ANNA", [True, True, True, True]),
        ("ANMA", "ANNA", [True, True, False, True]),
        ("ANAX", "ANA", [True, True, True, False]),
        # The missed letter counts against the less sure neighbour.
        ("AB", "AXB", [True, False]),
        ("A", "AX", [False]),
        ("", "AB", []),
    ],
)
def test_letters_are_judged(read: str, truth: str, right: list[bool]) -> None:
    shares = [0.9 - 0.1 * place for place in range(len(read))]
    assert judge(read, shares, truth) == list(zip(shares, right, strict=True))


@given(judgements)
def test_accuracy_rises_from_step_to_step(judged: list[tuple[float, bool]]) -> None:
    groups = steps(judged)
    assert sorted(one for group in groups for one in group) == sorted(judged)
    accuracies = [np.mean([right for _, right in group]) for group in groups]
    assert accuracies == sorted(accuracies)
    assert all(len(group) >= LEAST_LETTERS for group in groups) or len(judged) < LEAST_LETTERS


@given(judgements)
def test_values_never_fall(judged: list[tuple[float, bool]]) -> None:
    places, values = zip(*knots(judged), strict=True)
    assert list(places) == sorted(places)
    assert list(values) == sorted(values)


def test_the_bound_holds_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        judged = [(0.5, bool(one)) for one in rng.random(LEAST_LETTERS) < 0.9]
        ((_, value),) = knots(judged)
        held += 1 / (1 + np.exp(-value)) <= 0.9
    assert held >= 180


def test_the_low_mean_is_that_of_parts_as_large_as_a_job() -> None:
    def images(share: float, parts: float) -> list[list[tuple[float, bool]]]:
        return [[(share, True)] * 10] * round(parts * UNLIKE_FROM_LETTERS / 10)

    few = images(0.1, 0.9)
    assert low_mean([*images(0.9, 38), *images(0.6, 1), *few], ()) == pytest.approx(0.9)
    assert low_mean([*images(0.9, 38), *images(0.6, 3), *few], ()) == pytest.approx(0.6)
    halved = [(one, one / 2) for one in log_odds([0.01, 0.99])]
    assert low_mean(images(0.9, 1), halved) == pytest.approx(0.75)
    assert low_mean(few, ()) == 0


def test_equal_shares_are_in_one_step() -> None:
    judged = [(0.5, False)] * LEAST_LETTERS + [(0.5, True)] * LEAST_LETTERS
    assert [len(group) for group in steps(judged)] == [2 * LEAST_LETTERS]


def test_fields_are_as_sure_as_their_least_letter() -> None:
    images = [JudgedImage([(0.9, True), (0.6, True)], True), JudgedImage([], False)]
    assert least_confidences(images, ()) == [(0.6, True)]
    halved = [(one, one / 2) for one in log_odds([0.01, 0.99])]
    assert least_confidences(images, halved) == [(pytest.approx(0.550510), True)]
    fields = [(0.5, False)] * LEAST_FIELDS + [(0.9, True)] * LEAST_FIELDS
    assert len(knots(fields, LEAST_FIELDS)) == 2
