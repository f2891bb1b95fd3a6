"""Lines through measured points."""

from __future__ import annotations

import pytest

from bench.growth import Point, fixed_and_each, slopes, verdict


def test_a_line_and_its_slope_are_found() -> None:
    linear = [Point(size, 3 * size, 0) for size in (1, 10, 100)]
    assert slopes(linear) == pytest.approx([1, 1])
    square = [Point(size, size**2, 0) for size in (1, 10)]
    assert slopes(square) == pytest.approx([2])
    assert "no more than linear" in verdict(linear)
    assert "no more" not in verdict(square)
    assert fixed_and_each([Point(size, 2 + 0.5 * size, 0) for size in (1, 10, 100)]) == pytest.approx(
        (2, 0.5)
    )
