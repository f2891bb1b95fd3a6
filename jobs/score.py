"""Scoring: the letters of a job against a person's transcription."""

from __future__ import annotations

import dataclasses
import itertools
import unicodedata
import warnings
from collections import Counter
from operator import attrgetter
from pathlib import Path
from typing import Any

from jobs.collect import not_inert
from jobs.errors import BadData, NotAJob
from jobs.files import shown
from jobs.job import Job
from jobs.summary import FAILED

NOT_COMPARED = frozenset({"", "EMPTY", "UNREADABLE"})
"""Labels that say that there is nothing to read; their rows are left out."""

_MAKE_CSV = (
    "Give a CSV file in UTF-8 with the columns file,label: "
    "each file's path below the scan folder, and what is written there."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Confusion:
    """How often one character was read for another.

    Attributes:
        truth: what is written; empty where a letter was read that is not there.
        read: what was read; empty where a letter was missed.
        count: how often.
    """

    truth: str
    read: str
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """Results against truth.

    Attributes:
        files: files compared: rows of the truth that are not left out.
        exact_files: files read without a mistake.
        characters: length of the truth.
        edits: characters to replace, insert or delete to turn the readings into the truth.
        left_out: rows whose label is empty, EMPTY or UNREADABLE; they count nowhere else.
        not_in_job: files of the truth that are not in the job; every character of theirs counts as missed.
        not_read: compared files of the job with a page that failed or has no result yet; what is missing
            counts as missed.
        without_truth: files of the job that the truth does not name; they count nowhere.
        confusions: the mistakes, most frequent first.
    """

    files: int
    exact_files: int
    characters: int
    edits: int
    left_out: int
    not_in_job: int
    not_read: int
    without_truth: int
    confusions: tuple[Confusion, ...]

    @property
    def cer(self) -> float:
        """Character error rate: edits for each character of the truth."""
        return self.edits / self.characters

    @property
    def exact(self) -> float:
        """Share of the files that were read without a mistake."""
        return self.exact_files / self.files

    def to_json(self) -> dict[str, Any]:
        """Return the score as plain values, the two rates rounded to four decimals."""
        return {"cer": round(self.cer, 4), "exact": round(self.exact, 4), **dataclasses.asdict(self)}


def score(job: Job, truth_csv: Path) -> Score:
    """Compare a job's results with truth.

    Only characters of the job's alphabet are compared: upper-cased, without accents, spaces, line breaks and
    everything else. All pages of a file together are one text.

    Args:
        job: the job; it need not be finished.
        truth_csv: columns file (path below the scan root as in letters.csv) and label; others are ignored.

    Raises:
        BadData: the truth cannot be used.
        NotAJob: the manifest is missing or damaged.
    """
    labels = _labels(truth_csv)
    truths = {file: label for file, label in labels.items() if label.strip().upper() not in NOT_COMPARED}
    characters = frozenset(job.settings.characters)
    tally = _Comparison(characters)
    missing, without_truth, not_read = set(truths), 0, 0
    entries = (entry for entry, _ in job.manifest())
    for scan, pages in itertools.groupby(entries, key=attrgetter("scan")):
        name = shown(scan)
        if name in truths:
            texts = [_page_text(job, page.id) for page in pages]
            tally.add(truths[name], "".join(text or "" for text in texts))
            missing.discard(name)
            not_read += None in texts
        else:
            without_truth += name not in labels
    for name in missing:
        tally.add(truths[name], "")
    if not tally.characters:
        raise BadData(
            f"{shown(truth_csv)} has nothing to compare: no label has a character of the job's alphabet "
            f"({job.settings.alphabet})",
            _MAKE_CSV,
        )
    return Score(
        files=len(truths),
        exact_files=tally.exact,
        characters=tally.characters,
        edits=tally.mistakes.total(),
        left_out=len(labels) - len(truths),
        not_in_job=len(missing),
        not_read=not_read,
        without_truth=without_truth,
        confusions=tally.confusions(),
    )


class _Comparison:
    """Adds up what differs between texts and their truth."""

    def __init__(self, alphabet: frozenset[str]) -> None:
        self._alphabet = alphabet
        self.exact = 0
        self.characters = 0
        self.mistakes: Counter[tuple[str, str]] = Counter()

    def add(self, label: str, text: str) -> None:
        """Compare one file."""
        from rapidfuzz.distance import Levenshtein

        truth, read = _comparable(label, self._alphabet), _comparable(text, self._alphabet)
        edits = Levenshtein.editops(truth, read)
        self.exact += not edits
        self.characters += len(truth)
        for edit in edits:
            written = "" if edit.tag == "insert" else truth[edit.src_pos]
            self.mistakes[written, "" if edit.tag == "delete" else read[edit.dest_pos]] += 1

    def confusions(self) -> tuple[Confusion, ...]:
        """Return the mistakes, most frequent first, then by character."""
        ordered = sorted(self.mistakes.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Confusion(truth, read, count) for (truth, read), count in ordered)


def _comparable(text: str, alphabet: frozenset[str]) -> str:
    # Decomposed, an accented letter is the letter and a mark; the alphabet has no marks.
    return "".join(char for char in unicodedata.normalize("NFKD", text).upper() if char in alphabet)


def _page_text(job: Job, page_id: str) -> str | None:
    try:
        reading = job.read_result(page_id)
    except NotAJob:
        return None  # Damaged: as if it were not there, and `lettermill collect` names it.
    return None if reading is None or reading.status in FAILED else reading.text


def _labels(path: Path) -> dict[str, str]:
    """Read the truth: label by file, both without the apostrophe of an inert cell."""
    table = _table(path)
    table.columns = table.columns.str.strip()
    absent = [column for column in ("file", "label") if column not in table.columns]
    if absent:
        raise BadData(
            f"{shown(path)} lacks the column {' and '.join(absent)}; it has {', '.join(table.columns)}",
            _MAKE_CSV,
        )
    files = [not_inert(file) for file in table["file"]]
    repeated = [file for file, count in Counter(files).items() if count > 1]
    if repeated:
        raise BadData(f"{shown(path)} names {repeated[0]!r} more than once", "Keep one row a file.")
    return dict(zip(files, (not_inert(label) for label in table["label"]), strict=True))


def _table(path: Path) -> Any:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # Rows longer than the header.
            # As text, and nothing but an empty cell is empty: a person may be named NA.
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except UnicodeDecodeError as error:
        raise BadData(f"{shown(path)} is not in UTF-8: {error.reason}", _MAKE_CSV) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        raise BadData(f"{shown(path)} is not a CSV file: {str(error).strip()}", _MAKE_CSV) from error
    except OSError as error:
        raise BadData(f"cannot read {shown(path)}: {error.strerror}", _MAKE_CSV) from error
