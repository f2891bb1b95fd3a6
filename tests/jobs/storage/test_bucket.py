"""What an object store adds to what all places promise, and how it fails."""

from __future__ import annotations

import http.server
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import boto3
import pytest

from lettermill.jobs.errors import LettermillError, ResultsNotWritable, StoreUnreachable, UsageProblem
from lettermill.jobs.scans.find import find_scans
from lettermill.jobs.storage import bucket
from lettermill.jobs.storage.bucket import Bucket
from tests.object_store import pointed_at
from tests.support import free_port


def test_only_one_creates_a_file(in_bucket: Bucket) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: (in_bucket / "job.json").create(b"%d" % number), range(8)))
    assert sum(made) == 1
    assert in_bucket.read("job.json") == b"%d" % made.index(True)


def test_an_object_that_is_replaced_while_it_is_read(in_bucket: Bucket) -> None:
    file = in_bucket / "manifest.jsonl"
    file.write(b"old\n" * 200_000)
    with file.opened() as reading:
        assert next(reading) == b"old\n"
        file.write(b"new\n" * 200_000)
        with pytest.raises(OSError, match="replaced"):
            reading.read()


def test_two_contents_of_one_second_and_size_differ(in_bucket: Bucket) -> None:
    (in_bucket / "a.png").write(b"one")
    (in_bucket / "b.png").write(b"two")
    assert in_bucket.measure("a.png")[1] % 10**9 != in_bucket.measure("b.png")[1] % 10**9


def test_a_scan_that_is_too_large_is_not_fetched(in_bucket: Bucket) -> None:
    (in_bucket / "large.png").write(b"x" * 1000)
    file, size, _ = in_bucket.open_below("large.png", 999)
    with file:
        assert (file.read(), size) == (b"", 1000)


def test_a_bucket_that_is_not_there(store: int) -> None:
    nowhere = Bucket("there-is-none", "x")
    for act in (
        lambda: (nowhere / "a").write(b""),
        lambda: list(nowhere.files()),
        lambda: list(nowhere.folders_with("job.json")),
        lambda: nowhere.open_below("a.png", 1),
    ):
        with pytest.raises(StoreUnreachable, match="bucket does not exist"):
            act()


def test_a_store_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_TRIES", 2)
    with pointed_at(free_port()):
        for act in (lambda at: at.write(b""), lambda at: at.exists(), lambda at: at.parent.read("x")):
            with pytest.raises(StoreUnreachable, match="s3://bucket/x") as caught:
                act(Bucket("bucket", "x"))
            assert "AWS_ENDPOINT_URL_S3" in str(caught.value)


class Refusing(http.server.BaseHTTPRequestHandler):
    """A store that is too busy for the first requests, or answers each with one error."""

    answers: ClassVar[list[tuple[int, str]]] = []
    asked = 0

    def answer(self) -> None:
        type(self).asked += 1
        status, code = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer  # noqa: N815 - the names that the server looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[type[Refusing]]:
    Refusing.asked = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        with pointed_at(server.server_address[1]):
            yield Refusing
        server.shutdown()


def test_a_busy_store_is_asked_again_as_often_after_many_failures(
    refusing: type[Refusing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_TRIES", 3)
    monkeypatch.setattr(bucket, "_LONGEST_PAUSE_SECONDS", 0)
    Refusing.answers = [(503, "SlowDown")]
    for _ in range(30):
        with pytest.raises(StoreUnreachable, match="SlowDown"):
            Bucket("bucket", "x").write(b"")
    assert Refusing.asked == 90
    Refusing.answers = [(503, "SlowDown"), (500, "InternalError"), (200, "")]
    Bucket("bucket", "x").write(b"")


def test_credentials_that_ran_out_are_no_fault_of_a_scan(refusing: type[Refusing]) -> None:
    for code in ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        Refusing.answers = [(403, code)]
        with pytest.raises(StoreUnreachable, match=code):
            Bucket("bucket", "").open_below("a.png", 1)
    Refusing.answers = [(403, "AccessDenied")]
    with pytest.raises(PermissionError):
        Bucket("bucket", "").open_below("a.png", 1)
    with pytest.raises(ResultsNotWritable, match="AccessDenied"):
        Bucket("bucket", "x").write(b"")


def test_an_answer_that_was_lost_begins_once(in_bucket: Bucket) -> None:
    log = in_bucket / "one.log"
    with log.begin("begun 1"), log.begin("begun 1") as content:
        assert content == b"begun 1\n"
    log.append("taken back")
    log.append("taken back")
    assert in_bucket.read("one.log") == b"begun 1\ntaken back\ntaken back\n"


def test_keys_that_no_path_could_have_are_passed_over(in_bucket: Bucket) -> None:
    client = boto3.session.Session().client("s3")
    for key in ("below//lead.png", "below/a//b.png", "below/good.png"):
        client.put_object(Bucket=in_bucket.bucket, Key=key, Body=b"x")
    scans, left_out = find_scans(in_bucket)
    assert scans == ["good.png"]
    assert left_out.no_files.first == ("/lead.png", "a//b.png")


def test_a_temporary_folder_without_room(in_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_bucket / "a.png").write(b"x")
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(ResultsNotWritable, match="temporary folder"):
        in_bucket.open_below("a.png", 10)
    with pytest.raises(ResultsNotWritable, match="temporary folder"), (in_bucket / "t").atomic_write():
        pass


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pointed_at(free_port()):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
        with pytest.raises(UsageProblem, match="AWS_ENDPOINT_URL_S3"):
            Bucket("bucket", "x").exists()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pointed_at(free_port()):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        with pytest.raises(LettermillError, match="credentials"):
            Bucket("bucket", "x").exists()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")  # For `pointed_at`, which takes them away.
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
