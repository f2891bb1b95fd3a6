"""The job folder: made, reopened, written to and read from, whatever happens in between."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from lettermill import cli
from lettermill.jobs.errors import BadData, ErrorCode, ModelProblem, NoScans, NotAJob, UsageProblem
from lettermill.jobs.inputs.model import MODEL_FILE, Model
from lettermill.jobs.inputs.recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job, find_job_folders
from lettermill.jobs.job.make import Submission, make_job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import (
    Box,
    Letter,
    LineReading,
    PageReading,
    Quality,
    Status,
    from_bytes,
    to_bytes,
)
from lettermill.jobs.settings import Limits, Settings
from lettermill.jobs.storage.display import display_path
from tests.support import disk_roots

Submit = Callable[..., Submission]


@pytest.fixture
def submit_scans(tmp_path: Path, scans: Path, model: Model) -> Submit:
    def make(settings: Settings | None = None, token: str = "") -> Submission:
        roots = disk_roots(scans, tmp_path / "out")
        return make_job(
            scans, tmp_path / "out", ReadingRecipe(settings or Settings(), model), roots, client_token=token
        )

    return make


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def failed(entry: ManifestEntry, code: ErrorCode, status: Status = Status.FAILED) -> PageReading:
    return PageReading(entry.id, entry.scan, entry.page, status, code, "why")


# --- making a job -------------------------------------------------------------------------------


def test_manifest_names_every_page(scans: Path, picture: Image.Image, submit_scans: Submit) -> None:
    picture.save(scans / "b.tif", save_all=True, append_images=[picture, picture])
    picture.save(scans / "a.png")
    (scans / "notes.txt").touch()
    made = submit_scans()
    assert (made.pages, made.to_read, made.other_files) == (4, 4, 1)
    assert [(entry.scan, entry.page, entry.pages) for entry in entries(made.job)] == [
        ("a.png", 1, 1),
        ("b.tif", 1, 3),
        ("b.tif", 2, 3),
        ("b.tif", 3, 3),
    ]
    status = (scans / "a.png").stat()
    assert entries(made.job)[0].bytes == status.st_size
    assert entries(made.job)[0].mtime_ns == status.st_mtime_ns
    assert len({entry.id for entry in entries(made.job)}) == 4


def test_manifest_from_an_offset(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png", "b.png", "c.png")
    (_, behind_first), *rest = job.manifest()
    assert list(job.manifest(behind_first)) == rest


def test_the_same_command_reopens_the_job(
    scans: Path, picture: Image.Image, submit_scans: Submit, reading_of: Callable[..., PageReading]
) -> None:
    picture.save(scans / "a.png")
    picture.save(scans / "b.png")
    first = submit_scans()
    first.job.results.write(reading_of(entries(first.job)[0], "AB"))
    again = submit_scans()
    assert (again.pages, again.to_read) == (2, 1)
    assert again.job.path == first.job.path
    assert again.job.token == first.job.token
    assert entries(again.job) == entries(first.job)


def test_new_and_changed_files_are_read_and_the_others_stay(
    scans: Path, picture: Image.Image, submit_scans: Submit, reading_of: Callable[..., PageReading]
) -> None:
    for name in ("same.png", "touched.png", "grown.png", "goes.png"):
        picture.save(scans / name)
    first = submit_scans()
    for entry in entries(first.job):
        first.job.results.write(reading_of(entry, "AB"))
    status = (scans / "touched.png").stat()
    os.utime(scans / "touched.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    status = (scans / "grown.png").stat()
    with (scans / "grown.png").open("ab") as file:
        file.write(b"more")
    os.utime(scans / "grown.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    (scans / "goes.png").unlink()
    picture.save(scans / "new.png")
    again = submit_scans()
    unread = {entry.scan for entry in entries(again.job) if not again.job.results.has(entry.id)}
    assert unread == {"touched.png", "grown.png", "new.png"}
    assert (again.pages, again.to_read) == (4, 3)


def test_settings_make_another_job_but_limits_do_not(
    scans: Path, picture: Image.Image, submit_scans: Submit
) -> None:
    picture.save(scans / "a.png")
    path = submit_scans().job.path
    assert submit_scans(Settings(alphabet="digits")).job.path != path
    assert submit_scans(Settings(dpi=200)).job.path != path
    relaxed = submit_scans(Settings(limits=Limits(max_megapixels=999)))
    assert relaxed.job.path == path
    assert Job.open(path).settings.limits.max_megapixels == 999


@pytest.fixture
def submit_with_list(tmp_path: Path, scans: Path, picture: Image.Image, model: Model) -> Submit:
    picture.save(scans / "a.png")

    def make(content: str) -> Submission:
        names = tmp_path / "names.txt"
        names.write_text(content)
        words = read_word_list(names, Settings().characters)
        names.unlink()
        out = tmp_path / "out"
        return make_job(scans, out, ReadingRecipe(Settings(), model, words), disk_roots(scans, out))

    return make


def test_a_word_list_belongs_to_the_job(submit_with_list: Submit, submit_scans: Submit) -> None:
    made = submit_with_list("Anna\nEva\n").job
    words = Job.open(made.path).lexicon
    assert words is not None
    assert [entry.letters for entry in words.entries()] == ["ANNA", "EVA"]
    again = submit_with_list("Anna\nEva\n").job
    assert (again.path, again.token) == (made.path, made.token)
    other, without = submit_with_list("Anna\n").job, submit_scans().job
    assert without.lexicon is None
    assert len({job.path for job in (made, other, without)}) == 3
    assert len({entries(job)[0].id for job in (made, other, without)}) == 3


def test_a_word_list_that_was_changed_in_the_job_folder(submit_with_list: Submit) -> None:
    copy = submit_with_list("Anna\n").job.path / "lexicon.txt"
    copy.write_text("Eva\n")
    with pytest.raises(BadData, match=r"lexicon\.txt"):
        submit_with_list("Anna\n")
    copy.unlink()
    with pytest.raises(BadData, match=r"lexicon\.txt"):
        submit_with_list("Anna\n")


def test_a_token_names_the_job(scans: Path, picture: Image.Image, submit_scans: Submit) -> None:
    picture.save(scans / "a.png")
    assert submit_scans().job.path != submit_scans(token="../my/post box").job.path
    assert submit_scans(token="x").job.path == submit_scans(token="x").job.path
    path = submit_scans(token="../my/post box").job.path
    assert path.parent == submit_scans().job.path.parent
    assert path.name.startswith("my-post-box-")


def test_result_folder_inside_of_the_scans(scans: Path, picture: Image.Image, model: Model) -> None:
    picture.save(scans / "a.png")
    for out in (scans, scans / "results", scans / ".." / "scans" / "x"):
        with pytest.raises(UsageProblem, match="lies in the scan folder"):
            make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(scans, out))
    assert sorted(path.name for path in scans.iterdir()) == ["a.png"]


def test_folders_outside_of_the_roots(
    tmp_path: Path, scans: Path, picture: Image.Image, model: Model
) -> None:
    picture.save(scans / "a.png")
    out = tmp_path / "out"
    with pytest.raises(UsageProblem, match="--scans"):
        make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(tmp_path / "elsewhere", out))
    with pytest.raises(UsageProblem, match="--results"):
        make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(scans, tmp_path / "elsewhere"))
    assert not out.exists()


def test_nothing_to_read_leaves_no_job(tmp_path: Path, submit_scans: Submit) -> None:
    with pytest.raises(NoScans):
        submit_scans()
    assert not (tmp_path / "out").exists()


def test_pages_of_a_document_that_is_linked_from_beside_the_folder(
    scans: Path, tmp_path: Path, model: Model, picture: Image.Image
) -> None:
    (tmp_path / "archive").mkdir()
    picture.save(tmp_path / "archive" / "three.tif", save_all=True, append_images=[picture, picture])
    (scans / "three.tif").symlink_to(tmp_path / "archive" / "three.tif")
    out = tmp_path / "out"
    assert make_job(scans, out, ReadingRecipe(Settings(), model), disk_roots(tmp_path, out)).pages == 3


def test_a_result_folder_that_takes_nothing(
    open_folder: Path, picture: Image.Image, model: Model, as_nobody: Callable[..., str]
) -> None:
    (open_folder / "scans").mkdir()
    picture.save(open_folder / "scans" / "a.png")
    (open_folder / "closed").mkdir(mode=0o700)
    (open_folder / "model").mkdir()
    for name in ("handprint.tflite", "handprint.json"):
        (open_folder / "model" / name).write_bytes((model.folder / name).read_bytes())
    code = """
