"""`lettermill doctor`: checks what a worker needs on this machine, and says what to mend."""

from __future__ import annotations

import errno
import fcntl
import importlib.metadata
import json
import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import click
import redis
from packaging.requirements import Requirement

from lettermill.jobs.commands.options import JSON, PLACE
from lettermill.jobs.errors import BrokerUnreachable, InstallationProblem, LettermillError, ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.machine import memory_limit, usable_cores
from lettermill.jobs.queue.address import take_password
from lettermill.jobs.queue.celery_app import MESSAGE_FORMAT, UNREACHABLE, check_broker
from lettermill.jobs.queue.workers import live_workers
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.atomic import display_path, put_whole
from lettermill.jobs.storage.disk import Disk, Place

_WORD = "LETTERMILL"
_GIGABYTE = 1 << 30
_LITTLE_SPACE, _NO_SPACE = 5 * _GIGABYTE, 100 << 20
_FEW_INODES = 50_000
_SLOWEST_CLOCK = 5.0
"""Seconds: signs of life come as often, and shorter differences change nothing."""

_LARGE_PAGE = 35.0
"""Megapixels of an A3 sheet at 400 dpi."""

_FEWEST_FILES = 1024
_OLDEST_REDIS = (6, 2)
_FULL = 0.8


class Level(StrEnum):
    """How grave a finding is."""

    OK = "ok"
    NOT_CHECKED = "not checked"
    WARNING = "warning"
    WRONG = "wrong"


class Finding(NamedTuple):
    """What a check found.

    Attributes:
        check: the name of the check.
        level: how grave it is.
        said: what was found.
        todo: what to do about it; empty where nothing is to be done.
    """

    check: str
    level: Level
    said: str
    todo: str = ""


def _libraries() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    unfit = []
    for text in importlib.metadata.requires("lettermill") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            unfit.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            unfit.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if unfit:
        yield Finding(
            "libraries", Level.WRONG, "; ".join(unfit), "Install Lettermill anew, with constraints.txt."
        )
        return
    seen = [f"{name} {importlib.metadata.version(name)}" for name in ("celery", "redis", "ai-edge-litert")]
    yield Finding("libraries", Level.OK, f"Lettermill {VERSION}, Python {python}, {', '.join(seen)}")


def _model() -> Iterator[Finding]:
    try:
        model = load_model(installed_model_folder())
        size = len(model.network)
    except ModelProblem as error:
        yield Finding("model", Level.WRONG, error.what, "Install Lettermill anew.")
        return
    yield Finding("model", Level.OK, f"{model.fingerprint[:12]}, {size / 1e6:.1f} MB, as its card says")


def read_a_word() -> str:
    """Draw a word, and return what Lettermill reads."""
    # These cost seconds, and where a library does not fit the processor they end the process.
    import cv2
    import numpy as np

    from lettermill.jobs.settings import LETTERS, Settings
    from lettermill.worker.reading.classifier import Classifier
    from lettermill.worker.reading.read_lines import read_lines

    page = np.full((160, 160 + 90 * len(_WORD)), 255, np.uint8)
    for number, letter in enumerate(_WORD):
        cv2.putText(page, letter, (80 + 90 * number, 110), cv2.FONT_HERSHEY_DUPLEX, 2.5, 0, 6, cv2.LINE_AA)
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    lines, _ = read_lines(page, Settings(layout="line", printed="keep"), classifier)
    return "".join(letter.letter for line in lines for letter in line.letters)


def _reading() -> Iterator[Finding]:
    code = "from lettermill.worker.commands.doctor import read_a_word; print(read_a_word())"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        yield Finding(
            "reading",
            Level.WRONG,
            f"the process that read a drawn word died of {name}",
            "SIGILL: the processor lacks what LiteRT, OpenCV or NumPy need. SIGKILL: no memory left.",
        )
    elif done.returncode or done.stdout.strip() != _WORD:
        said = done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]
        yield Finding(
            "reading",
            Level.WRONG,
            f"a drawn {_WORD} was read as: {said}",
            "Install Lettermill anew; or report it.",
        )
    else:
        yield Finding(
            "reading", Level.OK, f"a drawn word was read rightly, in {seconds:.1f} s with the start"
        )


def _scans(folder: Place | None) -> Iterator[Finding]:
    if folder is None:
        yield Finding("scans", Level.NOT_CHECKED, "--scans is not given")
        return
    if not isinstance(folder, Disk):
        yield _in_store("scans", folder, "answers", folder.is_folder)
        return
    try:
        # The dot asks for the right to enter the folder as well as to list it.
        with os.scandir(folder / ".") as entries:
            empty = next(entries, None) is None
    except OSError as error:
        yield Finding(
            "scans",
            Level.WRONG,
            f"{display_path(folder)} cannot be read: {error.strerror}",
            "Correct the path, mount the disk, or let this user read it.",
        )
        return
    if empty:
        yield Finding(
            "scans",
            Level.WARNING,
            f"{display_path(folder)} is empty",
            "Is the disk mounted? Else there is nothing to do.",
        )
        return
    yield Finding("scans", Level.OK, f"{display_path(folder)} can be read")


