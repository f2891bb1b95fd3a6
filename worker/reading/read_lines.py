"""Reads a page: pixels in, lines of letters out. This module is the recipe; each step has its own module.

1. `writing_alone` erases print and pictures from a page. `segment` finds lines, words and the connected
   components of their ink.
2. The CNN classifies the components. Pieces of pictures are dropped; writing of the other side is erased;
   a page that lies on its side or upside down is segmented again.
3. `over_segment` cuts doubtful components into parts; every run of parts that may be a letter is a candidate.
4. The CNN classifies the candidates, and a lattice scores them: `score_line`.
5. The best path through the lattice is the reading. What may be a letter or a digit (O, 0) follows the line.
   Marks (/ - . , ') between letters are read by the line network.
6. If there is a word list, each line is read a second time with it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.settings import ALPHABETS, DIGITS, LETTERS, MARKS, Alphabet, Settings
from lettermill.segmentation import values
from lettermill.segmentation.boxes import enclosing_box
from lettermill.segmentation.cells import cell_at
from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.over_segmentation import over_segment
from lettermill.segmentation.page import segment
from lettermill.segmentation.slashes import CERTAIN_PROBABILITY
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Candidate, Segmentation, Word
from lettermill.worker.reading.both_readers import Expert, ReadLetter, experts_of, read_both
from lettermill.worker.reading.calibration import calibrated, field_confidence
from lettermill.worker.reading.classifier import Classification, Classifier, Ranking, concatenate
from lettermill.worker.reading.doubts import lower_doubtful
from lettermill.worker.reading.downward_words import read_downward_words
from lettermill.worker.reading.lattice import CNN_WEIGHTS, WordLattice, score_line, score_words
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.line_evidence import WEIGHTS, Steps, part_columns
from lettermill.worker.reading.line_views import views_of
from lettermill.worker.reading.look_alikes import kind_of, resolve_look_alikes
from lettermill.worker.reading.page_orientation import find_quarter_turns
from lettermill.worker.reading.pictures import drop_pictures
from lettermill.worker.reading.reader_notes import note_readers
from lettermill.worker.reading.show_through import find_show_through
from lettermill.worker.reading.turned_blocks import TurnedBlock, find_turned_blocks, insert_block, moved
from lettermill.worker.reading.uncut_letters import uncut_candidate
from lettermill.worker.reading.unfound_lines import read_unfound_line
from lettermill.worker.reading.writing_alone import writing_alone

DOUBTFUL_BELOW_PROBABILITY = 0.75
"""A component is doubtful if the CNN gives less than this to its being one certain letter."""

DOUBTFUL_ABOVE_LETTER_HEIGHTS = 1.25
"""A component wider than this is doubtful, however sure the CNN is."""

CLEARER_BY = 0.1
"""How much more confidently a block must be read, turned; blocks that lay as they should gain nothing."""


LEAST_OTHER_LETTERS, LEAST_OTHER_SHARE = 2, 0.1
"""The page gets a code if this many letters, and this share of all, look like characters left out."""

SLASH_TRUST = 0.8
"""Confidence of a slash that segmentation is sure of and the line network does not see."""

LEAST_SLASH_LEAN_RATIO = 0.2
"""Columns that it leans to the right for each of its rows: walls of boxes lean by 0.02 at most."""


class ClassifiedWord(NamedTuple):
    """A word, over-segmented, with what the CNN says about each of its candidates.

    Attributes:
        word: its candidates are runs of the parts that its ink was cut into.
        letter_height: of its line's typical letter, in pixels of the ink frame.
        classification: of its candidates, in their order.
    """

    word: Word
    letter_height: float
    classification: Classification

    def lattice(self) -> WordLattice:
        """Score the candidates."""
        return score_words([self.word], self.letter_height, self.classification)[0]


class SeenLine(NamedTuple):
    """A line as both readers see it.

    Attributes:
        candidates: of its words, one word after the other.
        parts: where its parts lie, from `line_evidence.part_columns`.
        word_of_part: for each part the number of its word.
        cnn: the candidates, scored for the CNN alone.
        views: what the line network says of the line.
        experts: its readings.
        letter_height: of its typical letter, in pixels of the ink frame.
        ink: the frame of the candidates.
        shape: height and width of the page in pixels.
    """

    candidates: list[Candidate]
    parts: NDArray[np.float64]
    word_of_part: list[int]
    cnn: WordLattice
    views: Sequence[Steps]
    experts: list[Expert]
    letter_height: float
    ink: values.Ink
    shape: tuple[int, ...]

    def place(self, letter: ReadLetter) -> tuple[Candidate, int]:
        """Return the ink of a letter or mark that was read, and the number of its word."""
        word = self.word_of_part[letter.nearest_part(self.parts)]
        if letter.candidate is not None:
            return self.candidates[letter.candidate], word
        return uncut_candidate(
            letter.left, letter.right, self.candidates, self.letter_height, self.ink, self.shape
        ), word


def see_line(
    words: Sequence[ClassifiedWord],
    letter_height: float,
    ink: values.Ink,
    views: Sequence[Steps],
    shape: tuple[int, ...],
) -> SeenLine:
    """Show a line to both readers.

    Args:
        words: of the line, at least one.
        letter_height: of its typical letter, in pixels of the ink frame.
        ink: the frame of the words.
        views: what the line network says of the line: `views_of`.
        shape: height and width of the page in pixels.
    """
    plain_words = [each.word for each in words]
    classification = concatenate([each.classification for each in words])
    cnn, lattice = score_line(plain_words, letter_height, classification, (CNN_WEIGHTS, WEIGHTS))
    candidates = candidates_of(words)
    parts = part_columns(plain_words)
    word_of_part = [number for number, word in enumerate(plain_words) for _ in range(len(word.gaps) + 1)]
    experts = experts_of(lattice, cnn, parts, views, len(MARKS))
    return SeenLine(candidates, parts, word_of_part, cnn, views, experts, letter_height, ink, shape)


def candidates_of(words: Sequence[ClassifiedWord]) -> list[Candidate]:
    """Return the candidates of all words of a line, in order."""
    return [candidate for each in words for candidate in each.word.candidates]


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
        settings: the layout, whether captions are read, and below which confidence a letter is flagged.
        classifier: knows the glyphs.
        lexicon: a word list with which each line is read a second time.
        trace: receives what each stage found.

    Returns:
        The lines in reading order, boxes in pixels of the page; and what segmentation found.
    """
    page, is_printed_form = writing_alone(page, settings, classifier.region_network)
    segmentation, words = classify_page(page, settings, classifier, trace)
    trace.note("parts", [[one] for each in words for one in each.word.candidates if _is_one_part(one)])

    turned = _read_turned_blocks(page, segmentation, words, settings, classifier, lexicon)
    blocks = [block for block, _ in turned]
    lines, chosen = _read_words(page, segmentation, words, settings, classifier, lexicon, blocks, trace)
    if settings.layout == "line" and settings.printed == "drop":
        lines = _with_confidence(lines, classifier, settings)
    trace.note("chosen", [[candidate] for candidate in chosen])
    other_alphabet = _has_other_alphabet(words, chosen)
    for block, lines_of_block in turned:
        lines = insert_block(lines, lines_of_block, block, page.shape, segmentation.quarters)
    if not lines and settings.layout == "line" and settings.printed == "drop":
        unfound = read_unfound_line(page, classifier, settings.alphabet)
        lines = [unfound] if unfound else []
    in_order, has_downward_words = read_downward_words(lines)
    return in_order, dataclasses.replace(
        segmentation,
        has_turned_block=bool(turned),
        has_downward_words=has_downward_words,
        has_other_alphabet=other_alphabet,
        is_printed_form=is_printed_form,
    )


