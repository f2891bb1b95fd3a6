"""The server as a process: fifty uploads at once, ends in the middle, a full disk, hostile requests."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.front.server import opened_office, user
from lettermill.jobs.front.submit import Places
from tests.jobs.front.conftest import Web
from tests.support import PATIENCE_SECONDS, Command, wait_for

Serving = Callable[..., Web]


def send_some(web: Web, path: str, head: dict[str, str], content: bytes) -> socket.socket:
    """Begin a request, send a part of its body, and leave the connection open."""
    connection = socket.create_connection(("127.0.0.1", web.port), timeout=60)
    lines = [f"PATCH /api/v1{path} HTTP/1.1", f"Host: 127.0.0.1:{web.port}"]
    lines += [f"{name}: {value}" for name, value in head.items()]
    lines += [f"Authorization: Bearer {web.token}", "", ""]
    connection.sendall("\r\n".join(lines).encode() + content)
    return connection


def test_fifty_uploads_at_once(serving: Serving, tmp_path: Path) -> None:
    """All are sent by several connections, in parts and in another order; each file is whole, once."""
    web = serving()
    upload = web.upload()
    files = {f"{number}.png": os.urandom(300_000 + number) for number in range(50)}

    def send(name: str) -> None:
        content = files[name]
        address = f"/uploads/{upload}/{name}?length={len(content)}"
        for start in range(0, len(content), 100_000):
            part = content[start : start + 100_000]
            answer = web.call("PATCH", address, part, **{"Upload-Offset": str(start)})
            assert answer.status == 200, answer.content

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(send, reversed(files)))
    folder = tmp_path / "out" / "uploads" / upload
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == files


def test_a_browser_and_a_server_that_end_in_the_middle_of_an_upload(serving: Serving, tmp_path: Path) -> None:
    """What arrived is kept, no job is made of half a file, and only the rest is sent again."""
    web = serving()
    upload, content = web.upload(), os.urandom(5_000_000)
    address = f"/uploads/{upload}/a.png?length={len(content)}&version=1"

    def there() -> int:
        return int(web.call("GET", address).json()["offset"])

    head = {"Upload-Offset": "0", "Content-Length": str(len(content))}
    with send_some(web, address, head, content[:1_000_000]):
        wait_for(lambda: there() == 1_000_000, what="the first part")
        again = web.call("PATCH", address, b"x", **{"Upload-Offset": "1000000"})
        assert again.status == 423, "the browser has not gone yet"
    # It has gone: its file is free.
    rest = {"Upload-Offset": "1000000", "Content-Length": str(len(content) - 1_000_000)}
    wait_for(
        lambda: web.call("PATCH", address, b"", **{"Upload-Offset": "1000000"}).status == 200, what="the file"
    )
    with send_some(web, address, rest, content[1_000_000:3_000_000]):
        wait_for(lambda: there() == 3_000_000, what="the second part")
        web.process.send_signal(signal.SIGKILL)
        web.process.wait(PATIENCE_SECONDS)
    folder = tmp_path / "out" / "uploads" / upload
    assert not (folder / "a.png").exists()
    web = serving()
    assert web.call("POST", "/jobs", {"upload": upload, "alphabet": "letters"}).status == 400
    assert there() == 3_000_000
    last = web.call("PATCH", address, content[3_000_000:], **{"Upload-Offset": "3000000"})
    assert last.json() == {"offset": len(content), "length": len(content)}
    assert [(path.name, path.read_bytes()) for path in folder.glob("*.png")] == [("a.png", content)]
    assert web.call("PUT", f"/uploads/{upload}/a.png?version=1", content).status == 200, "nothing twice"
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["a.png"]


def test_a_sender_that_falls_silent(serving: Serving) -> None:
    """A telephone that has changed its network: its old connection stays open, and its new one continues."""
    web = serving(faults={"set": {"lettermill.jobs.front.pages.SILENT_SECONDS": 1}})
    address = f"/uploads/{web.upload()}/a.png?length=6"
    with send_some(web, address, {"Upload-Offset": "0", "Content-Length": "6"}, b"012") as silent:
        wait_for(lambda: web.call("GET", address).json()["offset"] == 3, what="the first part")
        assert b" 408 " in silent.recv(100)
        rest = web.call("PATCH", address, b"345", **{"Upload-Offset": "3"})
        assert rest.json() == {"offset": 6, "length": 6}


def test_a_full_disk(serving: Serving, small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(small_disk)
    web = serving()
    upload = web.upload()
    refused = web.call("PUT", f"/uploads/{upload}/a.png", b"x" * 1000)
    assert refused.status == 507 and "the disk has no room" in refused.json()["error"]
    web.process.terminate()
    web.process.wait(PATIENCE_SECONDS)
    # Without what is kept free, the disk itself refuses in the middle; the rest is taken once there is room.
    web = serving(faults={"set": {"lettermill.jobs.front.uploads.SPARE_BYTES": -(10**9)}})
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 5_000_000)
    content = os.urandom(3_000_000)
    address = f"/uploads/{upload}/a.png?length={len(content)}"
    full = web.call("PATCH", address, content, **{"Upload-Offset": "0"})
    assert full.status == 507 and "No space left" in full.json()["error"]
    there = web.call("GET", address).json()["offset"]
    assert 0 < there < len(content)
    filler.unlink()
    assert web.call("PATCH", address, content[there:], **{"Upload-Offset": str(there)}).status == 200
    assert (small_disk / "uploads" / upload / "a.png").read_bytes() == content


def test_hostile_requests(serving: Serving, tmp_path: Path) -> None:
    """Broken or endless requests end in a refusal, and the server answers the next one."""
    web = serving()
    upload = web.upload()
    large = web.call("POST", "/jobs", b"[" * 70_000)
    assert large.status == 413
    for query, head in (
        ("", {}),
        ("length=-1", {}),
        ("length=1e9", {}),
        ("length=99999999999999999999", {}),
        ("length=5", {"Upload-Offset": "-1"}),
        ("length=5", {"Upload-Offset": "x"}),
    ):
        given = {"Transfer-Encoding": "chunked", **head}
        with send_some(web, f"/uploads/{upload}/a.png?{query}", given, b"0\r\n\r\n") as connection:
            assert b" 400 " in connection.recv(100), (query, head)
    huge = web.call("PATCH", f"/uploads/{upload}/a.png?length=500000001", b"x", **{"Upload-Offset": "0"})
    assert huge.status == 413
    more = web.call("PATCH", f"/uploads/{upload}/a.png?length=3", b"0123456789", **{"Upload-Offset": "0"})
    assert more.status == 400
    for path in (
        "/uploads/../../../../etc/passwd",
        "/jobs/..%2f..%2fetc",
        "/jobs/%00",
        "/jobs/" + "x" * 5000,
    ):
        assert web.call("GET", path).status in (400, 404), path[:60]
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    connection.request("GET", "/static/../server.py", headers={"Authorization": f"Bearer {web.token}"})
    assert connection.getresponse().status == 403
    connection.close()
    assert web.call("GET", "/jobs").json() == {"count": 0, "jobs": []}
    folder = tmp_path / "out" / "uploads" / upload
    assert [path.name[:6] for path in folder.iterdir()] in ([], [".part-"])


def test_one_server_for_a_folder(serving: Serving, lettermill: Command, tmp_path: Path) -> None:
    serving()
    refused = lettermill("web", "--out", tmp_path / "out", "--no-browser", "--name", "bob", status=2)
    assert "another `lettermill web` serves" in refused.stderr


def test_an_office_is_closed_at_the_end(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    with (
        opened_office(places, 1, "anna"),
        pytest.raises(UsageProblem),
        opened_office(places, 1, "bob"),
    ):
        raise AssertionError
    assert threading.active_count() == before
    monkeypatch.setattr("getpass.getuser", _no_user)
    with pytest.raises(UsageProblem, match="this user has no name"):
        user()


def _no_user() -> str:
    raise KeyError
