"""Letters that people decided in a review, as a training set."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from lettermill import cli
from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.corrections import Corrections, Decision, FieldText
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import Box, PageReading
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.letters import sources
from lettermill.training.letters.reviewed_letters import read_corrections, reviewed_set
from tests.form_jobs import field, form_job
from tests.reviewed import job_to_review, say


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return job_to_review(tmp_path)


def test_the_letters_that_people_named_with_their_glyphs(job: Job, tmp_path: Path) -> None:
    say(job, 1, Decision.CORRECTED, "H")
    say(job, 2, Decision.CORRECTED, "E")
    say(job, 3, Decision.NO_LETTER)
    say(job, 4, Decision.WRONG)
    say(job, 4, Decision.CORRECTED, "-")  # The CNN has no class for marks.
    letters = sources.load([reviewed_set(Path(str(job.path)))])
    assert letters.labels.tolist() == ["H", "E"]
    assert set(letters.sources) == {job.path.name}
    assert sources.written(letters).all()
    for glyph, char in zip(letters.glyphs, "HE", strict=True):
        drawn = normalise(ink_of(np.asarray(Image.open(tmp_path / f"{char}.png"))))
        assert np.abs(glyph.astype(int) - drawn).mean() < 8


def test_letters_that_nobody_needed_to_look_at_train_where_all_others_are_settled(job: Job) -> None:
    ((entry, _),) = job.manifest()
    ((_, reading),) = job.results.read_each([entry.id])
    assert isinstance(reading, PageReading)
    (line,) = reading.lines
    sure = msgspec.structs.replace(line.letters[3], ranking=(("T", 0.9999),), flagged=False)
    line = msgspec.structs.replace(line, letters=(*line.letters[:3], sure))
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    for position, decision, label, expected in (
        (1, Decision.CORRECTED, "H", ["H"]),
        (3, Decision.NO_LETTER, "", ["H"]),
        (2, Decision.CORRECTED, "E", ["H", "E", "T"]),
    ):
        say(job, position, decision, label)
        assert read_corrections(Path(str(job.path))).labels == expected


def test_the_letters_of_a_field_that_somebody_typed(tmp_path: Path) -> None:
    model = load_model(installed_model_folder())
    job = form_job(tmp_path, tmp_path / "cards", model, (field("surname", "FENVICK"), field("number", "712")))
    ((entry, _),) = job.manifest()
    for name, read, text in (("surname", "FENVICK", "FENWICK"), ("number", "712", "0012")):
        said = FieldText(
            job.token, entry.id, name, Box(0, 0, 9, 9), read, Decision.CORRECTED, text, "anna", "now"
        )
        Corrections(job).add([(said, 0)])
    # Of a number with one digit more, only the digits that were read so are known.
    assert read_corrections(Path(str(job.path))).labels == [*"FENWICK", "1", "2"]


def test_a_scan_that_is_gone_is_told(job: Job, tmp_path: Path) -> None:
    say(job, 1, Decision.CORRECTED, "H")
    (tmp_path / "scans" / "card.png").unlink()
    with pytest.raises(BadData, match=r"card\.png, page 1: its letters are left out: the file is not there"):
        read_corrections(Path(str(job.path)))


def test_the_command_reads_them_beside_other_sets(job: Job, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((1, 28, 28), np.uint8), y=np.array(["A"]))
    words = ["--data", str(tmp_path), "--corrections", str(job.path), "--out", str(tmp_path / "model")]
    with pytest.raises(BadData, match="has no letters that somebody decided"):
        CliRunner().invoke(cli.lettermill, ["train", *words], catch_exceptions=False)
