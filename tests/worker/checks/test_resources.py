"""The machine: too little room, memory or open files is found."""

from __future__ import annotations

import resource
import shutil
import tempfile
from types import SimpleNamespace

import pytest

from lettermill.jobs.settings import Limits
from lettermill.worker.checks import resources
from lettermill.worker.checks.finding import Finding, Level


def found(check: str) -> Finding:
    (one,) = (one for one in resources.check_machine() if one.check == check)
    return one


def test_a_temporary_folder_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=99 << 20))
    assert found("temporary folder").level is Level.WARNING
    assert "has 99 MiB free" in found("temporary folder").said


def test_no_temporary_folder_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    assert found("temporary folder").level is Level.WRONG
    assert "Set TMPDIR" in found("temporary folder").todo


@pytest.mark.parametrize(("megapixels", "level"), [(34, Level.WARNING), (36, Level.OK)])
def test_the_memory_of_each_process(monkeypatch: pytest.MonkeyPatch, megapixels: int, level: Level) -> None:
    monkeypatch.setattr(resources, "usable_cores", lambda: 3)
    monkeypatch.setattr(resources, "memory_limit", lambda: 3 * Limits(max_megapixels=megapixels).memory_bytes)
    assert found("memory").level is level
    assert f"{megapixels} megapixels" in found("memory").said


@pytest.mark.parametrize(
    ("limit", "level", "said"),
    [
        (1023, Level.WARNING, "at most 1023"),
        (1024, Level.OK, "at most 1024"),
        (resource.RLIM_INFINITY, Level.OK, "no limit"),
    ],
)
def test_open_files(monkeypatch: pytest.MonkeyPatch, limit: int, level: Level, said: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert (found("open files").level, found("open files").said) == (level, said)
