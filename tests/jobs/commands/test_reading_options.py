"""The options that say how pages are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lettermill.jobs.job.folder import Job
from lettermill.jobs.settings import Settings
from tests.support import ROOT, Command

FORM = ROOT / "examples" / "form"


def test_they_become_the_settings_of_the_job(
    lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    draw_page(tmp_path / "scans" / "a.png", ["AB 12"])
    (tmp_path / "words.txt").write_text("AB\n")
    words = ("--alphabet", "Alnum", "--layout", "LINE", "--printed", "keep", "--dpi", "200")
    limits = ("--max-megapixels", "50", "--max-megabytes", "20", "--max-pages", "7", "--page-seconds", "60")
    done = lettermill("run", "scans", "--out", "out", *words, *limits, "--lexicon", "words.txt", "--json")
    job = Job.open(next((tmp_path / "out").glob("*-*")))
    found = job.settings
    assert (found.alphabet, found.layout, found.printed, found.dpi) == ("alnum", "line", "keep", 200)
    assert (found.limits.max_megapixels, found.limits.max_megabytes) == (50, 20)
    assert (found.limits.max_pages, found.limits.page_seconds) == (7, 60)
    assert job.lexicon is not None and [entry.letters for entry in job.lexicon.entries()] == ["AB"]
    assert json.loads(done.stdout)["settings"]["lexicon"] == found.lexicon


def test_without_them_the_settings_are_the_defaults(
    lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    draw_page(tmp_path / "scans" / "a.png", ["AB"])
    lettermill("run", "scans", "--out", "out")
    assert Job.open(next((tmp_path / "out").glob("*-*"))).settings == Settings()


def test_a_context_is_kept_and_counted(
    lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    draw_page(tmp_path / "scans" / "a.png", ["MARTIN"])
    done = lettermill("run", "scans", "--out", "out", "--layout", "line", "--context", "names", "--json")
    job = Job.open(next((tmp_path / "out").glob("*-*")))
    assert job.context is not None and job.context.digest == job.settings.context
    context = json.loads(done.stdout)["context"]
    assert context.keys() == {"changed_letters", "nats", "own_nats", "fits"}
    rows = (job.path / "letters.csv").read_text().splitlines()
    changed = sum(row.rsplit(",", 1)[1] != "" for row in rows[1:])
    assert context["changed_letters"] == changed


def test_numbers_have_no_context(lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path) -> None:
    draw_page(tmp_path / "scans" / "a.png", ["12"])
    done = lettermill("run", "scans", "--out", "out", "--alphabet", "digits", "--context", "names", status=2)
    assert "a context cannot be used with the alphabet digits" in done.stderr
