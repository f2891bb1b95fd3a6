"""What is asked for becomes a job: once, of what lies where it may, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.submit import (
    ASKED_FILE,
    KeyUsed,
    Places,
    Wanted,
    asked,
    inside,
    offered,
    submit,
)
from lettermill.jobs.front.uploads import File, UploadRefused
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk
from tests.support import draw

Asking = Callable[..., Job]


@pytest.fixture
def asking(office: Office, scans: Path) -> Asking:
    draw(scans / "may" / "a.png", ["A"])

    def ask(key: str = "", by: str = "anna", **wanted: str) -> Job:
        given: dict[str, str] = {"folder": "may", "alphabet": "letters", **wanted}
        return submit(Wanted(**given), office.places, office.uploads, by, key)  # type: ignore[arg-type]

    return ask


def test_what_was_asked_for_is_kept(asking: Asking) -> None:
    job = asking(webhook="http://127.0.0.1:9/hooks/1")
    wish = asked(Disk(str(job.path)))
    assert wish and (wish.by, wish.webhook) == ("anna", "http://127.0.0.1:9/hooks/1")
    assert [entry.scan for entry, _ in job.manifest()] == ["a.png"]
    (job.path / ASKED_FILE).write(b"{")
    assert asked(Disk(str(job.path))) is None


def test_the_same_request_is_the_same_job(asking: Asking) -> None:
    assert asking().path == asking().path != asking(alphabet="digits").path


def test_a_key_never_makes_a_second_job(asking: Asking, scans: Path) -> None:
    first = asking("k-1")
    assert asking("k-1").path == first.path != asking("k-2").path
    with pytest.raises(KeyUsed):
        asking("k-1", alphabet="digits")


def test_of_an_upload(asking: Asking, office: Office) -> None:
    upload = office.uploads.new()
    with pytest.raises(UsageProblem, match="no scan was sent"):
        asking(folder="", upload=upload)
    with office.uploads.receiving(File(upload, "a.png", 4), 0) as into:
        into.take(b"abcd")
    job = asking(folder="", upload=upload)
    assert [entry.scan for entry, _ in job.manifest()] == ["a.png"]
    with pytest.raises(UploadRefused):
        asking(folder="", upload="gone")
    with pytest.raises(UsageProblem, match="an upload or of a folder"):
        asking(upload=upload)


def test_a_folder_has_to_be_below_the_scans(asking: Asking, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    draw(scans / ".hidden" / "a.png", ["A"])
    (scans / "link").symlink_to(tmp_path / "secret")
    (scans / "inner").symlink_to(scans / "may")
    names = (
        "..",
        "../secret",
        "/etc",
        "may/../../secret",
        "link",
        "inner",
        ".hidden",
        "gone",
        "may\0",
        "may/",
    )
    for name in (*names, "x" * 5000):
        with pytest.raises(UsageProblem, match="there is no folder"):
            asking(folder=name)


def test_a_template_has_to_be_below_the_scans(asking: Asking, tmp_path: Path) -> None:
    (tmp_path / "form.toml").write_text("")
    with pytest.raises(UsageProblem, match="there is no template"):
        asking(template="../form.toml")
    with pytest.raises(UsageProblem, match="no place for this template"):
        asking(uploaded_template="../../form.toml")


def test_of_a_form_whose_template_was_sent(asking: Asking, office: Office, tmp_path: Path) -> None:
    """Its blank is no scan of the job, and the job has a copy."""
    upload = office.uploads.new()
    blank = draw(tmp_path / "blank.png", ["A FORM OF THE OFFICE"]).read_bytes()
    template = b'blank = "blank.png"\n[[fields]]\nname = "surname"\nbox = [10, 100, 400, 60]\n'
    for name, content, of_template in (
        ("form.toml", template, True),
        ("blank.png", blank, True),
        ("a.png", blank, False),
    ):
        with office.uploads.receiving(File(upload, name, len(content), template=of_template), 0) as into:
            into.take(content)
    assert office.uploads.templates(upload) == ["form.toml"]
    wanted = Wanted(upload=upload, uploaded_template="form.toml")
    job = submit(wanted, office.places, office.uploads, "anna")
    assert [entry.scan for entry, _ in job.manifest()] == ["a.png"]
    office.uploads.delete(upload)
    assert job.template and [field.name for field in job.template.fields] == ["surname"]
    with pytest.raises(UsageProblem, match="there is no template"):
        submit(
            Wanted(upload=_uploaded(office), uploaded_template="../form.toml"),
            *(office.places, office.uploads, "anna"),
        )


def _uploaded(office: Office) -> str:
    upload = office.uploads.new()
    with office.uploads.receiving(File(upload, "a.png", 1), 0) as into:
        into.take(b"x")
    return upload


def test_requests_that_cannot_be(asking: Asking, office: Office) -> None:
    with pytest.raises(UsageProblem, match="what is written"):
        submit(Wanted(folder="may"), office.places, office.uploads, "anna")
    with pytest.raises(UsageProblem, match="no job can be called"):
        asking(name="../x")
    with pytest.raises(UsageProblem, match="context cannot be used"):
        asking(alphabet="digits", context="names")
    without = Places(office.places.out)
    with pytest.raises(UsageProblem, match="without --scans"):
        submit(Wanted(folder="may", alphabet="digits"), without, office.uploads, "anna")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://127.0.0.1:9/hook",
            "http://127.0.0.1:9/hookspy",
            "http://127.0.0.1:9",
            "file:///etc/passwd",
        ),
        *("http://127.0.0.1:9@evil.example/hooks/", "https://127.0.0.1:9/hooks/1", "http://169.254.169.254/"),
    ],
)
def test_webhooks_that_nobody_allowed(asking: Asking, address: str) -> None:
    with pytest.raises(UsageProblem, match="not allowed"):
        asking(webhook=address)


def test_what_is_offered(scans: Path) -> None:
    for name in ("b/form.toml", "a/1/x.png", ".h/x.png", "uploads/u/x.png", "top.toml", "@eaDir/x.png"):
        (scans / name).parent.mkdir(parents=True, exist_ok=True)
        (scans / name).touch()
    (scans / "d" / "e" / "f" / "g" / "h").mkdir(parents=True)
    (scans / "loop").symlink_to(scans)
    folders, templates = offered(Disk(scans))
    assert folders == ["a", "a/1", "b", "d", "d/e", "d/e/f", "d/e/f/g"]
    assert templates == ["top.toml", "b/form.toml"]
    assert offered(None) == ([], [])


def test_inside_takes_what_is_there(scans: Path) -> None:
    (scans / "a b" / "ü").mkdir(parents=True)
    assert inside(Disk(scans), "a b/ü", "folder") == (scans / "a b" / "ü").resolve()


def test_a_fleet_sees_uploads(tmp_path: Path) -> None:
    out, scans = Disk(tmp_path / "out"), Disk(tmp_path / "scans")
    assert Places(out, scans).uploads == out / "uploads"
    assert Places(out, scans, "redis://x").uploads == scans / "uploads"
