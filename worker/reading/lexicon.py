"""Finds the entries of a word list that a line's words may be.

The entries form a trie. All branches are searched at once, one letter deeper per step, for the cheapest way
to spell each entry along a word's lattice. The cost of a way is how much less likely it is than the free
reading (the one without a list). With the scores of the free reading as potentials, every step costs zero or
more (Johnson 1977). So a branch can be dropped as soon as it costs more than the limit, and no entry that
could be accepted is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.inputs.word_list import WordList
from lettermill.worker.reading.lattice import WordLattice, join_lattices

CAUTION_NATS = 3.0
"""Log odds that an entry must overcome: some words of a line are in no list."""

TRIGRAM_WEIGHT, BIGRAM_WEIGHT = 0.7, 0.2
"""Weights of a letter's probability after the two letters before it, and after the one before it; the rest
goes to all letters equally."""

MAX_MISREAD_NATS = 9.0
"""Maximum cost of a letter that the CNN reads as another one: sometimes it is sure and still wrong."""

MISSED_LETTER_NATS = 7.0
"""Cost of a letter of the entry that is missing in the ink."""

MAX_EXTRA_LETTER_NATS = 8.0
"""Maximum cost of ink that was read as a letter but is not part of the entry."""

FALSE_GAP_NATS = 1.0
"""Cost of a gap between words of the line if the entry has no hyphen, apostrophe or space."""

MAX_WORDS_PER_ENTRY = 4
"""Words of a line that may together be one entry."""

FIRST_SEARCH_SHARE = 0.25
"""Share of the cost limit with which the list is searched first: usually the entry is found with it."""

_ROUNDING_NATS = 1e-9
"""Rounding error that is allowed: an entry that equals the free reading costs 0, and must be found."""


class Lexicon:
    """A word list, prepared for searching.

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
        """Those of the columns that the lattices' scores must have."""
        self._size = len(spelled)
        self._content = words.content
        self._written = np.array([seen[word] for word in spelled], np.int32)
        self._levels = _levels(spelled)
        self._codes = codes
        self._log_probabilities = _trigram_log_probabilities(spelled, len(words.characters))

    def read(self, words: Sequence[tuple[str, WordLattice]]) -> str:
        """Replace the words of a line by entries of the list that explain the ink well enough.

        Args:
            words: for each word of the line, from left to right, the free reading and the lattice.

        Returns:
            The entries as they are spelled in the list, with one space between them. A word that no entry
            explains well enough stays as it was read.
        """
        words = [word for word in words if word[0]]
        # For each number of words from the left: the best total gain, and the texts that give it.
        gains = [0.0]
        texts: list[tuple[str, ...]] = [()]
        for end in range(1, len(words) + 1):
            best = gains[end - 1], (*texts[end - 1], words[end - 1][0])
            for begin in range(end - 1, max(-1, end - 1 - MAX_WORDS_PER_ENTRY), -1):
                run = words[begin:end]
                surprise = sum(self._surprise(text) for text, _ in run)
                lattice = join_lattices([lattice for _, lattice in run])
                found = self._best_entry(lattice, surprise, len(run) - 1)
                if found is not None and gains[begin] + found[0] >= best[0]:
                    best = gains[begin] + found[0], (*texts[begin], found[1])
            gains.append(best[0])
            texts.append(best[1])
        return " ".join(texts[-1])

    def _surprise(self, text: str) -> float:
        """Return how unlike the list's words a text is, in nats: minus its log probability by trigrams."""
        code = np.array([0, 0, *map(ord, text.translate(self._codes)), 0])
        return -float(self._log_probabilities[code[:-2], code[1:-1], code[2:]].sum())

    def _best_entry(self, lattice: WordLattice, surprise: float, gaps: int) -> tuple[float, str] | None:
        """Find the likeliest entry for a run of words.

        Args:
            lattice: of the run.
            surprise: how unlike the words of the list the free reading is, in nats.
            gaps: the number of gaps between the words of the run.

        Returns:
            What the entry gains over the free reading, in nats, and its text; None if no entry is likely
            enough.
        """
        evidence = surprise - float(np.log(self._size)) - CAUTION_NATS
        cost_limit = max(evidence, _ROUNDING_NATS)
        if gaps and not evidence > 0:
            return None
        costs = _Costs(lattice)
        found = self._search(costs, FIRST_SEARCH_SHARE * cost_limit) or self._search(costs, cost_limit)
        if found is None:
            return None
        cost, entry = found
        begin, end = self._written[entry]
        text = self._content[begin:end].decode("utf-8")
        inner = sum(not char.isalnum() for char in text)
        cost += FALSE_GAP_NATS * max(0, gaps - inner)
        return (max(evidence - cost, 0.0), text) if cost <= cost_limit else None

    def _search(self, costs: _Costs, limit: float) -> tuple[float, int] | None:
        """Return the cost and the number of the cheapest entry, None if all cost more than the limit.

        Of equally cheap entries the shortest counts, then the first in alphabetical order.
        """
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


