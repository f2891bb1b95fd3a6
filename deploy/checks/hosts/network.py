"""Hosts with addresses of their own: network namespaces, joined by a bridge in one more of them.

Nothing of it touches the network of the machine itself. A host's processes live in its namespace; a link that
is taken down says nothing to either end, as a pulled cable does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import wait_for


def _run(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr}"
    return done.stdout


class Host:
    """A host on a network.

    Attributes:
        name: for log files.
        address: its address.
    """

    def __init__(self, name: str, number: int, switch: str) -> None:
        self.name = name
        self.address = f"10.77.0.{number}"
        self._switch = switch
        self._namespace = f"{switch}-{number}"
        self._port = f"port{number}"
        self._processes: list[subprocess.Popen[bytes]] = []
        _run("ip", "netns", "add", self._namespace)
        self._in("link", "set", "lo", "up")
        ends = self._port, "type", "veth", "peer", "name", "eth0", "netns", self._namespace
        _run("ip", "-n", switch, "link", "add", *ends)
        _run("ip", "-n", switch, "link", "set", self._port, "master", "bridge")
        self._in("address", "add", f"{self.address}/24", "dev", "eth0")
        self._in("link", "set", "eth0", "up")
        self.join()

    def _in(self, *words: object) -> None:
        _run("ip", "-n", self._namespace, *words)

    def start(self, words: list[object], log: Path, environment: dict[str, str]) -> None:
        """Start a process on this host."""
        command = ["ip", "netns", "exec", self._namespace, *map(str, words)]
        with log.open("ab") as file:
            self._processes.append(subprocess.Popen(command, stdout=file, stderr=file, env=environment))

    def run(self, words: list[object], environment: dict[str, str]) -> str:
        """Run a command on this host to its end; return what it printed."""
        command = ["ip", "netns", "exec", self._namespace, *map(str, words)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def cut_off(self) -> None:
        """Pull its cable: what is sent in either direction is lost without a word."""
        _run("ip", "-n", self._switch, "link", "set", self._port, "down")

    def join(self) -> None:
        """Plug its cable in."""
        _run("ip", "-n", self._switch, "link", "set", self._port, "up")

    def stand_still(self) -> None:
        """Stop all its processes where they are."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let its processes go on."""
        self._signal(signal.SIGCONT)

    def lose_power(self) -> None:
        """End all its processes at once; none of their connections is closed towards others."""
        self.cut_off()
        for process in self._processes:
            process.kill()
            process.wait()
        # What the processes have started may have just ended with them.
        wait_for(lambda: not self._signal(signal.SIGKILL), what=f"the processes of {self.name} to end")

    def _signal(self, number: int) -> list[int]:
        processes = [int(one) for one in _run("ip", "netns", "pids", self._namespace).split()]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return processes

    def remove(self) -> None:
        """Take the host away, with whatever still runs on it."""
        self.lose_power()
        _run("ip", "netns", "delete", self._namespace)


class Network:
    """A switch and its hosts; use it as a context manager.

    Raises:
        AssertionError: there is no leave to make one: it takes root and iproute2.
    """

    def __init__(self) -> None:
        self._switch = f"lettermill-{os.getpid()}"
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        _run("ip", "netns", "add", self._switch)
        _run("ip", "-n", self._switch, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", self._switch, "link", "set", "bridge", "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self._hosts:
            host.remove()
        _run("ip", "netns", "delete", self._switch)

    def host(self, name: str) -> Host:
        """Add a host."""
        self._hosts.append(Host(name, len(self._hosts) + 1, self._switch))
        return self._hosts[-1]
