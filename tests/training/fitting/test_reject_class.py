"""Images of the reject class: less than a letter, or more than one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lettermill.training.fitting.reject_class import KINDS, made_non_letters
from tests.drawn_letters import canvases


@given(seed=st.integers(0, 10_000))
def test_every_non_letter_has_ink_and_the_seed_decides_it(seed: int) -> None:
    letters = canvases()
    made, kinds = made_non_letters(letters, 12, np.random.default_rng(seed))
    again, _ = made_non_letters(letters, 12, np.random.default_rng(seed))
    assert np.array_equal(made, again)
    assert made.shape == (12, 48, 48) and made.dtype == np.uint8
    assert made.reshape(12, -1).max(axis=1).min() > 96
    assert set(kinds.tolist()) <= set(range(len(KINDS)))


def test_parts_are_less_of_a_letter_and_runs_are_more_than_one() -> None:
    letters = canvases("HHHHHHHH")
    made, kinds = made_non_letters(letters, 300, np.random.default_rng(1))
    whole = int((letters[0] > 96).sum())
    parts = made[kinds == KINDS.index("part")]
    assert (np.count_nonzero(parts > 96, axis=(1, 2)) < 0.75 * whole).all()
    for run in made[kinds == KINDS.index("run")]:
        rows, columns = np.nonzero(run > 96)
        assert np.ptp(columns) > 0.8 * np.ptp(rows)  # an H alone is 0.7 as wide as high
