r"""Turn what a field may contain, an alphabet or a pattern such as `[A-Z]{2}\d{6}`, into an automaton.

Patterns are a small part of regular expressions: characters one after the other, each repeated as stated, no
alternatives, no groups, no unlimited repetition. So an automaton has few states, and a text has one path
through it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from lettermill.jobs.settings import ALPHABETS, DIGITS, LETTERS

ALLOWED = (
    "Give letters, digits or alnum, or a pattern of A to Z, 0 to 9, \\d and classes such as [A-Z0-9]; "
    "after each, ?, {n} or {m,n} says how often it is repeated: [A-Z]{2}\\d{6}."
)
"""What a person can write as a field's alphabet."""

MOST_CHARACTERS = 64
"""Of the longest text of a pattern: no line of a form is longer, and automata stay small."""

_READABLE = frozenset(LETTERS + DIGITS)

_ITEM = re.compile(r"(\\d|\[[^\]]*\]|[^\\\[\]{}?])(\?|\{(\d{1,3})(?:,(\d{1,3}))?\})?")


@dataclasses.dataclass(frozen=True, slots=True)
class Automaton:
    """A deterministic finite automaton that accepts the allowed texts; it begins in state 0.

    Attributes:
        moves: for each state, the next state by character; a character that is missing is not allowed.
        accepting: for each state, whether the text may end there.
        shortest: number of characters of the shortest text.
    """

    moves: tuple[dict[str, int], ...]
    accepting: tuple[bool, ...]
    shortest: int

    @property
    def characters(self) -> frozenset[str]:
        """All characters that a text may contain."""
        return frozenset(character for each in self.moves for character in each)


def automaton_of(alphabet: str) -> Automaton:
    """Return the automaton of an alphabet (letters, digits, alnum: texts of any length) or of a pattern.

    Raises:
        ValueError: it is neither; the message says where it goes wrong, `ALLOWED` what is possible.
    """
    if alphabet in ALPHABETS:
        return Automaton((dict.fromkeys(ALPHABETS[alphabet], 0),), (True,), 0)
    return _determined(_places(alphabet))


def automaton_of_words(words: Sequence[str]) -> Automaton:
    """Return the automaton of some words: a tree of their characters.

    Raises:
        ValueError: a word is empty, or has a character that cannot be read.
    """
    moves: list[dict[str, int]] = [{}]
    ends = set()
    for word in words:
        if not word or not set(word) <= _READABLE:
            raise ValueError(f"{word!r} is not a word of A to Z and 0 to 9")
        state = 0
        for character in word:
            if character not in moves[state]:
                moves[state][character] = len(moves)
                moves.append({})
            state = moves[state][character]
        ends.add(state)
    return Automaton(tuple(moves), tuple(state in ends for state in range(len(moves))), min(map(len, words)))


def _places(pattern: str) -> list[tuple[frozenset[str], bool]]:
    """Return, per position of the longest text, the allowed characters and whether it is optional."""
    places: list[tuple[frozenset[str], bool]] = []
    end = 0
    while end < len(pattern):
        item = _ITEM.match(pattern, end)
        if item is None:
            raise ValueError(f"the pattern cannot be understood from {pattern[end:]!r} on")
        characters, repeat, least, most = item.groups()
        allowed = _class(characters)
        if repeat is None or repeat == "?":
            low, high = (0 if repeat else 1), 1
        else:
            low, high = int(least), int(most or least)
        if low > high or high == 0:
            raise ValueError(f"nothing can be repeated {repeat} times")
        places += [(allowed, False)] * low + [(allowed, True)] * (high - low)
        end = item.end()
        if len(places) > MOST_CHARACTERS:
            raise ValueError(f"texts of the pattern may have more than {MOST_CHARACTERS} characters")
    if not places:
        raise ValueError("the pattern is empty")
    return places


def _class(item: str) -> frozenset[str]:
    if item == r"\d":
        return frozenset(DIGITS)
    if not item.startswith("["):
        if item not in _READABLE:
            raise ValueError(f"{item!r} cannot be read in a field, or has no meaning here")
        return frozenset(item)
    inner = item[1:-1].replace(r"\d", "0-9")
    found: set[str] = set()
    while inner:
        last = inner[2] if len(inner) > 2 and inner[1] == "-" else inner[0]
        one = {chr(code) for code in range(ord(inner[0]), ord(last) + 1)}
        if not one or not one <= _READABLE:
            raise ValueError(f"the class {item} has characters that cannot be read")
        found |= one
        inner = inner[3:] if len(inner) > 2 and inner[1] == "-" else inner[1:]
    if not found:
        raise ValueError("a class is empty")
    return frozenset(found)


def _determined(places: list[tuple[frozenset[str], bool]]) -> Automaton:
    """Return the automaton: one state per set of positions that a text can reach (subset construction)."""

    def reached(at: int) -> set[int]:
        """Return the positions that are reached at `at`, optional ones skipped."""
        found = {at}
        while at < len(places) and places[at][1]:
            at += 1
            found.add(at)
        return found

    states = [frozenset(reached(0))]
    numbers = {states[0]: 0}
    moves: list[dict[str, int]] = []
    while len(moves) < len(states):
        now: dict[str, set[int]] = {}
        for at in states[len(moves)] - {len(places)}:
            for character in places[at][0]:
                now.setdefault(character, set()).update(reached(at + 1))
        leads = {}
        for character, there in sorted(now.items()):
            state = frozenset(there)
            if state not in numbers:
                numbers[state] = len(states)
                states.append(state)
            leads[character] = numbers[state]
        moves.append(leads)
    return Automaton(
        tuple(moves), tuple(len(places) in state for state in states), sum(not place[1] for place in places)
    )
