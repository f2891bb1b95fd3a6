"""Run the review of a job: which tab shows which letters, decisions and undo.

A tab holds the letters that it shows, so that no other tab of this or another process gets them. If two
people decide about one letter all the same, the second decision is not written, and that person is shown why.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import threading
import time
import unicodedata
from collections.abc import Sequence

import msgspec

from lettermill.jobs.job.corrections import (
    Correction,
    Corrections,
    Decision,
    FieldText,
    Key,
    what_is_said,
)
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Letter
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.counted import counted
from lettermill.jobs.web.crops import Crops
from lettermill.jobs.web.field_table import FieldRead, FieldTable
from lettermill.jobs.web.letter_table import Group, LetterTable, Progress
from lettermill.jobs.web.presence import Held, Presence

SHEET_LETTERS = 40
"""Letters per sheet: as many as a window of 1024 × 768 pixels shows at once."""

FEWEST_LETTERS = 4
"""Doubtful letters of a character that make a sheet; fewer are shown one by one."""

_HELD_SECONDS = 600
"""How long a tab holds its letters without a request; then other tabs may get them."""

_UNDOABLE_STEPS = 200
"""How many steps of a tab can be undone."""

_REFRESH_SECONDS = 3
"""How often the job folder is searched for new results."""


@dataclasses.dataclass(frozen=True, slots=True)
class ShownLetter:
    """A letter as a tab shows it.

    Attributes:
        number: its number in `LetterTable`.
        seen: the version of the last decision about it.
        letter: what was read, with its ranking.
        entry: its page.
        line: its line, from 1.
        position: its position in the line, from 1.
        decision: the latest decision about it.
    """

    number: int
    seen: int
    letter: Letter
    entry: ManifestEntry
    line: int
    position: int
    decision: Decision


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a person about a letter that was shown.

    Attributes:
        number: the letter.
        seen: the version of the last decision about it that the person saw.
        decision: the decision.
        corrected: the right letter; empty if there is none or it is not known yet.
    """

    number: int
    seen: int
    decision: Decision
    corrected: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ShownField:
    """A field as a tab shows it.

    Attributes:
        seen: the version of the last decision about it.
        read: what was read.
        said: the last decision about it; None if it is undecided.
    """

    seen: int
    read: FieldRead
    said: FieldText | None

    @property
    def text(self) -> str:
        """What stands in its box: what was typed last, else what was read."""
        return self.said.text if self.said else self.read.text


@dataclasses.dataclass(frozen=True, slots=True)
class ShownForm:
    """A page as a tab shows it, field by field.

    Attributes:
        number: the page's number in the manifest, from 0.
        entry: the page.
        fields: its fields, those to look at first.
    """

    number: int
    entry: ManifestEntry
    fields: list[ShownField]


