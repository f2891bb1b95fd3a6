"""Stores what people decided about letters, and applies it to readings.

Results are never changed: the decisions are in corrections.jsonl, an append-only file in the job folder. Each
line is one decision about one letter, with a digest of its bytes; the last decision about a letter counts.
Several processes may append at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from enum import StrEnum

import msgspec

from lettermill.jobs.errors import NotAJob, UsageProblem
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading
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

Key = tuple[str, int, int]
"""A letter of a job: the id of its page, its line on the page and its position in the line, both from 1."""


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


class _Line(msgspec.Struct):
    check: str
    correction: msgspec.Raw


_line_decoder = msgspec.json.Decoder(_Line)
_decoder = msgspec.json.Decoder(Correction)
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
        self._versions: dict[Key, int] = {}
        self._used: set[Key] = set()
        self._offset = self._lines = self._file = 0
        self._cut_off = False
        self._damaged: list[int] = []
        self._foreign = 0
        self.refresh()

    def refresh(self) -> list[Correction]:
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

    def _read(self, handle: int) -> list[Correction]:
        file = os.fstat(handle)
        if self._path and self._offset and (file.st_ino != self._file or file.st_size < self._offset):
            raise NotAJob(
                f"{display_path(self._path)} was replaced, or deleted, while it was in use",
                "Start this command again: it reads the file anew. Until then nothing is saved.",
            )
        self._file = file.st_ino
        new = []
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
                self._latest.setdefault(correction.page, {})[correction.key[1:]] = correction
                self._versions[correction.key] = self._offset
                new.append(correction)
        return new

    def add(self, corrections: Sequence[tuple[Correction, int]]) -> tuple[list[Correction], list[Correction]]:
        """Append decisions, except about letters that somebody else has decided in the meantime.

        Args:
            corrections: each with the `version` of its letter that the person saw.

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
                before = []
                content = b"\n" if self._cut_off else b""  # Ends the line of a process that died.
                for correction, seen in corrections:
                    theirs = self.of(correction.key)
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
        """Return a number that changes with each decision about a letter; 0 where there is none."""
        return self._versions.get(key, 0)

    def of(self, key: Key) -> Correction | None:
        """Return the last decision about a letter."""
        return self._latest.get(key[0], {}).get(key[1:])

    def __iter__(self) -> Iterator[Correction]:
        """Yield the last decision about each letter, without those that were taken back."""
        for page in self._latest.values():
            yield from (correction for correction in page.values() if correction.decision != Decision.OPEN)

    def of_page(self, reading: PageReading) -> dict[tuple[int, int], Correction]:
        """Return the decisions about a page's letters by line and position, and record that they are used."""
        found = {}
        for (line, position), correction in self._latest.get(reading.page_id, {}).items():
            if correction.decision != Decision.OPEN and correction.is_about(_letter(reading, line, position)):
                found[line, position] = correction
                self._used.add(correction.key)
        return found

    def count(self) -> Reviewed:
        """Count the decisions that `of_page` has used, and say why others were not used."""
        counts = Counter(correction.decision for correction in self if correction.key in self._used)
        gone = sum(correction.key not in self._used for correction in self)
        return Reviewed(
            letters=sum(counts[decision] for decision in SETTLED),
            corrected=counts[Decision.CORRECTED] + counts[Decision.NO_LETTER],
            unused=tuple(self.problems(gone)),
        )

    def problems(self, gone: int) -> Iterator[str]:
        """Say which lines of the file are not used, and why.

        Args:
            gone: decisions about letters that are not among the results.
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
                f"{name}: {_decisions(gone)} about letters that are not among the results: their scans were "
                "changed or read again, or have no result now. They are kept; look at these letters again."
            )


@dataclasses.dataclass(frozen=True, slots=True)
class Reviewed:
    """What people have reviewed.

    Attributes:
        letters: letters that a person settled.
        corrected: how many of them were read wrongly.
        unused: sentences that say why lines of the corrections file are not used.
    """

    letters: int = 0
    corrected: int = 0
    unused: tuple[str, ...] = ()


NOT_REVIEWED = Reviewed()


def corrected(reading: PageReading, corrections: dict[tuple[int, int], Correction]) -> PageReading:
    """Return a page with people's decisions applied.

    Args:
        reading: the page as it was read.
        corrections: decisions about its letters by line and position, from 1.

    Returns:
        The page. Letters that a person settled have confidence 1, and are empty where there is no letter.
        The confidence of a field becomes that of its other letters, and the entry of a form's word list no
        longer counts where it contradicts the person.
    """
    if not corrections:
        return reading
    lines = list(reading.lines)
    said: dict[int, dict[int, Correction]] = {}
    for (number, position), correction in corrections.items():
        said.setdefault(number, {})[position] = correction
    for number, of_line in said.items():
        lines[number - 1] = _line(lines[number - 1], of_line)
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


def settled(reading: PageReading, corrections: dict[tuple[int, int], Correction]) -> PageReading:
    """Return a page as `corrected`, without what people said is no letter, nor empty lines."""
    if not corrections:
        return reading
    now = corrected(reading, corrections)
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


def _says_the_same(one: Correction, other: Correction) -> bool:
    """Say whether two decisions are the same: a browser may send a form twice."""
    return (one.decision, one.corrected, one.by) == (other.decision, other.corrected, other.by)


def _to_line(correction: Correction) -> bytes:
    raw = _encoder.encode(correction)
    return _encoder.encode(_Line(_check(raw), msgspec.Raw(raw))) + b"\n"


def _parsed(line: bytes) -> Correction | None:
    try:
        parts = _line_decoder.decode(line)
        if parts.check != _check(parts.correction):
            return None
        return _decoder.decode(parts.correction)
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
