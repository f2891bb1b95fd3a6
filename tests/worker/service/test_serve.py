"""A worker starts with what its options ask for, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lettermill.jobs.errors import BrokerUnreachable
from lettermill.jobs.storage.disk import Disk
from lettermill.worker.service.serve import WorkerOptions, serve
from tests.support import free_port


def test_without_metrics_nothing_is_loaded_for_them() -> None:
    code = (
        "import sys, lettermill.worker.service.serve\n"
        "print(sorted({'prometheus_client', 'lettermill.worker.service.metrics'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_worker_without_redis_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("set_up_logging", "adapt_celery"):  # They would change this process.
        monkeypatch.setattr(f"lettermill.worker.service.serve.{name}", lambda *_: None)
    broker = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(BrokerUnreachable):
        serve(WorkerOptions(broker, Disk(tmp_path), Disk(tmp_path)))
