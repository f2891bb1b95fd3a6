"""Reading a form: the scan is laid on the blank, and each field is read by itself, as its template allows."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.inputs import form_template as template
from lettermill.jobs.records import readings
from lettermill.jobs.records.readings import Letter, LineReading
from lettermill.jobs.settings import Settings
from lettermill.segmentation.boxes import clip_to_page, enclosing_box
from lettermill.segmentation.form_dropout import drop_form
from lettermill.segmentation.page import segment
from lettermill.segmentation.registration import (
    NOT_FOUND,
    Blank,
    Registration,
    cut,
    mapped,
    prepare,
    register,
    scale_of,
)
from lettermill.segmentation.values import Box, Quality, Segmentation
from lettermill.worker.reading.classifier import Classifier, Ranking
from lettermill.worker.reading.constraint import Constraint, constraint_of
from lettermill.worker.reading.lattice import WordLattice, joined
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import examine, see_pieces

MARGIN = 0.3
"""Of a field's height, what is looked at around it: letters leave their boxes."""

WIDEST_LETTER = 1.45
"""Cells of a comb that a letter may cover: an M that leans into its neighbours' cells."""

MISFIT = 7.0
"""Nats by which the best allowed reading may be less likely than the free one; see docs/forms.md."""

MISFIT_SLACK = 0.7
"""Nats over which that doubt grows."""

FITS = 0.5
"""How well a reading must fit its field, or all of its letters are flagged."""

LARGEST = 1.5
"""Pixels in one of the blank at which a field is read at most: the CNN sees 22 of a letter."""


