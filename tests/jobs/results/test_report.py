"""summary.html: right numbers, everything escaped, and nothing needed but itself."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.commands.text import summary_text
from lettermill.jobs.errors import ErrorCode
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.left_out import LeftOut
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.results.html import visible
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from tests.results import Page, entries, report, words
from tests.support import disk_roots

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


def test_numbers_and_failures(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", "c.png", "d.png")
    a, b, c, _ = entries(job)
    job.results.write(reading_of(a, "AB CD", sure=0.61))
    job.results.write(reading_of(b))
    job.results.write(PageReading(c.id, c.scan, 1, Status.FAILED, ErrorCode.PASSWORD, "locked: unlock it"))
    text = words(report(job))
    for expected in (
        "4 pages in 4 files",
        "1 read",
        "1 empty",
        "1 failed",
        "4 letters in 1 line",
        "100.0% of the letters flagged (4)",
        "1 page has no result yet",
        "61.0%",
        "locked: unlock it",
        ErrorCode.PASSWORD.meaning,
        ErrorCode.PASSWORD.remedy,
    ):
        assert expected in text, expected


def test_nothing_read_and_nothing_failed(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    text = words(report(job))
    assert "No letter was read yet." in text
    assert "no page failed" in text
    job.results.write(reading_of(entries(job)[0]))
    assert "No letter was read." in words(report(job))


def test_a_stopped_job_is_told(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png", "c.png")
    job.results.write(reading_of(entries(job)[0], "AB"))
    job.cancel("enough <b>said</b> she")
    page = words(report(job))
    assert "The job was stopped (enough <b>said</b> she) before 2 pages were begun: lettermill resume" in page
    assert "no result yet" not in page
    assert "No page failed." in page
    printed = summary_text(write_results(job))
    assert "3  (1 DONE, 2 CANCELLED)" in printed
    assert f"stopped: enough <b>said</b> she. To continue: lettermill resume '{job.path}'" in printed
    assert "unfinished" not in printed


def test_what_was_left_out_is_in_all_results(job_of: JobOf, reading_of: ReadingOf, tmp_path: Path) -> None:
    job = job_of("a.png")
    left_out = LeftOut.of(["a.gif", "README"], ["box <b>1</b>"], ["gone.png"])
    job = dataclasses.replace(job, left_out=left_out).placed(job.local_roots, shared=False)
    job = Job.open(job.path)
    job.results.write(reading_of(entries(job)[0], "AB"))
    page = words(report(job))
    for sentence in left_out.sentences():
        assert f"L{sentence[1:]}." in page
        assert sentence in summary_text(write_results(job))
    assert write_results(job).to_json()["left_out"] == left_out.to_json()


def test_a_job_from_before_it_was_kept_has_nothing_left_out(job_of: JobOf) -> None:
    job = job_of("a.png")
    file = job.path / "job.json"
    values = json.loads(job.path.read("job.json"))
    del values["left_out"]
    file.write(json.dumps(values).encode())
    assert not Job.open(job.path).left_out


HOSTILE = [
    "<script>alert(1)<&script>.png",
    "\"><img src=x onerror='alert(1)'>.png",
    "{{ 7*7 }}{% raw %}.png",
    "new\nline.png",
    "\u202egnp.exe.png",
    "&lt;b&gt;.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_errors_are_escaped(job_of: JobOf, read_job: Callable[..., Job], name: str) -> None:
    plain = report(read_job("a.png", "b.png"))
    job = job_of(name)
    for entry in entries(job):
        if entry.scan == name:
            reading = PageReading(entry.id, name, 1, Status.FAILED, ErrorCode.TRUNCATED, f"{name} <b>")
            job.results.write(reading)
    page = report(job)
    assert visible(name) in page.text
    assert f"{visible(name)} <b>" in page.text
    of_failures = {"h3", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags} | of_failures
    assert not [attributes for _, attributes in page.tags if any(key.startswith("on") for key in attributes)]


def test_hostile_names_of_letters_are_escaped(read_job: Callable[..., Job]) -> None:
    page = report(read_job(*HOSTILE))
    for name in HOSTILE:
        assert visible(name) in page.text
    assert not page.all("script")
    assert all(re.match("data:image/(png|jpeg);base64,", str(image["src"])) for image in page.all("img"))


def test_needs_nothing_but_itself(read_job: Callable[..., Job]) -> None:
    job = read_job("a.png")
    page = report(job)
    content = re.sub('"data:[^"]*"', "", (job.path / "summary.html").read_text(encoding="utf-8"))
    assert not re.search(r"https?:|//[a-z]|@import|url\(", content)
    assert not page.all("script")
    assert not page.all("link")
    assert "default-src 'none'" in str(page.all("meta"))
    links = [str(anchor["href"]) for anchor in page.all("a")]
    (entry,) = entries(job)
    files = [link for link in links if not link.startswith("#")]
    assert files[1:] == [
        f"overlays/{entry.id}.png",
        *("letters.csv", "lines.csv", "pages.csv", "text/", "summary.json"),
    ]
    assert all((job.path / link).exists() for link in files)
    names = {attributes.get("id") for _, attributes in page.tags}
    assert {link[1:] for link in links if link.startswith("#")} <= names


def test_for_readers_of_every_kind(job_of: JobOf, read_job: Callable[..., Job]) -> None:
    read_job("a.png")
    job = job_of("b.png")
    failed = entries(job)[1]
    job.results.write(PageReading(failed.id, failed.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    page = report(job)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) - _charts(page) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert all(image["alt"] for image in page.all("img"))
    assert all(header["scope"] for header in page.all("th"))
    assert len(page.all("table")) == len(page.all("caption")) == 4
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in page.all("svg"))
    assert "@media print" in (job.path / "summary.html").read_text(encoding="utf-8")


def _charts(page: Page) -> int:
    """Return how many bars have a title of their own."""
    return len(page.all("rect"))


def test_charts_count_what_was_read(read_job: Callable[..., Job]) -> None:
    job = read_job("a.png", "b.png")
    write_results(job)
    content = (job.path / "summary.html").read_text(encoding="utf-8")
    assert "<title>60–65: 8</title>" in content  # Letters.
    assert "<title>60–65: 2</title>" in content  # Scans.
    assert "<title>A: 39.0</title>" in content  # Expected to be wrong of 100.
    assert "<title>0.2–0.5: 2</title>" in content
    assert "read 240 pages a minute" in content
    for letter, count in {"A": 2, "D": 2, "Z": 0}.items():
        assert f"<title>{letter}: {count}</title>" in content
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([\d.]+)"', content)]
    assert max(heights) == 120
    assert len(heights) == 2 * 10 + 2 * 26 + 9


def test_what_to_do_first(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png", "b.png")
    a, b = entries(job)
    job.results.write(reading_of(a, "AB CD", sure=0.95))
    job.results.write(PageReading(b.id, b.scan, 1, Status.FAILED, ErrorCode.TIMEOUT, "late"))
    text = words(report(job))
    assert "1 page could not be read (1 reason); its text is missing from all files." in text
    assert "Look at the worst page" in text
    assert "Of the other 4 letters, less than one is expected to be wrong (95.00% right)" in text
    assert "flagged letters (" not in text


def test_expected_letters_come_from_the_word_list(
    tmp_path: Path, scans: Path, read_job: Callable[..., Job], model: Model, reading_of: ReadingOf
) -> None:
    page = report(read_job("a.png"))
    assert "Without a word list (--lexicon), what to expect is not known" in words(page)
    assert not [line for line in page.all("line") if line.get("class") == "mark"]
    path = tmp_path / "words.txt"
    path.write_text("ABBA\n")
    settings = Settings(lexicon=read_word_list(path, Settings().characters).digest)
    roots = disk_roots(scans, tmp_path / "out")
    lexicon = read_word_list(path, Settings().characters)
    job = make_job(scans, tmp_path / "out", ReadingRecipe(settings, model, lexicon=lexicon), roots).job
    for entry in entries(job):
        job.results.write(reading_of(entry, "AAAA"))
    page = report(job)
    marks = [line for line in page.all("line") if line.get("class") == "mark"]
    assert [mark["y1"] for mark in marks] == ["82.0", "82.0"]  # Half as high as the four A's, for A and B.
    (job.path / "lexicon.txt").unlink()
    assert "word list cannot be used to say what to expect: the word list" in words(
        report(Job.open(job.path))
    )


def test_collecting_loads_no_heavy_library() -> None:
    code = """
import sys
import lettermill.jobs.results.write, lettermill.jobs.results.compare
heavy = {"pandas", "matplotlib", "PIL", "jinja2", "pypdfium2", "rapidfuzz"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)
