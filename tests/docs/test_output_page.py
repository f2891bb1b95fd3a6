"""docs/output.md says what the code does."""

from __future__ import annotations

import re

from lettermill.cli import INTERRUPTED
from lettermill.jobs.errors import MENDABLE_WITHOUT_A_NEW_FILE, ErrorCode, LettermillError
from lettermill.jobs.records.readings import Status
from lettermill.jobs.results.report import ADVICE, QUALITY_ADVICE
from lettermill.segmentation.values import Flaw
from lettermill.worker.commands.predict import HEADER
from lettermill.worker.reading.single_letter import Note
from tests.support import ROOT

PAGE = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")


def all_below(kind: type[LettermillError]) -> set[type[LettermillError]]:
    return {kind}.union(*(all_below(below) for below in kind.__subclasses__()))


def rows(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row] for row in cells[2:]]


def test_every_error_code_with_what_it_means_and_what_to_do() -> None:
    assert rows("### Error codes") == [[code.value, *ADVICE[code]] for code in ErrorCode]


def test_every_quality_code_with_what_it_means_and_what_to_do() -> None:
    assert rows("### Quality codes") == [[flaw.value, *QUALITY_ADVICE[flaw]] for flaw in Flaw]


def test_every_status() -> None:
    assert [status for status, _ in rows("### Status")] == [status.value for status in Status]


def test_every_exit_status() -> None:
    documented = {int(status) for status, _ in rows("## Exit statuses")}
    assert documented == {0, 1, INTERRUPTED} | {kind.exit_status for kind in all_below(LettermillError)}


def test_what_the_same_command_tries_again() -> None:
    told = re.search(r"for a\nreason outside of the file \(([^)]*)\)", PAGE)
    assert told
    assert set(re.findall(r"\w+", told[1])) == MENDABLE_WITHOUT_A_NEW_FILE


def test_every_column_and_note_of_predict() -> None:
    table = rows("## The CSV file of `lettermill predict`")
    assert [row[0] for row in table] == HEADER.split(",")
    assert set(re.findall(r"[A-Z_]{5,}", table[-1][1])) == {note.value for note in Note if note}
