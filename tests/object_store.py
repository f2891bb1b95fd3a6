"""A real S3-compatible server (moto's) as a process of its own, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import boto3

from lettermill.jobs.storage import bucket
from tests.support import free_port, wait_for


@contextlib.contextmanager
def object_store() -> Iterator[int]:
    """Start the server on a port, and let boto3 of this process and its children find it."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pointed_at(port):
            client = boto3.session.Session().client("s3")
            wait_for(lambda: _answers(client), what="the object store to start")
            yield port
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def pointed_at(port: int) -> Iterator[None]:
    """Let boto3 talk to a port of this machine."""
    values = {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    _forget_client()
    try:
        yield
    finally:
        _forget_client()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _forget_client() -> None:
    if bucket._client.cache_info().currsize:
        bucket._client(os.getpid()).close()
    bucket._client.cache_clear()


def _answers(client: object) -> bool:
    try:
        client.list_buckets()  # type: ignore[attr-defined]
    except Exception:  # It is not up yet; `wait_for` bounds this.
        return False
    return True
