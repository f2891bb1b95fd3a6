"""What paths and addresses of places mean."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.storage import bucket
from lettermill.jobs.storage.bucket import Bucket
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.locate import locate, use_short_timeouts


@pytest.mark.parametrize("address", ["s3://", "s3:///prefix", "s3://../x", "s3://bucket/scans/../secret"])
def test_addresses_that_name_no_place(address: str) -> None:
    with pytest.raises(UsageProblem, match="names no place"):
        locate(address)


def test_slashes_of_an_address_do_not_matter() -> None:
    assert locate("s3://bucket//a/b/") == locate("s3://bucket/a/b")
    assert str(locate("s3://bucket")) == "s3://bucket/"


def test_without_boto3(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['boto3'] = None; from lettermill.cli import main; "
        "main(['status', 's3://bucket/job'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "pip install boto3" in done.stderr


def test_paths_are_on_disk_and_places_stay_what_they_are(tmp_path: Path) -> None:
    assert locate(str(tmp_path)) == Disk(tmp_path) == locate(tmp_path)
    assert isinstance(locate(tmp_path), Disk)
    in_bucket = Bucket("bucket", "a")
    assert locate(in_bucket) is in_bucket


def test_short_timeouts_are_for_stores_and_this_process_alone(
    store: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_short_timeouts_process", None)
    use_short_timeouts(Disk(tmp_path))
    assert _read_seconds(os.getpid()) == 60
    use_short_timeouts(Disk(tmp_path), Bucket("bucket", "a"))
    assert _read_seconds(os.getpid()) == 5
    assert _read_seconds(os.getpid() + 1) == 60  # As a process that was forked from this one has it.
    bucket._client.cache_clear()


def _read_seconds(process: int) -> int:
    seconds: int = bucket._client(process).meta.config.read_timeout
    return seconds