def _has_other_alphabet(words: Sequence[ClassifiedWord], chosen: Sequence[Candidate]) -> bool:
    """Tell whether many of the chosen letters look like characters that the alphabet leaves out."""
    outside = {
        id(candidate): share
        for each in words
        for candidate, share in zip(each.word.candidates, each.classification.outside.tolist(), strict=True)
    }
    others = sum(outside.get(id(candidate), 0.0) > 0.5 for candidate in chosen)
    return bool(others >= max(LEAST_OTHER_LETTERS, LEAST_OTHER_SHARE * len(chosen)))


def _read_words(
    page: NDArray[np.uint8],
    segmentation: Segmentation,
    words: Sequence[ClassifiedWord],
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon | None,
    without: Sequence[TurnedBlock] = (),
    trace: Trace = UNSEEN,
) -> tuple[list[LineReading], list[Candidate]]:
    """Read the classified words of a page, line by line, without those of some blocks.

    Returns:
        The lines that have letters, and the candidates that were chosen as these.
    """
    lines: list[LineReading] = []
    chosen: list[Candidate] = []
    remaining = iter(words)
    for line in segmentation.lines:
        words_of_line = [
            classified
            for word, classified in zip(line.words, itertools.islice(remaining, len(line.words)), strict=True)
            if not any(block.holds(enclosing_box([one.box for one in word.candidates])) for block in without)
        ]
        if words_of_line:
            reading, letters = _read_line(
                page, words_of_line, line.letter, segmentation, settings, classifier, lexicon, trace
            )
            lines += [reading] if reading else []
            chosen += letters
    return lines, chosen


