"""What the tests of jobs/ share: drawn scans, a stand-in model, and jobs whose readings the test writes."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from lettermill.jobs.inputs.model import Model, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.settings import Settings
from tests.support import disk_roots


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model folder whose network nobody runs."""
    folder = tmp_path_factory.mktemp("model")
    network = b"not a network"
    (folder / "handprint.tflite").write_bytes(network)
    card = {
        "labels": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "glyph_version": 1,
        "temperature": 1.0,
        "sha256": hashlib.sha256(network).hexdigest(),
    }
    (folder / "handprint.json").write_text(json.dumps(card))
    return load_model(folder)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """An empty folder for scans."""
    folder = tmp_path / "scans"
    folder.mkdir()
    return folder


@pytest.fixture
def picture() -> Image.Image:
    """A page, 60 wide and 40 high, with a black block in the upper left corner."""
    page = Image.new("RGB", (60, 40), "white")
    ImageDraw.Draw(page).rectangle((4, 4, 20, 14), fill="black")
    return page


@pytest.fixture
def job_of(tmp_path: Path, scans: Path, model: Model, picture: Image.Image) -> Callable[..., Job]:
    """Make a job of scans with the given names; those that are not there yet are drawn."""

    def make(*names: str, settings: Settings | None = None) -> Job:
        for name in names:
            path = scans / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                drawn = io.BytesIO()
                picture.save(drawn, Image.registered_extensions()[path.suffix])
                path.write_bytes(drawn.getvalue())
        roots = disk_roots(scans, tmp_path / "out")
        return make_job(scans, tmp_path / "out", ReadingRecipe(settings or Settings(), model), roots).job

    return make


@pytest.fixture
def reading_of() -> Callable[..., PageReading]:
    """Make the reading of a page with the given text; every letter lies on the picture's block."""

    def make(entry: ManifestEntry, text: str = "", sure: float = 0.98) -> PageReading:
        lines = tuple(_line(line, sure) for line in text.splitlines())
        status = Status.DONE if lines else Status.EMPTY
        return PageReading(entry.id, entry.scan, entry.page, status, lines=lines, seconds=0.25)

    return make


def _line(text: str, sure: float) -> LineReading:
    letters = tuple(
        Letter(
            Box(4, 4, 17, 11), word, ((char, sure), ("X", (1 - sure) / 2), ("Y", (1 - sure) / 2)), sure < 0.9
        )
        for word, chars in enumerate(text.split(" "), 1)
        for char in chars
    )
    return LineReading(Box(4, 4, 50, 11), letters)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def as_nobody() -> Callable[..., str]:
    """Run Python code as a user without rights, for root may read everything; return what it prints."""
    # All is loaded before the rights go: the interpreter itself may be where nobody else may look.
    start = """
import os, sys
from pathlib import Path
import PIL.Image, PIL.ImageOps, pypdfium2
import lettermill.jobs.job.make
PIL.Image.init()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""

    def run(code: str, *arguments: Path) -> str:
        command = [sys.executable, "-c", start + code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
