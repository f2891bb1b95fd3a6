"""Batches: balanced, reproducible, drawn ahead, and what their targets are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from lettermill.training.fitting.batches import batches, drawing_weights, drawn_ahead
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import ALIGNED, Letters
from lettermill.training.training_settings import CLASSES, TrainingSettings
from tests.drawn_letters import canvases, drawn_letters, some_letters


@pytest.fixture(scope="module")
def letters() -> Letters:
    return drawn_letters("one", (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX))


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


def test_an_epochs_batches_do_not_depend_on_earlier_ones(letters: Letters) -> None:
    settings = TrainingSettings(batch=8, glyphs_per_epoch=16)
    whole, second = batches(letters, settings), batches(letters, settings, first_epoch=2)
    first = [next(whole) for _ in range(2)]
    for _ in range(2):
        for one, other in zip(next(whole), next(second), strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0][0], next(batches(letters, settings, first_epoch=2))[0])


def test_a_share_of_each_batch_is_no_letter() -> None:
    drawn = canvases()
    count = len(drawn)
    letters = Letters(
        np.zeros((count, 28, 28), np.uint8),
        drawn,
        np.array([*list("ABCDEFGHI"), NO_LETTER]),
        np.full(count, "ours"),
        np.full(count, ""),
    )
    settings = TrainingSettings(batch=64, glyphs_per_epoch=64)
    glyphs, targets = next(batches(letters, settings))
    assert glyphs.shape == (64, 28, 28) and targets.shape == (64, len(CLASSES))
    assert targets[:, -1].sum() == round(64 * settings.non_letter_share)
    _, plain = next(batches(letters[np.arange(9)], settings, CLASSES[:-1]))
    assert plain.shape == (64, len(CLASSES) - 1) and (plain.sum(axis=1) == 1).all()


class Undecided:
    """A teacher to which all classes are equally likely."""

    def answers(self, glyphs: np.ndarray) -> np.ndarray:
        return np.full((len(glyphs), len(CLASSES)), 1 / len(CLASSES), np.float32)


def test_aligned_letters_and_non_letters_keep_their_label() -> None:
    """The teacher knows less of them than the text, or the cut, that they come from."""
    letters = Letters(
        np.zeros((10, 28, 28), np.uint8),
        canvases("ABCDEFGHIJ"),
        np.array(list("ABCDEFGHIJ")),
        np.array(["forms" + ALIGNED] * 5 + ["ours"] * 5),
        np.array([""] * 10),
    )
    settings = TrainingSettings(batch=64, glyphs_per_epoch=64)
    _, plain = next(batches(letters, settings))
    _, taught = next(batches(letters, settings, teacher=Undecided()))
    none = round(64 * settings.non_letter_share)
    own = plain[:, [CLASSES.index(label) for label in "ABCDE"]].any(axis=1)
    assert 0 < own.sum() < 64 - none
    kept = own | (np.arange(64) < none)
    np.testing.assert_array_equal(taught[kept], plain[kept])
    np.testing.assert_allclose(taught[~kept], (plain[~kept] + 1 / len(CLASSES)) / 2, rtol=1e-6)


def counted(limit: int, drawn: list[int]) -> Iterator[Any]:
    for number in range(limit):
        drawn.append(number)
        yield number
    raise RuntimeError("no more")


def test_drawing_ahead_keeps_the_order_and_hands_errors_on() -> None:
    taken, ahead = [], drawn_ahead(counted(20, []))
    with pytest.raises(RuntimeError, match="no more"):
        taken.extend(ahead)
    assert taken == list(range(20))
    assert list(drawn_ahead(iter([]))) == []


def test_drawing_ahead_is_bounded_and_ends_when_closed() -> None:
    drawn: list[int] = []
    ahead = drawn_ahead(counted(1000, drawn))
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    ahead.close()
    assert len(drawn) <= 3 + 5
    assert not any("batches" in thread.name for thread in threading.enumerate())
