"""Who looks at which letters: sheets and single letters for any number of browser tabs, decisions, undo.

A tab holds the letters that it shows, so that no other gets them, in this process or another. What two people
decided about one letter all the same is found when the second decision is to be written, and told.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import threading
import time
from collections.abc import Sequence

from lettermill.jobs.job.corrections import Correction, Corrections, Decision, Key
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Letter
from lettermill.jobs.web.crops import Crops
from lettermill.jobs.web.letters import Group, Letters, Progress
from lettermill.jobs.web.presence import Held, Others

SHEET = 40
"""Letters on a sheet: as many as a window of 1024 × 768 pixels shows at once."""

FEWEST = 4
"""Doubtful letters of a character that are worth a sheet: fewer are looked at one by one."""

_HELD_SECONDS = 600
"""A tab that was closed gives its letters back after so long."""

_UNDOABLE = 200

_NAMES_SECONDS = 3
"""How often new results are looked for while the job is read."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A letter as a tab shows it.

    Attributes:
        number: its number in `Letters`.
        seen: the version of the last decision about it.
        letter: what was read, with its ranking.
        entry: its page.
        line: its line, from 1.
        position: its position in the line, from 1.
        decision: what people say of it.
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
    """What a person says of a letter that was shown.

    Attributes:
        number: the letter.
        seen: the version of the last decision about it that the person saw.
        decision: what the person says.
        corrected: the letter by that; empty where there is none, or it is not said.
    """

    number: int
    seen: int
    decision: Decision
    corrected: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """Answers that are undone together.

    Attributes:
        sheet: the character of the sheet on which they were given; empty for a single letter.
        before: the decision about each letter that held before; None where there was none.
        versions: of that decision.
        since: the version of each answer.
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
        until: when it gives them back, seconds since 1970.
        skipped: letters that the person did not want to decide.
        steps: what can be undone, the last one at the end.
        notes: sentences for the next page.
    """

    number: int
    held: list[int] = dataclasses.field(default_factory=list)
    sheet: str = ""
    until: float = 0.0
    skipped: set[int] = dataclasses.field(default_factory=set)
    steps: list[_Step] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)


