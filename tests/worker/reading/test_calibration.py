"""The map from shares of readings to probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.worker.reading.calibration import HIGHEST_LOG_ODDS, calibrated, field_confidence, log_odds

KNOTS = [(-3.0, -2.0), (0.0, -0.5), (5.0, 4.0)]


def ranking(share: float) -> tuple[tuple[str, float], ...]:
    return (("A", share), ("B", (1 - share) * 0.7), ("C", (1 - share) * 0.3))


@given(st.floats(0, 1), st.floats(0, 1))
def test_order_is_kept(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert calibrated(ranking(low), KNOTS)[0][1] <= calibrated(ranking(high), KNOTS)[0][1]


@given(st.floats(0, 1))
def test_shares_sum_to_one_at_most_and_the_characters_stay(share: float) -> None:
    result = calibrated(ranking(share), KNOTS)
    assert [character for character, _ in result] == ["A", "B", "C"]
    assert 0 <= sum(each for _, each in result) <= 1 + 1e-5


def test_a_knot_is_met_and_beyond_the_last_nothing_rises() -> None:
    assert calibrated(ranking(0.5), KNOTS)[0][1] == pytest.approx(1 / (1 + 2.718281828**0.5), abs=1e-6)
    sure = calibrated(ranking(1.0), KNOTS)[0][1]
    assert sure == calibrated(ranking(0.9999), KNOTS)[0][1] == pytest.approx(0.982014, abs=1e-6)


def test_without_knots_nothing_changes() -> None:
    assert calibrated(ranking(0.8), []) == ranking(0.8)


def test_log_odds_are_bounded() -> None:
    assert log_odds([0.0, 0.5, 1.0]) == pytest.approx([-HIGHEST_LOG_ODDS, 0, HIGHEST_LOG_ODDS])


def test_a_field_is_as_sure_as_its_least_letter() -> None:
    assert field_confidence([0.9, 0.5, 0.7], KNOTS) == calibrated(ranking(0.5), KNOTS)[0][1]
    assert field_confidence([0.9], []) is None
