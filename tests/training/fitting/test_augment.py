"""Augmented glyphs stay letters, in the normal form."""

from __future__ import annotations

import numpy as np

from lettermill.training.fitting.augment import augmented
from lettermill.training.training_settings import Augmentation
from tests.drawn_letters import canvases, some_letters


def test_bent_glyphs_stay_letters_of_the_normal_form() -> None:
    canvases = np.repeat(some_letters().canvases[:1], 200, axis=0)
    glyphs = augmented(canvases, np.random.default_rng(1), Augmentation())
    assert glyphs.any(axis=(1, 2)).all()
    assert not glyphs[:, :3].any() and not glyphs[:, :, :3].any()
    assert len({glyph.tobytes() for glyph in glyphs}) > 190


def test_an_empty_canvas_can_be_augmented() -> None:
    assert (
        not augmented(
            np.zeros((3, 48, 48), np.uint8), np.random.default_rng(1), Augmentation(speck_probability=0)
        )
        .sum(axis=(1, 2))
        .all()
    )


def test_a_marker_never_turns_paper_into_ink() -> None:
    letters = np.repeat(canvases("L"), 300, axis=0)
    how = Augmentation(remnant_probability=0, speck_probability=0, cut_probability=0, stroke_probability=1)
    glyphs = augmented(letters, np.random.default_rng(3), how)
    # An L leaves the upper right corner of its box empty, however thick the pen.
    assert np.median(glyphs[:, 3:9, 19:25].max(axis=(1, 2))) == 0
