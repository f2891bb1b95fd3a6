"""Letters that people decided in a review, as a training set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from support import disk_roots, draw

from jobs.corrections import Correction, Corrections, Decision
from jobs.errors import BadData
from jobs.job import Job
from jobs.models import installed_model_folder, load_model
from jobs.readings import Box, Letter, LineReading, PageReading, Status
from jobs.settings import Settings
from jobs.submit import submit
from segmentation.glyph import ink_of, normalise
from training import corrections, sources
from training.command import train

BOXES = {
    "H": Box(30, 30, 48, 70),
    "E": Box(150, 30, 42, 70),
    "I": Box(258, 30, 24, 70),
    "T": Box(390, 30, 42, 70),
}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A card with H, E, I and T far from each other, all read as X."""
    for char in BOXES:
        draw(tmp_path / f"{char}.png", [char])
    page = Image.new("L", (520, 180), 255)
    for char, box in BOXES.items():
        page.paste(Image.open(tmp_path / f"{char}.png").crop((25, 25, 85, 120)), (box.x - 5, box.y - 5))
    scans, out = tmp_path / "scans", tmp_path / "out"
    scans.mkdir()
    page.save(scans / "card.png")
    model = load_model(installed_model_folder())
    job = submit(scans, out, Settings(), model, disk_roots(scans, out)).job
    ((entry, _),) = job.manifest()
    letters = tuple(Letter(box, 1, (("X", 0.5),), True) for box in BOXES.values())
    line = LineReading(Box(30, 30, 400, 70), letters)
    job.write_result(PageReading(entry.id, entry.scan, 1, Status.DONE, lines=(line,)))
    return job


def say(job: Job, position: int, decision: Decision, corrected: str = "") -> None:
    ((entry, _),) = job.manifest()
    one = Correction(
        job.token, entry.id, 1, position, list(BOXES.values())[position - 1], "X", 0.5, decision, corrected,
        "anna", "2026-11-27T10:00:00+00:00",
    )  # fmt: skip
    Corrections(job).add([(one, 0)])


def test_the_letters_that_people_named_with_their_glyphs(job: Job, tmp_path: Path) -> None:
    say(job, 1, Decision.CORRECTED, "H")
    say(job, 2, Decision.CORRECTED, "E")
    say(job, 3, Decision.NO_LETTER)
    say(job, 4, Decision.WRONG)
    letters = sources.load([corrections.found(Path(str(job.path)))])
    assert letters.labels.tolist() == ["H", "E"]
    assert set(letters.sources) == {job.path.name}
    assert sources.written(letters).all()
    for glyph, char in zip(letters.glyphs, "HE", strict=True):
        drawn = normalise(ink_of(np.asarray(Image.open(tmp_path / f"{char}.png"))))
        assert np.abs(glyph.astype(int) - drawn).mean() < 8


def test_a_scan_that_is_gone_is_told(job: Job, tmp_path: Path) -> None:
    say(job, 1, Decision.CORRECTED, "H")
    (tmp_path / "scans" / "card.png").unlink()
    with pytest.raises(BadData, match=r"card\.png, page 1: its letters are left out: the file is not there"):
        corrections.read_corrections(Path(str(job.path)))


def test_the_command_reads_them_beside_other_sets(job: Job, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((1, 28, 28), np.uint8), y=np.array(["A"]))
    words = ["--data", str(tmp_path), "--corrections", str(job.path), "--out", str(tmp_path / "model")]
    with pytest.raises(BadData, match="has no letters that somebody decided"):
        CliRunner().invoke(train, words, catch_exceptions=False)
