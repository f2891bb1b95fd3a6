"""Decode files in a child process, so that a hostile file harms nothing but its own row.

A few bytes of PDF can ask for gigabytes or for hours, and PDFium ends its process where memory runs out. So
the child has a memory limit and a time limit, and is replaced when a file ends it. It is no sandbox.

Libraries such as pebble and loky run functions in child processes, too, but unpickle what the child sends: a
file that takes over the child would take over its parent. Here the child sends JSON and raw pixels alone.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.machine import python_command
from lettermill.jobs.scans.checks import memory_message
from lettermill.jobs.scans.pdf_fields import PdfField
from lettermill.jobs.scans.requests import Answer, Count, FindFields, Render, Request, WriteSearchable
from lettermill.jobs.settings import Limits


class IsolatedDecoder:
    """Decodes files in a child process; a child that a file ended is replaced."""

    def __init__(self) -> None:
        self._child: _Child | None = None

    def count_pages(self, file: BinaryIO, limits: Limits, seconds: float) -> int:
        """Return how many pages a TIFF or PDF file has, as `page_count.count_pages`.

        Args:
            file: the open file.
            limits: pages that are refused, and how much memory the child may take.
            seconds: how long counting may take.

        Raises:
            ScanError: the file cannot be counted.
        """
        return self._ask([file], Count(limits), seconds)[0].pages

    def render(
        self, file: BinaryIO, page: int, dpi: int, limits: Limits, pages: int | None
    ) -> NDArray[np.uint8]:
        """Return a page of a PDF as grey pixels, uint8 h×w, as `pdf.render`.

        Raises:
            ScanError: the page cannot be drawn, or not within the limits.
        """
        return self._ask([file], Render(limits, page, dpi, pages), limits.page_seconds)[1]

    def form_fields(self, file: BinaryIO, dpi: int, limits: Limits) -> tuple[PdfField, ...]:
        """Return the form fields of a PDF's first page, as `pdf_fields.form_fields`.

        Raises:
            ScanError: the PDF cannot be opened, or not within the limits.
        """
        return self._ask([file], FindFields(limits, dpi), limits.page_seconds)[0].fields

    def write_searchable(
        self, file: BinaryIO, text: BinaryIO, out: BinaryIO, dpi: int, limits: Limits, pages: int
    ) -> None:
        """Write a scan as a searchable PDF, as `text_layer.write_searchable`.

        Args:
            file: the scan.
            text: a file with the text of its pages, a list of `PageText` in JSON.
            out: the file to write.
            dpi: the resolution in which boxes on a PDF's pages are counted.
            limits: what is refused.
            pages: how many pages the scan has.

        Raises:
            ScanError: a page cannot be opened.
        """
        self._ask([file, text, out], WriteSearchable(limits, dpi), pages * limits.page_seconds)

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.end()
            self._child = None

    def _ask(
        self, files: Sequence[BinaryIO], request: Request, seconds: float
    ) -> tuple[Answer, NDArray[np.uint8]]:
        while True:
            is_new = self._child is None
            self._child = self._child or _Child()
            try:
                answer, pixels = self._child.ask(files, request, seconds)
                break
            except TimeoutError as error:
                self.close()
                raise ScanError.with_remedy(
                    ErrorCode.TIMEOUT, f"opening the file took longer than {seconds:g} s"
                ) from error
            except (ConnectionError, EOFError) as error:
                status = self._child.end()
                self._child = None
                # A child that died before it began with this file is replaced, and asked again.
                if is_new or not isinstance(error, _NotBegun):
                    raise _error_of_dead_child(status, request.limits) from error
        if answer.code:
            raise ScanError(answer.code, answer.message)
        return answer, pixels


def _error_of_dead_child(status: int, limits: Limits) -> Exception:
    """Return the error of the file with which a child ended; PDFium aborts where it gets no memory."""
    if status >= 0:  # No file makes the child exit: this is a fault of ours.
        return RuntimeError(f"the process that opens documents ended with status {status}")
    if -status in (signal.SIGABRT, signal.SIGKILL):
        return ScanError(ErrorCode.OUT_OF_MEMORY, memory_message(limits))
    return ScanError(
        ErrorCode.TRUNCATED,
        f"the file is damaged so badly that its reader ended (signal {-status}): make it again",
    )


@functools.cache
def _decoder_of_process(process: int) -> IsolatedDecoder:
    decoder = IsolatedDecoder()
    atexit.register(decoder.close)
    return decoder


def isolated_decoder() -> IsolatedDecoder:
    """Return this process's own decoder: a forked process does not share the child of its parent."""
    return _decoder_of_process(os.getpid())


class _NotBegun(ConnectionError):
    """The child died before it began with the request."""


class _Child:
    """The child process, from the side of the process that started it."""

    def __init__(self) -> None:
        self._socket, end = socket.socketpair()
        self._answers = self._socket.makefile("rb")
        with end:
            self._process = subprocess.Popen(
                python_command("-m", "lettermill.jobs.scans.child"),
                stdin=end.fileno(),
                stdout=subprocess.DEVNULL,
            )

    def ask(
        self, files: Sequence[BinaryIO], request: Request, seconds: float
    ) -> tuple[Answer, NDArray[np.uint8]]:
        """Send a request and wait for its answer.

        Raises:
            TimeoutError: it takes too long.
            _NotBegun: the child died before it began with the request.
            ConnectionError, EOFError: the child died while it was at it.
        """
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
        answer = msgspec.json.decode(line, type=Answer)
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
