"""Compare the results of a job with the truth, a person's transcription."""

from __future__ import annotations

import dataclasses
import itertools
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from lettermill.jobs.errors import BadData, NotAJob
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import LineReading
from lettermill.jobs.results.csv_tables import unescape_formula
from lettermill.jobs.results.mistakes import SEGMENTATION, Kind, Mistake, ReadLetter, find_mistakes
from lettermill.jobs.storage.display import display_path

_WORST_FILES = 10
"""How many files are named as the worst."""

NOT_COMPARED = frozenset({"", "EMPTY", "UNREADABLE"})
"""Labels that mean that there is nothing to read; their rows are left out."""

_VARIANTS = str.maketrans("\u2018\u2019\u2010\u2012\u2013\u2014\u2212\u2044", "''-----/")
"""Quotes, dashes and slashes that word processors set, and the marks that they are."""

_MAKE_CSV = (
    "Give a CSV file in UTF-8 with the columns file,label: "
    "each file's path below the scan folder, and what is written on it."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Confusion:
    """How often something was read for something else.

    Attributes:
        truth: what is written; empty if a letter was read that is not there; several letters if some were
            merged or split.
        read: what was read; empty if a letter was missed.
        count: how often.
    """

    truth: str
    read: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class FileScore:
    """How one file was read.

    Attributes:
        file: as letters.csv names it.
        edits: characters to replace, insert or delete.
        truth: the characters of the label that are compared.
        read: those that were read.
    """

    file: str
    edits: int
    truth: str
    read: str


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Results against truth.

    Attributes:
        files: files compared: rows of the truth that are not left out.
        exact_files: files read without a mistake.
        lines: lines of the labels that have a character to compare.
        exact_lines: lines read without a mistake.
        characters: length of the truth.
        edits: characters to replace, insert or delete to turn the readings into the truth.
        by_kind: the same by kind (`lettermill.jobs.results.mistakes.Kind`); they add up to `edits`.
        wrong_letters: letters that were read and are part of a mistake.
        wrong_flagged: those of them that are flagged: a person who checks the flagged letters finds them.
        left_out: rows whose label is empty, EMPTY or UNREADABLE; not counted anywhere else.
        not_in_job: files of the truth that are not in the job; all of their characters count as missed.
        by_name: files of the truth that the job has in another folder, found by their names alone.
        not_read: compared files with a page that failed or has no result yet; the characters of that page
            count as missed.
        without_truth: files of the job that the truth does not name; not counted anywhere else.
        confusions: the mistakes, most frequent first.
        worst: the files with the most edits, at most ten.
    """

    files: int
    exact_files: int
    lines: int
    exact_lines: int
    characters: int
    edits: int
    by_kind: dict[str, int]
    wrong_letters: int
    wrong_flagged: int
    left_out: int
    not_in_job: int
    by_name: int
    not_read: int
    without_truth: int
    confusions: tuple[Confusion, ...]
    worst: tuple[FileScore, ...]

    @property
    def cer(self) -> float:
        """Character error rate: edits per character of the truth."""
        return self.edits / self.characters

    @property
    def exact(self) -> float:
        """Share of the files that were read without a mistake."""
        return self.exact_files / self.files

    @property
    def segmentation(self) -> int:
        """Edits in which the number of letters is wrong."""
        return sum(self.by_kind[kind] for kind in SEGMENTATION)

    @property
    def classification(self) -> int:
        """Edits in which one letter was read for another."""
        return self.by_kind[Kind.CONFUSED]

    def to_json(self) -> dict[str, Any]:
        """Return the score as JSON values; the two rates are rounded to four decimals."""
        return {
            "cer": round(self.cer, 4),
            "exact": round(self.exact, 4),
            "segmentation": self.segmentation,
            "classification": self.classification,
            **dataclasses.asdict(self),
        }


def compare(job: Job, truth_csv: Path, marks: bool = False) -> Score:
    """Compare a job's results with truth.

    Only characters of the job's alphabet are compared: upper-cased, without accents, spaces, line breaks and
    everything else. All pages of a file together are one text.

    Args:
        job: the job; it need not be finished.
        truth_csv: columns file (path below the scan root as in letters.csv) and label; others are ignored.
        marks: whether the alphabet's marks are compared, too, where they stand between characters of a line.

    Raises:
        BadData: the truth cannot be used, or names no file of the job.
        NotAJob: the manifest is missing or damaged.
    """
    labels = _labels(truth_csv)
    truths = {file: label for file, label in labels.items() if label.strip().upper() not in NOT_COMPARED}
    scans = {display_path(entry.scan) for entry, _ in job.manifest()}
    by_name = _same_names(set(labels) - scans, scans - set(labels))
    if scans and labels and scans.isdisjoint(labels) and not by_name:
        raise BadData(
            f"no file that {display_path(truth_csv)} names is in the job: it names {min(labels)!r}, "
            f"the job has {min(scans)!r}",
            "Give paths below the scan folder, as in pages.csv, and the job that was made of these scans.",
        )
    tally = _Comparison(job.settings.characters, job.settings.marks if marks else "")
    missing, without_truth, not_read = set(truths), 0, 0
    entries = (entry for entry, _ in job.manifest())
    for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
        name = display_path(scan)
        named = by_name.get(name, name)
        if named in truths:
            read = [_page_lines(job, page.id) for page in pages]
            tally.add(name, truths[named], [line for lines in read for line in lines or ()])
            missing.discard(named)
            not_read += None in read
        else:
            without_truth += named not in labels
    for name in sorted(missing):
        tally.add(name, truths[name], [])
    if not tally.characters:
        raise BadData(
            f"{display_path(truth_csv)} has nothing to compare: "
            "no label has a character of the job's alphabet "
            f"({job.settings.alphabet})",
            _MAKE_CSV,
        )
    return Score(
        files=len(truths),
        exact_files=tally.exact,
        lines=tally.lines,
        exact_lines=tally.exact_lines,
        characters=tally.characters,
        edits=tally.by_kind.total(),
        by_kind={kind.value: tally.by_kind[kind] for kind in Kind},
        wrong_letters=tally.wrong,
        wrong_flagged=tally.wrong_flagged,
        left_out=len(labels) - len(truths),
        not_in_job=len(missing),
        by_name=len(by_name),
        not_read=not_read,
        without_truth=without_truth,
        confusions=tally.confusions(),
        worst=tuple(sorted(tally.wrong_files, key=lambda file: (-file.edits, file.file))[:_WORST_FILES]),
    )


def _same_names(labelled: Iterable[str], scans: Iterable[str]) -> dict[str, str]:
    """Return for scans without a label the label's file of the same name, where that name occurs only once.

    Args:
        labelled: files of the truth that the job lacks.
        scans: files of the job that the truth lacks.
    """
    ours, theirs = _by_last_part(labelled), _by_last_part(scans)
    return {
        theirs[name][0]: files[0]
        for name, files in ours.items()
        if len(files) == 1 and len(theirs.get(name, ())) == 1
    }


def _by_last_part(files: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for file in files:
        groups.setdefault(file.rpartition("/")[2], []).append(file)
    return groups


class _Comparison:
    """Adds up what differs between readings and their truth."""

    def __init__(self, characters: str, marks: str) -> None:
        self._marks = marks
        self._compared = frozenset(characters + marks)
        self.exact = self.lines = self.exact_lines = self.characters = 0
        self.wrong = self.wrong_flagged = 0
        self.by_kind: Counter[Kind] = Counter()
        self.mistakes: Counter[tuple[str, str]] = Counter()
        self.wrong_files: list[FileScore] = []

    def add(self, name: str, label: str, lines: Sequence[LineReading]) -> None:
        """Compare one file."""
        written = [text for line in label.splitlines() if (text := self._comparable(line))]
        truth = "".join(written)
        read = [
            ReadLetter(number, letter)
            for number, line in enumerate(lines)
            for letter in line.letters
            if letter.letter in self._compared
        ]
        mistakes = find_mistakes(truth, read)
        self.exact += not mistakes
        self.characters += len(truth)
        self.lines += len(written)
        self.exact_lines += len(written) - len(_spoilt(written, read, mistakes))
        for mistake in mistakes:
            self.by_kind[mistake.kind] += mistake.edits
            self.mistakes[mistake.written, mistake.read] += 1
            letters = [one.letter for one in read[mistake.first : mistake.first + len(mistake.read)]]
            self.wrong += len(letters)
            self.wrong_flagged += sum(letter.flagged for letter in letters)
        if mistakes:
            edits = sum(mistake.edits for mistake in mistakes)
            text = "".join(one.letter.letter for one in read)
            self.wrong_files.append(FileScore(name, edits, truth, text))

    def _comparable(self, text: str) -> str:
        # Decomposed, an accented letter is the letter and an accent; the alphabet has no accents.
        plain = unicodedata.normalize("NFKD", text).upper().translate(_VARIANTS)
        return "".join(char for char in plain if char in self._compared).strip(self._marks)

    def confusions(self) -> tuple[Confusion, ...]:
        """Return the mistakes, most frequent first, then by character."""
        ordered = sorted(self.mistakes.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Confusion(truth, read, count) for (truth, read), count in ordered)


def _spoilt(written: Sequence[str], read: Sequence[ReadLetter], mistakes: Sequence[Mistake]) -> set[int]:
    """Return the lines of the truth that have a mistake; letters on invented lines spoil none."""
    line_of = [number for number, line in enumerate(written) for _ in line]
    spoilt = set()
    for mistake in mistakes:
        here = line_of[mistake.start : mistake.start + len(mistake.written)]
        if not here and line_of:
            # Between two lines, the one is spoilt whose letter is on the same line of the reading.
            before, after = mistake.first - 1, mistake.first + len(mistake.read)
            own = {one.line for one in read[mistake.first : after]}
            if before >= 0 and read[before].line in own and mistake.start > 0:
                here = [line_of[mistake.start - 1]]
            elif mistake.start < len(line_of) and after < len(read) and read[after].line in own:
                here = [line_of[mistake.start]]
        spoilt.update(here)
    return spoilt


def _page_lines(job: Job, page_id: str) -> tuple[LineReading, ...] | None:
    try:
        reading = job.results.read(page_id)
    except NotAJob:
        return None  # Damaged: treated as missing; `lettermill collect` names it.
    return None if reading is None or reading.failed else reading.lines


def _labels(path: Path) -> dict[str, str]:
    """Read the truth: labels by file, both without the apostrophe of an escaped formula."""
    table = _table(path)
    table.columns = table.columns.str.strip()
    absent = [column for column in ("file", "label") if column not in table.columns]
    if absent:
        raise BadData(
            f"{display_path(path)} lacks the column {' and '.join(absent)}; "
            f"it has {', '.join(table.columns)}",
            _MAKE_CSV,
        )
    files = [unescape_formula(file) for file in table["file"]]
    repeated = [file for file, count in Counter(files).items() if count > 1]
    if repeated:
        raise BadData(f"{display_path(path)} names {repeated[0]!r} more than once", "Keep one row per file.")
    return dict(zip(files, (unescape_formula(label) for label in table["label"]), strict=True))


def _table(path: Path) -> Any:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # Rows longer than the header.
            # All cells are text, and only an empty cell is empty: a person may be named NA.
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except UnicodeDecodeError as error:
        raise BadData(f"{display_path(path)} is not in UTF-8: {error.reason}", _MAKE_CSV) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise BadData(f"{display_path(path)} is not a CSV file: {str(error).strip()}", _MAKE_CSV) from error
    except OSError as error:
        raise BadData(f"cannot read {display_path(path)}: {error.strerror}", _MAKE_CSV) from error
