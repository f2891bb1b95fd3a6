"""The values of segmentation are frozen, compare by what they mean, and know their scale."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.values import (
    Box,
    Candidate,
    Flaw,
    Gap,
    Ink,
    Line,
    Quality,
    Segmentation,
    Word,
)


def candidate(ink: int = 255) -> Candidate:
    image = np.full((4, 3), ink, np.uint8)
    return Candidate(Box(1, 2, 3, 4), image, np.zeros((28, 28), np.uint8), 1, 2, 0, 1)


@given(scale=st.floats(0.05, 1.0), degrees=st.floats(-180, 180))
def test_the_scale_of_ink_is_that_of_its_map_whatever_its_angle(scale: float, degrees: float) -> None:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    to_page = np.array([[cosine, -sine, 5.0], [sine, cosine, -3.0]])
    to_page[:, :2] /= scale
    assert Ink(np.zeros((2, 2), np.uint8), degrees, to_page).scale == pytest.approx(scale)


@pytest.mark.parametrize("value", [Box(0, 0, 1, 1), candidate(), Gap(0.5), Quality(), Word((), ())])
def test_values_are_frozen(value: object) -> None:
    (field, *_) = dataclasses.fields(value)  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field.name, None)


def test_candidates_compare_by_place_not_by_pixels() -> None:
    assert candidate(255) == candidate(200)
    assert candidate() != dataclasses.replace(candidate(), last=2)


def test_segmentations_compare_without_their_ink() -> None:
    line = Line(Box(0, 0, 9, 9), (Word((candidate(),), ()),), 8.0)
    ink = Ink(np.zeros((2, 2), np.uint8), 0.0, np.eye(2, 3))
    found = Segmentation((line,), 0.0, Quality(), 0, ink)
    assert found == dataclasses.replace(found, ink=None)
    assert found != dataclasses.replace(found, quarters=1)
    assert "zeros" not in repr(found) and "array" not in repr(found)


def test_a_flaw_is_its_own_name() -> None:
    assert all(flaw == flaw.name == str(flaw) for flaw in Flaw)
    assert next(iter(Flaw)) is Flaw.NO_INK
