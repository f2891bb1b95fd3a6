"""Decode files for another process: the child of `isolated`, run as `python -m lettermill.jobs.scans.child`.

It ends when the process that asks it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import resource
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.scans.checks import memory_message
from lettermill.jobs.scans.decode import decode_page
from lettermill.jobs.scans.page_count import count_pages
from lettermill.jobs.scans.pdf_fields import form_fields
from lettermill.jobs.scans.pdf_pages import is_pdf, render
from lettermill.jobs.scans.requests import (
    FILE_MODES,
    LONGEST_REQUEST_BYTES,
    Answer,
    Count,
    FindFields,
    Request,
    WriteSearchable,
)
from lettermill.jobs.scans.text_layer import PageText, write_searchable


def serve(connection: socket.socket) -> None:
    """Fulfil requests until the process that sends them is gone.

    Args:
        connection: a socket of that process.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Finish the page; the socket tells when to end.
    requests: queue.SimpleQueue[tuple[Request, list[BinaryIO]]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    while True:
        request, files = requests.get()
        connection.sendall(b"\n")
        with contextlib.ExitStack() as stack:
            for file in files:
                stack.enter_context(file)
            answer, pixels = _fulfil(request, files)
        connection.sendall(msgspec.json.encode(answer) + b"\n")
        if pixels is not None:
            connection.sendall(pixels.data.cast("B"))


def _listen(connection: socket.socket, requests: queue.SimpleQueue[tuple[Request, list[BinaryIO]]]) -> None:
    """Receive requests while the main thread works, so that the child ends as soon as its asker does."""
    while True:
        try:
            message, handles, _, _ = socket.recv_fds(connection, LONGEST_REQUEST_BYTES, len(FILE_MODES))
        except OSError:
            os._exit(0)  # The asking process died with an answer unread.
        if not handles:
            os._exit(0)
        files = [os.fdopen(handle, mode) for handle, mode in zip(handles, FILE_MODES, strict=False)]
        requests.put((msgspec.json.decode(message, type=Request), cast(list[BinaryIO], files)))


def _fulfil(request: Request, files: Sequence[BinaryIO]) -> tuple[Answer, NDArray[np.uint8] | None]:
    file, *others = files
    bound_memory(request.limits.memory_bytes)
    try:
        if isinstance(request, Count):
            return Answer(pages=count_pages(file, request.limits)), None
        if isinstance(request, FindFields):
            return Answer(fields=tuple(form_fields(file, request.dpi))), None
        if isinstance(request, WriteSearchable):
            text, out = others
            text.seek(0)
            pages = msgspec.json.decode(text.read(), type=list[PageText])
            write_searchable(file, pages, out, request.dpi, request.limits)
            out.flush()
            return Answer(), None
        if is_pdf(file):
            pixels = render(file, request.page, request.dpi, request.limits, request.pages)
        else:
            pixels = decode_page(file, request.page, request.limits, request.pages)
        return Answer(shape=(pixels.shape[0], pixels.shape[1])), pixels
    except ScanError as error:
        return Answer(code=error.code, message=error.message), None
    except MemoryError:
        return Answer(code=ErrorCode.OUT_OF_MEMORY, message=memory_message(request.limits)), None


if __name__ == "__main__":
    # It says of some forms how to build PDFium otherwise, which no user of ours does.
    logging.getLogger("pypdfium2").setLevel(logging.ERROR)
    # Core dumps of gigabytes, one per hostile file, would fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(socket.socket(fileno=sys.stdin.fileno()))
