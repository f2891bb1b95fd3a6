"""Uploads: names, limits, files that break off, two senders at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import ResultsNotWritable, UsageProblem
from lettermill.jobs.front import uploads as module
from lettermill.jobs.front.uploads import File, UploadRefused, Uploads, check_complete, checked_name
from lettermill.jobs.storage.disk import Disk


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(Disk(tmp_path / "uploads"))


def names(uploads: Uploads, upload: str) -> list[str]:
    return sorted(path.name for path in (uploads.folder / upload).iterdir() if path.is_file())


def test_a_file_is_there_only_when_it_is_whole(uploads: Uploads) -> None:
    upload = uploads.new()
    file = File(upload, "a.png", 10)
    with uploads.receiving(file, 0) as into:
        into.take(b"01234")
    assert uploads.received(file) == 5
    assert not (uploads.folder / upload / "a.png").exists()
    assert (uploads.listed(upload).files, uploads.listed(upload).parts) == (0, 1)
    with pytest.raises(UsageProblem, match="1 of the files were not sent"):
        check_complete(uploads.listed(upload))
    with uploads.receiving(file, 5) as into:
        into.take(b"56789")
    assert (uploads.folder / upload / "a.png").read_bytes() == b"0123456789"
    assert names(uploads, upload) == ["a.png"]
    check_complete(uploads.listed(upload))
    assert uploads.received(file) == 10


def test_a_file_that_begins_anew(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 4)
    with uploads.receiving(file, 0) as into:
        into.take(b"xx")
    with uploads.receiving(file, None) as into:
        into.take(b"0123")
    assert (uploads.folder / file.upload / "a.png").read_bytes() == b"0123"


def test_what_arrived_before_an_error_stays(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 10)
    with pytest.raises(RuntimeError), uploads.receiving(file, 0) as into:
        into.take(b"0123")
        raise RuntimeError
    assert uploads.received(file) == 4


def test_an_empty_file(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 0)
    with uploads.receiving(file, 0):
        pass
    assert (uploads.folder / file.upload / "a.png").read_bytes() == b""


def test_an_offset_that_is_not_there_is_answered_with_the_right_one(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 10)
    with uploads.receiving(file, 0) as into:
        into.take(b"0123")
    for offset in (0, 3, 5):
        with pytest.raises(UploadRefused) as caught, uploads.receiving(file, offset):
            raise AssertionError
        assert (caught.value.status, caught.value.offset) == (409, 4)


def test_no_file_is_longer_than_was_said(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 3)
    with pytest.raises(UploadRefused, match="more than the 3 bytes"), uploads.receiving(file, 0) as into:
        into.take(b"0123")
    assert uploads.received(file) == 0


def test_two_senders_of_one_file(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 4)
    with uploads.receiving(file, 0) as into:
        with pytest.raises(UploadRefused, match="being sent already"), uploads.receiving(file, 0):
            raise AssertionError
        into.take(b"0123")
    with pytest.raises(UploadRefused) as caught, uploads.receiving(file, 0):
        raise AssertionError
    assert (caught.value.status, caught.value.offset) == (409, 4)
    assert names(uploads, file.upload) == ["a.png"]


def test_a_file_that_is_complete_is_not_begun_anew(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 4)
    with uploads.receiving(file, 0) as into:
        into.take(b"0123")
    for offset in (None, 0, 4):
        with pytest.raises(UploadRefused) as caught, uploads.receiving(file, offset):
            raise AssertionError
        assert (caught.value.status, caught.value.offset) == (409, 4)
    assert names(uploads, file.upload) == ["a.png"], "and nothing is left over"
    assert (uploads.folder / file.upload / "a.png").read_bytes() == b"0123"


def test_two_files_of_one_name_are_not_mixed(uploads: Uploads) -> None:
    upload = uploads.new()
    first, second = File(upload, "a.png", 4, "monday"), File(upload, "a.png", 4, "tuesday")
    with uploads.receiving(first, 0) as into:
        into.take(b"01")
    assert uploads.received(second) == 0
    longer = File(upload, "a.png", 5)
    with uploads.receiving(second, 0) as into:
        into.take(b"abcd")
    with pytest.raises(UploadRefused, match="another file called"):
        uploads.received(longer)
    assert uploads.received(second) == 4
    with pytest.raises(UploadRefused, match="another file called"):
        uploads.received(first)
    uploads.drop_parts(upload)
    assert names(uploads, upload) == ["a.png"]
    assert (uploads.folder / upload / "a.png").read_bytes() == b"abcd"


def test_parts_that_are_being_sent_are_not_dropped(uploads: Uploads) -> None:
    file = File(uploads.new(), "a.png", 2)
    with uploads.receiving(file, 0) as into:
        uploads.drop_parts(file.upload)
        into.take(b"01")
    assert names(uploads, file.upload) == ["a.png"]


def test_limits(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = uploads.new()
    with pytest.raises(UploadRefused, match="a file may have 500,000,000") as caught:
        uploads.receiving(File(upload, "a.png", 500_000_001), 0).__enter__()
    assert caught.value.status == 413
    with pytest.raises(UploadRefused, match="a file may have 500,000,000"):
        uploads.wanted(File(upload, "a.png", 500_000_001))
    assert uploads.wanted(File(upload, "a.png", 500_000_000)) == 0
    monkeypatch.setattr(module, "MOST_FILES", 0)
    with uploads.receiving(File(upload, "a.png", 0), 0):
        pass
    with pytest.raises(UploadRefused, match="an upload may have 0 files"):
        uploads.receiving(File(upload, "b.png", 1), 0).__enter__()
    monkeypatch.setattr(module, "MOST_FILES", 9)
    monkeypatch.setattr(module, "SPARE_BYTES", 10**18)
    with pytest.raises(UploadRefused, match="the disk has no room") as caught:
        uploads.receiving(File(upload, "c.png", 1), 0).__enter__()
    assert caught.value.status == 507


def test_a_full_disk_keeps_what_arrived(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE_BYTES", -(10**9))
    uploads = Uploads(Disk(small_disk))
    file = File(uploads.new(), "a.png", 9_000_000)
    with (
        pytest.raises(ResultsNotWritable, match="No space left"),
        uploads.receiving(file, 0) as into,
    ):
        for _ in range(9):
            into.take(b"x" * 1_000_000)
    there = uploads.received(file)
    assert 4_000_000 < there < 7_000_000
    assert names(uploads, file.upload)[0].startswith(".part-")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../a.png", "a/b.png", "..\\a.png", ".a.png", "a\n.png", " a.png", "a\x00.png"),
        *("\u202egnp.exe.png", "a" * 250 + ".png", "\udcff.png", "Thumbs.db", "con\u2028.png"),
    ],
)
def test_names_that_no_file_gets(name: str) -> None:
    with pytest.raises(UploadRefused) as caught:
        checked_name(name)
    assert caught.value.status == 400
    assert caught.value.what.isprintable()


@pytest.mark.parametrize("name", ["a.zip", "a.html", "a.svg", "a", "a.png.exe", "job.json", "form.toml"])
def test_only_scans_are_taken(name: str) -> None:
    with pytest.raises(UploadRefused) as caught:
        checked_name(name)
    assert caught.value.status == 415


def test_names_that_files_get() -> None:
    assert checked_name("Mu\u0308ller <b>&amp; 'x'.PNG") == "Müller <b>&amp; 'x'.PNG"
    assert checked_name("form.toml", template=True) == "form.toml"


def test_names_of_uploads(uploads: Uploads, tmp_path: Path) -> None:
    assert uploads.new("May / June") == "May-June"
    assert uploads.new("May / June").startswith("May-June-")
    assert uploads.new("../../etc") == "etc"
    assert uploads.new("…").startswith("upload-")
    (tmp_path / "elsewhere").mkdir()
    (uploads.folder / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("..", ".", "", "link", "gone", "May-June/..", "a\x00"):
        with pytest.raises(UploadRefused, match="no such upload"):
            uploads.path(name)
    assert "link" not in [upload.name for upload in uploads.all()]


def test_deleting_an_upload(uploads: Uploads) -> None:
    file = File(uploads.new("may"), "form.toml", 2, template=True)
    with uploads.receiving(file, 0) as into:
        into.take(b"ab")
    assert uploads.templates("may") == ["form.toml"]
    (uploads.folder / ".deleted-by-a-server-that-was-killed").mkdir()
    uploads.delete("may")
    assert list(uploads.folder.iterdir()) == []