@dataclasses.dataclass(frozen=True, slots=True)
class FieldAnswer:
    """The answer of a person about a field that was shown.

    Attributes:
        name: the field.
        seen: the version of the last decision about it that the person saw.
        text: what stands there, as the person typed it.
    """

    name: str
    seen: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class _FieldStep:
    """Answers about fields of one page that are undone together.

    Attributes:
        number: the page.
        before: the decision about each field before the step; None if there was none.
        versions: the version of that decision, by field.
        since: the version of each answer, by field.
    """

    number: int
    before: dict[str, FieldText | None]
    versions: dict[str, int]
    since: dict[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """Answers that are undone together.

    Attributes:
        sheet: the character of the sheet on which they were given; empty for a single letter.
        before: the decision about each letter before the step; None if there was none.
        versions: the version of that decision, by letter.
        since: the version of each answer, by letter.
    """

    sheet: str
    before: dict[int, Correction | None]
    versions: dict[int, int]
    since: dict[int, int]


@dataclasses.dataclass(slots=True)
class Tab:
    """A browser tab.

    Attributes:
        number: its number, from 1.
        held: the letters that it shows.
        sheet: the character of their sheet; empty for a single letter.
        form: the page whose fields it shows; None if it shows letters or nothing.
        until: until when it holds them, seconds since 1970.
        skipped: letters that the person did not want to decide.
        skipped_forms: pages whose fields the person did not want to decide.
        steps: the steps that can be undone, the last one at the end.
        notes: sentences for the next page.
    """

    number: int
    held: list[int] = dataclasses.field(default_factory=list)
    sheet: str = ""
    form: int | None = None
    until: float = 0.0
    skipped: set[int] = dataclasses.field(default_factory=set)
    skipped_forms: set[int] = dataclasses.field(default_factory=set)
    steps: list[_Step | _FieldStep] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


class Session:
    """The review of one job in this process.

    Args:
        job: a job on disk.
        who: the name that is written beside decisions.
        acceptance: as for `LetterTable`.

    Raises:
        NotAJob: the manifest, the results or the corrections cannot be read.
    """

    def __init__(self, job: Job, who: str, acceptance: Acceptance | None = None) -> None:
        self.job = job
        self.who = who
        self.letters = LetterTable(job, acceptance)
        self.fields = FieldTable(job, job.template, acceptance) if job.template else None
        self.presence = Presence(job)
        self.crops = Crops(job, self.letters)
        self._corrections = Corrections(job)
        self._gone: dict[Key, Correction | FieldText] = {}
        self._tabs: dict[int, Tab] = {}
        self._delivered: set[int] = set()
        self._skipped: set[int] = set()
        self._refreshed = time.monotonic()
        self._lock = threading.RLock()
        self._delivered_fields: set[tuple[int, str]] = set()
        self._note([*self._corrections, *self._corrections.fields()])

    def _note(self, corrections: Sequence[Correction | FieldText]) -> None:
        for correction in corrections:
            if isinstance(correction, FieldText):
                is_known = self._note_field(correction)
            else:
                is_known = self.letters.note(correction)
            if is_known or correction.decision == Decision.OPEN:
                self._gone.pop(correction.key, None)
            else:
                self._gone[correction.key] = correction

    def _note_field(self, said: FieldText) -> bool:
        """Enter a decision about a field and its letters; return whether the field is among the results."""
        letters = self.fields.note(said) if self.fields else None
        for letter in letters or []:
            if said.decision == Decision.OPEN:
                taken_back = msgspec.structs.replace(letter, decision=Decision.OPEN, corrected="")
                self.letters.note(self._corrections.of(letter.key) or taken_back)
            else:
                self.letters.note(letter)
        return letters is not None

    def refresh(self) -> None:
        """Take over decisions of other processes, and pages that were read meanwhile."""
        with self._lock:
            self._note(self._corrections.refresh())
            if time.monotonic() - self._refreshed >= _REFRESH_SECONDS:
                new_letters = self.letters.add_new_pages()
                if (self.fields and self.fields.add_new_pages()) or new_letters:
                    self._note([*self._gone.values(), *self._corrections.fields()])
                self._refreshed = time.monotonic()

    def problems(self) -> list[str]:
        """Return sentences about lines of the corrections file that are not used, and why."""
        with self._lock:
            return list(self._corrections.problems(len(self._gone)))

    def progress(self) -> Progress:
        """Return how far the review is."""
        with self._lock:
            return self.letters.progress()

    def groups(self) -> list[Group]:
        """Return the letters by what they were read as."""
        with self._lock:
            return self.letters.groups()

    def singles(self) -> int:
        """Return how many letters are to be shown one by one."""
        with self._lock:
            return len(self.letters.singles(FEWEST_LETTERS))

    def new_tab(self) -> Tab:
        """Return a new tab."""
        with self._lock:
            tab = Tab(len(self._tabs) + 1)
            self._tabs[tab.number] = tab
            return tab

    def tab(self, number: int) -> Tab | None:
        """Return a tab of this process."""
        return self._tabs.get(number)

    # --- letters to show ------------------------------------------------------------------------

    def sheet(self, tab: Tab, char: str) -> list[ShownLetter]:
        """Return letters that were read as a character, those to look at first at the beginning; hold them.

        A tab gets the same letters again until they are decided.
        """
        with self._lock:
            held = [
                number
                for number in tab.held
                if tab.sheet == char and self.letters.decision(number) == Decision.OPEN
            ]
            if not held:
                # Letters that the person skipped come back when there are no others.
                others = self._held_by_others(tab)
                held = self.letters.least_certain(char, SHEET_LETTERS, others | tab.skipped)
                held = held or self.letters.least_certain(char, SHEET_LETTERS, others)
            self._hold(tab, held, char)
            return [self._shown(number) for number in held]

    def next_sheet(self, tab: Tab, after: str = "") -> str:
        """Return the character of the next sheet; empty if no doubtful letters are free.

        Characters with disputed letters come first, those with the most before others; then those with other
        doubtful letters.

        Args:
            tab: the tab.
            after: the character of the last sheet: it continues while it has letters of the kind that is due.
        """
        with self._lock:
            groups = [
                group
                for group in self.letters.groups()
                if group.char == after or (group.doubtful >= FEWEST_LETTERS and not group.is_mark)
            ]
            groups.sort(key=lambda group: group.char != after)
            taken = self._held_by_others(tab) | tab.skipped
            for chars, is_due in (
                ([group.char for group in groups if group.disputed], self.letters.is_disputed),
                ([group.char for group in groups], self.letters.is_doubtful),
            ):
                for char in chars:
                    first = self.letters.least_certain(char, 1, taken)
                    if first and is_due(first[0]):
                        return char
            return ""

    def sheet_after(self, tab: Tab, char: str, decided: Sequence[Answer]) -> str:
        """Return the character of the next sheet; empty if no doubtful letters are left.

        Args:
            tab: the tab.
            char: the character of the last sheet.
            decided: the answers on it. After a sheet of confident letters the same character continues.
        """
        with self._lock:
            was_doubtful = any(self.letters.is_doubtful(answer.number) for answer in decided)
            return self.next_sheet(tab, char) if was_doubtful else char

    def single(self, tab: Tab) -> ShownLetter | None:
        """Return the next letter to be shown by itself; None if there is none for this tab."""
        with self._lock:
            others = self._held_by_others(tab) | tab.skipped
            for number in self.letters.singles(FEWEST_LETTERS):
                if number not in others:
                    return self.one(tab, number)
            self._hold(tab, [])
            return None

    def one(self, tab: Tab, number: int) -> ShownLetter:
        """Return a letter, and hold it."""
        with self._lock:
            self._hold(tab, [number])
            return self._shown(number)

    def _hold(self, tab: Tab, letters: list[int], sheet: str = "") -> None:
        tab.held, tab.sheet, tab.form = letters, sheet, None
        tab.until = time.time() + _HELD_SECONDS
        self._announce()

    def _announce(self) -> None:
        held = [
            Held(tab.until, (*map(self.letters.key, tab.held), *self._form_keys(tab)))
            for tab in self._tabs.values()
        ]
        self.presence.announce([one for one in held if one.letters])

    def _form_keys(self, tab: Tab) -> list[Key]:
        """Return the key by which other processes know that a tab shows a page: of no field."""
        return [] if tab.form is None else [(self.letters.pages[tab.form].id, "", 0)]

    def _held_by_others(self, tab: Tab) -> set[int]:
        now = time.time()
        here = (other.held for other in self._tabs.values() if other is not tab and other.until > now)
        elsewhere = map(self.letters.find, self.presence.held())
        known = (number for number in elsewhere if number is not None)
        return {*itertools.chain.from_iterable(here), *known, *self._skipped}

    def _shown(self, number: int) -> ShownLetter:
        letter, _ = self.letters.in_context(number)
        return ShownLetter(
            number=number,
            seen=self._corrections.version(self.letters.key(number)),
            letter=letter,
            entry=self.letters.entry(number),
            line=self.letters.where(number)[0],
            position=self.letters.where(number)[1],
            decision=self.letters.decision(number),
        )

    # --- fields to show -------------------------------------------------------------------------

    def form(self, tab: Tab, number: int | None = None) -> ShownForm | None:
        """Return a page with its fields, and hold it; None if there is none for this tab.

        Args:
            tab: the tab.
            number: the page; None for the one that the tab holds, or the next with a field to look at.
        """
        with self._lock:
            if self.fields is None:
                return None
            if number is None:
                free = set(self.fields.forms_to_look_at()) - self._forms_of_others(tab) - tab.skipped_forms
                number = tab.form if tab.form in free else min(free, default=None)
            self._hold(tab, [])
            tab.form = number
            self._announce()
            return None if number is None else self._shown_form(self.fields, number)

    def _forms_of_others(self, tab: Tab) -> set[int]:
        now, theirs = time.time(), self.presence.held()
        here = {other.form for other in self._tabs.values() if other is not tab and other.until > now}
        return {
            number
            for number, entry in enumerate(self.letters.pages)
            if number in here or (entry.id, "", 0) in theirs
        }

    def _shown_form(self, fields: FieldTable, number: int) -> ShownForm:
        entry = fields.pages[number]
        shown = [
            ShownField(
                seen=self._corrections.version((entry.id, field.name, 0)),
                read=field,
                said=fields.decision(number, field.name),
            )
            for field in fields.fields(number)
        ]
        return ShownForm(number, entry, shown)

    # --- decisions ------------------------------------------------------------------------------

    def field_picture(self, fields: FieldTable, number: int, name: str) -> bytes:
        """Return the picture of a field; fields without a delivered picture cannot be decided."""
        picture = self.crops.field(fields.pages[number], fields.place(number, name))
        with self._lock:
            self._delivered_fields.add((number, name))
        return picture

    def decide_fields(self, tab: Tab, number: int, answers: Sequence[FieldAnswer]) -> None:
        """Save the texts of fields of a page; the notes of the tab say which were not saved, and why.

        Raises:
            ResultsNotWritable: none of the answers could be written.
        """
        with self._lock:
            fields = self.fields
            if fields is None:
                return
            seen = [answer for answer in answers if (number, answer.name) in self._delivered_fields]
            if unseen := len(answers) - len(seen):
                stay = "stays" if unseen == 1 else "stay"
                tab.notes.append(f"{counted(unseen, 'field')} had no picture and {stay} open.")
            page = fields.pages[number].id
            before = {one.name: self._corrections.of_field(page, one.name) for one in seen}
            versions = {one.name: self._corrections.version((page, one.name, 0)) for one in seen}
            read = {one.name: one for one in fields.fields(number)}
            when = _now()
            texts = [(self._field_text(page, read[one.name], one.text, when), one.seen) for one in seen]
            ours = self._write(tab, texts)
            since = {
                name: self._corrections.version(key) for name in before if (key := (page, name, 0)) in ours
            }
            if since:
                tab.steps.append(_FieldStep(number, before, versions, since))
                del tab.steps[:-_UNDOABLE_STEPS]

    def _field_text(self, page: str, read: FieldRead, typed: str, when: str) -> FieldText:
        shown = "".join(char if char.isprintable() else " " for char in typed)
        text = " ".join(unicodedata.normalize("NFC", shown).split())
        if self.fields and not self.fields.has_list(read.name):
            text = text.upper()
        return FieldText(
            job=self.job.token,
            page=page,
            field=read.name,
            box=read.place.box,
            read=read.text,
            decision=Decision.RIGHT if text == read.text else Decision.CORRECTED,
            text=text,
            by=self.who,
            when=when,
        )

    def _undo_fields(self, tab: Tab, step: _FieldStep, fields: FieldTable) -> None:
        page = fields.pages[step.number].id
        read = {one.name: one for one in fields.fields(step.number)}
        texts = []
        for name, seen in step.since.items():
            taken_back = self._field_text(page, read[name], read[name].text, _now())
            was = step.before[name] or msgspec.structs.replace(taken_back, decision=Decision.OPEN)
            texts.append((msgspec.structs.replace(was, by=self.who, when=taken_back.when), seen))
        self._write(tab, texts)
        tab.steps.pop()
        # As in `undo`: earlier steps are undone from the new line of the file.
        for earlier in tab.steps:
            if isinstance(earlier, _FieldStep) and earlier.number == step.number:
                for name in step.since.keys() & earlier.since.keys():
                    if earlier.since[name] == step.versions[name]:
                        earlier.since[name] = self._corrections.version((page, name, 0))
        tab.form = step.number

    def picture(self, number: int) -> bytes:
        """Return the picture of a letter; letters without a delivered picture cannot be decided."""
        with self._lock:
            held = [one for tab in self._tabs.values() if number in tab.held for one in tab.held]
        picture = self.crops.letter(number, held)
        self._delivered.add(number)
        return picture

    def decide(self, tab: Tab, answers: Sequence[Answer], sheet: str = "") -> None:
        """Save answers; the notes of the tab say which were not saved, and why.

        Args:
            tab: the tab.
            answers: the answers of the person.
            sheet: the character of the sheet on which they were given; empty for a single letter.

        Raises:
            ResultsNotWritable: none of the answers could be written.
        """
        with self._lock:
            seen = [answer for answer in answers if answer.number in self._delivered]
            if unseen := len(answers) - len(seen):
                stay = "stays" if unseen == 1 else "stay"
                tab.notes.append(f"{counted(unseen, 'letter')} had no picture and {stay} open.")
                tab.skipped.update(answer.number for answer in answers if answer not in seen)
            keys = {answer.number: self.letters.key(answer.number) for answer in seen}
            before = {number: self._corrections.of(key) for number, key in keys.items()}
            versions = {number: self._corrections.version(key) for number, key in keys.items()}
            ours = self._write_letters(tab, seen)
            since = {number: self._corrections.version(key) for number, key in keys.items() if key in ours}
            if since:
                tab.steps.append(_Step(sheet, before, versions, since))
                del tab.steps[:-_UNDOABLE_STEPS]
            tab.held = []

    def skip_pages(self, tab: Tab, numbers: Sequence[int]) -> None:
        """Leave all letters on the pages of some letters undecided; no tab gets them again."""
        with self._lock:
            letters = {one for number in numbers for one in self.letters.on_page(number)}
            self._skipped |= letters
            tab.held = []
            pages = len({self.letters.entry(number).id for number in numbers})
            tab.notes.append(
                f"Skipped: {counted(pages, 'page')} with {counted(len(letters), 'letter')}. They stay as "
                "they are, and come again when the review is started again."
            )

    def undo(self, tab: Tab) -> bool:
        """Undo the last answers of a tab and hold their letters again; return whether there were any."""
        with self._lock:
            if not tab.steps:
                return False
            step = tab.steps[-1]
            if isinstance(step, _FieldStep):
                if self.fields:
                    self._undo_fields(tab, step, self.fields)
                return True
            answers = []
            for number, seen in step.since.items():
                was = step.before[number]
                said = (was.decision, was.corrected) if was else (Decision.OPEN, "")
                answers.append(Answer(number, seen, *said))
            self._write_letters(tab, answers)
            tab.steps.pop()
            # The restored decision is a new line of the file: earlier steps are undone from that line.
            for earlier in tab.steps:
                if isinstance(earlier, _FieldStep):
                    continue
                for number in step.since.keys() & earlier.since.keys():
                    if earlier.since[number] == step.versions[number]:
                        earlier.since[number] = self._corrections.version(self.letters.key(number))
            self._hold(tab, list(step.since), step.sheet)
            return True

    def _write_letters(self, tab: Tab, answers: Sequence[Answer]) -> set[Key]:
        when = _now()
        return self._write(tab, [(self._correction(answer, when), answer.seen) for answer in answers])

    def _write(self, tab: Tab, corrections: Sequence[tuple[Correction | FieldText, int]]) -> set[Key]:
        """Write decisions, note in the tab which were not written, and return the keys of the others."""
        new, before = self._corrections.add(corrections)
        self._note(new)
        ours = {correction for correction, _ in corrections}
        said = {(one.key, one.decision, what_is_said(one)) for one in ours}
        differing = [one for one in before if (one.key, one.decision, what_is_said(one)) not in said]
        tab.notes += [_said_before(correction) for correction in differing[:3]]
        if len(differing) > 3:
            tab.notes.append(
                f"{len(differing) - 3} more were decided differently before you; those decisions count."
            )
        if same := len(before) - len(differing):
            what = "field" if isinstance(before[0], FieldText) else "letter"
            tab.notes.append(f"{counted(same, what)} had been decided before you in the same way.")
        return {correction.key for correction in new if correction in ours}

    def _correction(self, answer: Answer, when: str) -> Correction:
        number = answer.number
        line, position = self.letters.where(number)
        return Correction(
            job=self.job.token,
            page=self.letters.entry(number).id,
            line=line,
            position=position,
            box=self.letters.box(number),
            letter=self.letters.char(number),
            confidence=round(self.letters.confidence(number), 6),
            decision=answer.decision,
            corrected=answer.corrected,
            by=self.who,
            when=when,
        )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def _said_before(correction: Correction | FieldText) -> str:
    when = correction.when[11:16]
    if isinstance(correction, FieldText):
        says = "it is open again" if correction.decision == Decision.OPEN else f"it is “{correction.text}”"
        return (
            f"The field {correction.field} was decided before you: {correction.by} said at {when} UTC that "
            f"{says}. That decision counts; yours is not saved."
        )
    says = {
        Decision.RIGHT: f"it is {correction.corrected}",
        Decision.CORRECTED: f"it is {correction.corrected}",
        Decision.NO_LETTER: "it is not a letter",
        Decision.WRONG: f"it is not {correction.letter}",
        Decision.OPEN: "it is open again",
    }[correction.decision]
    return (
        f"A letter read as {correction.letter} was decided before you: {correction.by} said at {when} UTC "
        f"that {says}. That decision counts; yours is not saved."
    )