class Desk:
    """The review of one job in this process.

    Args:
        job: a job on disk.
        who: the name that stands beside decisions.
        accept_at: as for `Letters`.

    Raises:
        NotAJob: the manifest, the results or the corrections cannot be read.
    """

    def __init__(self, job: Job, who: str, accept_at: float | None = None) -> None:
        self.job = job
        self.who = who
        self.letters = Letters(job, accept_at)
        self.others = Others(job)
        self.crops = Crops(job, self.letters)
        self._corrections = Corrections(job)
        self._gone: dict[Key, Correction] = {}
        self._tabs: dict[int, Tab] = {}
        self._delivered: set[int] = set()
        self._looked = time.monotonic()
        self._lock = threading.RLock()
        self._note(list(self._corrections))

    def _note(self, corrections: Sequence[Correction]) -> None:
        for correction in corrections:
            if self.letters.note(correction) or correction.decision == Decision.OPEN:
                self._gone.pop(correction.key, None)
            else:
                self._gone[correction.key] = correction

    def refresh(self) -> None:
        """Take up what other processes decided, and pages that were read meanwhile."""
        with self._lock:
            self._note(self._corrections.refresh())
            if time.monotonic() - self._looked >= _NAMES_SECONDS:
                if self.letters.take_up():
                    self._note(list(self._gone.values()))
                self._looked = time.monotonic()

    def problems(self) -> list[str]:
        """Say which lines of the corrections' file are not used, and why."""
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
        """Return how many letters are to be looked at one by one."""
        with self._lock:
            return len(self.letters.to_say(FEWEST))

    def new_tab(self) -> Tab:
        """Return a tab of its own."""
        with self._lock:
            tab = Tab(len(self._tabs) + 1)
            self._tabs[tab.number] = tab
            return tab

    def tab(self, number: int) -> Tab | None:
        """Return a tab of this process."""
        return self._tabs.get(number)

    # --- which letters --------------------------------------------------------------------------

    def sheet(self, tab: Tab, char: str) -> list[Shown]:
        """Return letters that were read as a character, doubtful and least certain first, and hold them.

        A tab gets the same ones again until they are decided.
        """
        with self._lock:
            held = [
                number
                for number in tab.held
                if tab.sheet == char and self.letters.decision(number) == Decision.OPEN
            ]
            if not held:
                # What the person left open comes again once there is nothing else.
                others = self._held_by_others(tab)
                held = self.letters.least_certain(char, SHEET, others | tab.skipped)
                held = held or self.letters.least_certain(char, SHEET, others)
            self._hold(tab, held, char)
            return [self._shown(number) for number in held]

    def next_sheet(self, tab: Tab) -> str:
        """Return the character with the most doubtful letters that has free ones; empty where none is."""
        with self._lock:
            worth = (group.char for group in self.letters.groups() if group.doubtful >= FEWEST)
            return next((char for char in worth if self._has_doubtful(tab, char)), "")

    def _has_doubtful(self, tab: Tab, char: str) -> bool:
        first = self.letters.least_certain(char, 1, self._held_by_others(tab) | tab.skipped)
        return bool(first) and self.letters.is_doubtful(first[0])

    def sheet_after(self, tab: Tab, char: str, decided: Sequence[Answer]) -> str:
        """Return whose sheet comes after one of a character; empty where no doubtful letters are left.

        Args:
            tab: the tab.
            char: the character.
            decided: what was said of that sheet. Who looks at sure letters goes on with the character's.
        """
        with self._lock:
            was_doubtful = any(self.letters.is_doubtful(answer.number) for answer in decided)
            if not was_doubtful or self._has_doubtful(tab, char):
                return char
            return self.next_sheet(tab)

    def single(self, tab: Tab) -> Shown | None:
        """Return the next letter to be looked at by itself; None where there is none for this tab."""
        with self._lock:
            others = self._held_by_others(tab) | tab.skipped
            for number in self.letters.to_say(FEWEST):
                if number not in others:
                    return self.one(tab, number)
            self._hold(tab, [])
            return None

    def one(self, tab: Tab, number: int) -> Shown:
        """Return a letter, and hold it."""
        with self._lock:
            self._hold(tab, [number])
            return self._shown(number)

    def _hold(self, tab: Tab, letters: list[int], sheet: str = "") -> None:
        tab.held, tab.sheet = letters, sheet
        tab.until = time.time() + _HELD_SECONDS
        self._tell()

    def _tell(self) -> None:
        held = [Held(tab.until, tuple(map(self.letters.key, tab.held))) for tab in self._tabs.values()]
        self.others.tell([one for one in held if one.letters])

    def _held_by_others(self, tab: Tab) -> set[int]:
        now = time.time()
        here = (other.held for other in self._tabs.values() if other is not tab and other.until > now)
        elsewhere = map(self.letters.find, self.others.held())
        return {*itertools.chain.from_iterable(here), *(number for number in elsewhere if number is not None)}

    def _shown(self, number: int) -> Shown:
        letter, _ = self.letters.in_context(number)
        return Shown(
            number=number,
            seen=self._corrections.version(self.letters.key(number)),
            letter=letter,
            entry=self.letters.entry(number),
            line=self.letters.where(number)[0],
            position=self.letters.where(number)[1],
            decision=self.letters.decision(number),
        )

    # --- decisions ------------------------------------------------------------------------------

    def picture(self, number: int) -> bytes:
        """Return a letter's picture; only letters whose picture was delivered can be accepted in a sheet."""
        with self._lock:
            held = [one for tab in self._tabs.values() if number in tab.held for one in tab.held]
        picture = self.crops.letter(number, held)
        self._delivered.add(number)
        return picture

    def decide(self, tab: Tab, answers: Sequence[Answer], sheet: str = "") -> None:
        """Write down answers; what does not become of them is in the tab's notes.

        Args:
            tab: the tab.
            answers: what the person says.
            sheet: the character of the sheet on which they were given; empty for a single letter.

        Raises:
            ResultsNotWritable: none of the answers could be written.
        """
        with self._lock:
            seen = [answer for answer in answers if answer.number in self._delivered]
            if unseen := len(answers) - len(seen):
                tab.notes.append(
                    f"{_letters(unseen)} had no picture and {'stays' if unseen == 1 else 'stay'} open."
                )
                tab.skipped.update(answer.number for answer in answers if answer not in seen)
            keys = {answer.number: self.letters.key(answer.number) for answer in seen}
            before = {number: self._corrections.of(key) for number, key in keys.items()}
            versions = {number: self._corrections.version(key) for number, key in keys.items()}
            ours = self._write(tab, seen)
            since = {number: self._corrections.version(key) for number, key in keys.items() if key in ours}
            if since:
                tab.steps.append(_Step(sheet, before, versions, since))
                del tab.steps[:-_UNDOABLE]
            tab.held = []

    def undo(self, tab: Tab) -> bool:
        """Take the tab's last answers back and hold their letters; return whether there are such answers."""
        with self._lock:
            if not tab.steps:
                return False
            step = tab.steps[-1]
            answers = []
            for number, seen in step.since.items():
                was = step.before[number]
                said = (was.decision, was.corrected) if was else (Decision.OPEN, "")
                answers.append(Answer(number, seen, *said))
            self._write(tab, answers)
            tab.steps.pop()
            # What holds again stands in a new line of the file: earlier answers are undone from there.
            for earlier in tab.steps:
                for number in step.since.keys() & earlier.since.keys():
                    if earlier.since[number] == step.versions[number]:
                        earlier.since[number] = self._corrections.version(self.letters.key(number))
            self._hold(tab, list(step.since), step.sheet)
            return True

    def _write(self, tab: Tab, answers: Sequence[Answer]) -> set[Key]:
        """Append answers, note in the tab which are not, and return the letters of those that are."""
        when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        corrections = [(self._correction(answer, when), answer.seen) for answer in answers]
        new, before = self._corrections.add(corrections)
        self._note(new)
        ours = {correction for correction, _ in corrections}
        said = {(one.key, one.decision, one.corrected) for one in ours}
        differing = [one for one in before if (one.key, one.decision, one.corrected) not in said]
        tab.notes += [_said_before(correction) for correction in differing[:3]]
        if len(differing) > 3:
            tab.notes.append(f"{len(differing) - 3} more were decided otherwise before you; that counts.")
        if same := len(before) - len(differing):
            tab.notes.append(f"{_letters(same)} had been decided before you, as you say.")
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


def _letters(count: int) -> str:
    return "1 letter" if count == 1 else f"{count} letters"


def _said_before(correction: Correction) -> str:
    says = {
        Decision.RIGHT: f"it is {correction.corrected}",
        Decision.CORRECTED: f"it is {correction.corrected}",
        Decision.NO_LETTER: "it is no letter",
        Decision.WRONG: f"it is not {correction.letter}",
        Decision.OPEN: "it is open again",
    }[correction.decision]
    when = correction.when[11:16]
    return (
        f"A letter read as {correction.letter} was decided before you: {correction.by} said at {when} UTC "
        f"that {says}. That counts; yours is not saved."
    )
