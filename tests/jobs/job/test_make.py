"""Jobs are made and reopened, also after settings, files or the job folder have changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lettermill.jobs.errors import BadData, NoScans, NotAJob, UsageProblem
from lettermill.jobs.inputs.model import Model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import Submission, make_job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import (
    PageReading,
)
from lettermill.jobs.settings import Limits, Settings
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


def test_manifest_names_every_page(scans: Path, picture: Image.Image, submit_scans: Submit) -> None:
    picture.save(scans / "b.tif", save_all=True, append_images=[picture, picture])
    picture.save(scans / "a.png")
    (scans / "notes.txt").touch()
    made = submit_scans()
    assert (made.pages, made.to_read, made.job.left_out.files) == (4, 4, "1 .txt")
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


@pytest.fixture
def make_of(tmp_path: Path, scans: Path, model: Model, picture: Image.Image) -> Submit:
    for name in ("a.png", "b.png", "box/c.png", "box/d.png"):
        (scans / name).parent.mkdir(exist_ok=True)
        picture.save(scans / name)

    def make(*only: str, name: str = "", settings: Settings | None = None) -> Submission:
        roots = disk_roots(scans, tmp_path / "out")
        recipe = ReadingRecipe(settings or Settings(), model)
        return make_job(scans, tmp_path / "out", recipe, roots, only=only, name=name)

    return make


def test_a_job_of_some_files_is_the_same_for_the_same_files_in_any_order(make_of: Submit) -> None:
    made = make_of("b.png", "box").job
    assert [entry.scan for entry in entries(made)] == ["b.png", "box/c.png", "box/d.png"]
    assert make_of("box", "b.png").job.path == made.path
    others = [make_of().job, make_of("b.png").job, make_of("b.png", "box/c.png").job]
    assert len({job.path for job in (made, *others)}) == 4


def test_the_name_says_what_is_read_and_how(make_of: Submit) -> None:
    assert re.fullmatch(r"scans-letters-[0-9a-f]{10}", make_of().job.path.name)
    assert re.fullmatch(r"scans-letters-[0-9a-f]{10}", make_of("a.png", "b.png").job.path.name)
    one = make_of("box/c.png", settings=Settings(alphabet="auto", layout="line", printed="keep"))
    assert re.fullmatch(r"c-auto-line-keep-print-[0-9a-f]{10}", one.job.path.name)


def test_results_may_lie_in_the_folder_of_files_that_are_read(
    scans: Path, model: Model, make_of: Submit
) -> None:
    out = scans / "results"
    roots = disk_roots(scans, out)
    made = make_job(scans, out, ReadingRecipe(Settings(), model), roots, only=["a.png"])
    assert [entry.scan for entry in entries(made.job)] == ["a.png"]


def test_a_name_is_the_folders_and_holds_one_job(make_of: Submit, tmp_path: Path) -> None:
    made = make_of(name="Kreis Süd")
    assert made.job.path == tmp_path / "out" / "Kreis Süd"
    again = make_of(name="Kreis Süd")
    assert (again.job.path, again.job.token) == (made.job.path, made.job.token)
    assert (
        make_of(name="Kreis Süd", settings=Settings(limits=Limits(max_pages=3))).job.token == made.job.token
    )
    with pytest.raises(UsageProblem, match="is another job: it was made of other scans"):
        make_of("a.png", name="Kreis Süd")
    with pytest.raises(UsageProblem, match=r"another job: its pages are read otherwise \(letters\)"):
        make_of(name="Kreis Süd", settings=Settings(alphabet="digits"))
    assert entries(Job.open(made.job.path)) == entries(made.job)


@pytest.mark.parametrize("name", ["latest", "a/b", "..", ".hidden", "two\nlines", " x", "x" * 201, "\udce9"])
def test_names_that_no_job_can_have(make_of: Submit, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageProblem, match="no job can be called"):
        make_of(name=name)
    assert not (tmp_path / "out").exists()


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
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
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
