"""Reading with a word list: which entries are found, which words stay as read; the search loses no entry."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.settings import LETTERS
from lettermill.worker.reading import lexicon
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.lexicon import Lexicon
from tests.support import Command, draw

NAMES = ["Dupont", "Durand", "do Rosário", "Jean", "Jean-Pierre", "Pierre", "Zoé", "Martinez", "Li"]


def make(words: Sequence[str]) -> Lexicon:
    return Lexicon(WordList(Path("words.txt"), "\n".join(words).encode(), LETTERS))


def column(**chances: float) -> list[float]:
    """Log scores of a candidate: the given letters, a little for all others, and hardly no letter."""
    scores = np.full(len(LETTERS) + 1, 1e-4)
    for char, chance in chances.items():
        scores[LETTERS.index(char)] = chance
    scores[-1] = 1e-4
    return list(np.log(scores))


def chain(text: str, **doubts: dict[str, float]) -> tuple[str, WordLattice]:
    """A word whose parts are a letter each; `doubts` say what else a letter of it may be."""
    scores = np.array([column(**{char: 0.9, **doubts.get(char, {})}) for char in text])
    first = np.arange(len(text))
    return text, WordLattice(len(text), first, first + 1, scores)


def test_a_doubtful_letter_is_settled_by_the_list() -> None:
    names = make(NAMES)
    assert names.read([chain("DUPOMT", M={"N": 0.05})]) == "Dupont"
    assert names.read([chain("DUPOMT")]) == "Dupont"


def test_entries_are_given_as_they_are_written_and_other_words_as_they_were_read() -> None:
    names = make(NAMES)
    assert names.read([chain("ZOE")]) == "Zoé"
    assert names.read([chain("JEAN"), chain("SCHMIDT")]) == "Jean SCHMIDT"
    assert names.read([chain("KOWALSKI"), chain("MARTINEZ")]) == "KOWALSKI Martinez"
    assert names.read([]) == ""


def test_a_short_word_is_not_forced_into_an_entry() -> None:
    assert make(NAMES).read([chain("LA")]) == "LA"


def test_missing_and_extra_letters() -> None:
    names = make(["Wojciechowski", "Li"])
    assert names.read([chain("WOJCIECHWSQKI")]) == "Wojciechowski"
    assert names.read([chain("WOJCIXXECHOWSKI")]) == "Wojciechowski"


def test_a_wrong_cut_is_corrected() -> None:
    """The ink that was cut into L and I may also be one N."""
    text, straight = chain("DUPOLIT")
    whole = np.array([column(N=0.2)])
    lattice = WordLattice(
        straight.parts,
        np.append(straight.first, 4),
        np.append(straight.last, 6),
        np.vstack((straight.scores, whole)),
    )
    assert make([*NAMES, "DUPOIT"]).read([(text, lattice)]) == "Dupont"


def test_an_entry_may_be_several_words_of_the_line() -> None:
    names = make(NAMES)
    assert names.read([chain("DO"), chain("ROSARIO")]) == "do Rosário"
    assert names.read([chain("DOROSARIO")]) == "do Rosário"
    assert names.read([chain("JEAN"), chain("PIERRE")]) == "Jean-Pierre"
    assert names.read([chain("MAR"), chain("TINEZ")]) == "Martinez"
    assert names.read([chain("DUPONT"), chain("DO"), chain("ROSARIO"), chain("ZOE")]) == (
        "Dupont do Rosário Zoé"
    )


def test_of_equal_letters_the_first_line_of_the_file_counts() -> None:
    assert make(["Zoé", "ZOE", "zoe"]).read([chain("ZOE")]) == "Zoé"
    assert make(["zoe", "Zoé"]).read([chain("ZOE")]) == "zoe"


@st.composite
def lattices(draw: st.DrawFn) -> WordLattice:
    """Lattices with every part alone and some runs, over the letters A–D."""
    parts = draw(st.integers(1, 5))
    spans = [(start, start + 1) for start in range(parts)]
    spans += draw(st.lists(st.sampled_from(list(itertools.combinations(range(parts + 1), 2))), max_size=4))
    scores = draw(
        st.lists(
            st.lists(st.floats(-12, 1), min_size=5, max_size=5), min_size=len(spans), max_size=len(spans)
        )
    )
    first, last = (np.array(ends, np.intp) for ends in zip(*spans, strict=True))
    return WordLattice(parts, first, last, np.array(scores))


def cheapest(lattice: WordLattice, word: str) -> float:
    """The best score of a word by trying all ways, without trie, bounds or arrays."""
    candidates = list(
        zip(lattice.first.tolist(), lattice.last.tolist(), lattice.scores.tolist(), strict=True)
    )

    @functools.cache
    def best(node: int, done: int) -> float:
        ways = [0.0] if node == lattice.parts and done == len(word) else []
        if done < len(word):
            ways.append(best(node, done + 1) - lexicon.MISSED_LETTER_NATS)
        for first, last, scores in candidates:
            if first == node:
                top = max(scores[:-1])
                ways.append(best(last, done) + max(scores[-1], top - lexicon.MAX_EXTRA_LETTER_NATS))
                if done < len(word):
                    score = scores["ABCD".index(word[done])]
                    ways.append(best(last, done + 1) + max(score, top - lexicon.MAX_MISREAD_NATS))
        return max(ways, default=-np.inf)

    return best(0, 0)


@settings(max_examples=150)
@given(lattices(), st.sets(st.text("ABCD", min_size=1, max_size=6), min_size=1, max_size=12))
def test_the_search_finds_what_trying_all_entries_finds(lattice: WordLattice, words: set[str]) -> None:
    listed = sorted(words)
    free = {0: 0.0}
    for node in range(lattice.parts):
        for first, last, scores in zip(lattice.first, lattice.last, lattice.scores, strict=True):
            if first == node:
                free[int(last)] = max(free.get(int(last), -np.inf), free[node] + scores.max())
    costs = {word: free[lattice.parts] - cheapest(lattice, word) for word in listed}
    names = Lexicon(WordList(Path("words.txt"), "\n".join(listed).encode(), "ABCD"))
    found = names._search(lexicon._Costs(lattice), 16.0)
    if min(costs.values()) > 16 + 1e-6:
        assert found is None
    elif min(costs.values()) < 16 - 1e-6:
        assert found is not None
        assert found[0] == pytest.approx(min(costs.values()), abs=1e-6)
        assert costs[listed[found[1]]] == pytest.approx(found[0], abs=1e-6)


def test_both_readings_are_reported(lettermill: Command, tmp_path: Path) -> None:
    draw(tmp_path / "scans" / "a.png", ["DURAND", "SCHMIDT"])
    names = tmp_path / "names.txt"
    names.write_text("# staff\nDurànd\nDupont\n", encoding="utf-8")
    words = ("run", tmp_path / "scans", "--out", tmp_path / "out", "--workers", "1")

    lettermill(*words, "--lexicon", names)
    names.unlink()
    (job,) = (tmp_path / "out").glob("*-*")
    lettermill("collect", job)
    with (job / "lines.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["text"], row["lexicon_text"]) for row in rows] == [
        ("DURAND", "Durànd"),
        ("SCHMIDT", "SCHMIDT"),
    ]

    done = lettermill(*words, "--lexicon", names, status=10)
    assert str(names) in done.stderr
