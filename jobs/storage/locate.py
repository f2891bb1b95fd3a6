"""Find the place that a path or an address `s3://BUCKET/PREFIX` names."""

from __future__ import annotations

from pathlib import Path

from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.place import Place

# `bucket` is imported where it is needed: boto3 is optional, and takes half a second to import.


def locate(where: str | Path | Place) -> Place:
    """Return the place that a person or a job file names: `s3://BUCKET/PREFIX`, or a path on disk.

    Raises:
        UsageProblem: the address names no bucket, or a prefix that no folder can have.
        MissingExtra: what talks to object stores is not installed.
    """
    if isinstance(where, str) and where.startswith("s3://"):
        from lettermill.jobs.storage.bucket import bucket_at

        return bucket_at(where)
    if isinstance(where, str | Path):
        return where if isinstance(where, Disk) else Disk(where)
    return where


def use_short_timeouts(*places: Place) -> None:
    """Use short timeouts and no retries in this process for the object stores of these places."""
    if any(not isinstance(one, Disk) for one in places):
        from lettermill.jobs.storage import bucket

        bucket.use_short_timeouts()
