"""A word list against the ink: which of its entries a line's words may be.

The entries are a trie. All of it is searched at once, a letter deeper a step, for the cheapest way to
spell each entry along a word's lattice. What a way costs is how much less likely it is than the free
reading: with the free reading's own scores as potentials every step costs zero or more (Johnson 1977), so a
branch that has cost more than may be spent is given up, and nothing that could be accepted is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.word_list import WordList
from lettermill.worker.reading.lattice import WordLattice, joined

CAUTION = 3.0
"""Odds, as a logarithm, that an entry must overcome: some words of a line stand in no list."""

TRIGRAM, BIGRAM = 0.7, 0.2
"""Weights of what the two letters before and the one before tell of a letter; the rest is any letter."""

MISREAD = 9.0
"""Most that a letter costs that the CNN reads as another one: it is that sure, and still wrong, at times."""

MISSED = 7.0
"""Cost of a letter of the entry that is not in the ink."""

INVENTED = 8.0
"""Cost of ink that was read as a letter and is none of the entry's."""

FALSE_GAP = 1.0
"""Cost of a gap between words of the line where the entry has no hyphen, apostrophe or space."""

LONGEST_RUN = 4
"""Words of a line that may be one entry together."""

FIRST_LOOK = 0.25
"""Share of what may be spent with which the list is searched first: mostly the entry is found with it."""


_ROUNDING = 1e-9
"""Nats by which arithmetic may be off: what was read just so costs nothing, and must not cost more."""


class Lexicon:
    """A word list made ready for searching.

    Args:
        words: the list.
    """

    def __init__(self, words: WordList) -> None:
        index = {char: number for number, char in enumerate(words.characters)}
        codes = str.maketrans({char: chr(number + 1) for char, number in index.items()})
        seen: dict[bytes, tuple[int, int]] = {}
        for entry in words.entries():
            seen.setdefault(entry.letters.translate(codes).encode("latin-1"), (entry.begin, entry.end))
        spelled = sorted(seen)
        self.characters = words.characters
        """The characters whose scores the lattices must have."""
        self._size = len(spelled)
        self._content = words.content
        self._written = np.array([seen[word] for word in spelled], np.int32)
        self._levels = _levels(spelled)
        self._codes = codes
        self._likeness = _likeness(spelled, len(words.characters))

    def read(self, words: Sequence[tuple[str, WordLattice]]) -> str:
        """Read a line with the list.

        Args:
            words: the line's words from left to right: what was read freely, and what the ink may be.

        Returns:
            The line's entries as they stand in the list, one space between them; a word that no entry
            explains well enough is given as it was read.
        """
        words = [word for word in words if word[0]]
        gains = [0.0]
        texts: list[tuple[str, ...]] = [()]
        for end in range(1, len(words) + 1):
            best = gains[end - 1], (*texts[end - 1], words[end - 1][0])
            for begin in range(end - 1, max(-1, end - 1 - LONGEST_RUN), -1):
                run = words[begin:end]
                surprise = sum(self._surprise(text) for text, _ in run)
                found = self._entry(joined([lattice for _, lattice in run]), surprise, len(run) - 1)
                if found is not None and gains[begin] + found[0] >= best[0]:
                    best = gains[begin] + found[0], (*texts[begin], found[1])
            gains.append(best[0])
            texts.append(best[1])
        return " ".join(texts[-1])

    def _surprise(self, text: str) -> float:
        """Return how unlike the list's words a word is, in nats: one like them may be one of its own."""
        code = np.array([0, 0, *map(ord, text.translate(self._codes)), 0])
        return -float(self._likeness[code[:-2], code[1:-1], code[2:]].sum())

    def _entry(self, lattice: WordLattice, surprise: float, gaps: int) -> tuple[float, str] | None:
        """Return the likeliest entry for a run of words: what it gains on the free reading, and its text."""
        evidence = surprise - float(np.log(self._size)) - CAUTION
        to_spend = max(evidence, _ROUNDING)
        if gaps and not evidence > 0:
            return None
        costs = _Costs(lattice)
        for limit in (FIRST_LOOK * to_spend, to_spend):
            found = self._search(costs, limit)
            if found is not None:
                break
        else:
            return None
        cost, entry = found
        begin, end = self._written[entry]
        text = self._content[begin:end].decode("utf-8")
        inner = sum(not char.isalnum() for char in text)
        cost += FALSE_GAP * max(0, gaps - inner)
        return (max(evidence - cost, 0.0), text) if cost <= to_spend else None

    def _search(self, costs: _Costs, limit: float) -> tuple[float, int] | None:
        """Return the cheapest entry with its cost, at most `limit`; of equals the first by its letters."""
        best: tuple[float, int] | None = None
        alive = np.zeros(1, np.intp)
        spent = costs.start()
        for level in self._levels:
            counts = level.child_counts[alive]
            ends = np.cumsum(counts)
            nodes = np.repeat(level.first_children[alive] - ends + counts, counts) + np.arange(counts.sum())
            parents = np.repeat(np.arange(alive.size), counts)
            spent = costs.spell(spent[:, parents], level.characters[nodes])
            keep = np.flatnonzero(spent.min(axis=0, initial=np.inf) <= limit)
            if not keep.size:
                break
            alive, spent = nodes[keep], spent[:, keep]
            costs.pass_over(spent)
            entries = level.entries[alive]
            whole = np.where(entries >= 0, spent[-1], np.inf)
            cheapest = int(np.argmin(whole))
            if whole[cheapest] <= limit and (best is None or whole[cheapest] < best[0]):
                best = float(whole[cheapest]), int(entries[cheapest])
                limit = best[0]
        return best


