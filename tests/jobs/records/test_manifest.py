"""The manifest: every line is a page, and what is damaged is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.records.manifest import ManifestEntry, digest, manifest_ids, read_manifest
from lettermill.jobs.storage.disk import Disk

IDENTITY = ("settings", "model")


def entry(scan: str = "box/page.png", page: int = 1) -> ManifestEntry:
    return ManifestEntry.of(scan, page, 1000, 1_700_000_000_000_000_000, 3, IDENTITY)


@pytest.fixture
def manifest(tmp_path: Path) -> Disk:
    path = Disk(tmp_path / "manifest.jsonl")
    odd = os.fsdecode(b"caf\xe9\n.pdf")
    lines = [entry().to_line(), *(entry(odd, page).to_line() for page in (1, 2, 3))]
    path.write_text("".join(lines))
    return path


def test_entries_are_read_as_they_were_written(manifest: Disk) -> None:
    found = list(read_manifest(manifest))
    assert [each.page for each, _ in found] == [1, 1, 2, 3]
    assert found[0][0] == entry()
    assert os.fsencode(found[1][0].scan) == b"caf\xe9\n.pdf"
    assert found[-1][1] == manifest.stat().st_size
    assert list(read_manifest(manifest, found[1][1])) == found[2:]
    assert manifest_ids(manifest) == [each.id for each, _ in found]


def test_an_id_belongs_to_one_page_file_settings_and_model() -> None:
    ids = {
        entry().id,
        entry(page=2).id,
        entry("other.png").id,
        ManifestEntry.of("box/page.png", 1, 1001, 1_700_000_000_000_000_000, 3, IDENTITY).id,
        ManifestEntry.of("box/page.png", 1, 1000, 1_700_000_000_000_000_001, 3, IDENTITY).id,
        ManifestEntry.of("box/page.png", 1, 1000, 1_700_000_000_000_000_000, 3, ("settings", "other")).id,
    }
    assert len(ids) == 6
    assert entry().belongs_to(IDENTITY)
    assert not entry().belongs_to(("settings", "other"))
    assert digest("a", "b") != digest("ab")


def test_a_drawing_has_a_name_that_a_file_can_have() -> None:
    name = entry("é/" * 200 + "page.png", 7).drawing
    assert "/" not in name
    assert len(name.encode()) < 255
    assert name.endswith(f"-7-{entry('é/' * 200 + 'page.png', 7).id[:8]}.png")


@pytest.mark.parametrize(
    "change",
    [
        {"id": "x"},
        {"id": "0" * 24 + "\n"},
        {"scan": ""},
        {"scan": "a\0b"},
        {"scan": "\ud800"},
        {"page": 0},
        {"bytes": -1},
        {"pages": "3"},
        {"more": 1},
    ],
)
def test_values_that_are_not_those_of_a_page(manifest: Disk, change: dict[str, object]) -> None:
    values = {**entry().to_json(), **change}
    with pytest.raises(ValueError):
        ManifestEntry.from_json(values)
    manifest.write_text(json.dumps(values) + "\n")
    with pytest.raises(NotAJob, match=r"manifest\.jsonl"):
        list(read_manifest(manifest))


@pytest.mark.parametrize("line", ["", "{", '{"id":"' + "g" * 24 + '"}', entry().to_line().rstrip("\n")])
def test_ids_of_damaged_lines(manifest: Disk, line: str) -> None:
    manifest.write_text(line if line.endswith("}") and "scan" in line else line + "\n")
    with pytest.raises(NotAJob, match=r"manifest\.jsonl"):
        manifest_ids(manifest)


def test_a_manifest_that_is_not_there(tmp_path: Path) -> None:
    for read in (manifest_ids, lambda path: list(read_manifest(path))):
        with pytest.raises(NotAJob) as caught:
            read(Disk(tmp_path / "manifest.jsonl"))
        assert "Give the command that made the job again" in caught.value.next_step
