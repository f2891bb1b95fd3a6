"""The lattice, compared with all its paths written out, and its readings of touching letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.pages.hands import Hand, font_hands, stroke_hands
from bench.pages.layouts import PRINT_FONTS
from bench.pages.maker import make
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import LETTERS, Settings
from lettermill.segmentation.values import Box, Candidate, Gap, Word
from lettermill.training.training_settings import VALIDATION_WRITERS
from lettermill.worker.reading.classifier import Classification, Classifier
from lettermill.worker.reading.lattice import CNN_WEIGHTS, WordLattice, join_lattices, score_line, score_words
from lettermill.worker.reading.read_lines import read_lines

CHARACTERS = "ABC"
NONE = len(CHARACTERS)

Step = tuple[int, int]
"""A candidate, and the character that it is read as; `NONE` for the null path."""


@st.composite
def lattices(draw: st.DrawFn) -> WordLattice:
    """Up to four parts; each alone, and some runs of them. Single parts may be passed over, runs may not."""
    parts = draw(st.integers(1, 4))
    runs = [(first, last) for first in range(parts) for last in range(first + 2, parts + 1)]
    chosen = [(part, part + 1) for part in range(parts)]
    chosen += draw(st.lists(st.sampled_from(runs), unique=True)) if runs else []
    order = draw(st.permutations(chosen))
    first, last = np.array(order, np.intp).T
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    scores = rng.normal(0, 3, (len(order), NONE + 1))
    scores[last > first + 1, NONE] = -np.inf
    return WordLattice(parts, first, last, scores)


def paths(lattice: WordLattice, node: int = 0) -> Iterator[tuple[Step, ...]]:
    """Every way from a node to the end, with every reading of each candidate on it."""
    if node == lattice.parts:
        yield ()
        return
    for index in np.flatnonzero(lattice.first == node).tolist():
        for rest in paths(lattice, int(lattice.last[index])):
            for column in range(NONE + 1):
                if np.isfinite(lattice.scores[index, column]):
                    yield ((index, column), *rest)


def score(lattice: WordLattice, path: tuple[Step, ...]) -> float:
    return sum(float(lattice.scores[step]) for step in path)


def letters_of(path: tuple[Step, ...]) -> list[int]:
    return [index for index, column in path if column != NONE]


@given(lattice=lattices())
def test_the_best_path_is_the_best_of_all(lattice: WordLattice) -> None:
    best = max(paths(lattice), key=lambda path: score(lattice, path))
    assert lattice.best_path() == letters_of(best)


@given(lattice=lattices(), text=st.lists(st.integers(0, NONE - 1), max_size=5))
def test_a_text_is_laid_along_the_best_path_that_spells_it(lattice: WordLattice, text: list[int]) -> None:
    spelling = [path for path in paths(lattice) if [c for _, c in path if c != NONE] == text]
    if spelling:
        best = max(spelling, key=lambda path: score(lattice, path))
        assert lattice.align(text) == letters_of(best)
    else:
        assert lattice.align(text) is None


@given(lattice=lattices(), text=st.lists(st.integers(0, NONE - 1), max_size=5))
def test_the_weight_of_a_text_is_that_of_all_paths_that_spell_it(
    lattice: WordLattice, text: list[int]
) -> None:
    spelling = [path for path in paths(lattice) if [c for _, c in path if c != NONE] == text]
    weight = sum(np.exp(score(lattice, path)) for path in spelling)
    assert np.exp(lattice.log_spelled([text])) == pytest.approx(weight)


@given(
    lattice=lattices(), texts=st.lists(st.lists(st.integers(0, NONE - 1), max_size=5), min_size=1, max_size=4)
)
def test_texts_do_not_disturb_each_other(lattice: WordLattice, texts: list[list[int]]) -> None:
    alone = [lattice.log_spelled([text])[0] for text in texts]
    np.testing.assert_array_equal(lattice.log_spelled(texts), alone)


@given(lattice=lattices())
def test_shares_are_those_of_all_paths(lattice: WordLattice) -> None:
    shares = np.zeros(lattice.scores.shape)
    for path in paths(lattice):
        for step in path:
            shares[step] += np.exp(score(lattice, path))
    total = sum(np.exp(score(lattice, path)) for path in paths(lattice))
    found = lattice.posteriors()
    assert np.allclose(found, shares / total)
    for part in range(lattice.parts):
        assert found[(lattice.first <= part) & (part < lattice.last)].sum() == pytest.approx(1)


@given(lattice=lattices())
def test_a_reading_ranks_three_characters_with_shares_of_one_letter(lattice: WordLattice) -> None:
    path, rankings = lattice.best_reading(CHARACTERS)
    assert path == lattice.best_path()
    for index, ranking in zip(path, rankings, strict=True):
        assert ranking[0][0] == CHARACTERS[int(lattice.scores[index, :NONE].argmax())]
        assert {character for character, _ in ranking} == set(CHARACTERS)
        assert ranking[1][1] >= ranking[2][1] >= 0
        assert sum(share for _, share in ranking) <= 1 + 1e-5


def word(spans: list[Step], gaps: tuple[Gap, ...], letter: int = 20) -> Word:
    """Candidates as high as a letter, and as wide for each part."""
    candidates = tuple(
        Candidate(
            Box(letter * first, 0, letter * (last - first), letter),
            np.full((letter + 2, letter * (last - first) + 2), 255, np.uint8),
            np.zeros((28, 28), np.uint8),
            letter * first,
            0,
            first,
            last,
        )
        for first, last in spans
    )
    return Word(candidates, gaps)


def probabilities(rows: int, best: float) -> NDArray[np.float32]:
    """The first character is the likeliest in each row."""
    rest = (1 - best) / (NONE - 1)
    return np.tile(np.array([best] + [rest] * (NONE - 1), np.float32), (rows, 1))


@given(best=st.floats(0.4, 0.999))
def test_the_cnn_decides_where_there_is_one_way_to_cut(best: float) -> None:
    apart = word([(0, 1), (1, 2)], (Gap(0.3),))
    (lattice,) = score_words(
        [apart],
        20.0,
        Classification(probabilities(2, best), np.full(2, 0.001, np.float32), np.zeros(2, np.float32)),
    )
    _, rankings = lattice.best_reading(CHARACTERS)
    assert [ranking[0][0] for ranking in rankings] == ["A", "A"]
    assert [ranking[0][1] for ranking in rankings] == pytest.approx([best, best], abs=2e-3)
    assert [ranking[1][1] for ranking in rankings] == pytest.approx([(1 - best) / 2] * 2, abs=2e-3)


def test_the_likelier_another_cut_the_less_sure_the_letter() -> None:
    touching = word([(0, 2), (0, 1), (1, 2)], (Gap(0.0, 1.0),))
    sure: list[float] = []
    for halves in (0.99, 0.9, 0.5, 0.1):
        reject = np.array([0.3, halves, halves], np.float32)
        (lattice,) = score_words([touching], 20.0, Classification(probabilities(3, 0.97), reject, 0 * reject))
        path, rankings = lattice.best_reading(CHARACTERS)
        assert path == [0]
        sure.append(rankings[0][0][1])
    assert sure == sorted(sure, reverse=True)
    assert 0.9 < sure[0] <= 0.97
    assert sure[-1] < 0.95 * sure[0]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


def right_pairs(hands: list[Hand], count: int, classifier: Classifier) -> float:
    """The share of pairs of letters with common ink of which both are read right."""
    right = 0
    for seed in range(count):
        page = make("pair", hands[seed % len(hands)], seed)
        lines, _ = read_lines(page.grey, Settings(layout="line"), classifier)
        right += "".join(line.text for line in lines).replace(" ", "") == page.text
    return right / count


def test_touching_letters_of_unseen_writers_are_told_apart(data: Path, classifier: Classifier) -> None:
    writers = [int(name) for name in VALIDATION_WRITERS]
    hands = stroke_hands(data / "letters" / "chars74k_hnd_strokes.json", writers)
    assert right_pairs(hands, 120, classifier) >= 0.68


def test_touching_printed_letters_are_told_apart(classifier: Classifier) -> None:
    fonts = [hand for hand in font_hands(PRINT_FONTS) if hand.name in ("DejaVuSans", "DejaVuSansMono")]
    assert right_pairs(fonts, 60, classifier) >= 0.6


@pytest.mark.parametrize(("mark", "read"), [(0.0, "AAA"), (0.4, "AAA"), (0.95, "AA")])
def test_a_mark_lowers_the_confidence_of_a_letter_or_is_passed_over(mark: float, read: str) -> None:
    apart = word([(0, 1), (1, 2), (2, 3)], (Gap(0.3), Gap(0.3)))
    one, middle, other = apart.candidates
    marked = Word((one, dataclasses.replace(middle, mark=mark), other), apart.gaps)
    answers = Classification(probabilities(3, 0.99), np.full(3, 0.001, np.float32), np.zeros(3, np.float32))
    _, rankings = score_words([marked], 20.0, answers)[0].best_reading(CHARACTERS)
    assert "".join(ranking[0][0] for ranking in rankings) == read
    assert rankings[0][0][1] == pytest.approx(0.99, abs=2e-3)
    if len(read) == 3:
        assert rankings[1][0][1] == pytest.approx(0.99 * (1 - mark), abs=0.02)


def test_a_line_is_scored_as_its_words_are_once_with_each_of_the_weights() -> None:
    words = [word([(0, 2), (0, 1), (1, 2)], (Gap(0.0, 1.0),)), word([(0, 1)], ())]
    answers = Classification(
        probabilities(4, 0.9), np.array([0.3, 0.9, 0.5, 0.1], np.float32), np.zeros(4, np.float32)
    )
    other = dataclasses.replace(CNN_WEIGHTS, null_path=0.0)
    expected = join_lattices(score_words(words, 20.0, answers))
    line, with_other = score_line(words, 20.0, answers, [CNN_WEIGHTS, other])
    for found in (line, with_other):
        assert found.parts == expected.parts
        np.testing.assert_array_equal(found.first, expected.first)
        np.testing.assert_array_equal(found.last, expected.last)
        np.testing.assert_array_equal(found.scores[:, :-1], expected.scores[:, :-1])
    np.testing.assert_array_equal(line.scores, expected.scores)
    np.testing.assert_allclose(with_other.scores[1:, -1], expected.scores[1:, -1] - CNN_WEIGHTS.null_path)
