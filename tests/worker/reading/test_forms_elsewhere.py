"""Forms that workers elsewhere read: submitted, from an object store too, and put into a watched folder."""

from __future__ import annotations

import csv
import io
import shutil
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from lettermill.jobs.storage.bucket import Bucket
from tests.object_store import object_store
from tests.support import ROOT, Command, Starter, draw, wait_for

FORM = ROOT / "examples" / "form"
SCANS = ("desk/flat.png", "desk/upside down.png")


def rows(table: str) -> dict[str, dict[str, str]]:
    return {row["scan"]: row for row in csv.DictReader(io.StringIO(table, newline=""), strict=True)}


def values(table: str) -> dict[str, dict[str, str]]:
    """What stands in the fields of each scan."""
    names = rows((FORM / "truth.csv").read_text(encoding="utf-8"))[SCANS[0]]
    return {scan: {name: row[name] for name in names if name != "scan"} for scan, row in rows(table).items()}


def truth(*scans: str) -> dict[str, dict[str, str]]:
    return {scan: values((FORM / "truth.csv").read_text(encoding="utf-8"))[scan] for scan in scans}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A copy of the example's template, which may go."""
    folder = tmp_path / "template"
    folder.mkdir()
    for name in ("form.toml", "blank.png", "towns.txt"):
        shutil.copy(FORM / name, folder)
    return folder / "form.toml"


@pytest.fixture
def worker(start: Starter, broker: str) -> Callable[..., object]:
    def begin(scans: object, results: object) -> object:
        words = ("worker", "--broker", broker, "--scans", scans, "--results", results)
        return start(*words, "--concurrency", 1)

    return begin


def test_a_submitted_form(
    lettermill: Command, worker: Callable, broker: str, template: Path, tmp_path: Path
) -> None:
    scans, out = tmp_path / "scans", tmp_path / "out"
    shutil.copytree(FORM / "scans" / "desk", scans / "desk")
    (scans / "desk" / "askew.jpg").unlink()
    out.mkdir()
    words = ("submit", scans, "--out", out, "--broker", broker, "--template", template)
    job = Path(lettermill(*words).stdout.strip())
    shutil.rmtree(template.parent)  # Workers need what lies in the job folder, and nothing else.
    partly = lettermill("collect", job, status=1)
    assert "unfinished  2 pages" in partly.stdout
    assert (job / "fields.csv").read_text(encoding="utf-8").count("\n") == 1
    early = lettermill("export", job, "--format", "jsonl", status=0)
    assert "left out: 2 pages not read yet" in early.stderr
    worker(scans, out)
    lettermill("wait", job, "--timeout", "200")
    lettermill("collect", job)
    assert values((job / "fields.csv").read_text(encoding="utf-8")) == truth(*SCANS)


def test_a_form_in_an_object_store(
    lettermill: Command, worker: Callable, broker: str, template: Path
) -> None:
    with object_store():
        name = f"tests-{uuid.uuid4().hex}"
        boto3.session.Session().client("s3").create_bucket(Bucket=name)
        top = Bucket(name, "")
        (top / "scans" / "desk" / "flat.png").write((FORM / "scans" / "desk" / "flat.png").read_bytes())
        words = ("submit", top / "scans", "--out", top / "out", "--broker", broker, "--template", template)
        job = lettermill(*words).stdout.strip()
        shutil.rmtree(template.parent)
        worker(top / "scans", top / "out")
        lettermill("wait", job, "--timeout", "200")
        lettermill("collect", job)
        (place,) = (top / "out").folders_with("job.json")
        assert values(place.read("fields.csv").decode()) == truth("desk/flat.png")


def test_forms_in_a_watched_folder(
    start: Starter, worker: Callable, broker: str, template: Path, tmp_path: Path
) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "out"
    for folder in (inbox / "desk", out):
        folder.mkdir(parents=True)
    shutil.copy(FORM / "scans" / "desk" / "flat.png", inbox / "desk")
    draw(inbox / "letter.png", ["NO FORM AT ALL"])
    worker(inbox, out)
    words = ("watch", inbox, "--out", out, "--settle", 1, "--done", tmp_path / "done")
    watch = start(*words, "--broker", broker, "--template", template)
    reason = out / "failed" / "letter.png.txt"
    wait_for(lambda: reason.exists() and (tmp_path / "done/desk/flat.png").exists(), 200, "the batch")
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(60) == 130
    assert "FORM_NOT_FOUND" in reason.read_text(encoding="utf-8")
    tables = [rows(path.read_text(encoding="utf-8")) for path in out.glob("inbox-*/fields.csv")]
    assert sum(map(len, tables)) == 2
    found = {scan: row for table in tables for scan, row in table.items()}
    assert (found["letter.png"]["status"], found["letter.png"]["flagged"]) == ("FAILED", "1")
    read = {name: found["desk/flat.png"][name] for name in truth("desk/flat.png")["desk/flat.png"]}
    assert read == truth("desk/flat.png")["desk/flat.png"]
