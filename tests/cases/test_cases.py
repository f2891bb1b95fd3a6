"""Reads the files of files/ and compares what comes out with cases.csv."""

from __future__ import annotations

import csv
import shlex
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from tests.support import Command

FILES = Path(__file__).parent / "files"

LARGEST_FILE_BYTES = 300_000

Row = dict[str, str]


def cases() -> list[Row]:
    """The lines of cases.csv."""
    with (FILES.parent / "cases.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def by_options() -> dict[str, list[Row]]:
    """The cases that one run can read, by their options."""
    together: dict[str, list[Row]] = defaultdict(list)
    for case in cases():
        together[case["options"]].append(case)
    return dict(together)


def table(out: Path, name: str) -> dict[str, list[Row]]:
    """The rows of a CSV file of the one job below `out`, by scan."""
    rows: dict[str, list[Row]] = defaultdict(list)
    (path,) = out.glob(f"*-*/{name}")
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["scan"]].append(row)
    return dict(rows)


def normal(text: str) -> str:
    """A text with one space between words and one bar between lines."""
    return "|".join(" ".join(line.split()) for line in text.split("|"))


def faults(case: Row, pages: list[Row], lines: list[Row]) -> list[str]:
    """What is not as the case says, in sentences."""
    found = []
    status = " ".join(page["status"] for page in pages)
    if status != case["status"]:
        found.append(f"status {status}, not {case['status']}: {pages[0]['error']}")
    codes = {code for page in pages for code in (page["error_code"], *page["quality"].split()) if code}
    if missing := set(case["code"].split()) - codes:
        found.append(f"codes {sorted(codes)}, without {sorted(missing)}")
    if case["says"].lower() not in " ".join(page["error"] for page in pages).lower():
        found.append(f"the sentence is {pages[0]['error']!r}, without {case['says']!r}")
    if case["text"]:
        right = "" if case["text"] == "-" else normal(case["text"])
        read = "|".join(line["text"] for line in lines)
        edits = Levenshtein.distance(right, read)
        if edits > int(case["edits"] or 0):
            found.append(f"read {read!r}, not {right!r}: {edits} edits")
    return [f"{case['file']}: {fault}\n  {case['what']}" for fault in found]


@pytest.mark.parametrize("options", by_options(), ids=lambda options: options or "defaults")
def test_each_file_is_read_as_its_line_says(options: str, tmp_path: Path, lettermill: Command) -> None:
    together = by_options()[options]
    for case in together:
        copy = tmp_path / "scans" / case["file"]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FILES / case["file"], copy)
    words = [str(FILES / word) if (FILES / word).is_file() else word for word in shlex.split(options)]
    lettermill("run", tmp_path / "scans", "--out", tmp_path / "out", *words, status=None)
    pages, lines = table(tmp_path / "out", "pages.csv"), table(tmp_path / "out", "lines.csv")
    found = [
        fault for case in together for fault in faults(case, pages[case["file"]], lines.get(case["file"], []))
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_scan_has_a_line_and_every_line_a_scan() -> None:
    options = " ".join(case["options"] for case in cases()).split()
    files = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    assert files - set(options) == {case["file"] for case in cases()}


def test_the_files_stay_small() -> None:
    assert not [path for path in FILES.rglob("*") if path.stat().st_size > LARGEST_FILE_BYTES]