from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.inputs.model import load_model
from lettermill.jobs.job.folder import Roots
from lettermill.jobs.job.make import make_job
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
root, scans = Path(sys.argv[1]), Path(sys.argv[1]) / "scans"
for out in (root / "new", root / "closed", root / "closed" / "deep"):
    try:
        recipe = ReadingRecipe(Settings(), load_model(root / "model"))
        make_job(scans, out, recipe, Roots(Disk(scans), Disk(out)))
    except ResultsNotWritable as error:
        sys.stdout.write(error.what + "\\n")
"""
    told = as_nobody(code, open_folder).splitlines()
    assert len(told) == 3
    assert all("Permission denied" in line for line in told)


@pytest.mark.parametrize("name", ["=1+1.png", "new\nline.png", 'quote".png', os.fsdecode(b"caf\xe9.png")])
def test_odd_names_survive_the_manifest(job_of: Callable[..., Job], scans: Path, name: str) -> None:
    job = job_of(f"folder {name}/{name}")
    (entry,) = entries(Job.open(job.path))
    assert entry.scan == f"folder {name}/{name}"
    assert (scans / entry.scan).is_file()


# --- opening ------------------------------------------------------------------------------------


def test_open_gives_what_was_made(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png", settings=Settings(alphabet="alnum", dpi=150, limits=Limits(page_seconds=7)))
    assert Job.open(job.path) == job


def test_what_is_no_job(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(NotAJob, match=r"is not a job folder|does not exist"):
            Job.open(path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"settings": {}}', "\xff"])
def test_damaged_job_json(job_of: Callable[..., Job], content: str) -> None:
    job = job_of("a.png")
    (job.path / "job.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


@pytest.mark.parametrize("key", ["scan_root", "created", "version"])
def test_text_that_cannot_be_written_is_damage(job_of: Callable[..., Job], key: str) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    (job.path / "job.json").write_text(json.dumps({**values, key: "half a pair: \ud800"}))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", "base64"),
        ("created", "0001-01-01T00:00:00+14:00"),
        ("scan_root", "/scans\0/may"),
        ("scans_below", "a\0"),
    ],
)
def test_job_json_with_what_nobody_could_use(job_of: Callable[..., Job], key: str, value: str) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    (job.path / "job.json").write_text(json.dumps({**values, key: value}))
    with pytest.raises(NotAJob, match=r"job\.json"):
        Job.open(job.path)


def test_damaged_job_json_deleted_and_submitted_again(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    job.results.write(reading_of(entries(job)[0], "AB"))
    (job.path / "job.json").write_text("{")
    with pytest.raises(NotAJob, match="Delete that file"):
        job_of()
    (job.path / "job.json").unlink()
    assert job_of().tally().finished == 1


def test_settings_of_another_version(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    values = json.loads((job.path / "job.json").read_text())
    values["settings"]["colour"] = "blue"
    (job.path / "job.json").write_text(json.dumps(values))
    with pytest.raises(NotAJob, match="colour"):
        Job.open(job.path)


@pytest.mark.parametrize("line", ["", '{"id": 1', "[]", '{"id": "x"}'])
def test_damaged_manifest(job_of: Callable[..., Job], line: str) -> None:
    job = job_of("a.png")
    job.manifest_path.write_text(line + "\n")
    with pytest.raises(NotAJob, match=r"manifest\.jsonl"):
        entries(job)


def test_a_job_keeps_its_model(job_of: Callable[..., Job], model: Model) -> None:
    job = job_of("a.png")
    assert job.model.network == model.network
    (job.path / "model" / MODEL_FILE).write_bytes(b"another")
    with pytest.raises(ModelProblem, match="not the network"):
        job_of()
    (job.path / "model" / "handprint.json").unlink()
    with pytest.raises(ModelProblem, match="card"):
        job_of()


def test_a_job_with_the_network_of_a_former_version(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    network = job.path / "model" / MODEL_FILE
    network.replace(network.with_suffix(".onnx"))
    resumed = CliRunner().invoke(cli.lettermill, ["resume", str(job.path)])
    assert isinstance(resumed.exception, ModelProblem)
    assert "is of a former Lettermill: its network is handprint.onnx" in resumed.exception.what
    assert "run its scans again" in resumed.exception.next_step


def test_find_job_folders(job_of: Callable[..., Job], tmp_path: Path) -> None:
    paths = {job_of("a.png").path, job_of("a.png", settings=Settings(dpi=100)).path}
    assert set(find_job_folders(tmp_path)) == paths
    with pytest.raises(NotAJob):
        list(find_job_folders(tmp_path / "missing"))


# --- results ------------------------------------------------------------------------------------

characters = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
boxes = st.builds(Box, *[st.integers(0, 100_000)] * 4)
rankings = st.lists(st.tuples(characters, st.floats(0, 1)), min_size=1, max_size=3).map(tuple)
letters = st.builds(Letter, boxes, st.integers(1, 99), rankings, st.booleans())
lines = st.builds(LineReading, boxes, st.lists(letters, min_size=1, max_size=4).map(tuple), st.text())
names = st.text(st.characters(exclude_characters="\0", exclude_categories=[])).map(
    lambda text: os.fsdecode(text.encode("utf-8", "ignore"))
) | st.binary().map(os.fsdecode)
readings = st.builds(
    PageReading,
    page_id=st.text("0123456789abcdef", min_size=24, max_size=24),
    scan=names,
    page=st.integers(1, 10_000),
    status=st.sampled_from(Status),
    error_code=st.none() | st.sampled_from(ErrorCode),
    error=st.text(),
    lines=st.lists(lines, max_size=3).map(tuple),
    skew_degrees=st.floats(-45, 45),
    quality=st.lists(st.sampled_from(["LOW_RESOLUTION", "SKEWED"])).map(tuple),
    measured=st.builds(Quality, *[st.none() | st.floats(0, 1e4)] * 5),
    seconds=st.floats(0, 1e4),
    attempts=st.integers(1, 3),
)


@hypothesis_settings(deadline=None)  # The machine may be busy.
@given(readings)
def test_readings_survive_their_bytes(reading: PageReading) -> None:
    assert from_bytes(to_bytes(reading)) == msgspec.structs.replace(reading, scan=display_path(reading.scan))


def test_results_survive_the_disk(job_of: Callable[..., Job], reading_of: Callable[..., PageReading]) -> None:
    job = job_of(os.fsdecode(b"caf\xe9.png"), "b.png")
    first, second = entries(job)
    reading = msgspec.structs.replace(reading_of(second, "HELLO WORLD\nAGAIN"), quality=("SKEWED",))
    job.results.write(reading)
    assert job.results.read(second.id) == msgspec.structs.replace(reading, scan=display_path(second.scan))
    assert reading.text == "HELLO WORLD\nAGAIN"
    assert job.results.read(first.id) is None
    assert (job.tally().pages, job.tally().finished, job.tally().complete) == (2, 1, False)
    job.results.write(reading_of(first))
    assert job.tally().complete


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"\xff\xfe", b'{"lines": [{}]}'])
def test_damaged_results_are_told_and_read_again(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading], content: bytes
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    for entry in (first, second):
        job.results.write(reading_of(entry, "AB"))
    job.results.path(first.id).write_bytes(content)
    with pytest.raises(NotAJob, match="damaged"):
        job.results.read(first.id)
    assert job.forget_results() == 1
    assert not job.results.has(first.id)
    assert job.results.has(second.id)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"A"', b'"B"'), (b'"word"', b'"WORD"'), (b"0.98", b"0.99"), (b"true", b"false")]
)
def test_a_result_edited_by_hand_is_told(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading], old: bytes, new: bytes
) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    job.results.write(msgspec.structs.replace(reading_of(entry, "AB"), quality=("word", "true")))
    path = job.results.path(entry.id)
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(NotAJob, match="damaged"):
        job.results.read(entry.id)


def test_a_result_in_another_pages_place_is_told(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "AB"))
    job.results.path(second.id).parent.mkdir(parents=True, exist_ok=True)
    job.results.path(first.id).rename(job.results.path(second.id))
    with pytest.raises(NotAJob, match="another page"):
        job.results.read(second.id)


def test_a_reading_counts_more_than_a_failure_whichever_comes_first(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(failed(first, ErrorCode.TIMEOUT))
    assert (job.tally().finished, job.tally().failed) == (1, 1)
    for entry in (first, second):
        job.results.write(reading_of(entry, "AB"))
    job.results.write(failed(second, ErrorCode.TIMEOUT))
    assert (job.tally().finished, job.tally().failed) == (2, 0)
    assert [job.results.read(entry.id) for entry in (first, second)] == [
        reading_of(entry, "AB") for entry in (first, second)
    ]


def begin(job: Job, entry: ManifestEntry) -> int | None:
    with job.attempts.begin(entry.id) as attempt:
        return attempt


def test_a_result_ends_the_attempts(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    assert [begin(job, entry) for _ in range(2)] == [1, 2]
    job.attempts.note_loss(entry.id, "WORKER_LOST")
    job.attempts.note_loss(entry.id, "OUT_OF_MEMORY")
    assert job.attempts.count(entry.id) == 2
    assert job.attempts.last_loss(entry.id) == "OUT_OF_MEMORY"
    job.results.write(reading_of(entry, "A"))
    assert job.attempts.count(entry.id) == 0
    assert job.attempts.last_loss(entry.id) == ""
    assert begin(job, entry) == 1


def test_a_page_is_attempted_by_one_process_at_a_time(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    with job.attempts.begin(entry.id) as first, job.attempts.begin(entry.id) as second:
        assert (first, second) == (1, None)
    assert job.attempts.count(entry.id) == 1
    assert begin(job, entry) == 2


def test_an_attempt_that_was_nobodys_fault_does_not_count(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    (entry,) = entries(job)
    begin(job, entry)
    job.attempts.note_loss(entry.id, "signal 9")
    with job.attempts.begin(entry.id):
        job.attempts.take_back(entry.id)
    assert (job.attempts.count(entry.id), job.attempts.last_loss(entry.id)) == (1, "signal 9")


def test_a_job_is_stopped_and_goes_on(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png", "b.png")
    job.results.write(reading_of(entries(job)[0], "A"))
    assert job.cancelled is None
    job.cancel("because")
    job.cancel("for another reason")
    assert job.cancelled == "because"
    tally = job.tally()
    assert (tally.finished, tally.cancelled, tally.complete) == (1, True, True)
    job.uncancel()
    assert not job.tally().complete
    job.cancel("again")
    assert job_of().cancelled is None  # The same command goes on.


def test_a_job_is_stopped_when_more_fail_than_it_allows(job_of: Callable[..., Job]) -> None:
    job = dataclasses.replace(job_of("a.png", "b.png", "c.png"), max_failures=1)
    for entry, stopped in zip(entries(job), (False, True, True), strict=True):
        job.results.write(failed(entry, ErrorCode.TRUNCATED))
        assert job.cancel_after_failures() is stopped
    assert "2 pages failed" in (job.cancelled or "")


def test_which_failures_are_tried_again(
    job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of(*(f"{name}.png" for name in "abcd"))
    a, b, c, d = entries(job)
    for reading in (
        failed(a, ErrorCode.TOO_MANY_PIXELS),
        failed(b, ErrorCode.TRUNCATED),
        failed(c, ErrorCode.WORKER_LOST, Status.QUARANTINED),
        reading_of(d, "A"),
    ):
        job.results.write(reading)
    job_of()  # The same command again: what may have been mended outside of the file.
    assert [job.results.has(entry.id) for entry in (a, b, c, d)] == [False, True, True, True]
    assert job.forget_results(failures=True) == 2
    assert [job.results.has(entry.id) for entry in (a, b, c, d)] == [False, False, False, True]


def test_the_lock_is_exclusive_and_ends_with_its_holder(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    order = []

    def second() -> None:
        with job.lock():
            order.append("second")

    other = threading.Thread(target=second)
    with pytest.raises(ZeroDivisionError), job.lock():
        other.start()
        time.sleep(0.2)
        order.append("first")
        raise ZeroDivisionError
    other.join(10)
    assert order == ["first", "second"]