def _with_confidence(
    lines: Sequence[LineReading], classifier: Classifier, settings: Settings
) -> list[LineReading]:
    """Give the lines of an image of one line the confidence that all of it is right. Marks do not count."""
    letters = [letter for line in lines for letter in line.letters if not letter.is_mark]
    if settings.alphabet == "auto":
        found = {letter.letter for letter in letters}
        kind = next((kind for kind in (LETTERS, DIGITS) if found <= set(kind)), classifier.characters)
        classifier = classifier.narrowed(kind)
    confidences = [letter.confidence for letter in letters]
    confidence = field_confidence(confidences, classifier.field_calibration) if letters else None
    return [msgspec.structs.replace(line, confidence=confidence) for line in lines]


def _read_turned_blocks(
    page: NDArray[np.uint8],
    segmentation: Segmentation,
    words: Sequence[ClassifiedWord],
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon | None,
) -> list[tuple[TurnedBlock, list[LineReading]]]:
    """Find the blocks that lie another way up than their page, and read those that turning makes clearer."""
    if not words or settings.layout == "line":
        return []
    as_found = [word for line in segmentation.lines for word in line.words]
    components = [component for word in as_found for component in word.candidates]
    confidences = np.concatenate(
        [
            classified.classification.probabilities[: len(word.candidates)].max(axis=1)
            for word, classified in zip(as_found, words, strict=True)
        ]
    )
    turned = []
    for block in find_turned_blocks(page.shape, segmentation, confidences, classifier):
        area = block.box
        part = np.ascontiguousarray(page[area.y : area.y + area.height, area.x : area.x + area.width])
        of_part, found = classify_page(part, settings, classifier, quarters=block.quarters)
        # Cells are numbered on the page.
        of_part = dataclasses.replace(of_part, cell_rows=())
        lines, _ = _read_words(part, of_part, found, settings, classifier, lexicon)
        before = confidences[[block.holds(component.box) for component in components]]
        after = [letter.confidence for line in lines for letter in line.letters]
        if after and np.mean(after) >= before.mean(dtype=np.float64) + CLEARER_BY:
            turned.append((block, [moved(line, area.x, area.y) for line in lines]))
    return turned


def classify_page(
    page: NDArray[np.uint8],
    settings: Settings,
    classifier: Classifier,
    trace: Trace = UNSEEN,
    quarters: int | None = None,
) -> tuple[Segmentation, list[ClassifiedWord]]:
    """Find what the words of a page may be; the first half of `read_lines`.

    Args:
        page: uint8, h×w, grey.
        settings: the layout, and whether captions are read.
        classifier: knows the glyphs.
        trace: receives what each stage found.
        quarters: clockwise quarter turns by which the page lies, 0 to 3, if that is known.

    Returns:
        What segmentation found, and its words in reading order, over-segmented and classified.
    """
    segmentation, components = _segment_and_classify(page, settings, classifier, trace, quarters or 0)

    front, confidences = None, components.probabilities.max(axis=1)
    if quarters is None:
        front = find_show_through(page, segmentation, confidences, classifier)
        if front is not None:
            page = front
            segmentation, components = _segment_and_classify(page, settings, classifier, trace)
            confidences = components.probabilities.max(axis=1)
        quarters = find_quarter_turns(page, segmentation, confidences, settings.layout, classifier)
    if quarters != segmentation.quarters:
        segmentation, components = _segment_and_classify(page, settings, classifier, trace, quarters)

    segmentation = dataclasses.replace(segmentation, shows_through=front is not None)
    return segmentation, classify_candidates(segmentation, components, page.shape, classifier)


def _segment_and_classify(
    page: NDArray[np.uint8], settings: Settings, classifier: Classifier, trace: Trace, quarters: int = 0
) -> tuple[Segmentation, Classification]:
    """Segment a page, classify its components and drop the pieces of pictures."""
    segmentation = segment(page, settings.layout, settings.printed, trace, quarters)
    return drop_pictures(segmentation, classify_components(segmentation, classifier), trace)


