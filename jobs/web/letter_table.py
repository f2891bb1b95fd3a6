"""Hold all letters of a job as an array: small in memory, and quick to sort by how doubtful they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.job.corrections import Correction, Decision, Key
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.flagging import Confidences, in_fields, low_mean_confidence

_ROW = np.dtype(
    [
        ("page", np.int32),
        ("line", np.int32),
        ("position", np.int32),
        ("box", np.int32, 4),
        ("confidence", np.float64),
        ("char", np.int8),
        ("decision", np.int8),
        ("flagged", np.bool_),
        ("as_read", np.bool_),  # Whether it was flagged when it was read; a rate changes only "flagged".
        ("disputed", np.bool_),
        ("field", np.float64),  # As in `FieldLetter`.
        ("is_least", np.bool_),
    ]
)

_DECISIONS = tuple(Decision)
_OPEN = _DECISIONS.index(Decision.OPEN)
_WRONG = _DECISIONS.index(Decision.WRONG)
_RIGHT = _DECISIONS.index(Decision.RIGHT)


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The letters that were read as one character.

    Attributes:
        char: the character.
        letters: how many.
        doubtful: how many of them are flagged and undecided.
        disputed: on how many of the doubtful ones the readers disagree.
        undecided: how many nobody has decided.
        expected_wrong: how many of the undecided are expected to be wrong: the sum of 1 - confidence.
        is_mark: whether the character is a mark: these are shown one by one, for `/` and `.` cannot be the
            last part of a sheet's address.
    """

    char: str
    letters: int
    doubtful: int
    disputed: int
    undecided: int
    expected_wrong: float
    is_mark: bool

    @property
    def accuracy(self) -> float | None:
        """The share of the undecided that is expected to be right; None where all are decided."""
        return 1 - self.expected_wrong / self.undecided if self.undecided else None


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far the review of a job is.

    Attributes:
        letters: all letters that were read.
        undecided: letters that nobody has decided.
        doubtful: how many of them are flagged.
        disputed: on how many of the doubtful ones the readers disagree.
        wrong: letters that are marked wrong and whose right letter is not known yet.
        looked_at: letters that somebody decided.
        found_wrong: how many of them were read wrongly.
        expected_found: how many of them were expected to be wrong.
        expected_wrong: how many of the undecided are expected to be wrong.
        doubtful_fields: how many fields (images of one line, or fields of a form) have doubtful letters; None
            if the job has no fields.
    """

    letters: int
    undecided: int
    doubtful: int
    disputed: int
    wrong: int
    looked_at: int
    found_wrong: int
    expected_found: float
    expected_wrong: float
    doubtful_fields: int | None

    @property
    def accuracy(self) -> float | None:
        """The share of the undecided that is expected to be right; None where all are decided."""
        return 1 - self.expected_wrong / self.undecided if self.undecided else None

    @property
    def accuracy_of_all(self) -> float | None:
        """The share of all letters that is expected to be right; decided ones count as people decided."""
        return 1 - (self.expected_wrong + self.wrong) / self.letters if self.letters else None


class LetterTable:
    """The letters of the pages that have a result; each letter has a number, which it keeps.

    Args:
        job: the job.
        acceptance: what is accepted unseen; None for the flags of the job.

    Attributes:
        characters: what a letter may be: the characters of the alphabet, then its marks.
        pages: the pages of the job, in the order of the manifest.
        read: how many of them are in the table.
    """

    def __init__(self, job: Job, acceptance: Acceptance | None = None) -> None:
        self._job = job
        self._acceptance = acceptance
        if acceptance:
            acceptance.check(job.settings)
        self.characters = job.settings.characters + job.settings.marks
        self._chars = {char: index for index, char in enumerate(self.characters)}
        self._rows: NDArray[Any] = np.zeros(0, _ROW)
        self._spans: dict[str, tuple[int, int]] = {}
        self.pages: list[ManifestEntry] = [entry for entry, _ in job.manifest()]
        self.read = 0
        self.add_new_pages()

    def add_new_pages(self) -> bool:
        """Add the pages that have a result by now; return whether there are new ones.

        Raises:
            NotAJob: the results cannot be listed.
        """
        if self.read == len(self.pages):
            return False
        finished = self._job.results.ids()
        numbers = {
            entry.id: number
            for number, entry in enumerate(self.pages)
            if entry.id not in self._spans and entry.id in finished
        }
        parts = [self._rows]
        count = len(self._rows)
        for page_id, reading in self._job.results.read_each(numbers):
            if isinstance(reading, PageReading):
                rows = self._page_rows(numbers[page_id], reading)
                self._spans[page_id] = (count, count + len(rows))
                count += len(rows)
                parts.append(np.array(rows, _ROW))
        self._rows = np.concatenate(parts)
        if self._acceptance is not None:
            letters = Confidences(self._job.settings.flag_below, low_mean_confidence(self._job))
            confidence, as_read = self._rows["confidence"], self._rows["as_read"]
            field, is_least = self._rows["field"], self._rows["is_least"]
            marks = np.isin(self._rows["char"], [self._chars[mark] for mark in self._job.settings.marks])
            letters.add(confidence.tolist(), as_read.tolist(), marks.tolist(), field[is_least].tolist())
            flagging = letters.flagging(self._acceptance)
            self._rows["flagged"] = flagging.flags(confidence, as_read, field, is_least)
        new = len(self._spans) > self.read
        self.read = len(self._spans)
        return new

    def _page_rows(self, page: int, reading: PageReading) -> list[tuple[Any, ...]]:
        fields = in_fields(reading, self._job.settings.flag_below)
        return [
            (
                *(page, line, position),
                (letter.box.x, letter.box.y, letter.box.width, letter.box.height),
                *(letter.confidence, self._chars[letter.letter], _OPEN),
                *(letter.flagged, letter.flagged, letter.disputed),
                *next(fields)[1:],
            )
            for line, content in enumerate(reading.lines, 1)
            for position, letter in enumerate(content.letters, 1)
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, key: Key) -> int | None:
        """Return the number of the letter with a key; None if there is none, or its page is not read yet."""
        page, line, position = key
        if not isinstance(line, int):  # A field.
            return None
        begin, end = self._spans.get(page, (0, 0))
        rows = self._rows[begin:end]
        found = np.flatnonzero((rows["line"] == line) & (rows["position"] == position))
        return begin + int(found[0]) if len(found) else None

    def number(self, correction: Correction) -> int | None:
        """Return the number of the letter of a decision; None if it no longer exists."""
        number = self.find(correction.key)
        if number is None:
            return None
        same = self.box(number) == correction.box and self.char(number) == correction.letter
        return number if same else None

    def note(self, correction: Correction) -> bool:
        """Enter a decision; return whether its letter exists."""
        number = self.number(correction)
        if number is None:
            return False
        self._rows["decision"][number] = _DECISIONS.index(correction.decision)
        return True

    # --- one letter -----------------------------------------------------------------------------

    def entry(self, number: int) -> ManifestEntry:
        """Return a letter's page."""
        return self.pages[int(self._rows["page"][number])]

    def on_page(self, number: int) -> range:
        """Return the letters on a letter's page."""
        return range(*self._spans[self.entry(number).id])

    def where(self, number: int) -> tuple[int, int]:
        """Return a letter's line and position, from 1."""
        return int(self._rows["line"][number]), int(self._rows["position"][number])

    def box(self, number: int) -> Box:
        """Return the box of a letter on the scan."""
        return Box(*map(int, self._rows["box"][number]))

    def char(self, number: int) -> str:
        """Return what a letter was read as."""
        return self.characters[self._rows["char"][number]]

    def confidence(self, number: int) -> float:
        """Return the confidence of a letter, 0–1."""
        return float(self._rows["confidence"][number])

    def decision(self, number: int) -> Decision:
        """Return the latest decision about a letter."""
        return _DECISIONS[int(self._rows["decision"][number])]

    def is_doubtful(self, number: int) -> bool:
        """Say whether a letter is flagged, decided or not."""
        return bool(self._rows["flagged"][number])

    def is_disputed(self, number: int) -> bool:
        """Say whether a letter is flagged and the readers disagree about it, decided or not."""
        return bool(self._rows["flagged"][number] & self._rows["disputed"][number])

    def key(self, number: int) -> Key:
        """Return the key of a letter in the corrections."""
        return self.entry(number).id, *self.where(number)

    def in_context(self, number: int) -> tuple[Letter, LineReading]:
        """Return a letter with its ranking, and its line, from its result.

        Raises:
            NotAJob: the result is gone or damaged.
        """
        line, position = self.where(number)
        reading = self._job.results.read(self.entry(number).id)
        if reading is None or len(reading.lines) < line or len(reading.lines[line - 1].letters) < position:
            raise NotAJob(
                "the result of the page is gone or has changed", "Start the review of this job again."
            )
        return reading.lines[line - 1].letters[position - 1], reading.lines[line - 1]

    # --- many letters ---------------------------------------------------------------------------

    def doubtful_beside(self, number: int, also: Sequence[int]) -> set[int]:
        """Return a letter, the doubtful letters of its page, and those of `also` that are on that page."""
        begin, end = self._spans[self.entry(number).id]
        rows = self._rows[begin:end]
        doubtful = begin + np.flatnonzero(rows["flagged"] & (rows["decision"] == _OPEN))
        return {number, *doubtful.tolist(), *(other for other in also if begin <= other < end)}

    def least_certain(self, char: str, count: int, without: set[int]) -> list[int]:
        """Return undecided letters that were read as a character, those to look at first at the beginning.

        Doubtful ones on which the readers disagree come first, then other doubtful ones; among each, the
        least certain. If a field of a form does not fit its template, all of its letters are doubtful,
        confident ones too.

        Args:
            char: the character.
            count: how many, at most.
            without: letters to leave out, for example those on screen elsewhere.
        """
        rows = self._rows
        found = np.flatnonzero((rows["char"] == self._chars[char]) & (rows["decision"] == _OPEN))
        rank = _rank(rows[found])
        most = min(len(found), count + len(without))
        if most < len(found):
            some = np.argpartition(rank, most)[:most]
            found, rank = found[some], rank[some]
        ordered = found[np.argsort(rank, kind="stable")].tolist()
        return [number for number in ordered if number not in without][:count]

    def singles(self, fewer_than: int) -> list[int]:
        """Return the letters to be shown one by one: wrong ones, then doubtful ones of small groups.

        These come in the order of `least_certain`.

        Args:
            fewer_than: from this many doubtful letters on, a group has a sheet, unless it is of marks.
        """
        rows = self._rows
        wrong = np.flatnonzero(rows["decision"] == _WRONG)
        doubtful = np.flatnonzero(rows["flagged"] & (rows["decision"] == _OPEN))
        counts = np.bincount(rows["char"][doubtful], minlength=len(self._chars))
        counts[len(self._job.settings.characters) :] = 0  # Marks have no sheets.
        single = doubtful[counts[rows["char"][doubtful]] < fewer_than]
        least_certain = single[np.argsort(_rank(rows[single]), kind="stable")]
        return [*wrong.tolist(), *least_certain.tolist()]

    def groups(self) -> list[Group]:
        """Return the letters by what they were read as: most disputed ones first, then most doubtful ones."""
        rows, kinds = self._rows, len(self._chars)
        is_open = rows["decision"] == _OPEN
        letters = np.bincount(rows["char"], minlength=kinds)
        is_doubtful = is_open & rows["flagged"]
        doubtful = np.bincount(rows["char"][is_doubtful], minlength=kinds)
        disputed = np.bincount(rows["char"][is_doubtful & rows["disputed"]], minlength=kinds)
        undecided = np.bincount(rows["char"][is_open], minlength=kinds)
        wrong = np.bincount(rows["char"][is_open], 1.0 - rows["confidence"][is_open], minlength=kinds)
        groups = [
            Group(
                char=char,
                letters=int(letters[i]),
                doubtful=int(doubtful[i]),
                disputed=int(disputed[i]),
                undecided=int(undecided[i]),
                expected_wrong=float(wrong[i]),
                is_mark=char not in self._job.settings.characters,
            )
            for char, i in self._chars.items()
            if letters[i]
        ]
        return sorted(groups, key=lambda group: (-group.disputed, -group.doubtful, -group.expected_wrong))

    def progress(self) -> Progress:
        """Return how far the review is."""
        rows = self._rows
        is_open = rows["decision"] == _OPEN
        errors = 1.0 - rows["confidence"]
        return Progress(
            letters=len(rows),
            undecided=int(is_open.sum()),
            doubtful=int((is_open & rows["flagged"]).sum()),
            disputed=int((is_open & rows["flagged"] & rows["disputed"]).sum()),
            wrong=int((rows["decision"] == _WRONG).sum()),
            looked_at=int((~is_open).sum()),
            found_wrong=int((~is_open & (rows["decision"] != _RIGHT)).sum()),
            expected_found=float(errors[~is_open].sum()),
            expected_wrong=float(errors[is_open].sum()),
            doubtful_fields=self._doubtful_fields(rows[is_open & rows["flagged"]]),
        )

    def _doubtful_fields(self, doubtful: NDArray[Any]) -> int | None:
        """Return in how many fields some letters are."""
        if not self._job.settings.has_fields:
            return None
        # A form has a line for each field, and an image of one line is a field however many are read.
        field = ["page", "line"] if self._job.settings.template else ["page"]
        return len(np.unique(doubtful[field]))


def _rank(rows: NDArray[Any]) -> Any:
    """Return the order in which letters are shown, lowest first: float64, as many as rows."""
    return rows["confidence"] - rows["flagged"] - (rows["flagged"] & rows["disputed"])