def _in_store(check: str, folder: Place, said: str, attempt: Callable[[], object]) -> Finding:
    try:
        attempt()
    except LettermillError as error:
        return Finding(check, Level.WRONG, error.what, error.next_step)
    except OSError as error:
        return Finding(
            check,
            Level.WRONG,
            f"{folder}: {error.strerror}",
            "Correct the bucket's name or the rights of these credentials: docs/object-stores.md lists them.",
        )
    return Finding(check, Level.OK, f"{folder} {said}")


def _try_out_store(folder: Place) -> None:
    """Do what workers do in an object store.

    Raises:
        OSError: it does not do what it should.
    """
    trial = folder / f".doctor-{secrets.token_hex(8)}"
    try:
        first, second = trial.create(b"x"), trial.create(b"y")
        list((folder / trial.name).names())
        if (first, second) != (True, False) or folder.read(trial.name) != b"x":
            raise OSError(errno.ENOTSUP, "it overwrites what is to be written once (If-None-Match)")
    finally:
        trial.unlink()


def _results(folder: Place | None) -> Iterator[Finding]:
    if folder is None:
        yield Finding("results", Level.NOT_CHECKED, "--results is not given")
        return
    if not isinstance(folder, Disk):
        said = "can be listed, written once, read and deleted in"
        yield _in_store("results", folder, said, lambda: _try_out_store(folder))
        return
    # Its name begins with a dot, so no worker takes it for a job.
    trial = folder / f".doctor-{secrets.token_hex(8)}"
    try:
        trial.mkdir()
        try:
            off = _try_out(trial)
        finally:
            shutil.rmtree(trial)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            what, todo = "files there cannot be locked", "Mount the disk with locks (NFS 4, or 3 with lockd)."
        else:
            what = f"nothing can be written there: {error.strerror}"
            todo = "Give it to the user that workers run as, or correct the path."
        yield Finding("results", Level.WRONG, f"{display_path(folder)}: {what}", todo)
        return
    yield Finding("results", Level.OK, f"{display_path(folder)} can be written, renamed and locked in")
    if abs(off) > _SLOWEST_CLOCK:
        yield Finding(
            "clock of results",
            Level.WARNING,
            f"the disk's clock is {abs(off):.0f} s {'ahead' if off > 0 else 'behind'}",
            "Set the clocks by NTP, here and on the file server.",
        )
    else:
        yield Finding("clock of results", Level.OK, "the disk's clock and this machine's agree")
    yield _space("space for results", folder)


def _try_out(folder: Path) -> float:
    """Do what workers do in a folder, and return by how many seconds its clock is ahead of this machine's."""
    put_whole(str(folder / "file"), b"x")
    before = time.time()
    with (folder / "locked").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(b"x")
    written = (folder / "locked").stat().st_mtime
    # Time stamps are as coarse as the system's timer; a slow disk is no wrong clock.
    return min(0.0, written - before + 0.1) or max(0.0, written - time.time() - 0.1)


def _space(check: str, folder: Path) -> Finding:
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    said = f"{free / _GIGABYTE:.1f} GiB free"
    todo = "Free some, or use a larger disk: a page takes about as many kB as it has letters, and a file."
    if free < _NO_SPACE:
        return Finding(check, Level.WRONG, said, todo)
    if status.f_files and status.f_favail < _FEW_INODES:
        return Finding(check, Level.WARNING, f"{said}, but only {status.f_favail} more files", todo)
    return Finding(
        check, Level.WARNING if free < _LITTLE_SPACE else Level.OK, said, todo * (free < _LITTLE_SPACE)
    )


def _machine() -> Iterator[Finding]:
    temporary = Path(tempfile.gettempdir())
    free = shutil.disk_usage(temporary).free
    if free < _NO_SPACE:
        yield Finding(
            "temporary folder",
            Level.WARNING,
            f"{display_path(temporary)} has {free >> 20} MiB free",
            "Make room, or name another folder in TMPDIR: 100 MiB will do.",
        )
    else:
        yield Finding(
            "temporary folder", Level.OK, f"{display_path(temporary)} has {free / _GIGABYTE:.1f} GiB free"
        )
    processes, most = usable_cores(), memory_limit()
    of_a_megapixel = Limits(max_megapixels=2).memory - Limits(max_megapixels=1).memory
    fits = max(0.0, 1 + (most / processes - Limits(max_megapixels=1).memory) / of_a_megapixel)
    said = f"{most / _GIGABYTE:.1f} GiB for {processes} processes, one a core"
    if fits < _LARGE_PAGE:
        yield Finding(
            "memory",
            Level.WARNING,
            f"{said}: pages of more than {fits:.0f} megapixels on all of them at once may be too much",
            "Give workers fewer processes (--concurrency) or more memory, or jobs a lower --max-megapixels.",
        )
    else:
        yield Finding("memory", Level.OK, f"{said}: all can read pages of {fits:.0f} megapixels at once")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _FEWEST_FILES:
        yield Finding(
            "open files", Level.WARNING, f"{files} at most", f"Raise it: ulimit -n {_FEWEST_FILES}."
        )
    else:
        yield Finding("open files", Level.OK, f"{'any number' if files < 0 else files} at most")


