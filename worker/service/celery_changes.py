"""Changes what Celery does by itself in a worker's processes. All such changes are in this module.

Celery has no option for most of them, so functions of `celery.apps.worker` are replaced, before
`app.Worker` is made. What can be configured is in `lettermill.jobs.queue.celery_app`.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import warnings
from typing import Any

import cv2
from celery import signals
from celery.apps import worker as celery_worker
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.worker.consumer import consumer

from lettermill.jobs.log import hush_libraries, logger

_PR_SET_PDEATHSIG = 1


def adapt_celery() -> None:
    """Make all changes; to be called once, before the worker is made."""
    # Celery adds no log handlers of its own where something is connected to this signal.
    signals.setup_logging.connect(_do_nothing)
    # Long advice on running as root, with an option that does not exist here; `worker_started` logs the uid.
    warnings.simplefilter("ignore", SecurityWarning)
    # Of a setting that `celery_app` makes with its reason; printed whenever a connection is lost.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    # These repeat what tasks.py and page_service.py have logged: that a task failed, that a child died.
    for name in ("celery.worker.request", "multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger(consumer.__name__).addFilter(_log_lost_redis)
    celery_worker.safe_say = _log_message  # type: ignore[attr-defined]
    # Celery's handler of SIGHUP would restart the worker with a command line that lacks Python's options.
    celery_worker.install_worker_restart_handler = _do_nothing  # type: ignore[attr-defined]
    signals.worker_process_init.connect(_prepare_child)


def stop_on_hangup() -> None:
    """Let SIGHUP stop the worker as SIGTERM does, unless it is ignored (nohup)."""
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _do_nothing(*_: object, **__: object) -> None:
    """Replace a function of Celery."""


def _log_lost_redis(record: logging.LogRecord) -> bool:
    """Log Celery's sentences about a lost connection as our event; let through all others."""
    error, retry = consumer.CONNECTION_ERROR, consumer.CONNECTION_RETRY  # type: ignore[attr-defined]
    if not isinstance(record.args, tuple):
        return True
    if record.msg == error:
        logger.warning("redis_away", doing="connecting", error=str(record.args[1]))
        return False
    if record.args[:1] == (retry,):
        logger.warning("redis_away", doing="listening", error=str(record.args[1]))
        return False
    return True


def _log_message(message: str, file: object = None) -> None:
    """Replace the function that prints `worker: Warm shutdown` instead of logging it."""
    logger.info("worker_told", message=message.strip())


def _prepare_child(**_: Any) -> None:
    """Set up a process that reads pages."""
    # A terminal that is closed sends this to all its processes; the main process lets the page finish.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cv2.setNumThreads(1)
    gc.freeze()  # Collections skip the objects of the main process, so that their memory stays shared.
    hush_libraries()
    _die_with_parent()


def _die_with_parent() -> None:
    """Have the system kill this process when its parent dies: nothing else would stop an endless page."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died in between.
            os.kill(os.getpid(), signal.SIGKILL)