@dataclasses.dataclass(frozen=True)
class _FormField:
    name: str
    box: Box
    comb: int | None
    constraint: Constraint
    lexicon: Lexicon | None
    words: bool

    def cell(self, part: _Part, box: Box) -> int:
        """Return the cell of a candidate, 0 without a comb; -1 where it is too wide for a letter."""
        if self.comb is None:
            return 0
        left, _ = part.of_blank(self.box.x, self.box.y)
        pitch = self.box.width * part.scale / self.comb
        if box.width > WIDEST_LETTER * pitch:
            return -1
        return min(max(0, int((box.x + box.width / 2 - left) // pitch)), self.comb - 1)

    @property
    def frame(self) -> Box:
        """The field and what is looked at around it, in pixels of the blank."""
        margin = round(MARGIN * self.box.height)
        return Box(
            self.box.x - margin,
            self.box.y - margin,
            self.box.width + 2 * margin,
            self.box.height + 2 * margin,
        )


class Form:
    """A template made ready for reading.

    Args:
        of: the template.
        classifier: knows the glyphs of all fields.
    """

    def __init__(self, of: template.Template, classifier: Classifier) -> None:
        self._classifier = classifier
        self._fields = [
            _FormField(
                field.name,
                Box(field.box.x, field.box.y, field.box.width, field.box.height),
                field.comb,
                constraint_of(field.automaton, field.comb, classifier.characters),
                Lexicon(field.lexicon) if field.lexicon else None,
                field.words,
            )
            for field in of.fields
        ]
        self._printed = of.blank
        self._blank: Blank | None
        try:
            self._blank = prepare(of.blank)
        except ValueError:  # Each page says so: whoever reads it made no template.
            self._blank = None

    def read(
        self, page: NDArray[np.uint8], settings: Settings
    ) -> tuple[tuple[LineReading, ...], Segmentation]:
        """Read the fields of a page.

        Args:
            page: uint8, h×w, grey.
            settings: below which confidence a letter is flagged.

        Returns:
            A line for each field that is not empty, in the order of the template, boxes in pixels of the
            page; and how the page lies and what was measured of it, with the lines of all fields, each in
            the frame of its own.

        Raises:
            ScanError: the page is not this form.
        """
        found = self._lay(page)
        parts = [_Part(page, found, self._printed, field.frame) for field in self._fields]
        segmented = [
            segment(part.writing(field.box), "line", "keep")
            for part, field in zip(parts, self._fields, strict=True)
        ]
        lines = [
            self._read_field(*each, settings) for each in zip(self._fields, parts, segmented, strict=True)
        ]
        quarters = round(found.degrees / 90) % 4
        skew = (found.degrees + 45) % 90 - 45
        quality = _typical([each.quality for each in segmented if each.lines], parts[0].scale)
        seen = tuple(itertools.chain.from_iterable(each.lines for each in segmented))
        return tuple(line for line in lines if line), Segmentation(seen, skew, quality, quarters)

    def _lay(self, page: NDArray[np.uint8]) -> Registration:
        if self._blank is None:
            raise ScanError(
                ErrorCode.FORM_NOT_FOUND,
                "too little is printed on the template's blank form for a scan to be laid on it: "
                "give a blank with all of the form's captions and boxes",
            )
        found = register(self._blank, page, [field.box for field in self._fields])
        if found.matches:
            return found
        what = "the page is not the form of the template"
        if found != NOT_FOUND:
            what += f": {found.found:.0%} of its print was found"
        if found.lost:
            what += ", none or little around " + ", ".join(self._fields[number].name for number in found.lost)
        raise ScanError.with_remedy(ErrorCode.FORM_NOT_FOUND, what)

    def _read_field(
        self, field: _FormField, part: _Part, segmented: Segmentation, settings: Settings
    ) -> LineReading | None:
        """Read one field; None where it is empty."""
        characters = self._classifier.characters
        seen = see_pieces(segmented, self._classifier)
        words = examine(segmented, seen, part.shape, self._classifier)
        lattices = [word.lattice() for word in words]
        if not any(lattice.best_path() for lattice in lattices):
            return None
        lattice = joined(lattices)
        candidates = [candidate for word in words for candidate in word.word.candidates]
        numbers = [number for number, word in enumerate(words) for _ in word.word.candidates]
        cells = [field.cell(part, candidate.box) for candidate in candidates]
        path, rankings, fit = _reading(lattice, field.constraint, cells, characters)
        if not path:
            return None
        # A new word begins where the writer left a gap, or a cell of a comb empty.
        places, next_to = (cells, 1) if field.comb else (numbers, 0)
        letters = []
        word = 1
        for before, index, ranking in zip([path[0], *path], path, rankings, strict=False):
            word += field.words and places[index] - places[before] > next_to
            flagged = fit < FITS or ranking[0][1] < settings.flag_below
            letters.append(Letter(part.on_page(candidates[index].box), word, ranking, flagged))
        line = LineReading(_around(letters), tuple(letters), "", field.name, _confidence(letters, fit))
        if field.lexicon is None:
            return line
        read = ["".join(each) for each in _by_number(path, rankings, numbers, len(words))]
        columns = [characters.index(character) for character in field.lexicon.characters]
        restricted = [_restricted(each, columns) for each in lattices]
        lexicon_text = field.lexicon.read(list(zip(read, restricted, strict=True)))
        return msgspec.structs.replace(line, lexicon_text=lexicon_text)


def _reading(
    lattice: WordLattice, constraint: Constraint, cells: Sequence[int], characters: str
) -> tuple[list[int], list[Ranking], float]:
    """The best reading that a field allows, and how well it fits (0–1): candidates and what they may be.

    Where none is allowed, the free one, which does not fit.
    """
    letters = constraint.best(lattice, cells)
    if letters is None:
        return *lattice.reading(characters), 0.0
    likely, total = constraint.log_posteriors(lattice, cells)
    cuts = np.exp(np.logaddexp.reduce(likely, axis=1))
    fit = 1 / (1 + np.exp((lattice.log_total() - total - MISFIT) / MISFIT_SLACK))
    return [index for index, _ in letters], lattice.ranked(letters, likely, cuts, characters), float(fit)


def _confidence(letters: Sequence[Letter], fit: float) -> float:
    """How sure it is that all letters are right: as if each were right or wrong by itself."""
    return round(fit * float(np.prod([letter.confidence for letter in letters])), 6)


def _around(letters: Sequence[Letter]) -> readings.Box:
    found = enclosing_box([Box(one.box.x, one.box.y, one.box.width, one.box.height) for one in letters])
    return readings.Box(found.x, found.y, found.width, found.height)


def _by_number(
    path: Sequence[int], rankings: Sequence[Ranking], numbers: Sequence[int], count: int
) -> list[list[str]]:
    """The letters of each word as segmentation found them."""
    words: list[list[str]] = [[] for _ in range(count)]
    for index, ranking in zip(path, rankings, strict=True):
        words[numbers[index]].append(ranking[0][0])
    return words


def _restricted(lattice: WordLattice, columns: Sequence[int]) -> WordLattice:
    """A lattice over some of its characters."""
    return dataclasses.replace(lattice, scores=lattice.scores[:, [*columns, -1]])


class _Part:
    """A field on a scan.

    Args:
        page: uint8, h×w: the scan.
        found: how it lies.
        printed: uint8, h×w: the blank form.
        frame: the part of the blank that is cut out.
    """

    def __init__(
        self, page: NDArray[np.uint8], found: Registration, printed: NDArray[np.uint8], frame: Box
    ) -> None:
        self.scale = min(LARGEST, scale_of(found.to_scan, printed.shape))
        self._frame = frame
        self._page_shape = page.shape
        self._to_scan = found.to_scan
        self._scan = cut(page, found.to_scan, frame, self.scale)
        self._blank = cut(printed, np.eye(3), frame, self.scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels."""
        return self._scan.shape

    def writing(self, field: Box) -> NDArray[np.uint8]:
        """Return what was written into the field, without the form."""
        left, top = self.of_blank(field.x, field.y)
        right, low = self.of_blank(field.x + field.width, field.y + field.height)
        return drop_form(self._scan, self._blank, (round(left), round(top), round(right), round(low)))

    def of_blank(self, x: float, y: float) -> tuple[float, float]:
        """Return where the corner of a pixel of the blank lies here."""
        return (x - self._frame.x) * self.scale, (y - self._frame.y) * self.scale

    def on_page(self, box: Box) -> readings.Box:
        """Return the smallest box on the scan around a box of this part."""
        x = self._frame.x + np.array([box.x, box.x + box.width]) / self.scale
        y = self._frame.y + np.array([box.y, box.y + box.height]) / self.scale
        corners = np.array([(right, down) for right in x for down in y]) - 0.5
        places = mapped(self._to_scan, corners) + 0.5
        low, high = np.floor(places.min(axis=0) + 0.01), np.ceil(places.max(axis=0) - 0.01)
        edges = [int(low[0]), int(low[1]), int(high[0]), int(high[1])]
        found = clip_to_page(edges, self._page_shape)
        return readings.Box(found.x, found.y, found.width, found.height)


def _typical(qualities: Sequence[Quality], scale: float) -> Quality:
    """The median over the fields; nothing of a form without letters."""
    names = [field.name for field in dataclasses.fields(Quality)]
    values = {name: [v for v in (getattr(one, name) for one in qualities) if v is not None] for name in names}
    return Quality(**{name: float(np.median(seen)) if seen else None for name, seen in values.items()})