def _broker(address: str | None) -> Iterator[Finding]:
    if address is None:
        yield Finding("redis", Level.NOT_CHECKED, "--broker is not given")
        return
    try:
        client = check_broker(address)
        yield Finding("redis", Level.OK, "it answers")
        yield _rights(client)
        yield from _server(client)
        yield _clock(client)
        yield from _workers(client)
    except BrokerUnreachable as error:
        yield Finding("redis", Level.WRONG, error.what, error.next_step)
    except UNREACHABLE as error:
        yield Finding("redis", Level.WRONG, f"it answered, and then no more: {error}", "Look at its log.")


def _rights(client: redis.Redis) -> Finding:
    """Use each command that workers and the command line use, on keys of its own."""
    hash_, list_, set_, text = (f"lettermill:doctor:{secrets.token_hex(8)}:{number}" for number in range(4))
    attempts: list[Callable[[], Any]] = [
        lambda: client.hset(hash_, "field", "value"),
        lambda: client.hget(hash_, "field"),
        lambda: client.hmget(hash_, ["field"]),
        lambda: client.hgetall(hash_),
        lambda: client.hlen(hash_),
        lambda: client.hdel(hash_, "field"),
        lambda: client.lpush(list_, "message"),
        lambda: client.rpush(list_, "message"),
        lambda: client.llen(list_),
        lambda: client.brpop([list_], 1),
        lambda: client.zadd(set_, {"member": 1}),
        lambda: client.zrange(set_, 0, -1),
        lambda: client.zrem(set_, "member"),
        lambda: client.set(text, "value", ex=60),
        lambda: client.get(text),
        lambda: client.mget([text]),
        lambda: client.exists(text),
        lambda: client.transaction(lambda pipe: pipe.multi(), text),
        lambda: _lock_and_unlock(client, text + ":lock"),
        lambda: client.delete(hash_, list_, set_, text, text + ":lock"),
    ]
    refused = set()
    for attempt in attempts:
        try:
            attempt()
        except redis.exceptions.NoPermissionError as error:
            refused.add(str(error))
        except redis.exceptions.OutOfMemoryError:
            return Finding("rights in redis", Level.WRONG, "it is full", "Raise its maxmemory, or make room.")
    if refused:
        said = "; ".join(sorted(refused))
        return Finding("rights in redis", Level.WRONG, said, "deploy/compose/users.acl has the rights.")
    return Finding("rights in redis", Level.OK, "all that is needed")


def _lock_and_unlock(client: redis.Redis, name: str) -> None:
    with client.lock(name, timeout=10):
        pass


def _server(client: redis.Redis) -> Iterator[Finding]:
    try:
        info: dict[str, Any] = client.info()
    except redis.exceptions.NoPermissionError:
        said = "this user may not ask for INFO, and needs not: version, memory and persistence stay unseen"
        yield Finding("redis server", Level.NOT_CHECKED, said)
        return
    version = str(info.get("valkey_version") or info["redis_version"])
    name = "Valkey" if "valkey_version" in info else "Redis"
    old = tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < _OLDEST_REDIS
    yield Finding(
        "redis server",
        Level.WARNING if old else Level.OK,
        f"{name} {version}",
        "Lettermill is not tested with it: use 6.2 or newer." if old else "",
    )
    used, most, policy = info["used_memory"], info["maxmemory"], info["maxmemory_policy"]
    said = f"{used >> 20} of {most >> 20} MiB used, {policy}" if most else f"{used >> 20} MiB used, no limit"
    if most and policy != "noeviction":
        yield Finding(
            "redis memory",
            Level.WRONG,
            f"{said}: when it is full it forgets messages and signs of life",
            "Set maxmemory-policy noeviction.",
        )
    elif not most:
        yield Finding(
            "redis memory",
            Level.WARNING,
            said,
            "Set maxmemory (256mb is plenty) and maxmemory-policy noeviction.",
        )
    elif used > _FULL * most:
        yield Finding("redis memory", Level.WARNING, said, "Raise maxmemory, or see what else is kept there.")
    else:
        yield Finding("redis memory", Level.OK, said)
    if info.get("aof_enabled") and info.get("aof_last_write_status") == "err":
        said, todo = (
            "its append-only file cannot be written",
            "Look at the disk of Redis: it refuses to work.",
        )
        yield Finding("redis persistence", Level.WRONG, said, todo)
    elif info.get("rdb_last_bgsave_status") == "err":
        said, todo = "its last snapshot failed", "Look at the disk of Redis: it may refuse to work (MISCONF)."
        yield Finding("redis persistence", Level.WRONG, said, todo)
    else:
        kept = (
            "append-only file"
            if info.get("aof_enabled")
            else "no append-only file: what it loses is queued again"
        )
        yield Finding("redis persistence", Level.OK, kept)


