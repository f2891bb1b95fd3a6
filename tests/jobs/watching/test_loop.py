"""A watch checks its plan at the start; tests/faults/test_watch.py lets it run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import ModelProblem, ResultsNotWritable, UsageProblem
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.left_out import LeftOut
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.watching import loop
from lettermill.jobs.watching.loop import Plan, keep_watching
from tests.support import disk_roots


@pytest.fixture
def plan(tmp_path: Path, model: Model, reading_of: Callable[..., PageReading]) -> Plan:
    """A plan under which each page reads as an A."""

    def read(job: Job) -> None:
        for entry, _ in job.manifest():
            job.results.write(reading_of(entry, "A"))

    inbox, out = Disk(tmp_path / "inbox"), Disk(tmp_path / "out")
    inbox.mkdir()
    return Plan(
        folder=inbox,
        out=out,
        done=tmp_path / "done",
        failed=tmp_path / "failed",
        settle_seconds=0,
        recipe=ReadingRecipe(Settings(), model),
        roots=disk_roots(inbox, out),
        shared=False,
        read=read,
        acceptance=None,
        then=None,
    )


def test_the_folders_are_made(plan: Plan) -> None:
    plan.check()
    assert all(path and path.is_dir() for path in (plan.out, plan.done, plan.failed))


def test_plans_that_cannot_work(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for changes, error, words in (
        ({"done": plan.folder / "done"}, UsageProblem, "lies in the watched folder"),
        ({"roots": disk_roots(tmp_path / "elsewhere", plan.out)}, UsageProblem, "--scans"),
        ({"roots": disk_roots(plan.folder, tmp_path / "elsewhere")}, UsageProblem, "--results"),
        ({"folder": Disk(tmp_path / "nothing")}, UsageProblem, "nothing"),
        ({"failed": tmp_path / "file"}, ResultsNotWritable, "cannot use the folder"),
    ):
        with pytest.raises(error, match=words):
            dataclasses.replace(plan, **changes).check()


def test_a_model_without_the_alphabet_is_refused(plan: Plan) -> None:
    model = dataclasses.replace(plan.recipe.model, card={**plan.recipe.model.card, "labels": ["A"]})
    with pytest.raises(ModelProblem, match="does not know B C"):
        dataclasses.replace(plan, recipe=ReadingRecipe(Settings(), model)).check()


def test_a_batch_is_read_collected_and_moved(
    plan: Plan, scans: Path, job_of: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_of("a.png")  # Draws it.
    (scans / "a.png").rename(plan.folder / "a.png")

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lettermill.jobs.watching.loop.time.sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        keep_watching(plan)
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["a.png"]
    (letters,) = plan.out.glob("inbox-*/letters.csv")
    assert len(letters.read_text().splitlines()) == 2


def test_what_is_left_out_is_named_when_it_has_settled_and_when_there_is_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = loop._LeftOutNamed(settle_seconds=5)

    def said(now: float, *files: str) -> str:
        named.look(LeftOut.of(files, [], []), now)
        return capsys.readouterr().err

    assert said(0, "a.gif") == said(4, "a.gif") == ""
    assert said(5, "a.gif").endswith("do not end like scans: 1 .gif\n")
    assert said(6, "a.gif") == said(60, "a.gif") == ""
    assert said(61, "a.gif", "b.docx") == said(62, "a.gif", "b.docx", "c.docx") == ""
    assert said(67, "a.gif", "b.docx", "c.docx").endswith("2 .docx, 1 .gif\n")
    assert said(68, "a.gif") == said(90, "a.gif") == ""  # Less is no news.
    assert said(91, "a.gif", "d.docx") == ""
    assert said(96, "a.gif", "d.docx").endswith("1 .docx, 1 .gif\n")
    assert said(97, "a.png.part") == said(200, "a.png.part") == ""
