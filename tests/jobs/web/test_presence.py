"""Letters on screen in other processes."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import Browser, entries, held
from tests.support import Starter, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_two_reviewers_get_different_letters(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png")
    job.results.write(reading_of(entries(job)[0], "V" * 60 + "\n" + "W" * 5, 0.6))
    anna, bob = (Browser(reviewing(job, "--name", name)) for name in ("anna", "bob"))
    theirs, his = set(anna.look(anna.open("/1/sheet"))), set(bob.look(bob.open("/1/sheet")))
    assert (len(theirs), len(his)) == (40, 20) and not theirs & his
    third, fourth = Browser(reviewing(job)), Browser(reviewing(job))
    third.open("/1/sheet")
    assert third.url == "/1/sheet/W"
    assert "The remaining doubtful letters had no picture, were skipped, or are being" in fourth.open(
        "/1/sheet"
    )
    assert "The remaining letters read as V were skipped, or are being reviewed elsewhere." in third.open(
        "/1/sheet/V"
    )
    # Who asked for the rest of V has given W back, and anna goes on with it.
    anna.open("/1/sheet/V", sorted(theirs))  # type: ignore[arg-type]
    assert anna.url == "/1/sheet/W"


def test_a_reviewer_who_is_killed_gives_the_letters_back(
    job: Job, reviewing: Callable[..., str], start: Starter, tmp_path: Path
) -> None:
    bob = Browser(reviewing(job))
    assert len(bob.look(bob.open("/1/sheet/V"))) == 8
    (his,) = held(job)
    log = tmp_path / "process-1.log"
    process = start("review", job.path, "--no-browser")
    wait_for(lambda: "review: " in log.read_text(), what="the address")
    anna = Browser(re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0])
    anna.look(anna.open("/1/letter"))
    assert len(held(job)) == 2
    process.kill()
    process.wait()
    (hers,) = (path for path in held(job) if path != his)
    assert "are being reviewed elsewhere" in bob.open("/1/letter")
    # Ten minutes later.
    hers.write_bytes(re.sub(rb'"until":[\d.]+', b'"until":1.0', hers.read_bytes()))
    assert len(bob.look(bob.open("/1/letter"))) == 1
    assert held(job) == [his]
    hers.write_bytes(b"[{")
    with pytest.raises(urllib.error.HTTPError) as caught:
        bob.open("/1/sheet/V")
    page = caught.value.read().decode()
    caught.value.close()
    assert f"{hers.name} is damaged" in page and "Delete it" in page
