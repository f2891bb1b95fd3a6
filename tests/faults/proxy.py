"""A network that can be cut: a TCP proxy of the test's own, between a client and a server on this machine."""

from __future__ import annotations

import asyncio
import ssl
import threading
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards connections to a port of this machine until told otherwise; use it as a context manager.

    Args:
        target: the port.
        tls: what to speak TLS with to clients, if at all; the target hears plain bytes.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._open = asyncio.Event()
        self._open.set()
        # Nobody else holds on to what waits for these, and the loop only weakly.
        self._forgotten: list[asyncio.Event] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._wait_for(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait_for(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def freeze(self) -> None:
        """Forward nothing and close nothing: connections are accepted and stay silent."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def thaw(self) -> None:
        """Forward again, and what was held back first."""
        self._loop.call_soon_threadsafe(self._open.set)

    def forget(self) -> None:
        """Forward new connections, and nothing of the old ones ever: they stay open at both ends.

        So a router does that lost its table, or a firewall that dropped a quiet connection.
        """

        def begin_anew() -> None:
            self._open.clear()
            self._forgotten.append(self._open)
            self._open = asyncio.Event()
            self._open.set()

        self._loop.call_soon_threadsafe(begin_anew)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_open = self._open
        try:
            await is_open.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, back, is_open))
                    group.create_task(_pump(there, writer, is_open))
            finally:
                back.close()
        except* (OSError, asyncio.CancelledError):
            pass  # An end went away, or the test is over.
        finally:
            writer.close()

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.2)  # What was closed is let go of in the loop's next rounds.

    def _wait_for(self, coroutine):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_open: asyncio.Event) -> None:
    try:
        while data := await reader.read(65536):
            await is_open.wait()
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
