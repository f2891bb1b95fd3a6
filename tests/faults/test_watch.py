"""Watching a folder: scans that arrive in every way, kills at every moment, and files in each other's way."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import PATIENCE_SECONDS, Command, Starter, draw, wait_for

Watch = Callable[..., subprocess.Popen[bytes]]

FINAL_SECONDS = "lettermill.jobs.watching.put_aside.FINAL_SECONDS"


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def watch(start: Starter, inbox: Path, out: Path) -> Watch:
    """Start watching the inbox, with further words and faults; failures are final after two seconds."""

    def begin(*words: object, **faults: Any) -> subprocess.Popen[bytes]:
        faults["set"] = {FINAL_SECONDS: 2, **faults.get("set", {})}
        return start("watch", inbox, "--out", out, "--workers", "1", "--settle", "1", *words, faults=faults)

    return begin


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 130


def events(out: Path) -> list[dict[str, object]]:
    """The whole lines of the journal."""
    lines = "".join(path.read_text() for path in out.glob("watch-*.jsonl")).splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def count(out: Path, event: str) -> int:
    return sum(line["event"] == event for line in events(out))


def idle(out: Path, batches: int) -> bool:
    return count(out, "finished") >= batches


def all_read(out: Path, scans: int) -> bool:
    batches = {line["batch"] for line in events(out) if line["event"] == "taken"}
    return count(out, "taken") == scans and count(out, "finished") == len(batches)


def rows(out: Path, table: str) -> list[dict[str, str]]:
    """The rows of a table in all jobs."""
    found = []
    for path in sorted(out.glob(f"*-*/{table}")):
        with path.open(newline="", encoding="utf-8") as file:
            found += list(csv.DictReader(file))
    return found


def grown(out: Path, folder: str) -> Counter[tuple[str, str]]:
    """Each scan's text in the table over all batches."""
    with (out / f"all-{folder}-pages.csv").open(newline="", encoding="utf-8") as file:
        return Counter((row["scan"], row["text"]) for row in csv.DictReader(file))


def texts(out: Path) -> Counter[tuple[str, str]]:
    return Counter((row["scan"], row["text"]) for row in rows(out, "pages.csv"))


def log(tmp_path: Path, number: int = 0) -> str:
    return (tmp_path / f"process-{number}.log").read_text()