def classify_components(segmentation: Segmentation, classifier: Classifier) -> Classification:
    """Classify the components of all words in reading order, doubtful ones with test-time augmentation."""
    words = [word.candidates for line in segmentation.lines for word in line.words]
    return classifier.classify_augmented(_glyphs(words))


def classify_candidates(
    segmentation: Segmentation, components: Classification, shape: tuple[int, ...], classifier: Classifier
) -> list[ClassifiedWord]:
    """Over-segment the doubtful components and classify the candidates that this adds.

    Args:
        segmentation: the words.
        components: the classification of their components, from `classify_components`.
        shape: height and width of the page in pixels.
        classifier: knows the glyphs.

    Returns:
        The words in reading order.
    """
    if segmentation.ink is None:
        return []
    words = [word for line in segmentation.lines for word in line.words]
    heights = [line.letter for line in segmentation.lines for _ in line.words]
    known = components.split([len(word.candidates) for word in words])

    over_segmented = [
        over_segment(word, _is_doubtful(word, height, classification), height, segmentation.ink, shape)
        for word, height, classification in zip(words, heights, known, strict=True)
    ]

    added = [new.candidates[len(old.candidates) :] for new, old in zip(over_segmented, words, strict=True)]
    # Without augmentation: most are no letters, so they would be doubtful and classified three times.
    classified = classifier.classify(_glyphs(added)).split([len(candidates) for candidates in added])

    return [
        ClassifiedWord(word, height, concatenate(both))
        for word, height, *both in zip(over_segmented, heights, known, classified, strict=True)
    ]


def _read_line(
    page: NDArray[np.uint8],
    words: Sequence[ClassifiedWord],
    letter_height: float,
    segmentation: Segmentation,
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon | None,
    trace: Trace,
) -> tuple[LineReading | None, list[Candidate]]:
    """Read one line from its classified words.

    Returns:
        The reading, None if there is no letter; and the candidates that were chosen as its letters.
    """
    chosen, kind = _choose_letters(page, words, letter_height, segmentation, settings, classifier, trace)
    if not chosen:
        return None, []

    candidates = [one.candidate for one in chosen]
    lowered = lower_doubtful(candidates, [one.ranking for one in chosen], letter_height, segmentation.struck)
    rankings_by_word = _by_word(chosen, len(words), lowered)
    if kind == "alnum":
        rankings_by_word = resolve_look_alikes(rankings_by_word, settings.has_fields)

    numbers = _word_numbers(chosen, words)
    of_letters = itertools.chain.from_iterable(rankings_by_word)
    rankings = [
        ranking if one.is_mark else next(of_letters) for one, ranking in zip(chosen, lowered, strict=True)
    ]
    letters = tuple(
        Letter(
            _box(one.candidate.box),
            number,
            ranking,
            one.seen_by_line_network_alone or ranking[0][1] < settings.flag_below,
            one.disputed,
            one.by_ink,
            _cell_of(one.candidate, segmentation.cell_rows),
        )
        for one, number, ranking in zip(chosen, numbers, rankings, strict=True)
    )

    lexicon_text = ""
    if lexicon:
        texts = ["".join(ranking[0][0] for ranking in word) for word in rankings_by_word]
        classification = concatenate([each.classification for each in words])
        lattices = score_words([each.word for each in words], letter_height, classification)
        lexicon_text = lexicon.read(list(zip(texts, lattices, strict=True)))
    box = _box(enclosing_box([candidate.box for candidate in candidates]))
    return LineReading(box, letters, lexicon_text), candidates


class _Chosen(NamedTuple):
    """A letter of a reading or a mark: its candidate, its word's number, what it may be, and who says so.

    `by_ink` is what the ink alone gives, if a context changed it.
    """

    candidate: Candidate
    word: int
    ranking: Ranking
    seen_by_line_network_alone: bool
    disputed: bool
    by_ink: str | None = None

    @property
    def is_mark(self) -> bool:
        """Whether it is no letter."""
        return self.ranking[0][0] in MARKS

    def shares_parts(self, other: Candidate, word: int) -> bool:
        """Whether its candidate has a part of another one, which lies in a word."""
        own = self.candidate
        return self.word == word and own.first < other.last and other.first < own.last