def _trigram_log_probabilities(words: list[bytes], characters: int) -> NDArray[np.float64]:
    """Return the log probability of a letter after two others, counted in words and smoothed.

    Args:
        words: letters as numbers from 1.
        characters: how many different letters there are.

    Returns:
        float64, (characters + 1) cubed: index 0 is the space before and behind a word.
    """
    counts = np.zeros((characters + 1,) * 3)
    codes = np.frombuffer(b"\0\0".join((b"", *words, b"")), np.uint8)
    np.add.at(counts, (codes[:-2], codes[1:-1], codes[2:]), 1.0)
    pairs = counts.sum(axis=0)
    probabilities = (
        TRIGRAM_WEIGHT * counts / np.maximum(counts.sum(axis=2, keepdims=True), 1)
        + BIGRAM_WEIGHT * pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)
        + (1 - TRIGRAM_WEIGHT - BIGRAM_WEIGHT) / (characters + 1)
    )
    return np.asarray(np.log(probabilities))


class _Level:
    """The nodes of one depth of the trie, and how they are linked to the nodes above.

    Attributes:
        first_children: for each node of the level above, the number of its first child.
        child_counts: for each node of the level above, how many children it has; they are consecutive.
        characters: for each node, the index of its character.
        entries: for each node, the number of the entry that ends there; -1 if none does.
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
    """Make the trie of different words, sorted, whose letters are numbers from 1."""
    lengths = np.array([len(word) for word in words])
    letters = np.array(words).view(np.uint8).reshape(len(words), -1)
    differ = letters[1:] != letters[:-1]
    # How many letters each word shares with the word before it.
    common = np.concatenate(([-1], differ.argmax(axis=1)))
    levels = []
    # The node of each word in the level above, and how many nodes that level has.
    above, size = np.zeros(len(words), np.intp), 1
    for depth in range(letters.shape[1]):
        is_new = (lengths > depth) & (common <= depth)
        first = np.flatnonzero(is_new)
        here = np.cumsum(is_new) - 1
        entries = np.where(lengths[first] == depth + 1, first, -1).astype(np.int32)
        levels.append(_Level(above[first], size, letters[first, depth] - 1, entries))
        above, size = here, first.size
    return levels


class _Costs:
    """What each step along a lattice costs compared with its free reading, in nats.

    Args:
        lattice: what the ink may be.
    """

    def __init__(self, lattice: WordLattice) -> None:
        free = lattice.scores.max(axis=1)
        rest = np.full(lattice.parts + 1, -np.inf)
        rest[-1] = 0.0
        for index in np.lexsort((lattice.last, lattice.first))[::-1].tolist():
            begin = lattice.first[index]
            rest[begin] = max(rest[begin], free[index] + rest[lattice.last[index]])

        order = np.lexsort((lattice.first, lattice.last))
        # Without candidates from which no way leads to the end.
        order = order[np.isfinite(rest[lattice.last[order]])]
        self._first, last = lattice.first[order], lattice.last[order]
        letters, null = lattice.scores[order, :-1], lattice.scores[order, -1]
        top = letters.max(axis=1)
        lost = (rest[self._first] - rest[last])[:, None]
        self._letter_costs = lost - np.maximum(letters, top[:, None] - MAX_MISREAD_NATS)
        self._null_costs = lost[:, 0] - np.maximum(null, top - MAX_EXTRA_LETTER_NATS)
        self._nodes, self._starts = np.unique(last, return_index=True)
        self._size = lattice.parts + 1

    def start(self) -> NDArray[np.float64]:
        """Return the cost of reaching each node before the first letter: float64, nodes×1."""
        spent = np.full((self._size, 1), np.inf)
        spent[0] = 0.0
        self.pass_over(spent)
        return spent

    def spell(self, spent: NDArray[np.float64], characters: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Spell one more character in each column.

        Args:
            spent: float64, nodes×n, the cost of reaching each node before the character.
            characters: uint8, n, the index of each column's character.

        Returns:
            float64, nodes×n, the cost of reaching each node behind the character.
        """
        behind = spent + MISSED_LETTER_NATS
        ways = spent[self._first] + self._letter_costs[:, characters]
        behind[self._nodes] = np.minimum(behind[self._nodes], np.minimum.reduceat(ways, self._starts, axis=0))
        return behind

    def pass_over(self, spent: NDArray[np.float64]) -> None:
        """Allow null paths after the last letter: ink that is not part of the entry. Works in place."""
        stops = [*self._starts[1:].tolist(), self._first.size]
        for node, start, stop in zip(self._nodes.tolist(), self._starts.tolist(), stops, strict=True):
            ways = spent[self._first[start:stop]] + self._null_costs[start:stop, None]
            np.minimum(spent[node], ways.min(axis=0), out=spent[node])