@pytest.mark.slow
def test_a_scan_is_taken_when_it_is_whole(watch: Watch, inbox: Path, out: Path, tmp_path: Path) -> None:
    page = draw(tmp_path / "page.png", ["SLOW"]).read_bytes()
    draw(inbox / "first.png", ["FIRST"])
    process = watch("--settle", "4")
    with (inbox / "slow.png").open("wb") as slow:
        for number in range(14):  # Longer than it takes to settle, in pieces that follow each other faster.
            slow.write(page[len(page) * number // 14 : len(page) * (number + 1) // 14])
            slow.flush()
            time.sleep(0.5)
    (inbox / "coming.png.part").write_bytes(page)
    (inbox / ".hidden.png").write_bytes(page)
    (inbox / "below").mkdir()
    draw(tmp_path / "moved.png", ["MOVED"]).rename(inbox / "below" / "moved in.png")
    wait_for(lambda: all_read(out, 3), what="the scans")
    (inbox / "coming.png.part").rename(inbox / "coming.png")
    wait_for(lambda: all_read(out, 4), what="the one that was on its way")
    stop(process)
    first, moved = ("first.png", "FIRST"), ("below/moved in.png", "MOVED")
    assert texts(out) == {first: 1, moved: 1, ("slow.png", "SLOW"): 1, ("coming.png", "SLOW"): 1}
    assert (inbox / "first.png").exists()  # Left where it was.
    assert "The same command continues" in log(tmp_path)
    again = watch()
    draw(inbox / "later.png", ["LATER"])
    wait_for(lambda: all_read(out, 5), what="the new one")
    stop(again)
    assert sum(texts(out).values()) == 5


def test_a_scanner_that_pauses_within_a_file_loses_nothing(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    """A half file, an empty one, and one that grows in its folder for failures."""
    page = draw(tmp_path / "page.png", ["PAUSE"]).read_bytes()
    process = watch("--done", tmp_path / "done", set={FINAL_SECONDS: 6})
    with (inbox / "scan.png").open("wb") as scanner, (inbox / "jam.png").open("wb") as jammed:
        (inbox / "placeholder.png").touch()
        for file in (scanner, jammed):
            file.write(page[: len(page) // 2])
            file.flush()
        wait_for(lambda: log(tmp_path).count("it is moved if it does not change") == 3, what="three failures")
        scanner.write(page[len(page) // 2 :])
        scanner.flush()
        shutil.copy(tmp_path / "page.png", inbox / "placeholder.png")
        wait_for((out / "failed" / "jam.png").exists, what="the one that nobody writes to any more")
        jammed.write(page[len(page) // 2 :])
    wait_for((tmp_path / "done" / "jam.png").exists, what="the one that was put back")
    wait_for(lambda: not list(inbox.iterdir()) and idle(out, 3), what="the whole ones")
    stop(process)
    names = ["jam.png", "placeholder.png", "scan.png"]
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == names
    assert not list((out / "failed").iterdir())
    assert texts(out) == {(name, text): 1 for name in names for text in ("", "PAUSE")}


def test_what_is_left_out_is_named_once_and_again_when_there_is_more(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    (inbox / "a.docx").touch()
    (inbox / "card.png.part").touch()
    (inbox / "@eaDir" / "card.png").mkdir(parents=True)
    draw(inbox / "@eaDir" / "card.png" / "thumb.jpg", ["THUMB"])
    (inbox / "box").symlink_to(tmp_path)
    process = watch()
    wait_for(lambda: "not followed: box" in log(tmp_path), what="the first")
    (inbox / "b.gif").touch()
    wait_for(lambda: "1 .docx, 1 .gif" in log(tmp_path), what="the second")
    (inbox / "a.docx").unlink()
    draw(inbox / "a.png", ["A"])
    wait_for(lambda: idle(out, 1), what="a scan")
    stop(process)
    assert log(tmp_path).count("do not end like scans") == 2
    assert ".part" not in log(tmp_path)
    assert texts(out) == {("a.png", "A"): 1}


def test_a_new_version_is_a_new_scan(watch: Watch, inbox: Path, out: Path) -> None:
    draw(inbox / "a.png", ["OLD"])
    process = watch()
    wait_for(lambda: idle(out, 1), what="the first version")
    draw(inbox / "a.png", ["NEWER"])
    wait_for(lambda: idle(out, 2), what="the second")
    stop(process)
    assert texts(out) == {("a.png", "OLD"): 1, ("a.png", "NEWER"): 1}


def test_scans_are_moved_and_failed_ones_have_their_reason_beside_them(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    good = draw(inbox / "box 1" / "card.png", ["CARD"]).read_bytes()
    broken = good[:200]
    (inbox / "box 1" / "broken.png").write_bytes(broken)
    other = draw(tmp_path / "done" / "box 1" / "card.png", ["ANOTHER"]).read_bytes()
    process = watch("--done", tmp_path / "done", "--then", "echo finished")
    wait_for(lambda: count(out, "released") == 1, what="the first batch")
    assert not [path for path in inbox.rglob("*") if path.is_file()]
    assert (tmp_path / "done/box 1/card.png").read_bytes() == other
    assert (tmp_path / "done/box 1/card-2.png").read_bytes() == good
    assert (out / "failed/box 1/broken.png").read_bytes() == broken
    reason = (out / "failed/box 1/broken.png.txt").read_text()
    (job,) = out.glob("inbox-*")
    for part in ("box 1/broken.png", "page 1: TRUNCATED", "copy or scan it again", str(job), str(inbox)):
        assert part in reason
    assert f"finished {job}" in log(tmp_path)

    # What was put aside is tried again when somebody puts it back, though nothing of it has changed.
    (out / "failed/box 1/broken.png").rename(inbox / "box 1" / "broken.png")
    wait_for(lambda: count(out, "released") == 2, what="the second batch")
    stop(process)
    assert (out / "failed/box 1/broken.png").read_bytes() == broken


@pytest.mark.parametrize("moment", ["taken", "made", "collected", "failed", "finished"])
def test_killed_at_any_step_it_goes_on_and_reads_nothing_twice(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path, moment: str
) -> None:
    for number in range(6):
        draw(inbox / f"{number}.png", ["ABC"])
    (inbox / "broken.png").write_bytes(b"no image")
    process = watch("--done", tmp_path / "done")
    wait_for(lambda: count(out, moment), what=moment)
    process.kill()
    process.wait()
    again = watch("--done", tmp_path / "done")
    wait_for(lambda: "watching" in log(tmp_path, 1) and count(out, "released"), what="the batch")
    stop(again)
    assert texts(out) == {(f"{number}.png", "ABC"): 1 for number in range(6)} | {("broken.png", ""): 1}
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == [f"{n}.png" for n in range(6)]
    assert sorted(path.name for path in (out / "failed").iterdir()) == ["broken.png", "broken.png.txt"]
    assert not list(inbox.iterdir())
    assert len(list(out.glob("inbox-*"))) == 1
    assert grown(out, "inbox") == texts(out)


@pytest.mark.slow
def test_killed_again_and_again_while_scans_arrive(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    chance = random.Random(5)
    expected = {}
    for round_ in range(6):
        process = watch("--done", tmp_path / "done")
        for number in range(3):
            name = f"{round_}-{number}.png"
            draw(tmp_path / "drawn.png", [f"ROUND{'ABCDEF'[round_]}"]).rename(inbox / name)
            expected[name, f"ROUND{'ABCDEF'[round_]}"] = 1
            time.sleep(chance.uniform(0, 1))
        time.sleep(chance.uniform(0, 3))
        process.kill()
        process.wait()
    process = watch("--done", tmp_path / "done")
    wait_for(lambda: not list(inbox.iterdir()), what="the rest")
    stop(process)
    assert texts(out) == grown(out, "inbox") == expected
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == sorted(name for name, _ in expected)


def test_a_torn_last_line_is_as_if_it_had_not_been_written(watch: Watch, inbox: Path, out: Path) -> None:
    draw(inbox / "a.png", ["A"])
    process = watch()
    wait_for(lambda: idle(out, 1), what="the batch")
    stop(process)
    (journal,) = out.glob("watch-*.jsonl")
    with journal.open("a") as file:
        file.write('{"event": "taken", "batch": "x", "pa')
    draw(inbox / "b.png", ["B"])
    process = watch()
    wait_for(lambda: idle(out, 2), what="the next batch")
    stop(process)
    assert texts(out) == {("a.png", "A"): 1, ("b.png", "B"): 1}


def test_a_damaged_journal_is_named(lettermill: Command, watch: Watch, inbox: Path, out: Path) -> None:
    draw(inbox / "a.png", ["A"])
    process = watch()
    wait_for(lambda: idle(out, 1), what="the batch")
    stop(process)
    (journal,) = out.glob("watch-*.jsonl")
    journal.write_text("{}\n" + journal.read_text())
    done = lettermill("watch", inbox, "--out", out, status=10)
    assert f"line 1 of {journal} is damaged" in done.stderr


def test_two_watches_of_the_same_folders_are_one_too_many(
    lettermill: Command, watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    process = watch()
    wait_for(lambda: "watching" in log(tmp_path), what="the first watch")
    assert "another `lettermill watch`" in lettermill("watch", inbox, "--out", out, status=2).stderr
    stop(process)


def test_a_folder_that_goes_away_is_waited_for(watch: Watch, inbox: Path, out: Path, tmp_path: Path) -> None:
    process = watch()
    wait_for(lambda: "watching" in log(tmp_path), what="the watch")
    away = inbox.rename(tmp_path / "away")
    wait_for(lambda: "does not exist" in log(tmp_path), what="a word about it")
    away.rename(inbox)
    wait_for(lambda: "can be looked through again" in log(tmp_path), what="another word")
    draw(inbox / "a.png", ["A"])
    wait_for(lambda: idle(out, 1), what="a scan")
    stop(process)
    assert log(tmp_path).count("does not exist") == 1


def test_scans_that_vanish_are_told_and_read_when_they_come_back(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    scan = draw(inbox / "a.png", ["A"])
    process = watch()
    wait_for(lambda: count(out, "taken"), what="the scan to be taken")
    process.kill()  # As it is about to make the job.
    process.wait()
    (journal,) = out.glob("watch-*.jsonl")
    journal.write_text(journal.read_text().splitlines(keepends=True)[0])
    for job in out.glob("inbox-*"):
        shutil.rmtree(job)
    away = scan.rename(tmp_path / "a.png")
    process = watch()
    wait_for(lambda: idle(out, 1), what="the batch")
    assert "'a.png' is gone or was changed" in log(tmp_path, 1)
    assert not list(out.glob("inbox-*"))
    away.rename(scan)
    wait_for(lambda: idle(out, 2), what="the scan")
    stop(process)
    assert texts(out) == {("a.png", "A"): 1}


def test_a_place_that_takes_no_scan_is_told_and_tried_again(
    watch: Watch, inbox: Path, out: Path, tmp_path: Path
) -> None:
    draw(inbox / "box" / "a.png", ["A"])
    done = tmp_path / "done"
    done.mkdir()
    (done / "box").write_bytes(b"a file where a folder is needed")
    process = watch("--done", done, set={"lettermill.jobs.watching.loop._RETRY_SECONDS": 3})
    wait_for(lambda: "Trying again" in log(tmp_path), what="a word about it")
    assert f"cannot move {inbox}/box/a.png to {done}/box/a.png" in log(tmp_path)
    assert (inbox / "box" / "a.png").exists()
    (done / "box").unlink()
    wait_for(lambda: idle(out, 1), what="the next try")
    stop(process)
    assert (done / "box" / "a.png").exists()
    assert texts(out) == {("box/a.png", "A"): 1}


@pytest.mark.slow
def test_a_cancelled_batch_leaves_its_scans_and_the_watch_goes_on(
    lettermill: Command, watch: Watch, inbox: Path, out: Path, many_scans: Path, tmp_path: Path
) -> None:
    for scan in many_scans.iterdir():
        shutil.copy(scan, inbox / scan.name)
    process = watch("--done", tmp_path / "done")
    wait_for(lambda: len(list(out.glob("*-*/pages/*/*.json"))) >= 3, what="pages")
    (job,) = out.glob("inbox-*")
    lettermill("cancel", job)
    wait_for(lambda: idle(out, 1), what="the end of the batch")
    done = len(list((tmp_path / "done").iterdir()))
    assert done == len(list(job.glob("pages/*/*.json"))) < 40
    assert len(list(inbox.iterdir())) == 40 - done
    draw(inbox / "another.png", ["ANOTHER"])
    wait_for(lambda: idle(out, 2), what="the next batch")
    stop(process)
    lettermill("resume", job)
    assert sum(texts(out).values()) == 41


def test_through_a_broker(
    start: Starter, watch: Watch, broker: str, inbox: Path, out: Path, tmp_path: Path
) -> None:
    out.mkdir()
    worker = start("worker", "--broker", broker, "--scans", inbox, "--results", out, "--concurrency", "1")
    process = watch("--broker", broker, "--done", tmp_path / "done")
    for number in range(3):
        draw(inbox / f"{number}.png", ["ABC"])
    wait_for(lambda: not list(inbox.iterdir()), what="the scans")
    stop(process)
    assert texts(out) == {(f"{number}.png", "ABC"): 1 for number in range(3)}
    assert worker.poll() is None


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["nowhere", "--out", "out"], 2, "does not exist"),
        (["inbox", "--out", "inbox/out"], 2, "lies in the watched folder"),
        (["inbox", "--out", "out", "--done", "inbox/done"], 2, "lies in the watched folder"),
        (["inbox", "--out", "out", "--failed", "inbox/failed"], 2, "lies in the watched folder"),
        (["inbox", "--out", "file"], 8, "cannot use the folder"),
        (["inbox", "--out", "out", "--broker", "redis://127.0.0.1:1/0"], 5, "127.0.0.1"),
        (["inbox", "--out", "out", "--then", "no-such-program"], 2, "must begin with a program"),
        (["inbox", "--out", "out", "--model", "inbox"], 7, "model"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(
    lettermill: Command, inbox: Path, tmp_path: Path, words: list[str], status: int, said: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert said in lettermill("watch", *words, status=status).stderr
