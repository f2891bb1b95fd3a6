"""An object store, and one folder on disk and in a bucket alike."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from lettermill.jobs.storage.bucket import Bucket
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.place import Place
from tests.object_store import object_store


@pytest.fixture(scope="module")
def store() -> Iterator[int]:
    with object_store() as port:
        yield port


@pytest.fixture
def in_bucket(store: int) -> Bucket:
    name = f"tests-{uuid.uuid4().hex}"
    boto3.session.Session().client("s3").create_bucket(Bucket=name)
    return Bucket(name, "below")


@pytest.fixture(params=["disk", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "disk":
        return Disk(tmp_path)
    found = request.getfixturevalue("in_bucket")
    assert isinstance(found, Bucket)
    return found