def _choose_letters(
    page: NDArray[np.uint8],
    words: Sequence[ClassifiedWord],
    letter_height: float,
    segmentation: Segmentation,
    settings: Settings,
    classifier: Classifier,
    trace: Trace,
) -> tuple[list[_Chosen], Alphabet]:
    """Choose the letters of one line, and its alphabet.

    With `auto`, a line of one kind is read a second time, with the characters of that kind alone.
    """
    views: list[Steps] = []
    network, ink, is_auto = classifier.line_network, segmentation.ink, settings.alphabet == "auto"
    if network is not None and ink is not None and settings.printed == "drop":
        whole = settings.layout == "line" and not segmentation.quarters
        are_digits = set(classifier.characters) <= set(DIGITS)
        views = views_of(page, candidates_of(words), letter_height, ink, network, whole, are_digits)
    first_trace = UNSEEN if is_auto else trace
    chosen = _read_candidates(words, letter_height, ink, page.shape, views, classifier, first_trace)
    if not is_auto:
        return chosen, settings.widest_alphabet
    rankings = _by_word(chosen, len(words), [one.ranking for one in chosen])
    kind = kind_of(rankings, settings.has_fields)
    if kind == "alnum" and trace is UNSEEN:
        return chosen, kind
    narrow = classifier.narrowed(ALPHABETS[kind])
    columns = [classifier.characters.index(character) for character in narrow.characters]
    of_kind = [each._replace(classification=each.classification.narrowed(columns)) for each in words]
    with_marks = [*columns, *range(len(classifier.characters), len(classifier.characters + MARKS))]
    views = [view.narrowed(with_marks) for view in views]
    return _read_candidates(of_kind, letter_height, ink, page.shape, views, narrow, trace), kind


def _by_word(chosen: Sequence[_Chosen], words: int, rankings: Sequence[Ranking]) -> list[list[Ranking]]:
    """Return the rankings of a line's letters, without marks, for each of its words."""
    by_word: list[list[Ranking]] = [[] for _ in range(words)]
    for one, ranking in zip(chosen, rankings, strict=True):
        if not one.is_mark:
            by_word[one.word].append(ranking)
    return by_word


def _read_candidates(
    words: Sequence[ClassifiedWord],
    letter_height: float,
    ink: values.Ink | None,
    shape: tuple[int, ...],
    views: Sequence[Steps],
    classifier: Classifier,
    trace: Trace,
) -> list[_Chosen]:
    """Choose the letters of one line: with what the line network sees, or by the CNN alone without it.

    Machine print that is to be kept is read by the CNN alone: the line network has learnt to pass it over.
    """
    if not views or ink is None:
        classification = concatenate([each.classification for each in words])
        (lattice,) = score_line([each.word for each in words], letter_height, classification, [CNN_WEIGHTS])
        places = [(number, one) for number, each in enumerate(words) for one in each.word.candidates]
        return [
            _Chosen(places[index][1], places[index][0], ranking, False, False)
            for index, ranking in zip(*lattice.best_reading(classifier.characters), strict=True)
        ]

    line = see_line(words, letter_height, ink, views, shape)
    chosen: list[_Chosen] = []
    for one in read_both(
        line.experts, classifier.characters, MARKS, classifier.marks, classifier.context, line.word_of_part
    ):
        candidate, word = line.place(one)
        is_mark = one.ranking[0][0] in MARKS
        ranking = one.ranking if is_mark else calibrated(one.ranking, classifier.calibration)
        # Segmentation drops marks, so the line network alone sees most of them.
        uncut = one.candidate is None and not is_mark
        last = chosen[-1].word if chosen else 0
        chosen.append(_Chosen(candidate, max(word, last), ranking, uncut, one.disputed or uncut, one.by_ink))
    if "/" in classifier.marks:
        chosen = _with_slashes(chosen, words)
    if trace is not UNSEEN:
        path, rankings = line.cnn.best_reading(classifier.characters)
        by_cnn = [
            (ranking[0][0], line.candidates[index]) for index, ranking in zip(path, rankings, strict=True)
        ]
        read = [(one.ranking[0][0], one.candidate) for one in chosen]
        note_readers(trace, line.candidates, by_cnn, line.views, classifier.characters + MARKS, read)
    return chosen


