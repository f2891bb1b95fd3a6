"""Scoring: what counts, what is left out, and what is told of a truth that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.commands.text import score_text
from lettermill.jobs.errors import BadData, ErrorCode
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.compare import Confusion, Score, compare
from lettermill.jobs.settings import Settings

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]


@pytest.fixture
def job_reading(job_of: JobOf, reading_of: ReadingOf) -> Callable[..., Job]:
    """Make a job in which each scan has the given text."""

    def make(texts: dict[str, str], settings: Settings | None = None) -> Job:
        job = job_of(*texts, settings=settings)
        for entry, _ in job.manifest():
            job.results.write(reading_of(entry, texts[entry.scan]))
        return job

    return make


@pytest.fixture
def scored(tmp_path: Path) -> Callable[..., Score]:
    def make(
        job: Job, *rows: str, header: str = "file,label", encoding: str = "utf-8", marks: bool = False
    ) -> Score:
        truth = tmp_path / "truth.csv"
        truth.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
        return compare(job, truth, marks)

    return make


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def test_rates(job_reading: Callable[..., Job], scored: Callable[..., Score]) -> None:
    job = job_reading({"a.png": "HELLO", "b.png": "WORLD", "c.png": "CATT"})
    result = scored(job, "a.png,HELLO", "b.png,WARD", "c.png,CAT")
    # One letter for another, one too many; one too many.
    assert (result.edits, result.characters, result.files, result.exact_files) == (3, 12, 3, 1)
    assert result.cer == pytest.approx(3 / 12)
    assert result.exact == pytest.approx(1 / 3)


def test_confusions_are_most_frequent_first(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    job = job_reading({"a.png": "QQXY", "b.png": "BQCADE"})
    result = scored(job, "a.png,OOXYZ", "b.png,BOCDE")
    assert result.confusions == (Confusion("O", "Q", 3), Confusion("", "A", 1), Confusion("Z", "", 1))
    assert sum(confusion.count for confusion in result.confusions) == result.edits


@pytest.mark.parametrize(
    "label",
    [
        "JOSÉ O'HARA-LÜTZ",
        "jose ohara lutz",
        " JOSE  OHARA\u00a0LUTZ ",
        "Jose\u0301 O’Hara, Lu\u0308tz 3",
        "ＪＯＳＥ OHARALUTZ",
    ],
)
def test_only_the_letters_are_compared(
    job_reading: Callable[..., Job], scored: Callable[..., Score], label: str
) -> None:
    job = job_reading({"a.png": "JOSE OHARA\nLUTZ"})
    result = scored(job, f'a.png,"{label}"')
    assert (result.edits, result.characters, result.exact) == (0, 13, 1.0)


def test_marks_are_compared_if_that_is_asked(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    digits = Settings(alphabet="digits")
    job = job_reading({"a.png": "12/05-24", "b.png": "1.5"}, digits)
    rows = "a.png,12/05/24", "b.png,15"
    assert scored(job, *rows).edits == 0
    result = scored(job, *rows, marks=True)
    assert (result.edits, result.characters) == (2, 10)
    assert set(result.confusions) == {Confusion("/", "-", 1), Confusion("", ".", 1)}


@pytest.mark.parametrize("label", ["A-B'C", "a\u2013b\u2019c.", "(A-B'C)", "- A\u2010B\u2018C", "A-B/'C"])
def test_marks_of_the_alphabet_between_characters_are_compared(
    job_reading: Callable[..., Job], scored: Callable[..., Score], label: str
) -> None:
    result = scored(job_reading({"a.png": "A-B'C"}), f"a.png,{label}", marks=True)
    assert (result.edits, result.characters) == (0, 5)


def test_the_alphabet_of_the_job_decides(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    texts = {"a.png": "AB12"}
    assert scored(job_reading(texts, Settings(alphabet="alnum")), "a.png,AB12").characters == 4
    assert scored(job_reading(texts, Settings(alphabet="digits")), "a.png,AB12").characters == 2


def test_rows_without_a_label_are_left_out_and_counted(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    job = job_reading({f"{name}.png": "AB" for name in "abcde"})
    result = scored(job, "a.png,AB", "b.png,", "c.png,EMPTY", "d.png, unreadable ", "gone.png,EMPTY")
    assert (result.files, result.left_out, result.without_truth, result.not_in_job) == (1, 4, 1, 0)
    assert result.cer == 0


def test_a_person_named_na(job_reading: Callable[..., Job], scored: Callable[..., Score]) -> None:
    result = scored(job_reading({"a.png": "NA"}), "a.png,NA")
    assert (result.files, result.edits, result.characters) == (1, 0, 2)


def test_what_was_not_read_counts_as_missed(
    job_of: JobOf, reading_of: ReadingOf, scored: Callable[..., Score]
) -> None:
    job = job_of("a.png", "damaged.png", "empty.png", "failed.png", "unread.png")
    a, damaged, empty, failed, _ = entries(job)
    job.results.write(reading_of(a, "ABCD"))
    job.results.write(reading_of(damaged, "ABCD"))
    job.results.path(damaged.id).write_text("{")
    job.results.write(reading_of(empty))
    job.results.write(PageReading(failed.id, failed.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    names = ["a", "damaged", "empty", "failed", "unread", "absent"]
    result = scored(job, *(f"{name}.png,ABCD" for name in names))
    assert (result.edits, result.characters, result.files, result.exact_files) == (20, 24, 6, 1)
    assert (result.not_read, result.not_in_job) == (3, 1)
    assert result.confusions[0] == Confusion("A", "", 5)


def test_pages_of_a_file_are_one_text(
    job_of: JobOf, scans: Path, reading_of: ReadingOf, scored: Callable[..., Score]
) -> None:
    from PIL import Image

    sheet = Image.new("1", (30, 20), 1)
    sheet.save(scans / "book.tif", save_all=True, append_images=[sheet, sheet])
    job = job_of()
    for entry, text in zip(entries(job), ["DEAR", "", "SIR"], strict=True):
        job.results.write(reading_of(entry, text))
    assert scored(job, "book.tif,DEAR SIR").exact == 1.0


def test_names_as_in_letters_csv(job_reading: Callable[..., Job], scored: Callable[..., Score]) -> None:
    names = ["=1.png", "'=2.png", "'3.png", "new\nline.png", os.fsdecode(b"caf\xe9.png"), "box 2/é.png"]
    job = job_reading(dict.fromkeys(names, "AB"))
    as_collected = ["'=1.png", "''=2.png", "'3.png", '"new\nline.png"', "caf\\xe9.png", "box 2/é.png"]
    result = scored(job, *(f"{name},AB" for name in as_collected))
    assert (result.files, result.not_in_job, result.edits) == (6, 0, 0)
    assert scored(job, "=1.png,AB").not_in_job == 0  # As a person writes it.


def test_a_file_in_another_folder_is_found_by_its_name_if_that_occurs_once(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    job = job_reading({"box/a.png": "AB", "box/b.png": "CD", "1/c.png": "EF", "2/c.png": "GH"})
    result = scored(job, "a.png,AB", "scans/b.png,CX", "c.png,EF", "1/c.png,EF")
    assert (result.by_name, result.not_in_job, result.without_truth) == (3, 0, 0)
    assert [(file.file, file.truth) for file in result.worst] == [("2/c.png", "EF"), ("box/b.png", "CX")]
    result = scored(job, "a.png,AB", "c.png,EF")
    assert (result.by_name, result.not_in_job, result.without_truth) == (1, 1, 3)


def test_a_truth_that_names_no_file_of_the_job_is_refused(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    job = job_reading({"box/a.png": "AB"})
    with pytest.raises(BadData, match=r"names 'b\.png', the job has 'box/a\.png'"):
        scored(job, "c.png,AB", "b.png,AB")


def test_inert_labels(job_reading: Callable[..., Job], scored: Callable[..., Score]) -> None:
    assert scored(job_reading({"a.png": "AB"}), "a.png,'=AB").edits == 0


def test_other_columns_and_a_byte_order_mark_are_fine(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    job = job_reading({"a.png": "AB"})
    result = scored(job, "AB,me,a.png", header="label , writer,file", encoding="utf-8-sig")
    assert (result.files, result.edits) == (1, 0)


def test_json(job_reading: Callable[..., Job], scored: Callable[..., Score]) -> None:
    result = scored(job_reading({"a.png": "ABX"}), "a.png,ABC")
    assert json.loads(json.dumps(result.to_json())) == {
        "cer": 0.3333,
        "exact": 0.0,
        "segmentation": 0,
        "classification": 1,
        "files": 1,
        "exact_files": 0,
        "lines": 1,
        "exact_lines": 0,
        "characters": 3,
        "edits": 1,
        "by_kind": {"confused": 1, "missed": 0, "invented": 0, "split": 0, "merged": 0},
        "wrong_letters": 1,
        "wrong_flagged": 0,
        "left_out": 0,
        "not_in_job": 0,
        "by_name": 0,
        "not_read": 0,
        "without_truth": 0,
        "confusions": [{"truth": "C", "read": "X", "count": 1}],
        "worst": [{"file": "a.png", "edits": 1, "truth": "ABC", "read": "ABX"}],
    }


def test_kinds_add_up_and_flagged_errors_are_told(
    job_of: JobOf, reading_of: ReadingOf, scored: Callable[..., Score]
) -> None:
    job = job_of("a.png", "b.png", "c.png")
    for entry, text, sure in zip(entries(job), ("HELXO", "WOVVS", "CAT"), (0.5, 0.98, 0.5), strict=True):
        job.results.write(reading_of(entry, text, sure))
    result = scored(job, "a.png,HELLO", "b.png,WOWS", "c.png,CATS")
    assert (result.classification, result.segmentation, result.edits) == (1, 3, 4)
    assert result.by_kind["split"] == 2
    assert (result.wrong_letters, result.wrong_flagged) == (3, 1)  # X, and V and V, which are sure
    assert [(file.file, file.edits) for file in result.worst] == [("b.png", 2), ("a.png", 1), ("c.png", 1)]


@pytest.mark.parametrize(
    ("read", "exact"),
    [
        ("DEAR\nSIR\nYES", 3),
        ("DEAR\nSIX\nYES", 2),
        ("DEARI\nSIR\nYES", 2),
        ("DEAR\nISIR\nYES", 2),
        ("DEAR\nI\nSIR\nYES", 3),
        ("DEAR\nYES", 2),
        ("", 0),
    ],
)
def test_exact_lines(
    job_reading: Callable[..., Job], scored: Callable[..., Score], read: str, exact: int
) -> None:
    result = scored(job_reading({"a.png": read}), 'a.png,"DEAR\nSIR\n\nYES"')
    assert (result.exact_lines, result.lines) == (exact, 3)


def test_the_printed_score_says_what_went_wrong(
    job_reading: Callable[..., Job], scored: Callable[..., Score]
) -> None:
    result = scored(job_reading({"a.png": "AVVC", "b.png": "D"}), "a.png,AWC", "b.png,E")
    printed = score_text(result)
    assert "1  33.3%  classification" in printed
    assert "2  66.7%  segmentation" in printed
    assert "2  split: one letter read as two" in printed
    assert "W → VV" in printed
    assert "kind of mistake" not in score_text(scored(job_reading({"a.png": "AB", "b.png": "D"}), "a.png,AB"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a CSV file"),
        (b"\n\n", "is not a CSV file"),
        (b'file,label\na.png,"AB\n', "is not a CSV file"),
        (b"file,label\na.png,AB\nb.png,C,D\n", "is not a CSV file"),
        (b"file,label\na.png,A,B\n", "is not a CSV file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not in UTF-8"),
        ("file,label\na.png,JOSÉ\n".encode("latin-1"), "is not in UTF-8"),
        ("file,label\na.png,AB\n".encode("utf-16"), "is not in UTF-8"),
        (b"file;label\na.png;AB\n", "lacks the column file and label; it has file;label"),
        (b"file,text\na.png,AB\n", "lacks the column label; it has file, text"),
        (b"a.png,AB\n", "lacks the column file and label"),
        (b"file,label\na.png,AB\na.png,AC\n", "names 'a.png' more than once"),
        (b"file,label\n", "nothing to compare"),
        (b"file,label\na.png,EMPTY\n", "nothing to compare"),
        (b"file,label\na.png,123\n", "nothing to compare"),
    ],
)
def test_a_truth_that_cannot_be_used(
    job_reading: Callable[..., Job], tmp_path: Path, content: bytes, message: str
) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_bytes(content)
    with pytest.raises(BadData) as caught:
        compare(job_reading({"a.png": "AB"}), truth)
    assert message in caught.value.what
    assert caught.value.next_step


def test_no_truth(job_reading: Callable[..., Job], tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(BadData, match="cannot read"):
            compare(job_reading({"a.png": "AB"}), path)
