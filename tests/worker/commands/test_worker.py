"""`lettermill worker` refuses what it cannot use before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.worker.commands.worker import _host_and_port
from lettermill.worker.service import serve
from tests.support import Command


@pytest.mark.parametrize("address", ["0", "65536", "metrics", "127.0.0.1:", "host:12a"])
def test_an_address_of_metrics_that_is_none(lettermill: Command, tmp_path: Path, address: str) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--scans", tmp_path, "--results", tmp_path)
    done = lettermill("worker", *words, "--metrics", address, status=2)
    assert f"cannot understand --metrics {address}" in done.stderr
    assert "for example 9473" in done.stderr


@pytest.mark.parametrize(
    ("address", "found"),
    [
        (None, None),
        ("", None),
        ("9473", ("127.0.0.1", 9473)),
        ("0.0.0.0:9473", ("0.0.0.0", 9473)),
        ("[::1]:9473", ("::1", 9473)),
    ],
)
def test_an_address_of_metrics(address: str | None, found: tuple[str, int] | None) -> None:
    assert _host_and_port(None, None, address) == found  # type: ignore[arg-type]


def test_a_root_that_is_not_there(lettermill: Command, tmp_path: Path) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--results", tmp_path)
    done = lettermill("worker", *words, "--scans", tmp_path / "gone", status=2)
    assert "gone" in done.stderr
    assert "--broker" in lettermill("worker", status=2).stderr


def test_options_come_from_the_environment_and_each_process_has_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[serve.WorkerOptions] = []
    monkeypatch.setattr(serve, "serve", started.append)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    environment = {
        "LETTERMILL_BROKER": "redis://queue:6379/0",
        "LETTERMILL_SCANS": str(tmp_path),
        "LETTERMILL_RESULTS": str(tmp_path),
        "LETTERMILL_METRICS": "9473",
        "OMP_NUM_THREADS": "2",
    }
    done = CliRunner().invoke(cli.lettermill, ["worker", "--concurrency", "3", "--no-sweep"], env=environment)
    assert done.exit_code == 0, done.output
    (options,) = started
    assert options.broker == "redis://queue:6379/0"
    assert str(options.scans) == str(options.results) == str(tmp_path)
    assert (options.concurrency, options.sweep, options.debug) == (3, False, None)
    assert (options.log_format, options.health) == ("text", None)
    assert options.metrics == ("127.0.0.1", 9473)
