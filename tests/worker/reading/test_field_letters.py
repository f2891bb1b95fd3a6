"""The letters of a field by both readers, by the CNN and by the line network alone, as the field allows."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.pattern import automaton_of
from lettermill.jobs.settings import ALPHABETS
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Box
from lettermill.worker.reading import field_letters
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.constraint import Constraint, make_constraint
from lettermill.worker.reading.field_letters import FieldLetter, read_by_both, read_by_cnn, read_unfound
from lettermill.worker.reading.line_network import LineNetwork
from lettermill.worker.reading.read_lines import classify_candidates, classify_components
from tests.worker.reading.test_line_network import written

COMB_CELL_PIXELS = 40
"""Distance of the letters of `written`, which begins 30 pixels from the left."""


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])


@pytest.fixture(scope="module")
def network(classifier: Classifier) -> LineNetwork:
    assert classifier.line_network is not None
    return classifier.line_network


def allows(alphabet: str, comb: int | None = None) -> Constraint:
    return make_constraint(automaton_of(alphabet), comb, ALPHABETS["alnum"])


def no_comb(box: Box) -> int:
    return 0


def cell(box: Box) -> int:
    return int((box.x + box.width / 2 - 30) // COMB_CELL_PIXELS)


def text(letters: list[FieldLetter]) -> str:
    return "".join(letter.ranking[0][0] for letter in letters)


def read_both_ways(
    page: NDArray[np.uint8], constraint: Constraint, classifier: Classifier
) -> list[tuple[list[FieldLetter], float]]:
    """What both readers read, and what the CNN reads alone."""
    found = segment(page, "line", "keep")
    words = classify_candidates(found, classify_components(found, classifier), page.shape, classifier)
    assert found.ink is not None
    assert classifier.line_network is not None
    return [
        read_by_both(page, words, found.ink, constraint, no_comb, classifier, classifier.line_network),
        read_by_cnn(words, constraint, no_comb, classifier.characters),
    ]


@pytest.mark.parametrize(
    ("drawn", "alphabet", "read"), [("KITE", "letters", "KITE"), ("K27", r"[A-Z]\d{2}", "K27")]
)
def test_what_fits(drawn: str, alphabet: str, read: str, classifier: Classifier) -> None:
    for letters, fit in read_both_ways(written(drawn), allows(alphabet), classifier):
        assert text(letters) == read
        assert fit > 0.9
        assert not any(letter.uncut for letter in letters)


@pytest.mark.parametrize("pattern", [r"\d{4}", r"\d{7}"])
def test_something_else_does_not_fit(pattern: str, classifier: Classifier) -> None:
    for letters, fit in read_both_ways(written("KXWE"), allows(pattern), classifier):
        assert letters
        assert fit < 0.5


def test_of_seven_digits_four_cannot_be_so_the_free_reading_is_given(classifier: Classifier) -> None:
    _, (letters, fit) = read_both_ways(written("KXWE"), allows(r"\d{7}"), classifier)
    assert (text(letters), fit) == ("KXWE", 0)


def test_the_line_network_alone(classifier: Classifier, network: LineNetwork) -> None:
    page = written("KITE")
    inside = Box(0, 0, page.shape[1], page.shape[0])
    read = functools.partial(read_unfound, page, inside, characters=classifier.characters, network=network)
    for constraint, place in ((allows("letters"), no_comb), (allows("letters", 6), cell)):
        letters, fit = read(constraint, place)
        assert text(letters) == "KITE"
        assert fit > 0.9
        assert all(letter.uncut and letter.disputed for letter in letters)
        assert [cell(letter.candidate.box) for letter in letters] == [0, 1, 2, 3]
    letters, fit = read(allows(r"\d{4}"), no_comb)
    assert not letters or fit < 0.5


@pytest.mark.parametrize("alphabet", ["alnum", r"\d{1,4}"])
def test_an_empty_field_stays_empty(alphabet: str, classifier: Classifier, network: LineNetwork) -> None:
    rng = np.random.default_rng(1)
    for page in (
        np.full((60, 300), 240, np.uint8),
        np.clip(rng.normal(235, 6, (60, 300)), 0, 255).astype(np.uint8),
    ):
        inside = Box(5, 5, 290, 50)
        letters, _ = read_unfound(page, inside, allows(alphabet), no_comb, classifier.characters, network)
        assert letters == []


def test_letters_of_which_it_is_not_sure_are_left_out(
    classifier: Classifier, network: LineNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_letters, "SURE_PROBABILITY", 1.1)
    page = written("KITE")
    inside = Box(0, 0, page.shape[1], page.shape[0])
    letters, _ = read_unfound(page, inside, allows("letters"), no_comb, classifier.characters, network)
    assert letters == []
