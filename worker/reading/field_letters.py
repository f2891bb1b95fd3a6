"""Chooses the letters of a form's field: of all readings of its ink, the best one that the field allows.

With a line network, the readings of both readers and of the line network alone are each restricted to what is
allowed, and their mean decides, as on any line (`lettermill.worker.reading.both_readers`); the form was
removed from its views. Without a line network, the CNN reads alone. Marks are passed over, except those that
a field's kind reads: the separators of a date, the decimal mark of an amount.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import MARKS
from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.values import Box, Candidate, Ink
from lettermill.worker.reading.both_readers import Expert, ReadLetter, experts_of, read_both
from lettermill.worker.reading.calibration import calibrated
from lettermill.worker.reading.classifier import Classifier, Ranking
from lettermill.worker.reading.constraint import Constraint
from lettermill.worker.reading.context import Context
from lettermill.worker.reading.lattice import WordLattice, join_lattices
from lettermill.worker.reading.line_network import LineNetwork
from lettermill.worker.reading.line_views import views_of, whole_view
from lettermill.worker.reading.read_lines import ClassifiedWord, candidates_of, see_line
from lettermill.worker.reading.uncut_letters import uncut_candidate

MISFIT_NATS = 7.0
"""The fit is 0.5 if all allowed readings together are this much less likely than all readings."""

MISFIT_SLACK_NATS = 0.7
"""Range over which the fit falls from near 1 to near 0."""

SURE_PROBABILITY = 0.8
"""A letter that the CNN did not find is read if the readings of the line network agree on it this much."""

UNFOUND_LETTER_SHARE = 0.5
"""Height of such a letter, as a share of its field: its rows are not known."""

_MAX_EXPONENT = 80.0
"""Exponent at which the exponential is capped."""

Cell = Callable[[Box], int]
"""Returns the cell of a field in which a box lies; -1 if it is too wide for a letter."""


class FieldLetter(NamedTuple):
    """A letter of a field.

    Attributes:
        candidate: its ink.
        word: number of the word of the ink in which it lies.
        ranking: what it may be.
        uncut: whether the line network alone sees it.
        disputed: whether the readings disagree about it.
        by_ink: what the ink alone gives there, if a context changed it.
    """

    candidate: Candidate
    word: int
    ranking: Ranking
    uncut: bool = False
    disputed: bool = False
    by_ink: str | None = None

    @property
    def is_mark(self) -> bool:
        """Whether it is a mark between letters."""
        return self.ranking[0][0] in MARKS

    @property
    def place(self) -> Box:
        """The box that says in which cell it stands: of a letter that was not cut, its middle."""
        box = self.candidate.box
        return Box(box.x + box.width // 2, box.y, 1, 1) if self.uncut else box


def read_by_cnn(
    words: Sequence[ClassifiedWord], constraint: Constraint, cell: Cell, characters: str
) -> tuple[list[FieldLetter], float]:
    """Read a field by the CNN alone.

    Args:
        words: what the ink may be; at least one.
        constraint: what the field allows.
        cell: where a letter lies.
        characters: those that the CNN names.

    Returns:
        The letters from left to right, and how well they fit the field (0–1). If the field allows no reading,
        the free one, with a fit of 0.
    """
    lattice = join_lattices([word.lattice() for word in words])
    candidates = [candidate for word in words for candidate in word.word.candidates]
    word_of_candidate = [number for number, word in enumerate(words) for _ in word.word.candidates]
    restricted = constraint.restrict(lattice, [cell(candidate.box) for candidate in candidates])
    if restricted is None:
        path, rankings = lattice.best_reading(characters)
        fit = 0.0
    else:
        allowed, source = restricted
        best = allowed.best_path()
        path = source[best].tolist()
        columns = allowed.scores[best, :-1].argmax(axis=1).tolist()
        shares = np.zeros_like(lattice.scores)
        np.add.at(shares, source, allowed.posteriors())
        of_letters = shares[:, :-1]
        log_shares = np.log(of_letters, out=np.full_like(of_letters, -np.inf), where=of_letters > 0)
        letters = list(zip(path, columns, strict=True))
        rankings = lattice.rank(letters, log_shares, of_letters.sum(axis=1), characters)
        fit = _fit(lattice.log_total() - allowed.log_total())
    found = [
        FieldLetter(candidates[index], word_of_candidate[index], ranking)
        for index, ranking in zip(path, rankings, strict=True)
    ]
    return found, fit


def read_by_both(
    writing: NDArray[np.uint8],
    words: Sequence[ClassifiedWord],
    ink: Ink,
    constraint: Constraint,
    cell: Cell,
    classifier: Classifier,
    network: LineNetwork,
    context: Context | None = None,
    marks: str = "",
) -> tuple[list[FieldLetter], float]:
    """Read a field by both readers.

    Args:
        writing: uint8, h×w: the field without its print.
        words: what the ink may be; at least one.
        ink: the frame of the words.
        constraint: what the field allows.
        cell: where a letter lies.
        classifier: knows the glyphs.
        network: the line network.
        context: what is likely to be written there.
        marks: those that are read between its letters.

    Returns:
        As `read_by_cnn`.
    """
    height = words[0].letter_height
    views = views_of(writing, candidates_of(words), height, ink, network, whole=False)
    line = see_line(words, height, ink, views, writing.shape)
    cells = [cell(candidate.box) for candidate in line.candidates]
    read, fit = _read_allowed(
        line.experts, constraint, cells, cell, ink, classifier.characters, context, line.word_of_part, marks
    )
    found = []
    for one in read:
        # Segmentation drops marks, so the line network alone sees most of them.
        is_mark = one.ranking[0][0] in MARKS
        ranking = one.ranking if is_mark else calibrated(one.ranking, classifier.calibration)
        uncut = one.candidate is None and not is_mark
        found.append(FieldLetter(*line.place(one), ranking, uncut, one.disputed or uncut, one.by_ink))
    return found, fit


def read_unfound(
    writing: NDArray[np.uint8],
    inside: Box,
    constraint: Constraint,
    cell: Cell,
    characters: str,
    network: LineNetwork,
) -> tuple[list[FieldLetter], float]:
    """Read a field in which the CNN found no letter, by the line network alone.

    Args:
        writing: uint8, h×w: the field without its print.
        inside: the field's own box in it.
        constraint: what the field allows.
        cell: where a letter lies.
        characters: those that the CNN names.
        network: the line network.

    Returns:
        As `read_by_cnn`; nothing if the network isn't sure of every letter.
    """
    rows, columns = (slice(inside.y, inside.y + inside.height), slice(inside.x, inside.x + inside.width))
    ink = Ink(np.zeros_like(writing), 0.0, np.eye(2, 3))
    mask = ink.mask[rows, columns]
    nothing = Candidate(inside, mask, np.zeros((GLYPH_SIZE, GLYPH_SIZE), np.uint8), inside.x, inside.y, 0, 1)
    scores = np.array([[-np.inf] * len(characters) + [0.0]])
    lattice = WordLattice(1, np.array([0]), np.array([1]), scores)
    view = whole_view(np.ascontiguousarray(writing[rows, columns]), network)
    view = dataclasses.replace(view, left=view.left + inside.x)
    parts = np.array([[inside.x, inside.x + inside.width]], np.float64)
    experts = experts_of(lattice, None, parts, [view], len(MARKS))

    read, fit = _read_allowed(experts, constraint, [-1], cell, ink, characters)
    if any(one.ranking[0][1] < SURE_PROBABILITY for one in read):
        return [], 0.0
    height = UNFOUND_LETTER_SHARE * inside.height
    found = [
        FieldLetter(
            uncut_candidate(one.left, one.right, [nothing], height, ink, writing.shape),
            0,
            one.ranking,
            True,
            True,
        )
        for one in read
    ]
    return found, fit


def _read_allowed(
    experts: Sequence[Expert],
    constraint: Constraint,
    cells: Sequence[int],
    cell: Cell,
    ink: Ink,
    characters: str,
    context: Context | None = None,
    word_of_part: Sequence[int] = (),
    marks: str = "",
) -> tuple[list[ReadLetter], float]:
    """Return the best reading that a field allows, and how well it fits; the free one if it allows none.

    Args:
        experts: read everything.
        constraint: what the field allows.
        cells: those of the candidates.
        cell: where a letter lies.
        ink: the frame of the arcs.
        characters: those of the columns of the experts' lattices.
        context: what is likely to be written there.
        word_of_part: for each part of the field the number of its word.
        marks: those that are read between its letters.
    """
    restricted = [_restrict(expert, constraint, cells, cell, ink) for expert in experts]
    pairs = [(free, one) for free, one in zip(experts, restricted, strict=True) if one is not None]
    log_shares = [one.lattice.log_total() - free.lattice.log_total() for free, one in pairs]
    fit = _fit(float(np.log(len(experts)) - np.logaddexp.reduce(log_shares, initial=-np.inf)))

    readers = [one for _, one in pairs] or list(experts)
    # One that is sure of nothing would outvote those that are unsure of one of many letters.
    speaking = [one for one in readers if one.best_text()]
    if 2 * len(speaking) > len(readers):
        readers = speaking
    return read_both(readers, characters, MARKS, marks, context, word_of_part), fit


def _restrict(
    expert: Expert, constraint: Constraint, cells: Sequence[int], cell: Cell, ink: Ink
) -> Expert | None:
    """Leave out of an expert's lattice what a field does not allow; None if nothing is left."""
    arcs = expert.arcs
    middles = expert.middles()[arcs.candidates : arcs.candidates + arcs.uncut].tolist()
    row = ink.mask.shape[0] / 2
    of_uncut = [cell(Box(round(float(ink.to_page[0] @ (x, row, 1))), 0, 1, 1)) for x in middles]
    pieces = [-1] * (len(arcs.first) - len(cells) - len(of_uncut))
    of_arcs = np.array([*cells, *of_uncut, *pieces])
    restricted = constraint.restrict(expert.lattice, of_arcs[expert.source].tolist())
    if restricted is None:
        return None
    lattice, source = restricted
    return dataclasses.replace(expert, lattice=lattice, source=source)


def _fit(nats: float) -> float:
    """Return how well a field fits if all allowed readings are this much less likely than all readings."""
    return float(1 / (1 + np.exp(min((nats - MISFIT_NATS) / MISFIT_SLACK_NATS, _MAX_EXPONENT))))
