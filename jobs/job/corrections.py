"""Stores what people decided about letters and about fields of forms, and applies it to readings.

Results are never changed: the decisions are in corrections.jsonl, an append-only file in the job folder. Each
line is one decision about one letter or one field, with a digest of its bytes; the last decision counts, and
one about a field counts for its letters, too. Several processes may append at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from enum import StrEnum
from types import MappingProxyType

import msgspec

from lettermill.jobs.errors import NotAJob, UsageProblem
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import READ, Box, Letter, LineReading, PageReading
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.lock import flock

CORRECTIONS_FILE = "corrections.jsonl"

_CHECK_BYTES = 8
"""Length of a line's digest."""

_SURE = 1.0
"""The confidence of a letter that a person has settled."""

_LINES_NAMED = 10
"""How many damaged lines a message names."""

_READ_BYTES = 1 << 20

Key = tuple[str, int | str, int]
"""A letter of a job: the id of its page, its line on the page and its position in the line, both from 1. Or a
field of a form: the id of its page, its name, and 0."""


class Decision(StrEnum):
    """What a person decided about a letter: the `decision` column of letters.csv."""

    RIGHT = "right"
    CORRECTED = "corrected"
    NO_LETTER = "no letter"
    WRONG = "wrong"
    OPEN = "open"


SETTLED = frozenset({Decision.RIGHT, Decision.CORRECTED, Decision.NO_LETTER})
"""Decisions after which a letter needs no further look; a wrong one still needs its right letter."""


