"""What forms print around writing."""

from __future__ import annotations

import numpy as np

from lettermill.training.lines.form_paper import lay_out
from lettermill.training.lines.writing import Written

CAPITAL = 40


def written(cells: tuple[float, ...] = ()) -> Written:
    ink = np.zeros((CAPITAL, 200), np.uint8)
    ink[:, ::20] = 255
    return Written(ink, CAPITAL, 0, "IIIIIIIIII", cells)


def test_the_writing_is_whole_whatever_is_printed_around_it() -> None:
    caption = np.full((40, 90), 255, np.uint8)
    for seed in range(60):
        line = written()
        sheet = lay_out(line, [caption], [line.ink], np.random.default_rng(seed))
        part = sheet.ink[sheet.top : sheet.top + CAPITAL, sheet.left : sheet.left + line.ink.shape[1]]
        assert part.shape == line.ink.shape
        assert (part[line.ink > 0] >= 0.999).all()
        for plane in (sheet.ink, sheet.print, sheet.paper):
            assert plane.shape == sheet.ink.shape and plane.dtype == np.float32
            assert plane.min() >= 0 and plane.max() <= 1.001


def test_cells_are_printed_or_tinted() -> None:
    line = written(tuple(float(wall) for wall in range(0, 201, 20)))
    for seed in range(20):
        sheet = lay_out(line, [], [], np.random.default_rng(seed))
        assert sheet.print.any() or sheet.paper.min() < 1


def test_the_same_seed_gives_the_same_sheet() -> None:
    one, other = (lay_out(written(), [], [], np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.print, other.print)
