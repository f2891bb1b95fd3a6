"""Reads a form: registers the scan to the blank form, and reads each field as the template allows."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.inputs.field_kinds import FieldKind
from lettermill.jobs.inputs.form_template import Template
from lettermill.jobs.records import readings
from lettermill.jobs.records.readings import Letter, LineReading
from lettermill.jobs.settings import Settings
from lettermill.segmentation.boxes import clip_to_page, enclosing_box
from lettermill.segmentation.form_dropout import drop_form, written_share
from lettermill.segmentation.page import segment
from lettermill.segmentation.registration import (
    NOT_FOUND,
    Blank,
    Registration,
    cut,
    is_same,
    mapped,
    prepare,
    register,
    scale_of,
)
from lettermill.segmentation.values import Box, Quality, Segmentation
from lettermill.worker.reading.calibration import Knots, field_confidence
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.constraint import Constraint, make_constraint
from lettermill.worker.reading.context import Context
from lettermill.worker.reading.doubts import lower_doubtful
from lettermill.worker.reading.field_letters import FieldLetter, read_by_both, read_by_cnn, read_unfound
from lettermill.worker.reading.filled_fields import filled_fields
from lettermill.worker.reading.lattice import WordLattice
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import classify_candidates, classify_components
from lettermill.worker.reading.ticks import bounds_of, read_tick

MARGIN_FIELD_HEIGHTS = 0.3
"""Margin around a field that is read as well, because letters leave their boxes."""

WIDEST_LETTER_CELLS = 1.45
"""Widest letter in a comb: an M that leans into the neighbouring cells."""

FLAG_BELOW_FIT = 0.5
"""All letters of a field are flagged if its reading fits less than this (0–1)."""

INKED_MARGIN_HEIGHTS = 2.0
"""Margin around a tick box or signature in which print is searched for as well, in heights of the field."""

EDGE_SHARE = 0.1
"""Margin inside a tick box, as a share of its shorter side: what is left of its frame does not count."""

MAX_SCALE = 1.5
"""Largest scale at which a field is read, in pixels per pixel of the blank: the CNN sees 22 of a letter."""


@dataclasses.dataclass(frozen=True)
class _FormField:
    """A field of a template, prepared for reading. Its box is in pixels of the blank."""

    name: str
    box: Box
    comb: int | None
    constraint: Constraint
    lexicon: Lexicon | None
    context: Context | None
    words: bool
    kind: FieldKind

    def cell(self, crop: _FieldCrop, box: Box) -> int:
        """Return the number of the cell in which a candidate lies.

        Args:
            crop: the field on the scan.
            box: of the candidate, in pixels of the crop.

        Returns:
            From 0; 0 for a field without a comb; -1 if the candidate is too wide for a letter.
        """
        if self.comb is None:
            return 0
        left, _ = crop.from_blank(self.box.x, self.box.y)
        pitch = self.box.width * crop.scale / self.comb
        if box.width > WIDEST_LETTER_CELLS * pitch:
            return -1
        return min(max(0, int((box.x + box.width / 2 - left) // pitch)), self.comb - 1)

    @property
    def surroundings(self) -> Box:
        """The part of the blank whose print must be on the scan: a tick covers print that is near it."""
        if bounds_of(self.kind) is None:
            return self.box
        return _grown(self.box, round(INKED_MARGIN_HEIGHTS * self.box.height))

    @property
    def frame(self) -> Box:
        """The field with its margin, in pixels of the blank."""
        return _grown(self.box, round(MARGIN_FIELD_HEIGHTS * self.box.height))


def _grown(box: Box, margin: int) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)


class Form:
    """A template, prepared for reading.

    Args:
        template: the template.
        classifier: knows the glyphs of all fields.
    """

    def __init__(self, template: Template, classifier: Classifier) -> None:
        self._classifier = classifier
        self._fields = [
            _FormField(
                field.name,
                Box(field.box.x, field.box.y, field.box.width, field.box.height),
                field.comb,
                make_constraint(field.automaton, field.comb, classifier.characters),
                Lexicon(field.lexicon) if field.lexicon else None,
                Context(field.context.ngram, classifier.characters) if field.context else None,
                field.words,
                field.kind,
            )
            for field in template.fields
        ]
        self._blank_image = template.blank
        self._blank: Blank | None
        try:
            self._blank = prepare(template.blank)
        except ValueError:
            # Reported for each page by `_register`: whoever reads pages did not make the template.
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
            page; and the rotation and quality of the page, with the lines of all fields, each in the frame of
            its own crop.

        Raises:
            ScanError: the page is not this form.
        """
        registration = self._register(page)
        lines: list[LineReading | None] = []
        segmented: list[Segmentation] = []
        for field in self._fields:
            crop = _FieldCrop(page, registration, self._blank_image, field.frame)
            if bounds := bounds_of(field.kind):
                share = crop.written_share(field.box)
                lines.append(read_tick(field.name, crop.to_page(crop.inside(field.box)), share, bounds))
                continue
            writing = crop.without_form(field.box)
            segmented.append(segment(writing, "line", "keep"))
            lines.append(self._read_field(field, crop, writing, segmented[-1], settings))

        quarters = round(registration.degrees / 90) % 4
        skew = (registration.degrees + 45) % 90 - 45
        quality = _median_quality([each.quality for each in segmented if each.lines])
        found = tuple(itertools.chain.from_iterable(each.lines for each in segmented))
        return tuple(line for line in lines if line), Segmentation(found, skew, quality, quarters)

    def pictures(self, page: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
        """Cut each field with its margin out of a page, straight: uint8, h×w, by the field's name.

        Args:
            page: uint8, h×w, grey.

        Raises:
            ScanError: the page is not this form.
        """
        registration = self._register(page)
        return {
            field.name: _FieldCrop(page, registration, self._blank_image, field.frame).scan
            for field in self._fields
        }

    def _register(self, page: NDArray[np.uint8]) -> Registration:
        """Find how the blank form lies on a page.

        Raises:
            ScanError: the page is not this form.
        """
        if self._blank is None:
            raise ScanError(
                ErrorCode.FORM_NOT_FOUND,
                "too little is printed on the template's blank form to align a scan with it: "
                "give a blank form with all captions and boxes",
            )
        found = register(self._blank, page, [field.surroundings for field in self._fields])
        if found.matches:
            self._refuse_filled_blank(page, found)
            return found

        what = "the page is not the form of the template"
        if found != NOT_FOUND:
            what += f": {found.found:.0%} of its print was found"
        if found.lost:
            what += ", none or little around " + ", ".join(self._fields[number].name for number in found.lost)
        raise ScanError.with_remedy(ErrorCode.FORM_NOT_FOUND, what)

    def _refuse_filled_blank(self, page: NDArray[np.uint8], found: Registration) -> None:
        """Refuse the sheet that serves as the blank although it is filled in: it would come out empty.

        Raises:
            ScanError: the page is the blank form, and there is writing in its fields.
        """
        network = self._classifier.region_network
        if network is None or not self._blank or not is_same(self._blank, page, found.to_scan):
            return
        filled = filled_fields(self._blank_image, [field.box for field in self._fields], network)
        if filled:
            names = ", ".join(self._fields[number].name for number in filled)
            raise ScanError.with_remedy(
                ErrorCode.BLANK_IS_FILLED,
                f"the page is the template's blank form, and what is written on it counts as print: {names}",
            )

    def _read_field(
        self,
        field: _FormField,
        crop: _FieldCrop,
        writing: NDArray[np.uint8],
        segmented: Segmentation,
        settings: Settings,
    ) -> LineReading | None:
        """Read one field; None if it is empty."""
        classifier = self._classifier
        components = classify_components(segmented, classifier)
        classified = classify_candidates(segmented, components, crop.shape, classifier)
        words = classified if any(word.lattice().best_path() for word in classified) else []
        cell = functools.partial(field.cell, crop)
        network, ink = classifier.line_network, segmented.ink
        found: list[FieldLetter] = []
        fit = 0.0
        if words and network and ink:
            found, fit = read_by_both(
                writing,
                words,
                ink,
                field.constraint,
                cell,
                classifier,
                network,
                field.context,
                field.kind.marks,
            )
        elif words:
            found, fit = read_by_cnn(words, field.constraint, cell, classifier.characters)
        elif network:
            inside = crop.inside(field.box)
            found, fit = read_unfound(writing, inside, field.constraint, cell, classifier.characters, network)
        if not found:
            return None
        rankings = [one.ranking for one in found]
        if words:
            chosen = [one.candidate for one in found]
            rankings = lower_doubtful(chosen, rankings, words[0].letter_height, segmented.struck)

        # A new word begins after a gap; in a comb, after an empty cell.
        positions = [cell(one.place) if field.comb else one.word for one in found]
        max_step = 1 if field.comb else 0
        letters = []
        word = 1
        for before, here, one, ranking in zip(
            [positions[0], *positions], positions, found, rankings, strict=False
        ):
            word += field.words and here - before > max_step
            # The rule of a date or an amount checks its marks.
            is_sure = ranking[0][1] >= settings.flag_below or (one.is_mark and field.kind.has_value)
            flagged = one.uncut or fit < FLAG_BELOW_FIT or not is_sure
            box = crop.to_page(one.candidate.box)
            letters.append(Letter(box, word, ranking, flagged, one.disputed, one.by_ink))
        # Only what both readers read was measured.
        knots = classifier.field_calibration if words and network else ()
        confidence = _confidence(letters, fit, knots)
        line = LineReading(_box_around(letters), tuple(letters), "", field.name, confidence)

        if field.lexicon is None:
            return line
        if not words:
            return msgspec.structs.replace(line, lexicon_text=line.text)
        texts = [""] * len(words)
        for one, ranking in zip(found, rankings, strict=True):
            texts[one.word] += ranking[0][0]
        columns = [classifier.characters.index(character) for character in field.lexicon.characters]
        restricted = [_restrict(word.lattice(), columns) for word in words]
        lexicon_text = field.lexicon.read(list(zip(texts, restricted, strict=True)))
        return msgspec.structs.replace(line, lexicon_text=lexicon_text)


def _confidence(letters: Sequence[Letter], fit: float, knots: Knots) -> float:
    """Return the confidence that all letters, marks apart, are right; without knots, as if independent."""
    confidences = [letter.confidence for letter in letters if not letter.is_mark]
    measured = field_confidence(confidences, knots)
    return round(fit * (float(np.prod(confidences)) if measured is None else measured), 6)


def _box_around(letters: Sequence[Letter]) -> readings.Box:
    found = enclosing_box([Box(one.box.x, one.box.y, one.box.width, one.box.height) for one in letters])
    return readings.Box(found.x, found.y, found.width, found.height)


def _restrict(lattice: WordLattice, columns: Sequence[int]) -> WordLattice:
    """Return a lattice over some of its characters, given as columns of its scores."""
    return dataclasses.replace(lattice, scores=lattice.scores[:, [*columns, -1]])


class _FieldCrop:
    """A field cut out of a scan, and how its pixels map to the scan and the blank.

    Args:
        page: uint8, h×w: the scan.
        registration: how the blank form lies on it.
        blank: uint8, h×w: the blank form.
        frame: the part of the blank that is cut out.
    """

    def __init__(
        self, page: NDArray[np.uint8], registration: Registration, blank: NDArray[np.uint8], frame: Box
    ) -> None:
        self.scale = min(MAX_SCALE, scale_of(registration.to_scan, blank.shape))
        self._frame = frame
        self._page_shape = page.shape
        self._to_scan = registration.to_scan
        self.scan = cut(page, registration.to_scan, frame, self.scale)
        self._blank = cut(blank, np.eye(3), frame, self.scale)

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width in pixels."""
        return self.scan.shape

    def without_form(self, field: Box) -> NDArray[np.uint8]:
        """Return the crop with the printed form removed: uint8, h×w.

        Args:
            field: its box, in pixels of the blank.
        """
        box = self.inside(field)
        return drop_form(self.scan, self._blank, (box.x, box.y, box.x + box.width, box.y + box.height))

    def written_share(self, field: Box) -> float:
        """Return the share of a field, without its edge, that is ink and not print."""
        box = self.inside(field)
        edge = round(EDGE_SHARE * min(box.width, box.height))
        return written_share(
            self.scan,
            self._blank,
            (box.x + edge, box.y + edge, box.x + box.width - edge, box.y + box.height - edge),
        )

    def inside(self, field: Box) -> Box:
        """Return a box of the blank in pixels of the crop."""
        left, top = self.from_blank(field.x, field.y)
        right, low = self.from_blank(field.x + field.width, field.y + field.height)
        return Box(round(left), round(top), round(right) - round(left), round(low) - round(top))

    def from_blank(self, x: float, y: float) -> tuple[float, float]:
        """Map the corner of a pixel of the blank to the crop."""
        return (x - self._frame.x) * self.scale, (y - self._frame.y) * self.scale

    def to_page(self, box: Box) -> readings.Box:
        """Return the smallest box on the scan around a box of the crop."""
        x = self._frame.x + np.array([box.x, box.x + box.width]) / self.scale
        y = self._frame.y + np.array([box.y, box.y + box.height]) / self.scale
        corners = np.array([(right, down) for right in x for down in y]) - 0.5
        on_scan = mapped(self._to_scan, corners) + 0.5
        low, high = np.floor(on_scan.min(axis=0) + 0.01), np.ceil(on_scan.max(axis=0) - 0.01)
        edges = [int(low[0]), int(low[1]), int(high[0]), int(high[1])]
        found = clip_to_page(edges, self._page_shape)
        return readings.Box(found.x, found.y, found.width, found.height)


def _median_quality(qualities: Sequence[Quality]) -> Quality:
    """Return the median of each measure over the fields that have letters."""
    names = [field.name for field in dataclasses.fields(Quality)]
    values = {name: [v for v in (getattr(one, name) for one in qualities) if v is not None] for name in names}
    return Quality(**{name: float(np.median(found)) if found else None for name, found in values.items()})
