"""Celery's own habits are changed in a worker's processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHANGED = """
import signal, sys
from celery.apps import worker
from celery.signals import setup_logging, worker_process_init
before = worker.safe_say, worker.install_worker_restart_handler
{before}
from lettermill.worker.service.celery_changes import adapt_celery, stop_on_hangup
adapt_celery()
stop_on_hangup()
assert not {{worker.safe_say, worker.install_worker_restart_handler}} & set(before)
assert setup_logging.receivers and worker_process_init.receivers
"""


def run(after: str, before: str = "") -> subprocess.CompletedProcess[str]:
    code = CHANGED.format(before=before) + after
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


def test_celery_neither_prints_nor_restarts_itself() -> None:
    done = run("worker.safe_say('worker: Warm shutdown')\nworker.install_worker_restart_handler(None)")
    assert done.returncode == 0, done.stderr
    assert [line.count("worker_told") for line in done.stdout.splitlines()] == [1]


def test_a_lost_redis_is_an_event_of_ours() -> None:
    after = """
import logging
from celery.worker.consumer import consumer
log = consumer.logger
log.addHandler(logging.StreamHandler(sys.stdout))
log.error(consumer.CONNECTION_ERROR, "redis://host", ConnectionError("refused"), "Trying again in 2 s")
log.warning("%s (%r)", consumer.CONNECTION_RETRY, ConnectionError("reset"))
log.warning("something else")
"""
    done = run(after)
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert "redis_away" in first and "connecting" in first and "refused" in first
    assert "redis_away" in second and "listening" in second and "reset" in second
    assert third == "something else"


def test_a_hangup_stops_as_sigterm_does() -> None:
    stop = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nsignal.raise_signal(signal.SIGHUP)"
    assert run(stop, before="signal.signal(signal.SIGHUP, signal.SIG_DFL)").returncode == 7


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """Started by nohup."""
    stop = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\nsignal.raise_signal(signal.SIGHUP)"
    assert run(stop, before="signal.signal(signal.SIGHUP, signal.SIG_IGN)").returncode == 0


@pytest.mark.parametrize("what", ["gc.get_freeze_count() > 0", "cv2.getNumThreads() == 1"])
def test_a_child_is_prepared(what: str) -> None:
    child = (
        "import gc, cv2\n"
        "for _, receiver in worker_process_init.receivers: receiver()()\n"
        f"assert {what}\n"
        "assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN"
    )
    done = run(child)
    assert done.returncode == 0, done.stderr
