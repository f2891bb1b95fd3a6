"""Count what a job's context changed, and measure whether it fits the job's text."""

from __future__ import annotations

import dataclasses
from typing import Any

from lettermill.jobs.inputs.context import ContextPack
from lettermill.jobs.records.readings import Letter, PageReading

UNFIT_ABOVE_NATS = 0.5
"""A context does not fit if the text has so many more nats a symbol than other words of the context's kind.
English words in a context of names have 1.0 more, French names 0.1 less, and random letters 2.2 more."""

LEAST_SYMBOLS = 200
"""Of a shorter text, nothing is said."""


@dataclasses.dataclass(frozen=True, slots=True)
class ContextUse:
    """What a context did.

    Attributes:
        changed: letters that the context changed.
        nats: of a symbol of the job's words as the ink alone gives them; None if they are too few.
        own_nats: of a symbol of other words of the context's kind.
    """

    changed: int
    nats: float | None
    own_nats: float | None

    @property
    def fits(self) -> bool:
        """Whether the job's words are of the context's kind, or too few to say."""
        return self.nats is None or self.own_nats is None or self.nats <= self.own_nats + UNFIT_ABOVE_NATS

    def to_json(self) -> dict[str, Any]:
        """Return the values, and whether it fits."""
        nats = {name: None if one is None else round(one, 3) for name, one in self._nats().items()}
        return {"changed_letters": self.changed, **nats, "fits": self.fits}

    def _nats(self) -> dict[str, float | None]:
        return {"nats": self.nats, "own_nats": self.own_nats}


class ContextCount:
    """The counts while pages are added one by one.

    Args:
        context: of the job; None if it has none, or one for each field.
    """

    def __init__(self, context: ContextPack | None) -> None:
        self._ngram = context.ngram if context else None
        self._changed = self._symbols = 0
        self._nats = 0.0

    def add(self, reading: PageReading) -> None:
        """Count a page."""
        for line in reading.lines:
            self._changed += sum(letter.by_ink is not None for letter in line.letters)
            for word in line.words if self._ngram else ():
                self._add_word("".join(map(_by_ink, word)))

    def _add_word(self, word: str) -> None:
        if self._ngram and word.isalpha():
            self._nats -= self._ngram.log_probability(word)
            self._symbols += len(word) + 1

    def use(self) -> ContextUse:
        """Return the counts."""
        return ContextUse(
            self._changed,
            self._nats / self._symbols if self._symbols >= LEAST_SYMBOLS else None,
            self._ngram.log_perplexity if self._ngram else None,
        )


def _by_ink(letter: Letter) -> str:
    if letter.is_mark:
        return ""
    return letter.letter if letter.by_ink is None else letter.by_ink