def _clock(client: redis.Redis) -> Finding:
    before = time.time()
    try:
        seconds, microseconds = client.time()
    except redis.exceptions.NoPermissionError:
        return Finding("clock of redis", Level.NOT_CHECKED, "this user may not ask for TIME, and needs not")
    theirs = seconds + microseconds / 1e6
    off = min(0.0, theirs - before) or max(0.0, theirs - time.time())
    if abs(off) <= _SLOWEST_CLOCK:
        return Finding("clock of redis", Level.OK, "it agrees with this machine's")
    said = f"it is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine's"
    return Finding("clock of redis", Level.WARNING, said, "Set the clocks by NTP.")


def _workers(client: redis.Redis) -> Iterator[Finding]:
    living = live_workers(client)
    if not living:
        yield Finding(
            "workers",
            Level.WARNING,
            "none gives signs of life",
            "Start one: lettermill worker --help says how.",
        )
        return
    others = sorted(
        {f"{sign.version} on {sign.host}" for sign in living if sign.version != VERSION},
    )
    foreign = [sign for sign in living if sign.message_format != MESSAGE_FORMAT]
    if foreign:
        yield Finding(
            "workers",
            Level.WRONG,
            f"{len(foreign)} of {len(living)} have another message format and do not see what this version "
            f"submits: {', '.join(others)}",
            "Upgrade them, or this machine, to the same version.",
        )
    elif others:
        yield Finding(
            "workers",
            Level.WARNING,
            f"{len(living)} give signs of life, some not of {VERSION}: {', '.join(others)}",
            "Finish the upgrade; until then they share the jobs.",
        )
    else:
        yield Finding("workers", Level.OK, f"{len(living)} give signs of life, all of {VERSION}")


def examine(broker: str | None, scans: Place | None, results: Place | None) -> Iterator[Finding]:
    """Check everything, and return what was found as it is found.

    Args:
        broker: the broker's address; not checked where None.
        scans: the scan root; not checked where None.
        results: the result root; not checked where None.
    """
    yield from _libraries()
    yield from _model()
    yield from _reading()
    yield from _machine()
    yield from _scans(scans)
    yield from _results(results)
    yield from _broker(broker)


_COLOURS = {Level.OK: "green", Level.NOT_CHECKED: None, Level.WARNING: "yellow", Level.WRONG: "red"}
_LEVEL_WIDTH = max(map(len, Level))
_CHECK_WIDTH = len("redis persistence")


@click.command()
@click.option(
    "--broker",
    envvar="LETTERMILL_BROKER",
    metavar="URL",
    callback=take_password,
    help="The Redis of the workers.  [env: LETTERMILL_BROKER]",
)
@click.option(
    "--scans",
    envvar="LETTERMILL_SCANS",
    type=PLACE,
    metavar="DIR",
    help="The workers' scan root.  [env: LETTERMILL_SCANS]",
)
@click.option(
    "--results",
    envvar="LETTERMILL_RESULTS",
    type=PLACE,
    metavar="DIR",
    help="The workers' result root.  [env: LETTERMILL_RESULTS]",
)
@JSON
def doctor(broker: str | None, scans: Place | None, results: Place | None, as_json: bool) -> None:
    """Check an installation, and say what to mend.

    To be run where a worker runs, as its user and with its options. What is not given is not checked.
    """
    findings = []
    for finding in examine(broker, scans, results):
        findings.append(finding)
        if not as_json:
            level = click.style(f"{finding.level:{_LEVEL_WIDTH}}", fg=_COLOURS[finding.level])
            click.echo(f"{level}  {finding.check:{_CHECK_WIDTH}}  {finding.said}")
            if finding.todo:
                click.echo(f"{'':{_LEVEL_WIDTH + _CHECK_WIDTH + 2}}  {finding.todo}")
    wrong = [finding.check for finding in findings if finding.level is Level.WRONG]
    if as_json:
        click.echo(json.dumps({"wrong": len(wrong), "findings": [finding._asdict() for finding in findings]}))
    if wrong:
        raise InstallationProblem(
            f"wrong: {', '.join(wrong)}", "Do what stands under each, then run `lettermill doctor` again."
        )
