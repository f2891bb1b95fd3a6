"""Hold which fields of a job's forms people should look at, and what was decided about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.inputs.form_template import Template
from lettermill.jobs.job.corrections import Correction, Decision, FieldText, read_text
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import READ, Letter, PageReading
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.field_place import FieldPlace, place_of
from lettermill.jobs.results.flagging import flagging_of
from lettermill.jobs.results.form_values import form_values


@dataclasses.dataclass(frozen=True, slots=True)
class FieldRead:
    """A field as it was read.

    Attributes:
        name: its name in the template.
        text: what was read; may be empty.
        letters: its letters.
        doubt: why a person should check it; empty if nobody needs to.
        place: where it is.
    """

    name: str
    text: str
    letters: tuple[Letter, ...]
    doubt: str
    place: FieldPlace


@dataclasses.dataclass(frozen=True, slots=True)
class FieldProgress:
    """How far the review of the fields is.

    Attributes:
        fields: all fields of the pages that were read.
        to_look_at: undecided fields that a person should check.
        forms: the pages that have such fields.
        decided: fields that a person decided.
        corrected: how many of these were read wrongly.
    """

    fields: int
    to_look_at: int
    forms: int
    decided: int
    corrected: int


class FieldTable:
    """The fields of the pages of a job that has a template.

    Args:
        job: the job.
        template: its template.
        acceptance: what is accepted unseen; None for the flags of the job.

    Attributes:
        names: the names of the fields, in the order of the template.
        pages: the pages of the job, in the order of the manifest.
    """

    def __init__(self, job: Job, template: Template, acceptance: Acceptance | None = None) -> None:
        self._job = job
        self._template = template
        self.names = [field.name for field in template.fields]
        self._flagging = flagging_of(job, acceptance)
        self.pages: list[ManifestEntry] = [entry for entry, _ in job.manifest()]
        self._numbers = {entry.id: number for number, entry in enumerate(self.pages)}
        self._doubtful: dict[int, frozenset[str]] = {}
        self._said: dict[int, dict[str, FieldText]] = {}
        self._seen: set[str] = set()
        self.add_new_pages()

    def add_new_pages(self) -> bool:
        """Add the pages that have a result by now; return whether there are new ones."""
        if len(self._seen) == len(self.pages):
            return False
        before = len(self._seen)
        new = [entry.id for entry in self.pages if entry.id not in self._seen]
        finished = self._job.results.ids()
        for page_id, reading in self._job.results.read_each([one for one in new if one in finished]):
            self._seen.add(page_id)
            if isinstance(reading, PageReading) and reading.status in READ:
                form = form_values(self._template, self._flagging.applied(reading))
                self._doubtful[self._numbers[page_id]] = frozenset(form.look_at)
        return len(self._seen) > before

    def note(self, said: FieldText) -> list[Correction] | None:
        """Enter a decision.

        Returns:
            What it says about the letters of the field; None if the field is not among the results.
        """
        number = self._numbers.get(said.page)
        if number is None or number not in self._doubtful or said.field not in self.names:
            return None
        reading = self._reading(number)
        if not said.is_about(reading):
            return None
        self._said.setdefault(number, {})[said.field] = said
        lines = enumerate(reading.lines, 1)
        return [one for at, line in lines if line.field == said.field for one in said.letters(at, line)]

    def decision(self, number: int, name: str) -> FieldText | None:
        """Return the latest decision about a field of a page; None if it is undecided."""
        said = self._said.get(number, {}).get(name)
        return said if said and said.decision != Decision.OPEN else None

    def forms_to_look_at(self) -> Iterator[int]:
        """Yield the numbers of the pages with undecided fields that a person should check."""
        return (number for number in sorted(self._doubtful) if self._open(number))

    def _open(self, number: int) -> frozenset[str]:
        said = self._said.get(number)
        if not said:
            return self._doubtful[number]
        return frozenset(name for name in self._doubtful[number] if self.decision(number, name) is None)

    def is_form(self, number: int) -> bool:
        """Say whether a page with this number was read as a copy of the form."""
        return number in self._doubtful

    def fields(self, number: int) -> list[FieldRead]:
        """Return the fields of a page as they were read, those to look at first.

        Raises:
            NotAJob: the result is gone or damaged.
        """
        reading = self._flagging.applied(self._reading(number))
        values = form_values(self._template, reading).values
        letters = {line.field: line.letters for line in reading.lines}
        fields = [
            FieldRead(
                field.name,
                read_text(reading, field.name),
                letters.get(field.name, ()),
                value.doubt,
                place_of(self._template, reading, field.name),
            )
            for field, value in zip(self._template.fields, values, strict=True)
        ]
        return sorted(fields, key=lambda field: not field.doubt)

    def place(self, number: int, name: str) -> FieldPlace:
        """Return where a field is.

        Raises:
            NotAJob: the result is gone or damaged.
        """
        return place_of(self._template, self._reading(number), name)

    def has_list(self, name: str) -> bool:
        """Say whether a field has a word list, whose entries may have small letters."""
        return self._template.fields[self.names.index(name)].lexicon is not None

    def progress(self) -> FieldProgress:
        """Return how far the review is."""
        said = [one for of_page in self._said.values() for one in of_page.values()]
        left = [len(self._open(number)) for number in self._doubtful]
        return FieldProgress(
            fields=len(self._doubtful) * len(self.names),
            to_look_at=sum(left),
            forms=sum(count > 0 for count in left),
            decided=sum(one.decision != Decision.OPEN for one in said),
            corrected=sum(one.decision == Decision.CORRECTED for one in said),
        )

    def _reading(self, number: int) -> PageReading:
        reading = self._job.results.read(self.pages[number].id)
        if reading is None:
            raise NotAJob("the result of the page is gone", "Start the review of this job again.")
        return reading