def _likeness(words: list[bytes], characters: int) -> NDArray[np.float64]:
    """Return the log probability of a letter after two others in words like these; 0 is before and behind."""
    counts = np.zeros((characters + 1,) * 3)
    codes = np.frombuffer(b"\0\0".join((b"", *words, b"")), np.uint8)
    np.add.at(counts, (codes[:-2], codes[1:-1], codes[2:]), 1.0)
    pairs = counts.sum(axis=0)
    likeness = (
        TRIGRAM * counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
        + BIGRAM * pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
        + (1 - TRIGRAM - BIGRAM) / (characters + 1)
    )
    return np.asarray(np.log(likeness))


class _Level:
    """The trie's nodes of one depth, and how they hang on those above.

    Attributes:
        first_children: of each node one level higher, the first of its children here.
        child_counts: of each node one level higher, how many children follow each other from there.
        characters: of each node here, the index of its character.
        entries: of each node here, the entry that ends with it; -1 for none.
    """

    __slots__ = ("characters", "child_counts", "entries", "first_children")

    def __init__(
        self,
        parents: NDArray[np.intp],
        above: int,
        characters: NDArray[np.uint8],
        entries: NDArray[np.int32],
    ) -> None:
        self.child_counts = np.bincount(parents, minlength=above)
        self.first_children = np.cumsum(self.child_counts) - self.child_counts
        self.characters = characters
        self.entries = entries


def _levels(words: list[bytes]) -> list[_Level]:
    """Make the trie of sorted, different words of bytes above zero."""
    lengths = np.array([len(word) for word in words])
    letters = np.array(words).view(np.uint8).reshape(len(words), -1)
    differ = letters[1:] != letters[:-1]
    common = np.concatenate(([-1], differ.argmax(axis=1)))  # Columns that a word shares with the one before.
    levels = []
    above = np.zeros(len(words), np.intp)  # The node of each word, one level higher.
    size = 1
    for depth in range(letters.shape[1]):
        is_new = (lengths > depth) & (common <= depth)
        first = np.flatnonzero(is_new)
        here = np.cumsum(is_new) - 1
        entries = np.where(lengths[first] == depth + 1, first, -1).astype(np.int32)
        levels.append(_Level(above[first], size, letters[first, depth] - 1, entries))
        above, size = here, first.size
    return levels


class _Costs:
    """What each step along a lattice costs against its free reading.

    Args:
        lattice: what the ink may be.
    """

    def __init__(self, lattice: WordLattice) -> None:
        free = lattice.scores.max(axis=1)
        rest = np.full(lattice.pieces + 1, -np.inf)
        rest[-1] = 0.0
        for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
            begin = lattice.first[index]
            rest[begin] = max(rest[begin], free[index] + rest[lattice.last[index]])
        order = np.lexsort((lattice.first, lattice.last))
        order = order[np.isfinite(rest[lattice.last[order]])]  # From elsewhere no way leads to the end.
        self._first, last = lattice.first[order], lattice.last[order]
        letters, none = lattice.scores[order, :-1], lattice.scores[order, -1]
        top = letters.max(axis=1)
        lost = (rest[self._first] - rest[last])[:, None]
        self._letter_costs = lost - np.maximum(letters, top[:, None] - MISREAD)
        self._none_costs = lost[:, 0] - np.maximum(none, top - INVENTED)
        self._nodes, self._starts = np.unique(last, return_index=True)
        self._size = lattice.pieces + 1

    def start(self) -> NDArray[np.float64]:
        """Return what it costs to be at each node before the first letter: float64, nodes×1."""
        spent = np.full((self._size, 1), np.inf)
        spent[0] = 0.0
        self.pass_over(spent)
        return spent

    def spell(self, spent: NDArray[np.float64], characters: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Spell one more character in each column.

        Args:
            spent: float64, nodes×n, the cost of being at each node before it.
            characters: uint8, n, the index of each column's character.

        Returns:
            float64, nodes×n, the cost of being at each node behind it.
        """
        behind = spent + MISSED
        ways = spent[self._first] + self._letter_costs[:, characters]
        behind[self._nodes] = np.minimum(behind[self._nodes], np.minimum.reduceat(ways, self._starts, axis=0))
        return behind

    def pass_over(self, spent: NDArray[np.float64]) -> None:
        """Allow, in place, that ink after the last letter is none of the entry's."""
        stops = [*self._starts[1:].tolist(), self._first.size]
        for node, start, stop in zip(self._nodes.tolist(), self._starts.tolist(), stops, strict=True):
            ways = spent[self._first[start:stop]] + self._none_costs[start:stop, None]
            np.minimum(spent[node], ways.min(axis=0), out=spent[node])
