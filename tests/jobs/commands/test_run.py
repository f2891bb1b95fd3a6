"""`lettermill run`: from scans to results, what is read again, drawings, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import PATIENCE_SECONDS, SLOW, Command, Starter, alive, wait_for, worker_main


def test_run_reads_a_folder_and_leaves_nothing_behind(
    lettermill: Command,
    thirteen_scans: Path,
    tmp_path: Path,
    temporary: Path,
) -> None:
    done = lettermill("run", thirteen_scans, "--out", tmp_path / "out", status=1)
    (job,) = (tmp_path / "out").glob("*-*")
    assert "13  (12 DONE, 1 FAILED)" in done.stdout
    assert "TRUNCATED" in done.stdout
    rows = (job / "pages.csv").read_text().splitlines()
    assert len((job / "letters.csv").read_text().splitlines()) == 1 + 12 * 10
    assert sum("DONE" in row for row in rows) == 12
    assert (job / "summary.html").is_file()
    assert not list(temporary.iterdir())
    assert not list((job / "attempts").rglob("*.log"))
    assert not list(job.rglob(".writing-*"))


def test_what_is_left_out_is_named_at_the_start_in_the_results_and_by_a_later_collect(
    lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    draw_page(scans / "card.png", ["HELLO"])
    draw_page(scans / "@eaDir" / "card.png" / "THUMB.jpg", ["THUMB"])
    for name in ("a.docx", "b.DOCX", "c.gif", "README"):
        (scans / name).touch()
    (scans / "box 1").symlink_to(tmp_path)
    said = [
        "left out, because they do not end like scans: 2 .docx, 1 .gif, 1 without a suffix",
        "left out, because links to folders are not followed: box 1",
    ]
    done = lettermill("run", scans, "--out", "out")
    (job,) = (tmp_path / "out").glob("*-*")
    page = (job / "summary.html").read_text()
    for sentence in said:
        assert sentence in done.stderr and sentence in done.stdout
        assert f"L{sentence[1:]}." in page
    assert "THUMB" not in (job / "pages.csv").read_text()
    for path in scans.iterdir():
        if path.is_symlink() or (path.suffix != ".png" and path.is_file()):
            path.unlink()
    collected = json.loads(lettermill("collect", job, "--json").stdout)
    assert collected["left_out"]["by_suffix"] == {".docx": 2, ".gif": 1, "": 1}
    assert collected["left_out"]["linked_folders"] == {"count": 1, "first": ["box 1"]}
    assert "left out" not in lettermill("run", scans, "--out", "out").stderr  # Now there is nothing.


def test_files_are_read_into_results_under_a_name(
    lettermill: Command, draw_page: Callable[..., Path], tmp_path: Path
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        draw_page(tmp_path / "scans" / name, ["HELLO"])
    words = ("run", "scans/a.png", "scans/c.png", "--name", "Kreis Süd")
    assert "2  (2 DONE)" in lettermill(*words).stdout
    job = tmp_path / "results" / "Kreis Süd"
    assert (tmp_path / "results" / "latest").resolve() == job
    assert "2 pages, 2 of them read before" in lettermill(*words).stderr
    refused = lettermill("run", "scans", "--name", "Kreis Süd", status=2).stderr
    assert "is another job: it was made of other scans" in refused
    assert len((job / "pages.csv").read_text().splitlines()) == 3
    lettermill("run", "scans")
    for meant, pages in (("Kreis", 2), ("scans", 3), ("latest", 3), ("results/latest", 3)):
        assert f"{pages} of {pages} pages done" in lettermill("status", meant).stdout


def test_a_second_run_reads_only_what_is_new_or_changed(
    lettermill: Command,
    thirteen_scans: Path,
    tmp_path: Path,
    draw_page: Callable[..., Path],
) -> None:
    lettermill("run", thirteen_scans, "--out", "out", status=1)
    (job,) = (tmp_path / "out").glob("*-*")
    first = {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")}
    letters = (job / "letters.csv").read_bytes()

    again = lettermill("run", thirteen_scans, "--out", "out", status=1)
    assert "13 of them read before" in again.stderr
    assert (job / "letters.csv").read_bytes() == letters
    assert {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")} == first

    draw_page(thirteen_scans / "page 3.png", ["CHANGED"])
    draw_page(thirteen_scans / "new.png", ["NEW"])
    (thirteen_scans / "page 4.png").unlink()
    third = lettermill("run", thirteen_scans, "--out", "out", status=1)
    assert "13 pages, 11 of them read before" in third.stderr
    now = {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")}
    assert first.items() <= now.items()
    assert len(now) == len(first) + 2
    pages = (job / "pages.csv").read_text()
    assert "new.png" in pages
    assert "page 4.png" not in pages


def test_debug_draws_pages_read_before_too_and_none_twice(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path
) -> None:
    lettermill("run", thirteen_scans, "--out", "out", status=1)
    (job,) = (tmp_path / "out").glob("*-*")
    letters = (job / "letters.csv").read_bytes()
    done = lettermill("run", thirteen_scans, "--out", "out", "--debug", "seen", status=1)
    drawn = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "seen").iterdir()}
    assert sorted(name.split(".png-1-")[0] for name in drawn) == sorted(f"page {n}" for n in range(12))
    assert "drawings" in done.stderr
    assert list(tmp_path.glob("out/*-*")) == [
        job
    ]  # Drawing makes no other job, and other results none either.
    assert (job / "letters.csv").read_bytes() == letters
    next((tmp_path / "seen").glob("page 7*")).unlink()
    again = lettermill("run", thirteen_scans, "--out", "out", "--debug", "seen", status=1)
    assert "13 pages, 11 of them read before" in again.stderr  # The broken one has no drawing either.
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "seen").iterdir()}
    assert now.keys() == drawn.keys()
    assert sum(now[name] != drawn[name] for name in now) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(
    lettermill: Command,
    start: Starter,
    many_scans: Path,
    tmp_path: Path,
    temporary: Path,
    number: signal.Signals,
) -> None:
    run = start("run", many_scans, "--out", "out", "--workers", "1", faults=SLOW)
    out = tmp_path / "out"
    wait_for(lambda: len(list(out.glob("*-*/pages/*/*.json"))) >= 3, what="the first pages")
    main = worker_main(run.pid)
    assert main is not None
    family = [main, *main.children(recursive=True)]
    os.kill(run.pid, number)
    assert run.wait(PATIENCE_SECONDS) == 130
    wait_for(lambda: not any(alive(process) for process in family), what="the workers' end")
    assert not list(temporary.iterdir())
    done = len(list(out.glob("*-*/pages/*/*.json")))
    assert done < 40
    again = lettermill("run", many_scans, "--out", "out")
    assert "of them read before" in again.stderr
    assert "40 DONE" in again.stdout


def test_names_that_spreadsheets_and_shells_stumble_over(
    lettermill: Command,
    tmp_path: Path,
    draw_page: Callable[..., Path],
) -> None:
    folder = tmp_path / "odd"
    names = ["=1+1.png", "two words.png", "quo\"te'.png", "line\nbreak.png", "<b>.png", "comma, semi;.png"]
    for name in names:
        draw_page(folder / name, ["ODD"])
    page = (folder / "<b>.png").read_bytes()
    with open(os.fsencode(folder) + b"/latin-\xe9.png", "wb") as file:  # noqa: PTH123 - bytes are the point
        file.write(page)
    done = lettermill("run", folder, "--out", "out")
    assert "7  (7 DONE)" in done.stdout
    (job,) = (tmp_path / "out").glob("*-*")
    import csv

    with (job / "pages.csv").open(newline="", encoding="utf-8") as rows:
        names_read = {row["scan"] for row in csv.DictReader(rows)}
    assert names_read == {*(set(names) - {"=1+1.png"}), "'=1+1.png", "latin-\\xe9.png"}
    html = (job / "summary.html").read_text(encoding="utf-8")
    assert "<b>.png" not in html
