"""Mutates files of job folders and checks that no command and no worker breaks on them.

    python -m bench.fuzz.folders --count 20000 --seed 1 --out DIR

Each round changes one file of a small job: job.json, manifest, a result, attempts, word list, model card or
network. A process of its own, with a limit on its memory and its time, then does what commands and workers
do with a job folder: open it, count its pages, read them (as a worker whose Redis is away), write the
results. It may refuse everything with one of Lettermill's own errors. Anything else (another exception, a
signal, a process over its limits) is counted, and the script ends with status 1. The folder is kept below
DIR, with a report.txt: the seed, the round, the changed file and what the process wrote, its traceback
included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from bench.fuzz.messages import JUNK, change_bytes, places, put
from lettermill.jobs.errors import LettermillError
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.results.write import write_results
from lettermill.jobs.settings import Settings
from lettermill.worker.service.page_service import PageService
from tests.support import disk_roots, draw

NOBODY = "redis://127.0.0.1:1/0"
LIMIT_SECONDS = 120
"""Far more than a job needs on a busy machine."""

LIMIT_BYTES = 2 << 30
"""Private memory beyond what this process has itself, which its child inherits and the limit counts. A job's
own limit allows more, for larger pages than these."""

FILES = (
    *("job.json", "manifest.jsonl", "result"),
    *("model/handprint.json", "model/handprint.tflite", "model/first.tflite", "model/line.tflite"),
)
FEW = ("cancelled.json", "attempts", "lexicon.txt")


def make_read_job(folder: Path) -> Job:
    """Make a small job with a word list, one page of which is read."""
    for name, lines in {"a": ["HELLO", "WORLD"], "b": ["PAGE"], "c": ["LAST"]}.items():
        draw(folder / "scans" / f"{name}.png", lines)
    (folder / "words.txt").write_text("Hello\nWorld\nPage\n")
    settings = Settings()
    words = read_word_list(folder / "words.txt", settings.characters)
    scans, out = folder / "scans", folder / "out"
    model = load_model(installed_model_folder())
    job = make_job(scans, out, ReadingRecipe(settings, model, lexicon=words), disk_roots(scans, out)).job
    service = PageService(make_app(NOBODY), NOBODY, disk_roots(scans, out), "a worker")
    first = next(entry for entry, _ in job.manifest())
    service.read(PagesMessage(job.path.name, "", (first,)))
    assert job.tally().finished == 1
    return job


def change_json(content: bytes, dice: random.Random) -> bytes:
    """Put something else somewhere into JSON; of lines, into one of them."""
    lines = content.splitlines()
    index = dice.randrange(len(lines)) if content.startswith(b'{"id"') else None
    value = json.loads(content if index is None else lines[index])
    changed = put(value, dice.choice(places(value)), dice.choice(JUNK))
    text = json.dumps(changed).encode()
    if index is None:
        return text
    return b"\n".join([*lines[:index], text, *lines[index + 1 :]]) + b"\n"


def shuffle_lines(content: bytes, dice: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) * dice.choice((1, 2, 1000))
    dice.shuffle(lines)
    return b"".join(lines)


def cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def mutate(job: Job, dice: random.Random) -> str:
    """Change one file of the job; return which, and how."""
    name = dice.choice(FILES * 3 + FEW)
    first = next(entry for entry, _ in job.manifest())
    path = {
        "result": job.results.path(first.id),
        "attempts": job.path / "attempts" / first.id[:2] / f"{first.id}.log",
    }.get(name, job.path / name)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b'{"why": "x"}\n'
    ways: list[Callable[[bytes, random.Random], bytes]] = [change_bytes, cut]
    if path.suffix in (".json", ".jsonl"):
        ways += [change_json] * 3
    if path.suffix in (".jsonl", ".txt", ".log"):
        ways.append(shuffle_lines)
    way = dice.choice(ways)
    changed = way(content, dice)
    if name == "result" and dice.random() < 0.7:
        changed = with_digest(changed)
    path.write_bytes(changed)
    if name.endswith(".tflite"):
        vouch_for(job, name, changed)
    return f"{name} {way.__name__}"


def with_digest(content: bytes) -> bytes:
    """Give a changed result the digest that it should have, so that more than that is tried."""
    begin = content.find(b'"reading":')
    raw = content[begin + len(b'"reading":') : -1]
    digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
    return f'{{"check":"{digest}","reading":'.encode() + raw + b"}"


def vouch_for(job: Job, name: str, network: bytes) -> None:
    """Let card and job name a changed network as theirs, so that more than its digest is tried."""
    card_path = job.path / "model" / "handprint.json"
    card = json.loads(card_path.read_text())
    section = {"first": "first_network", "line": "line_network"}.get(Path(name).stem)
    (card[section] if section else card)["sha256"] = hashlib.sha256(network).hexdigest()
    card_path.write_text(json.dumps(card))
    job_path = job.path / "job.json"
    values = json.loads(job_path.read_text())
    values["model_fingerprint"] = load_model(job.path / "model").fingerprint
    job_path.write_text(json.dumps(values))


def use(folder: Path, scans: Path) -> list[str]:
    """Do what commands and workers do with a job folder; return what was refused."""
    refused = []

    def allow(what: Callable[[], Any]) -> Any:
        try:
            return what()
        except (LettermillError, ValueError) as error:
            if isinstance(error, ValueError) and not isinstance(error, LettermillError):
                assert what is read_page, traceback.format_exc()  # Only a message is refused so.
            refused.append(type(error).__name__)
            return None

    def read_page() -> None:
        job = Job.open(folder)
        entries = [entry for entry, _ in job.manifest()][:8]
        service = PageService(make_app(NOBODY), NOBODY, disk_roots(scans, folder.parent), "a worker")
        for entry in entries:
            service.read(PagesMessage(folder.name, "", (entry,)))

    job = allow(lambda: Job.open(folder))
    if job is not None:
        allow(job.tally)
        allow(lambda: job.cancelled)
        allow(read_page)
        allow(lambda: write_results(job))
        allow(lambda: job.forget_results(failures=True))
    return refused


def in_a_process(folder: Path, scans: Path, report: Path) -> str:
    """Use a job folder in a child process, and return how that ended; `report` gets what the child writes."""
    limit_bytes = psutil.Process().memory_info().data + LIMIT_BYTES
    child = os.fork()
    if child == 0:
        status = 1
        log = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.write(log, json.dumps(use(folder, scans)).encode())
            status = 0
        except BaseException:
            # Not through sys.stderr, which pytest replaces.
            os.write(log, traceback.format_exc().encode(errors="backslashreplace"))
        finally:
            os._exit(status)
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        ended, how = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "hang"
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(how)
    if code < 0:
        return f"signal {-code}"
    return "exception" if code else "as it should"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="folder for what broke something")
    arguments = parser.parse_args()
    ended, refused = run(arguments.count, arguments.seed, arguments.out)
    for name, times in (*ended.most_common(), *refused.most_common()):
        print(f"{times:>7}  {name}")  # noqa: T201
    sys.exit(1 if ended.total() > ended["as it should"] else 0)


def run(count: int, seed: int, out: Path) -> tuple[Counter[str], Counter[str]]:
    """Mutate and use `count` job folders; return how that ended, and what was refused."""
    dice = random.Random(seed)
    ended: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        job = make_read_job(base)
        pristine = job.path.rename(base / "pristine")
        report = base / "report"
        for number in range(count):
            shutil.rmtree(job.path, ignore_errors=True)
            shutil.copytree(pristine, job.path)
            what = mutate(job, dice)
            how = in_a_process(job.path, base / "scans", report)
            ended[how] += 1
            if how == "as it should":
                refused.update(f"refused: {name}" for name in json.loads(last_line(report)))
            else:
                kept = out / f"{number:06}-{how.replace(' ', '-')}"
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(job.path, kept)
                head = f"--seed {seed}, round {number}: {what}\nended as: {how}\n\n"
                (kept / "report.txt").write_bytes(head.encode() + report.read_bytes())
    return ended, refused


def last_line(report: Path) -> bytes:
    return report.read_bytes().splitlines()[-1]


if __name__ == "__main__":
    main()