class Correction(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One decision about one letter.

    Attributes:
        job: the job's token.
        page: the page's id in the manifest.
        line: the letter's line on the page, from 1.
        position: its place in the line, from 1.
        box: its box on the scan.
        letter: the letter that was read.
        confidence: its confidence, 0–1.
        decision: what the person decided; `open` takes an earlier decision back.
        corrected: the right letter; empty where there is no letter, or the person gave none.
        by: the person.
        when: ISO time in UTC.
    """

    job: str
    page: str
    line: int
    position: int
    box: Box
    letter: str
    confidence: float
    decision: Decision
    corrected: str
    by: str
    when: str

    @property
    def key(self) -> Key:
        """The letter that this is about."""
        return self.page, self.line, self.position

    def is_about(self, letter: Letter | None) -> bool:
        """Say whether the letter at the same position now is the one that the person saw."""
        return letter is not None and (self.box, self.letter) == (letter.box, letter.letter)

    def applied_to(self, letter: Letter) -> Letter:
        """Return the letter as the person decided: with confidence 1, and empty where there is no letter."""
        if self.decision in SETTLED:
            return Letter(letter.box, letter.word, ((self.corrected, _SURE),), False, cell=letter.cell)
        return letter if letter.flagged else msgspec.structs.replace(letter, flagged=True)


class FieldText(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """One decision about the text of one field of a form.

    Attributes:
        job: the job's token.
        page: the page's id in the manifest.
        field: the field's name in the template.
        box: where on the scan the person saw it.
        read: the text that was read; empty where nothing was found.
        decision: `right`, `corrected`, or `open`, which takes an earlier decision back.
        text: what stands there, words separated by one space; may be empty.
        by: the person.
        when: ISO time in UTC.
    """

    job: str
    page: str
    field: str
    box: Box
    read: str
    decision: Decision
    text: str
    by: str
    when: str

    @property
    def key(self) -> Key:
        """The field that this is about."""
        return self.page, self.field, 0

    def is_about(self, reading: PageReading) -> bool:
        """Say whether the page reads the same in this field now as when the person saw it."""
        return reading.status in READ and read_text(reading, self.field) == self.read

    def letters(self, number: int, line: LineReading) -> Iterator[Correction]:
        """Yield what this says about each letter of the field.

        If more or fewer letters were typed than were read, nobody knows which ink was which letter where the
        two differ: such letters are corrected, to nothing that is known.

        Args:
            number: the field's line on the page, from 1.
            line: the line as it was read.
        """
        from rapidfuzz.distance import Levenshtein

        read = [letter.letter for letter in line.letters]
        typed = [plain(char) or char for char in self.text.replace(" ", "")]  # As letters are read: capitals.
        if len(read) == len(typed):
            said = [
                (Decision.RIGHT if one == char else Decision.CORRECTED, char)
                for one, char in zip(read, typed, strict=True)
            ]
        else:
            said = [(Decision.CORRECTED, "")] * len(read)
            for edit in Levenshtein.opcodes(read, typed):
                for at in range(edit.src_start, edit.src_end):
                    if edit.tag == "equal":
                        said[at] = Decision.RIGHT, read[at]
                    elif edit.tag == "delete":
                        said[at] = Decision.NO_LETTER, ""
        for position, (letter, (decision, char)) in enumerate(zip(line.letters, said, strict=True), 1):
            yield Correction(
                job=self.job,
                page=self.page,
                line=number,
                position=position,
                box=letter.box,
                letter=letter.letter,
                confidence=round(letter.confidence, 6),
                decision=decision,
                corrected=char,
                by=self.by,
                when=self.when,
            )


class _Line(msgspec.Struct):
    check: str
    correction: msgspec.Raw = msgspec.Raw()
    field: msgspec.Raw = msgspec.Raw()


_line_decoder = msgspec.json.Decoder(_Line)
_decoder = msgspec.json.Decoder(Correction)
_field_decoder = msgspec.json.Decoder(FieldText)
_encoder = msgspec.json.Encoder()


class Corrections:
    """The decisions about a job's letters; a job in an object store has none.

    Args:
        job: the job.

    Raises:
        NotAJob: the file cannot be read.
    """

    def __init__(self, job: Job) -> None:
        self._path = Disk(f"{job.path}/{CORRECTIONS_FILE}") if isinstance(job.path, Disk) else None
        self._token = job.token
        self._latest: dict[str, dict[tuple[int, int], Correction]] = {}
        self._fields: dict[str, dict[str, FieldText]] = {}
        self._versions: dict[Key, int] = {}
        self._used: set[Key] = set()
        self._offset = self._lines = self._file = 0
        self._cut_off = False
        self._damaged: list[int] = []
        self._foreign = 0
        self.refresh()

    def refresh(self) -> list[Correction | FieldText]:
        """Read the decisions that any process has appended since the last call.

        Returns:
            The new decisions, oldest first.

        Raises:
            NotAJob: the file cannot be read, or was replaced.
        """
        if self._path is None:
            return []
        try:
            with self._path.opened() as file:
                flock(file.fileno(), shared=True)  # No process is in the middle of writing a line.
                return self._read(file.fileno())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NotAJob(
                f"cannot read {display_path(self._path)}: {error.strerror}",
                "Correct its permissions, or check the disk: it holds the corrections of the job.",
            ) from error

    def _read(self, handle: int) -> list[Correction | FieldText]:
        file = os.fstat(handle)
        if self._path and self._offset and (file.st_ino != self._file or file.st_size < self._offset):
            raise NotAJob(
                f"{display_path(self._path)} was replaced, or deleted, while it was in use",
                "Start this command again: it reads the file anew. Until then nothing is saved.",
            )
        self._file = file.st_ino
        new: list[Correction | FieldText] = []
        content = b""
        while more := os.pread(handle, _READ_BYTES, self._offset + len(content)):
            content += more
        end = content.rfind(b"\n") + 1
        self._cut_off = end < len(content)
        for line in content[:end].splitlines(keepends=True):
            self._offset += len(line)
            self._lines += 1
            correction = _parsed(line)
            if correction is None:
                self._damaged.append(self._lines)
            elif correction.job != self._token:
                self._foreign += 1
            else:
                if isinstance(correction, FieldText):
                    self._fields.setdefault(correction.page, {})[correction.field] = correction
                else:
                    place = correction.line, correction.position
                    self._latest.setdefault(correction.page, {})[place] = correction
                self._versions[correction.key] = self._offset
                new.append(correction)
        return new

    def add(
        self, corrections: Sequence[tuple[Correction | FieldText, int]]
    ) -> tuple[list[Correction | FieldText], list[Correction | FieldText]]:
        """Append decisions, except about letters and fields that somebody else has decided in the meantime.

        Args:
            corrections: each with the `version` of its letter or field that the person saw.

        Returns:
            The decisions that are new in the file, those of others first; and the decisions of others that
            kept one of these from being appended.

        Raises:
            ResultsNotWritable: the file cannot be written to; none is appended then.
            NotAJob: the file was replaced; none is appended then.
            UsageProblem: the job lies in an object store, where nothing can be appended.
        """
        if self._path is None:
            raise UsageProblem(
                "corrections need a job folder on disk",
                "Copy the job folder to this machine and review it there.",
            )
        try:
            with contextlib.ExitStack() as stack:
                handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
                stack.callback(os.close, handle)
                flock(handle)
                new = self._read(handle)
                before: list[Correction | FieldText] = []
                content = b"\n" if self._cut_off else b""  # Ends the line of a process that died.
                for correction, seen in corrections:
                    theirs = (
                        self.of_field(correction.page, correction.field)
                        if isinstance(correction, FieldText)
                        else self.of(correction.key)
                    )
                    if self.version(correction.key) == seen:
                        content += _to_line(correction)
                    elif theirs and not _says_the_same(theirs, correction):
                        before.append(theirs)
                _append(handle, content)
                return new + self._read(handle), before
        except OSError as error:
            next_step = (
                "None of these decisions is saved. Free some space or correct the folder's permissions, then "
                "decide again."
            )
            raise not_writable(self._path, error, next_step=next_step) from error

    def version(self, key: Key) -> int:
        """Return a number that changes with each decision about a letter or field; 0 where there is none."""
        return self._versions.get(key, 0)

    def of(self, key: Key) -> Correction | None:
        """Return the last decision about a letter."""
        page, line, position = key
        return self._latest.get(page, {}).get((line, position)) if isinstance(line, int) else None

    def of_field(self, page: str, field: str) -> FieldText | None:
        """Return the last decision about a field of a page."""
        return self._fields.get(page, {}).get(field)

    def fields(self) -> Iterator[FieldText]:
        """Yield the last decision about each field, without those that were taken back."""
        for page in self._fields.values():
            yield from (one for one in page.values() if one.decision != Decision.OPEN)

    def __iter__(self) -> Iterator[Correction]:
        """Yield the last decision about each letter, without those that were taken back."""
        for page in self._latest.values():
            yield from (correction for correction in page.values() if correction.decision != Decision.OPEN)

    def of_page(self, reading: PageReading) -> dict[tuple[int, int], Correction]:
        """Return the decisions about a page's letters by line and position, and record that they are used.

        A decision about a field is one about each of its letters, and counts before theirs.
        """
        found = {}
        for (line, position), correction in self._latest.get(reading.page_id, {}).items():
            if correction.decision != Decision.OPEN and correction.is_about(_letter(reading, line, position)):
                found[line, position] = correction
                self._used.add(correction.key)
        fields = self.fields_of_page(reading)
        for number, read in enumerate(reading.lines, 1):
            if read.field in fields:
                letters = fields[read.field].letters(number, read)
                found |= {(number, letter.position): letter for letter in letters}
        return found

    def fields_of_page(self, reading: PageReading) -> dict[str, FieldText]:
        """Return the decisions about a page's fields by name, and record that they are used."""
        found = {
            name: said
            for name, said in self._fields.get(reading.page_id, {}).items()
            if said.decision != Decision.OPEN and said.is_about(reading)
        }
        self._used.update(said.key for said in found.values())
        return found

    def count(self) -> Reviewed:
        """Count the decisions that `of_page` has used, and say why others were not used."""
        counts = Counter(correction.decision for correction in self if correction.key in self._used)
        fields = Counter(said.decision for said in self.fields() if said.key in self._used)
        gone = sum(said.key not in self._used for said in (*self, *self.fields()))
        return Reviewed(
            letters=sum(counts[decision] for decision in SETTLED),
            corrected=counts[Decision.CORRECTED] + counts[Decision.NO_LETTER],
            fields=fields.total(),
            corrected_fields=fields[Decision.CORRECTED],
            unused=tuple(self.problems(gone)),
        )

    def problems(self, gone: int) -> Iterator[str]:
        """Say which lines of the file are not used, and why.

        Args:
            gone: decisions about letters and fields that are not among the results.
        """
        name = CORRECTIONS_FILE
        damaged = [str(number) for number in self._damaged]
        if self._cut_off:
            damaged.append(str(self._lines + 1))
        if damaged:
            which = ", ".join(damaged[:_LINES_NAMED]) + (" …" if len(damaged) > _LINES_NAMED else "")
            lines = "line" if len(damaged) == 1 else "lines"
            yield f"{name}: {lines} {which} damaged and not used; decide these letters again."
        if self._foreign:
            yield (
                f"{name}: {_decisions(self._foreign)} of another job, not used. Put the file back into "
                "the job folder that it came from."
            )
        if gone:
            yield (
                f"{name}: {_decisions(gone)} about letters or fields that are not among the results: their "
                "scans were changed or read again, or have no result now. They are kept; look at these again."
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Reviewed:
    """What people have reviewed.

    Attributes:
        letters: letters that a person settled one by one or on sheets.
        corrected: how many of them were read wrongly.
        fields: fields of forms whose text a person settled.
        corrected_fields: how many of them were read wrongly.
        unused: sentences that say why lines of the corrections file are not used.
    """

    letters: int = 0
    corrected: int = 0
    fields: int = 0
    corrected_fields: int = 0
    unused: tuple[str, ...] = ()


NOT_REVIEWED = Reviewed()

NOBODY_SAID: Mapping[str, FieldText] = MappingProxyType({})


def corrected(
    reading: PageReading,
    corrections: Mapping[tuple[int, int], Correction],
    fields: Mapping[str, FieldText] = NOBODY_SAID,
) -> PageReading:
    """Return a page with people's decisions applied.

    Args:
        reading: the page as it was read.
        corrections: decisions about its letters by line and position, from 1.
        fields: decisions about its fields by name.

    Returns:
        The page; its lines stay in their order. A field that a person typed has this text with confidence 1,
        in a line of its own at the end where nothing was found in it. Other letters that a person settled
        have confidence 1, and are empty where there is no letter. The confidence of a field becomes that of
        its other letters, and the entry of a form's word list no longer counts where it contradicts the
        person.
    """
    if not corrections and not fields:
        return reading
    lines = list(reading.lines)
    said: dict[int, dict[int, Correction]] = {}
    for (number, position), correction in corrections.items():
        said.setdefault(number, {})[position] = correction
    for number, of_line in said.items():
        if lines[number - 1].field not in fields:
            lines[number - 1] = _line(lines[number - 1], of_line)
    found = [line.field for line in lines]
    for name, field in fields.items():
        if name in found:
            lines[found.index(name)] = _typed(field, lines[found.index(name)])
        elif field.text:
            lines.append(_typed(field, None))
    return msgspec.structs.replace(reading, lines=tuple(lines))


def _line(line: LineReading, said: dict[int, Correction]) -> LineReading:
    letters = list(line.letters)
    for position, correction in said.items():
        letters[position - 1] = correction.applied_to(letters[position - 1])
    now = msgspec.structs.replace(line, letters=tuple(letters))
    settled = {position for position, correction in said.items() if correction.decision in SETTLED}
    if not settled:
        return now
    whole = len(settled) == len(letters)
    if line.field and line.lexicon_text and _contradicts(now, settled, whole):
        now = msgspec.structs.replace(now, lexicon_text=now.text)
    if line.confidence is not None:
        confidences = {at: one.confidence for at, one in enumerate(line.letters, 1) if not one.is_mark}
        others = [confidence for at, confidence in confidences.items() if at not in settled]
        if not others:
            now = msgspec.structs.replace(now, confidence=_SURE)
        elif min(others) > min(confidences.values()):
            # The least sure letter decided; now the others do, as if they were independent.
            now = msgspec.structs.replace(now, confidence=round(max(line.confidence, math.prod(others)), 6))
    return now


def _typed(said: FieldText, read: LineReading | None) -> LineReading:
    """Return the line of a field as a person typed it; each letter is empty if they typed nothing.

    Args:
        said: the decision.
        read: the line as it was read; None if nothing was found in the field.
    """
    chars = [(char, word) for word, chars in enumerate(said.text.split(" "), 1) for char in chars]
    box = read.box if read else said.box
    if read and len(read.letters) == len(chars):
        boxes = [letter.box for letter in read.letters]
    else:  # Where each letter is, nobody knows: they share the field.
        edges = [box.x + box.width * at // max(1, len(chars)) for at in range(len(chars) + 1)]
        boxes = [
            Box(left, box.y, max(1, right - left), box.height) for left, right in itertools.pairwise(edges)
        ]
    letters = tuple(
        Letter(place, word, ((char, _SURE),), False) for place, (char, word) in zip(boxes, chars, strict=True)
    )
    nothing = (Letter(box, 1, (("", _SURE),), False),)
    return LineReading(box, letters or nothing, said.text, said.field, _SURE)


def read_text(reading: PageReading, field: str) -> str:
    """Return the text that was read in a field: the entry of its word list, or its letters."""
    return next((line.lexicon_text or line.text for line in reading.lines if line.field == field), "")


def _contradicts(line: LineReading, settled: Set[int], whole: bool) -> bool:
    """Say whether the entry of a field's word list differs from the letters that people settled."""
    from rapidfuzz.distance import Levenshtein

    letters = [
        (char, position in settled)
        for position, letter in enumerate(line.letters, 1)
        for char in plain(letter.letter)
    ]
    edits = Levenshtein.editops("".join(char for char, _ in letters), plain(line.lexicon_text))
    return any(whole or (edit.tag != "insert" and letters[edit.src_pos][1]) for edit in edits)


def settled(
    reading: PageReading,
    corrections: Mapping[tuple[int, int], Correction],
    fields: Mapping[str, FieldText] = NOBODY_SAID,
) -> PageReading:
    """Return a page as `corrected`, without what people said is no letter, nor empty lines."""
    if not corrections and not fields:
        return reading
    now = corrected(reading, corrections, fields)
    lines = (
        msgspec.structs.replace(line, letters=tuple(letter for letter in line.letters if letter.letter))
        for line in now.lines
    )
    return msgspec.structs.replace(now, lines=tuple(line for line in lines if line.letters))


def _letter(reading: PageReading, line: int, position: int) -> Letter | None:
    if 1 <= line <= len(reading.lines) and 1 <= position <= len(reading.lines[line - 1].letters):
        return reading.lines[line - 1].letters[position - 1]
    return None


def _decisions(count: int) -> str:
    return "1 decision is" if count == 1 else f"{count} decisions are"


def _says_the_same(one: Correction | FieldText, other: Correction | FieldText) -> bool:
    """Say whether two decisions are the same: a browser may send a form twice."""
    return (one.decision, what_is_said(one), one.by) == (other.decision, what_is_said(other), other.by)


def what_is_said(one: Correction | FieldText) -> str:
    """Return the text that a person gave: of a field, or the right letter."""
    return one.text if isinstance(one, FieldText) else one.corrected


def _to_line(correction: Correction | FieldText) -> bytes:
    raw = _encoder.encode(correction)
    kind = "field" if isinstance(correction, FieldText) else "correction"
    return _encoder.encode({"check": _check(raw), kind: msgspec.Raw(raw)}) + b"\n"


def _parsed(line: bytes) -> Correction | FieldText | None:
    try:
        parts = _line_decoder.decode(line)
        raw = parts.correction or parts.field
        if parts.check != _check(raw):
            return None
        return _decoder.decode(raw) if parts.correction else _field_decoder.decode(raw)
    except ValueError:
        return None


def _check(raw: bytes | msgspec.Raw) -> str:
    return hashlib.blake2b(raw, digest_size=_CHECK_BYTES).hexdigest()


def _append(handle: int, content: bytes) -> None:
    """Append all of the content durably, or nothing."""
    if not content:
        return
    size = os.fstat(handle).st_size
    try:
        written = os.write(handle, content)
        if written < len(content):  # The disk is full: the next write raises.
            while written < len(content):
                written += os.write(handle, content[written:])
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, size)
        raise
