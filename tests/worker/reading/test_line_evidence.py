"""What the line network says of spans of steps, compared with all paths written out; arcs of both readers."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.line_evidence import (
    ALONE,
    BOTH,
    LEAST_PROBABILITY,
    Arcs,
    Steps,
    arcs_of,
    joined,
    log_letters,
    mark_scores,
    node_steps,
    part_columns,
)
from tests.worker.reading.words import word_of

CHARACTERS = "AB-"
BLANK = len(CHARACTERS)


def steps_of(text: str, left: float = 0.0, columns: float = 2.0, sure: float = 0.97) -> Steps:
    """Steps at which the network is sure of a character of the text; a space is a blank."""
    probabilities = np.full((len(text), BLANK + 1), (1 - sure) / BLANK)
    for step, character in enumerate(text):
        probabilities[step, BLANK if character == " " else CHARACTERS.index(character)] = sure
    return Steps(probabilities, left, columns)


@st.composite
def random_steps(draw: st.DrawFn, most: int = 6) -> Steps:
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    return Steps(rng.dirichlet(np.full(BLANK + 1, 0.4), draw(st.integers(1, most))), 0.0, 2.0)


@given(random_steps(), st.data())
def test_likelihoods_are_the_sums_over_all_paths(steps: Steps, data: st.DataObject) -> None:
    count = len(steps.probabilities)
    first = data.draw(st.integers(0, count))
    last = data.draw(st.integers(first, count))
    floored = np.maximum(steps.probabilities, LEAST_PROBABILITY)
    of_letter = np.zeros(BLANK)
    of_nothing = 0.0
    for path in itertools.product(range(BLANK + 1), repeat=last - first):
        weight = float(np.prod([floored[first + step, one] for step, one in enumerate(path)]))
        given_ = [one for one, _ in itertools.groupby(path) if one != BLANK]
        if not given_:
            of_nothing += weight
        elif len(given_) == 1:
            of_letter[given_[0]] += weight
    span = np.array([first]), np.array([last])
    letters, nothing = log_letters(steps.probabilities, *span), steps.log_nothing(*span)
    np.testing.assert_allclose(np.exp(letters[0]), of_letter, atol=1e-12)
    np.testing.assert_allclose(np.exp(nothing[0]), of_nothing, atol=1e-12)


def test_spans_do_not_disturb_each_other() -> None:
    steps = steps_of(" A  BB  -")
    first, last = np.array([0, 3, 7, 2]), np.array([3, 7, 9, 2])
    together = log_letters(steps.probabilities, first, last)
    for index in range(4):
        alone = log_letters(steps.probabilities, first[index : index + 1], last[index : index + 1])
        np.testing.assert_array_equal(together[index], alone[0])


@pytest.mark.parametrize(
    ("said", "runs", "text"),
    [
        ("", [], ""),
        ("   ", [], ""),
        (" AA  B ", [(1, 3), (5, 6)], "AB"),
        ("AB-", [(0, 1), (1, 2), (2, 3)], "AB-"),
        ("A A", [(0, 1), (2, 3)], "AA"),
    ],
)
def test_letters_seen(said: str, runs: list[tuple[int, int]], text: str) -> None:
    steps = steps_of(said)
    assert steps.letters_seen() == runs
    assert steps.text(CHARACTERS) == text


def test_parts_lie_where_their_ink_does() -> None:
    words = [word_of((10, 20), (24, 30)), word_of((50, 60))]
    np.testing.assert_array_equal(part_columns(words), [[10, 20], [24, 30], [50, 60]])


def test_a_border_moves_to_where_nothing_is() -> None:
    parts = np.array([[0.0, 10.0], [10.0, 20.0]])
    # Two steps late: the left letter reaches over the border of the ink.
    assert node_steps(parts, steps_of(" AAAAA  B ")).tolist() == [0, 7, 10]
    # Nothing speaks against the middle.
    assert node_steps(parts, steps_of("  AA  BB  ")).tolist() == [0, 5, 10]


@st.composite
def lines(draw: st.DrawFn) -> tuple[WordLattice, NDArray[np.float64], Steps]:
    """A line of one to five parts, each a candidate, some runs of two; and what a network says of it."""
    count = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    edges = np.sort(rng.choice(60, 2 * count, replace=False)).reshape(-1, 2).astype(float)
    runs = [(part, part + 1) for part in range(count)]
    runs += [(part, part + 2) for part in range(count - 1) if draw(st.booleans())]
    scores = rng.normal(0, 2, (len(runs), 3))
    scores[count:, -1] = -np.inf
    first, last = np.array(runs, np.intp).T
    said = "".join(draw(st.lists(st.sampled_from("AB-   "), min_size=30, max_size=30)))
    return WordLattice(count, first, last, scores), edges, steps_of(said)


@given(lines())
def test_arcs_cover_every_step_once(line: tuple[WordLattice, NDArray[np.float64], Steps]) -> None:
    lattice, parts, steps = line
    (arcs,) = arcs_of(lattice, parts, [steps])
    assert arcs.nodes[0] == 0
    assert arcs.nodes[-1] == len(steps.probabilities)
    assert (np.diff(arcs.nodes) >= 0).all()
    assert (arcs.first < arcs.last).all()
    assert arcs.candidates == len(lattice.first)
    both = joined(lattice, arcs, 1)
    path, score = both.best_path_and_score()
    assert np.isfinite(score)
    assert score <= both.log_total() + 1e-9
    ends = [(int(both.first[index]), int(both.last[index])) for index in path]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))
    shares = both.posteriors()
    covers = (both.first <= np.arange(both.parts)[:, None]) & (both.last > np.arange(both.parts)[:, None])
    np.testing.assert_allclose(covers @ shares.sum(axis=1), 1, atol=1e-6)


@given(lines(), lines())
def test_views_do_not_disturb_each_other(
    line: tuple[WordLattice, NDArray[np.float64], Steps],
    other: tuple[WordLattice, NDArray[np.float64], Steps],
) -> None:
    lattice, parts, steps = line
    views = [steps, other[-1], steps_of("  ")]
    for together, view in zip(arcs_of(lattice, parts, views), views, strict=True):
        (alone,) = arcs_of(lattice, parts, [view])
        for field in dataclasses.fields(Arcs):
            np.testing.assert_array_equal(getattr(together, field.name), getattr(alone, field.name))


@given(random_steps(), st.data())
def test_the_middle_of_a_span_is_where_its_ink_is(steps: Steps, data: st.DataObject) -> None:
    count = len(steps.probabilities)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count))
    ink = 1.001 - steps.probabilities[first:last, -1]
    middle = np.average(np.arange(first, last) + 0.5, weights=ink) if first < last else first
    (found,) = steps.middles_seen(np.array([first]), np.array([last]))
    assert found == pytest.approx(middle, abs=1e-6)


def test_scores_of_both_readers() -> None:
    lattice = WordLattice(1, np.array([0]), np.array([1]), np.array([[-1.0, -2.0, -3.0]]))
    steps = steps_of("  A  B  ", sure=0.9999)
    (arcs,) = arcs_of(lattice, np.array([[2.0, 14.0]]), [steps])
    # One part, in which the network sees two letters: each is an arc of its own.
    assert arcs.uncut == 2
    both, alone = joined(lattice, arcs, 1), joined(lattice, arcs, 1, ALONE)
    letters, nothing = arcs.letters, arcs.nothing
    np.testing.assert_allclose(both.scores[0, :2], [-1, -2] + BOTH.letter * letters[0, :2])
    np.testing.assert_allclose(alone.scores[0, :2], letters[0, :2])
    mark = BOTH.mark + BOTH.letter * letters[0, 2]
    assert both.scores[0, 2] == pytest.approx(np.logaddexp(-3 + BOTH.nothing * nothing[0], mark))
    assert alone.scores[0, 2] == pytest.approx(np.logaddexp(nothing[0], letters[0, 2]))
    np.testing.assert_allclose(both.scores[1:3, :2], BOTH.uncut + BOTH.letter * letters[1:3, :2])
    np.testing.assert_allclose(both.scores[1:3, 2], BOTH.uncut_mark + BOTH.letter * letters[1:3, 2])
    assert both.best_path() == alone.best_path() == [1, 2]
    of_marks = mark_scores(arcs, 1, BOTH)[:, 0]
    np.testing.assert_allclose(of_marks[1:3], both.scores[1:3, 2])
    assert of_marks[0] == mark
    assert np.isneginf(of_marks[3:]).all()


def test_a_letter_between_the_parts_leaves_both_their_places() -> None:
    lattice = WordLattice(2, np.array([0, 1]), np.array([1, 2]), np.array([[0.0, -9, -5], [-9, 0.0, -5]]))
    (arcs,) = arcs_of(lattice, np.array([[0.0, 8.0], [32.0, 40.0]]), [steps_of(" A       A       B  ")])
    both = joined(lattice, arcs, 1)
    path = both.best_path()
    assert [both.scores[index, :-1].argmax() for index in path] == [0, 0, 1]
    assert [index < arcs.candidates for index in path] == [True, False, True]