def _with_slashes(chosen: Sequence[_Chosen], words: Sequence[ClassifiedWord]) -> list[_Chosen]:
    """Put in the slashes that segmentation is sure of and nothing was read for: bars that lean to the right.

    A 1 or an I that was read in such a bar is the slash; a bar that is part of a letter is its stroke.
    """
    found = list(chosen)
    for number, each in enumerate(words if chosen else ()):
        for bar in each.word.candidates:
            if bar.mark < CERTAIN_PROBABILITY or not _is_slash(bar):
                continue
            slash = _Chosen(bar, number, (("/", round(SLASH_TRUST * bar.mark, 6)),), False, True)
            middle = _middle(bar)
            at = sum(_middle(one.candidate) < middle for one in found)
            read = [place for place, one in enumerate(found) if one.shares_parts(bar, number)]
            beside = min(abs(_middle(one.candidate) - middle) for one in found)
            if read:
                one = found[read[0]]
                within = bar.first <= one.candidate.first and one.candidate.last <= bar.last
                if within and one.ranking[0][0] in "1I" and 0 < read[0] < len(found) - 1:
                    found[read[0]] = slash
            elif (
                0 < at < len(found)
                and beside > bar.ink.shape[1] / 4
                and not (found[at - 1].is_mark or found[at].is_mark)
            ):
                found.insert(at, slash)
    return found


def _is_slash(bar: Candidate) -> bool:
    """Whether a bar leans to the right, as walls of boxes and backslashes do not."""
    moments = cv2.moments(bar.ink)
    return bool(-moments["mu11"] >= LEAST_SLASH_LEAN_RATIO * moments["mu02"])


def _cell_of(candidate: Candidate, rows: Sequence[values.CellRow]) -> tuple[int, int] | None:
    """The numbers of the row and the cell in which the middle of a letter lies."""
    return cell_at(rows, _middle(candidate), candidate.top + candidate.ink.shape[0] / 2)


def _middle(candidate: Candidate) -> float:
    return float(candidate.left + candidate.ink.shape[1] / 2)


def _word_numbers(chosen: Sequence[_Chosen], words: Sequence[ClassifiedWord]) -> list[int]:
    """Return the number of each letter's word, from 1; words without a letter get none.

    A word ends at a gap, and at a slash that is not reported. A reported mark joins what stands beside it,
    but a full stop or comma beside a letter does not: J. SMITH.
    """
    reported = [_middle(one.candidate) for one in chosen if one.is_mark]
    slashes = [
        one.left
        for each in words
        for one in each.word.candidates
        if one.mark >= CERTAIN_PROBABILITY
        and not any(one.left <= middle <= one.left + one.ink.shape[1] for middle in reported)
    ]
    pieces = [(one.word, sum([left < one.candidate.left for left in slashes])) for one in chosen]
    first = {piece: piece for piece in pieces}
    texts = [one.ranking[0][0] for one in chosen]
    for at in range(1, len(chosen) - 1):
        before, mark, after = texts[at - 1 : at + 2]
        if mark in MARKS and (mark not in ".," or {before, after}.isdisjoint(LETTERS)):
            first[pieces[at]] = first[pieces[at + 1]] = first[pieces[at - 1]]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(first.values()), start=1)}
    return [numbers[first[piece]] for piece in pieces]


def _is_one_part(candidate: Candidate) -> bool:
    return candidate.last == candidate.first + 1


def _is_doubtful(word: Word, letter_height: float, classification: Classification) -> list[bool]:
    """Return for each component whether it may be anything but one certain letter."""
    # The ink of a candidate has a margin of one pixel on each side.
    widths = np.array([candidate.ink.shape[1] - 2 for candidate in word.candidates])
    one_letter = classification.probabilities.max(axis=1) * (1 - classification.reject)
    doubtful = (one_letter < DOUBTFUL_BELOW_PROBABILITY) | (
        widths > DOUBTFUL_ABOVE_LETTER_HEIGHTS * letter_height
    )
    return [bool(one) for one in doubtful]


def _glyphs(groups: Sequence[Sequence[Candidate]]) -> NDArray[np.uint8]:
    """Return the glyphs of candidates, one group after the other: uint8, n×28×28."""
    none = np.zeros((0, GLYPH_SIZE), np.uint8)
    glyphs = np.concatenate([none, *(candidate.glyph for group in groups for candidate in group)])
    return glyphs.reshape(-1, GLYPH_SIZE, GLYPH_SIZE)


def _box(box: values.Box) -> Box:
    return Box(box.x, box.y, box.width, box.height)
