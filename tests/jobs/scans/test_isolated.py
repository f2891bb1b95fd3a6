"""PDFs are drawn in a child process: what a hostile one does to it is the reason of its page, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.isolated import IsolatedDecoder, isolated_decoder
from lettermill.jobs.scans.reader import open_file, read_page
from lettermill.jobs.settings import Limits
from tests.hostile_files import nested_forms, pdf_that_unpacks
from tests.support import descendants, killed_at_work, wait_for

LIMITS = Limits(max_megapixels=4)


@pytest.fixture
def own() -> Iterator[IsolatedDecoder]:
    one = IsolatedDecoder()
    yield one
    one.close()


def child_of(own: IsolatedDecoder) -> psutil.Process:
    assert own._child
    return psutil.Process(own._child._process.pid)


def render(own: IsolatedDecoder, path: Path, limits: Limits = LIMITS) -> np.ndarray:
    with open_file(path) as file:
        return own.render(file, 1, 72, limits, None)


def refused(own: IsolatedDecoder, path: Path, limits: Limits = LIMITS) -> ScanError:
    with pytest.raises(ScanError) as caught:
        render(own, path, limits)
    return caught.value


@pytest.fixture
def good(scans: Path, picture: Image.Image) -> Path:
    picture.save(scans / "good.pdf")
    return scans / "good.pdf"


def test_one_child_draws_many_pages(own: IsolatedDecoder, good: Path) -> None:
    first = render(own, good)
    child = child_of(own)
    assert (render(own, good) == first).all()
    assert child_of(own) == child


def test_a_page_that_unpacks_to_more_than_its_memory(own: IsolatedDecoder, scans: Path, good: Path) -> None:
    (scans / "bomb.pdf").write_bytes(pdf_that_unpacks(1024))
    assert (scans / "bomb.pdf").stat().st_size < 6e6
    limits = Limits(max_megapixels=4)
    problem = refused(own, scans / "bomb.pdf", limits)
    assert problem.code is ErrorCode.OUT_OF_MEMORY
    assert "--max-megapixels" in problem.message
    assert render(own, good).shape == (40, 60)


def test_a_page_that_takes_too_long(own: IsolatedDecoder, scans: Path, good: Path) -> None:
    (scans / "slow.pdf").write_bytes(nested_forms(30))
    problem = refused(own, scans / "slow.pdf", Limits(page_seconds=1))
    assert problem.code is ErrorCode.TIMEOUT
    assert "--page-seconds" in problem.message
    assert render(own, good).shape == (40, 60)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGSEGV, ErrorCode.TRUNCATED), (signal.SIGKILL, ErrorCode.OUT_OF_MEMORY)]
)
def test_a_page_that_ends_its_reader(
    own: IsolatedDecoder, scans: Path, good: Path, number: signal.Signals, code: ErrorCode
) -> None:
    whole = render(own, good)
    (scans / "slow.pdf").write_bytes(nested_forms(30))
    with killed_at_work(child_of(own), number):
        assert refused(own, scans / "slow.pdf").code is code
    assert (render(own, good) == whole).all()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_page_that_its_reader_never_began(own: IsolatedDecoder, good: Path, number: signal.Signals) -> None:
    whole = render(own, good)
    child = child_of(own)
    child.suspend()  # So that it dies with the request unread.
    killer = threading.Timer(0.3, child.send_signal, [number])
    resumer = threading.Timer(0.6, lambda: child.is_running() and child.resume())
    killer.start()
    resumer.start()
    assert (render(own, good) == whole).all()
    killer.join()
    resumer.join()


def test_a_fault_of_our_own_is_not_blamed_on_the_file(
    own: IsolatedDecoder, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RuntimeError, match="status 1"):
        render(own, good)


def test_ctrl_c_and_sigterm_leave_the_page_at_work_alone(own: IsolatedDecoder, good: Path) -> None:
    render(own, good)
    child = child_of(own)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        child.send_signal(number)
    render(own, good)
    assert child_of(own) == child


def test_the_child_ends_with_its_parent_even_with_a_page_at_work(scans: Path) -> None:
    (scans / "slow.pdf").write_bytes(nested_forms(30))
    code = (
        "from pathlib import Path; from lettermill.jobs.scans.reader import read_page; "
        "from lettermill.jobs.settings import Limits; "
        f"read_page(Path({str(scans / 'slow.pdf')!r}), 1, 72, Limits())"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: busy(parent.pid), what="the child at work")
    (child,) = descendants(parent.pid)
    parent.kill()
    parent.wait()
    wait_for(
        lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="the end of the child"
    )


def busy(pid: int) -> bool:
    return any(sum(child.cpu_times()[:2]) > 1 for child in descendants(pid))


def test_a_process_that_was_forked_has_a_child_of_its_own(good: Path) -> None:
    read_page(good, 1, 72, LIMITS)
    child = child_of(isolated_decoder())
    pid = os.fork()
    if not pid:
        try:
            read_page(good, 1, 72, LIMITS)
            other = child_of(isolated_decoder()) != child
            isolated_decoder().close()
            os._exit(0 if other else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert child.is_running()
