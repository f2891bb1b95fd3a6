"""Files opened in a child process, so that a hostile one harms nothing but its own row.

A few bytes of PDF can ask for gigabytes or for hours, and PDFium ends its process where memory runs out.
Run as `python -m lettermill.jobs.scans.isolated` this is that child. A request is a line of JSON with the
open file beside it. It is answered by an empty line when the child begins with it, so that only a file that
was begun is blamed for the child's death, and by a line of JSON with the pixels behind it. The child ends
with the process that asks it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.settings import Limits

_LONGEST = 4096
"""Bytes of a request at most."""

_MODES = ("rb", "rb", "wb")
"""How the files of a request are opened: the scan, and where there is one, its text and the file to write."""


class _Count(msgspec.Struct, frozen=True, tag="count"):
    limits: Limits


class _Render(msgspec.Struct, frozen=True, tag="render"):
    limits: Limits
    page: int
    dpi: int
    pages: int | None


class _Searchable(msgspec.Struct, frozen=True, tag="searchable"):
    limits: Limits
    dpi: int


class _Answer(msgspec.Struct, frozen=True):
    """What became of a request: pages counted, or the shape of the pixels that follow, or why neither."""

    pages: int = 0
    shape: tuple[int, int] = (0, 0)
    code: ErrorCode | None = None
    message: str = ""


_Request = _Count | _Render | _Searchable


class Contained:
    """Opens files in a child process, which starts with the first and anew after one that ended it."""

    def __init__(self) -> None:
        self._child: _Child | None = None

    def count_pages(self, file: BinaryIO, limits: Limits, seconds: float) -> int:
        """Return how many pages a TIFF or PDF file has; see `lettermill.jobs.scans.decode.count_pages`.

        Args:
            file: the open file.
            limits: pages that are refused, and how much memory the child may take.
            seconds: how long counting may take.

        Raises:
            ScanError: the file cannot be counted.
        """
        return self._ask([file], _Count(limits), seconds)[0].pages

    def render(
        self, file: BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None
    ) -> NDArray[np.uint8]:
        """Return a page of a PDF as grey pixels, uint8 h×w; see `lettermill.jobs.scans.decode.render`.

        Raises:
            ScanError: the page cannot be drawn, or not within the limits.
        """
        return self._ask([file], _Render(limits, page, dpi, pages), limits.page_seconds)[1]

    def write_searchable(
        self, file: BinaryIO, text: BinaryIO, out: BinaryIO, dpi: int, limits: Limits, pages: int
    ) -> None:
        """Write a scan as a searchable PDF; see `lettermill.jobs.scans.text_layer.write_searchable`.

        Args:
            file: the scan.
            text: a file with the text of its pages, a list of `PageText` in JSON.
            out: the file to write.
            dpi: at which the pixels of a PDF's pages are counted.
            limits: what is refused.
            pages: how many pages the scan has.

        Raises:
            ScanError: a page cannot be opened.
        """
        self._ask([file, text, out], _Searchable(limits, dpi), pages * limits.page_seconds)

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.end()
            self._child = None

    def _ask(
        self, files: Sequence[BinaryIO], request: _Request, seconds: float
    ) -> tuple[_Answer, NDArray[np.uint8]]:
        while True:
            is_new = self._child is None
            self._child = self._child or _Child()
            try:
                answer, pixels = self._child.ask(files, request, seconds)
                break
            except TimeoutError as error:
                self.close()
                raise ScanError(
                    ErrorCode.TIMEOUT,
                    f"opening the file took longer than {seconds:g} s: raise the limit with --page-seconds",
                ) from error
            except (ConnectionError, EOFError) as error:
                status = self._child.end()
                self._child = None
                # One that died after its last answer, and did not begin with this file, has a successor.
                if is_new or not isinstance(error, _NotBegun):
                    raise _end_of_child(status, request.limits) from error
        if answer.code:
            raise ScanError(answer.code, answer.message)
        return answer, pixels


def _end_of_child(status: int, limits: Limits) -> Exception:
    """Return what a file did whose child ended; PDFium aborts where it gets no memory."""
    if status >= 0:  # It ended by itself, which no file makes it do.
        return RuntimeError(f"the process that opens documents ended with status {status}")
    if -status in (signal.SIGABRT, signal.SIGKILL):
        return ScanError(ErrorCode.OUT_OF_MEMORY, memory_message(limits))
    return ScanError(
        ErrorCode.TRUNCATED,
        f"the file is damaged so badly that its reader ended (signal {-status}): make it again",
    )


def memory_message(limits: Limits) -> str:
    """Say that a page took more than its memory."""
    return (
        f"the page takes more memory than the {limits.memory / 1e9:.1f} GB that one may: save it smaller, "
        "or raise the limit with --max-megapixels"
    )


@functools.cache
def _of_process(number: int) -> Contained:
    contained = Contained()
    atexit.register(contained.close)
    return contained


def contained() -> Contained:
    """Return this process's own child: one that was forked does not share its parent's."""
    return _of_process(os.getpid())


class _NotBegun(ConnectionError):
    """The child is dead and did not begin with the request."""


class _Child:
    """The child as the process sees it that started it."""

    def __init__(self) -> None:
        self._socket, end = socket.socketpair()
        self._answers = self._socket.makefile("rb")
        with end:
            self._process = subprocess.Popen(
                # -P: a folder named lettermill where the user stands must not be taken for ours.
                [sys.executable, "-P", "-m", "lettermill.jobs.scans.isolated"],
                stdin=end.fileno(),
                stdout=subprocess.DEVNULL,
            )

    def ask(
        self, files: Sequence[BinaryIO], request: _Request, seconds: float
    ) -> tuple[_Answer, NDArray[np.uint8]]:
        """Raises TimeoutError where it takes too long, ConnectionError or EOFError where the child died."""
        self._socket.settimeout(seconds)
        handles = [file.fileno() for file in files]
        try:
            socket.send_fds(self._socket, [msgspec.json.encode(request)], handles)
            begun = self._answers.readline()
        except ConnectionError as error:
            raise _NotBegun from error
        if not begun:
            raise _NotBegun
        line = self._answers.readline()
        if not line:
            raise EOFError
        answer = msgspec.json.decode(line, type=_Answer)
        pixels = np.empty(answer.shape, np.uint8)
        if pixels.size and self._answers.readinto(pixels.data.cast("B")) < pixels.size:
            raise EOFError
        return answer, pixels

    def end(self) -> int:
        """End the child; return its exit status, negative for the signal that ended it."""
        self._process.kill()
        status = self._process.wait()
        self._answers.close()
        self._socket.close()
        return status


def _serve(connection: socket.socket) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # The page at work is finished; the socket says when to end.
    requests: queue.SimpleQueue[tuple[_Request, list[BinaryIO]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    while True:
        request, files = requests.get()
        connection.sendall(b"\n")
        with contextlib.ExitStack() as stack:
            for file in files:
                stack.enter_context(file)
            answer, pixels = _answered(request, files)
        connection.sendall(msgspec.json.encode(answer) + b"\n")
        if pixels is not None:
            connection.sendall(pixels.data.cast("B"))


def _listen(connection: socket.socket, requests: queue.SimpleQueue[tuple[_Request, list[BinaryIO]]]) -> None:
    """Take requests while the main thread is at work, so that the child ends when nobody waits for it."""
    while True:
        try:
            message, handles, _, _ = socket.recv_fds(connection, _LONGEST, len(_MODES))
        except OSError:
            os._exit(0)  # The asker died with an answer unread.
        if not handles:
            os._exit(0)
        files = [os.fdopen(handle, mode) for handle, mode in zip(handles, _MODES, strict=False)]
        requests.put((msgspec.json.decode(message, type=_Request), cast(list[BinaryIO], files)))


def _answered(request: _Request, files: Sequence[BinaryIO]) -> tuple[_Answer, NDArray[np.uint8] | None]:
    from lettermill.jobs.scans.decode import count_pages, render
    from lettermill.jobs.scans.text_layer import PageText, write_searchable

    file, *others = files
    bound_memory(request.limits.memory)
    try:
        if isinstance(request, _Count):
            return _Answer(pages=count_pages(file, request.limits)), None
        if isinstance(request, _Searchable):
            text, out = others
            text.seek(0)
            pages = msgspec.json.decode(text.read(), type=list[PageText])
            write_searchable(file, pages, out, request.dpi, request.limits)
            out.flush()
            return _Answer(), None
        pixels = render(file, request.page, request.dpi, request.limits, request.pages)
        return _Answer(shape=(pixels.shape[0], pixels.shape[1])), pixels
    except ScanError as error:
        return _Answer(code=error.code, message=error.message), None
    except MemoryError:
        return _Answer(code=ErrorCode.OUT_OF_MEMORY, message=memory_message(request.limits)), None


if __name__ == "__main__":
    # A core of gigabytes for each hostile file would fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _serve(socket.socket(fileno=sys.stdin.fileno()))
