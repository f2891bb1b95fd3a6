"""What a context changed, and whether it fits."""

from __future__ import annotations

import pytest

from lettermill.jobs.inputs.context import ContextPack, read_context
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.results.context_use import LEAST_SYMBOLS, ContextCount

BOX = Box(0, 0, 10, 10)
ENGLISH = "THE OLD HOUSE STOOD ABOVE THE RIVER WHERE NOBODY HAD LIVED SINCE THE WAR AND ITS WINDOWS WERE DARK"
CODES = "XQJZK VVQWX ZKJQP QXZVB JJKQW PZXVQ WQZJX KVZQJ XZQVK QWJZP VXKQZ JQXWV ZPQKX QVJZW XKZQJ"


@pytest.fixture(scope="module")
def english() -> ContextPack:
    return read_context("english")


def page_of(text: str, by_ink: dict[int, str] | None = None) -> PageReading:
    """A page with one line; of some letters the context changed what the ink gives."""
    letters = [(word, letter) for word, letters in enumerate(text.split(), 1) for letter in letters]
    changed = by_ink or {}
    line = LineReading(
        BOX,
        tuple(
            Letter(BOX, word, ((letter, 0.9),), False, False, changed.get(place))
            for place, (word, letter) in enumerate(letters)
        ),
    )
    return PageReading("a", "a.png", 1, Status.DONE, lines=(line,))


def test_what_was_changed_is_counted(english: ContextPack) -> None:
    count = ContextCount(english)
    count.add(page_of("THE HOUSE", {0: "I", 4: ""}))
    count.add(page_of("OLD", {2: "OL"}))

    use = count.use()
    assert use.changed == 3
    assert use.nats is None
    assert use.fits


def test_a_context_of_the_texts_language_fits(english: ContextPack) -> None:
    count = ContextCount(english)
    for _ in range(4):
        count.add(page_of(ENGLISH))

    use = count.use()
    assert use.nats is not None
    assert use.fits
    assert use.to_json()["fits"] is True


def test_a_context_of_words_does_not_fit_codes(english: ContextPack) -> None:
    count = ContextCount(english)
    for _ in range(4):
        count.add(page_of(CODES))

    use = count.use()
    assert not use.fits
    assert use.own_nats == english.ngram.log_perplexity


def test_the_inks_own_reading_is_what_counts(english: ContextPack) -> None:
    """A context that bends codes into words fits its own work; the ink says that they are codes."""
    letters = ENGLISH.replace(" ", "")
    codes = (CODES.replace(" ", "") * 3)[: len(letters)]
    count = ContextCount(english)
    for _ in range(4):
        count.add(page_of(ENGLISH, dict(enumerate(codes))))

    assert not count.use().fits


def test_short_texts_and_jobs_without_a_context_say_nothing(english: ContextPack) -> None:
    short = ContextCount(english)
    short.add(page_of(CODES[: LEAST_SYMBOLS // 2]))
    without = ContextCount(None)
    for _ in range(4):
        without.add(page_of(CODES))

    assert short.use().fits
    assert without.use().fits
    assert without.use().nats is None
