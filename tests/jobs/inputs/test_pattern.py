"""Patterns of fields mean what regular expressions mean, and what is none is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.inputs.pattern import MOST_CHARACTERS, automaton_of
from tests.automata import accepts

ITEMS = st.sampled_from(["A", "7", r"\d", "[A-C]", "[AB0-2]", r"[A\d]"])
TIMES = st.sampled_from(["", "?", "{2}", "{0,1}", "{1,3}", "{0,2}"])
PATTERNS = st.lists(st.tuples(ITEMS, TIMES), min_size=1, max_size=4).map(
    lambda pairs: "".join(item + times for item, times in pairs)
)


@given(PATTERNS, st.text("ABCD0127", max_size=8))
def test_a_pattern_accepts_what_the_regular_expression_does(pattern: str, text: str) -> None:
    assert accepts(automaton_of(pattern), text) == bool(re.fullmatch(pattern, text))


@given(PATTERNS)
def test_states_stay_few(pattern: str) -> None:
    assert len(automaton_of(pattern).moves) <= 40


@pytest.mark.parametrize(
    ("alphabet", "yes", "no"),
    [
        ("letters", ["", "A", "ZEBRA"], ["A1", "a"]),
        ("digits", ["", "007"], ["O"]),
        ("alnum", ["A1"], ["-"]),
        (r"[A-Z]{2}\d{6}", ["AB123456"], ["AB12345", "A1234567", ""]),
        (r"\d{1,3}", ["1", "999"], ["", "1000"]),
        (r"[12][09]\d\d", ["1987", "2009"], ["3000", "198"]),
    ],
)
def test_alphabets_and_patterns(alphabet: str, yes: list[str], no: list[str]) -> None:
    automaton = automaton_of(alphabet)
    assert all(accepts(automaton, text) for text in yes)
    assert not any(accepts(automaton, text) for text in no)


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        ("", "is empty"),
        ("A*", "'*' cannot be read"),
        ("A+", "'+' cannot be read"),
        ("(A)", "'(' cannot be read"),
        ("A|B", "'|' cannot be read"),
        (".", "'.' cannot be read"),
        ("[a-z]", "cannot be read"),
        ("[Z-A]", "cannot be read"),
        ("[A-]", "cannot be read"),
        ("[^A]", "cannot be read"),
        ("[]", "a class is empty"),
        ("[A", "from '[A' on"),
        (r"\w", "from"),
        ("A{3,2}", "times"),
        ("A{0}", "times"),
        ("A{2,}", "from '{2,}' on"),
        ("A??", "from '?' on"),
        ("A{65}", f"more than {MOST_CHARACTERS} characters"),
        ("number", "cannot be read"),
    ],
)
def test_what_is_no_pattern(pattern: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        automaton_of(pattern)


def test_the_shortest_text() -> None:
    assert automaton_of(r"[A-Z]{2}\d{2,6}X?").shortest == 4
    assert automaton_of("letters").shortest == 0
