"""Reading a page: pixels in, lines of letters out. The recipe, each step done in its own module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.settings import Settings
from lettermill.segmentation import values
from lettermill.segmentation.boxes import enclosing_box
from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.over_segmentation import over_segment
from lettermill.segmentation.page import segment
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Candidate, Segmentation, Word
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lattice import WordLattice, joined, weigh
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.look_alikes import follow_kind
from lettermill.worker.reading.page_orientation import find_quarters

Seen = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What the CNN says of n candidates: probabilities n×characters, and n of how likely each is no letter."""


class Examined(NamedTuple):
    """A word over the parts that its ink was cut into, and what tells which of its candidates are letters."""

    word: Word
    letter: float
    """Height of its line's typical letter in pixels of the ink frame."""

    probabilities: NDArray[np.float32]
    """float32, candidates×characters: the CNN's calibrated probabilities."""

    non_letter: NDArray[np.float32]
    """float32, one for each candidate: how likely it is no letter."""

    def lattice(self) -> WordLattice:
        """Score the candidates."""
        return weigh([self.word], self.letter, self.probabilities, self.non_letter)[0]


DOUBT = 0.75
"""A piece is doubtful where the CNN gives less than this to its being one certain letter."""

WIDE = 1.25
"""What is wider in letter heights is doubtful, however sure the CNN is."""


def read_lines(
    page: NDArray[np.uint8],
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon | None = None,
    trace: Trace = UNSEEN,
) -> tuple[tuple[LineReading, ...], Segmentation]:
    """Read a page.

    Args:
        page: uint8, h×w, grey.
        settings: layout, what becomes of captions, and below which confidence a letter is flagged.
        classifier: knows the glyphs.
        lexicon: words that the lines are read with a second time.
        trace: is told what each stage saw.

    Returns:
        The lines in reading order, boxes in pixels of the page; and what segmentation found.
    """
    segmentation, examined = examine_page(page, settings, classifier, trace)
    trace.note(
        "parts", [[one] for each in examined for one in each.word.candidates if one.last == one.first + 1]
    )
    coming = iter(examined)
    chosen: list[list[Candidate]] = []
    lines = []
    for line in segmentation.lines:
        words = list(itertools.islice(coming, len(line.words)))
        lattices = weigh(
            [each.word for each in words],
            line.letter,
            np.concatenate([each.probabilities for each in words]),
            np.concatenate([each.non_letter for each in words]),
        )
        candidates = [candidate for each in words for candidate in each.word.candidates]
        owners = [number for number, each in enumerate(words) for _ in each.word.candidates]
        found = zip(*joined(lattices).reading(classifier.characters), strict=True)
        letters: list[Letter] = []
        texts = [""] * len(words)
        by_word = itertools.groupby(found, key=lambda letter: owners[letter[0]])
        for number, (owner, of_word) in enumerate(by_word, start=1):
            path, free = zip(*of_word, strict=True)
            rankings = follow_kind(free) if settings.alphabet == "alnum" else free
            texts[owner] = "".join(ranking[0][0] for ranking in rankings)
            chosen += [[candidates[index]] for index in path]
            letters += [
                Letter(_box(candidates[index].box), number, ranking, ranking[0][1] < settings.flag_below)
                for index, ranking in zip(path, rankings, strict=True)
            ]
        if letters:
            lexicon_text = lexicon.read(list(zip(texts, lattices, strict=True))) if lexicon else ""
            boxes = [one.box for (one,) in chosen[-len(letters) :]]
            lines.append(LineReading(_box(enclosing_box(boxes)), tuple(letters), lexicon_text))
    trace.note("chosen", chosen)
    return tuple(lines), segmentation


def examine_page(
    page: NDArray[np.uint8], settings: Settings, classifier: Classifier, trace: Trace = UNSEEN
) -> tuple[Segmentation, list[Examined]]:
    """Find what the words of a page may be; the first half of `read_lines`.

    Returns:
        What segmentation found, and all its words in reading order, over the parts that their ink was cut
        into.
    """
    segmentation = segment(page, settings.layout, settings.printed, trace)
    seen = see_pieces(segmentation, classifier)
    quarters = find_quarters(page, segmentation, seen[0].max(axis=1), settings.layout, classifier)
    if quarters:
        segmentation = segment(page, settings.layout, settings.printed, trace, quarters)
        seen = see_pieces(segmentation, classifier)
    return segmentation, examine(segmentation, seen, page.shape, classifier)


def see_pieces(segmentation: Segmentation, classifier: Classifier) -> Seen:
    """Show the CNN the pieces of all words in reading order, twice where it is in doubt."""
    words = [word.candidates for line in segmentation.lines for word in line.words]
    return classifier.read_closely(_glyphs(words))


def _glyphs(groups: Sequence[Sequence[Candidate]]) -> NDArray[np.uint8]:
    """Return the glyphs of candidates, one group after the other: uint8, n×28×28."""
    none = np.zeros((0, GLYPH_SIZE), np.uint8)
    glyphs = np.concatenate([none, *(candidate.glyph for group in groups for candidate in group)])
    return glyphs.reshape(-1, GLYPH_SIZE, GLYPH_SIZE)


def examine(
    segmentation: Segmentation, seen: Seen, shape: tuple[int, ...], classifier: Classifier
) -> list[Examined]:
    """Cut what is doubtful, and show the CNN the runs of its parts as well.

    Args:
        segmentation: the words.
        seen: what the CNN says of their pieces, from `see_pieces`.
        shape: of the page, (height, width) in its pixels.
        classifier: knows the glyphs.
    """
    if segmentation.ink is None:
        return []
    words = [word for line in segmentation.lines for word in line.words]
    heights = [line.letter for line in segmentation.lines for _ in line.words]
    pieces = list(_shared(seen, [len(word.candidates) for word in words]))
    refined = [
        over_segment(word, _is_doubtful(word, letter, *one), letter, segmentation.ink, shape)
        for word, one, letter in zip(words, pieces, heights, strict=True)
    ]
    added = [word.candidates[len(old.candidates) :] for word, old in zip(refined, words, strict=True)]
    # At once only: most of these are no letters, and a second look at all would show them as often again.
    runs = _shared(classifier.read(_glyphs(added)), [len(candidates) for candidates in added])
    return [
        Examined(word, letter, np.concatenate((one[0], more[0])), np.concatenate((one[1], more[1])))
        for word, letter, one, more in zip(refined, heights, pieces, runs, strict=True)
    ]


def _shared(seen: Seen, counts: Sequence[int]) -> Iterator[Seen]:
    """Give each group of so many candidates its own."""
    ends = np.cumsum(counts, dtype=np.intp)[:-1]
    return zip(np.split(seen[0], ends), np.split(seen[1], ends), strict=True)


def _is_doubtful(
    word: Word, letter: float, probabilities: NDArray[np.float32], non_letter: NDArray[np.float32]
) -> list[bool]:
    """For each candidate, whether it may be anything but one certain letter."""
    widths = np.array([candidate.ink.shape[1] - 2 for candidate in word.candidates])
    doubt = (probabilities.max(axis=1) * (1 - non_letter) < DOUBT) | (widths > WIDE * letter)
    return [bool(one) for one in doubt]


def _box(box: values.Box) -> Box:
    return Box(box.x, box.y, box.width, box.height)
