"""A job keeps copies of its inputs, and notices when they are others."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem
from lettermill.jobs.inputs.context import read_context
from lettermill.jobs.inputs.model import (
    CARD_FILE,
    FIRST_FILE,
    MODEL_FILE,
    Model,
    installed_model_folder,
    load_model,
)
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.inputs.word_list import read_word_list
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.input_copies import (
    load_context_copy,
    load_lexicon_copy,
    load_model_copy,
    write_copies,
)
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk


def test_a_job_keeps_its_model(job_of: Callable[..., Job], model: Model) -> None:
    job = job_of("a.png")
    assert job.model.network == model.network
    (job.path / "model" / MODEL_FILE).write_bytes(b"another")
    with pytest.raises(ModelProblem, match="not the network"):
        job_of()
    (job.path / "model" / "handprint.json").unlink()
    with pytest.raises(ModelProblem, match="card"):
        job_of()


def test_a_job_keeps_its_line_network(tmp_path: Path) -> None:
    recipe = ReadingRecipe(Settings(), load_model(installed_model_folder()))
    write_copies(Disk(tmp_path), recipe)
    copy = load_model_copy(Disk(tmp_path), recipe.model.fingerprint)
    copy.check()
    assert copy.line_network == recipe.model.line_network is not None


def test_a_job_keeps_its_first_network(tmp_path: Path, model: Model) -> None:
    folder = Path(shutil.copytree(str(model.folder), tmp_path / "model"))
    (folder / FIRST_FILE).write_bytes(b"a first network")
    first = {"sha256": hashlib.sha256(b"a first network").hexdigest(), "sure_above": 0.9}
    (folder / CARD_FILE).write_text(json.dumps({**model.card, "first_network": first}))
    recipe = ReadingRecipe(Settings(), load_model(folder))
    job = Disk(tmp_path / "job")
    write_copies(job, recipe)
    copy = load_model_copy(job, recipe.model.fingerprint)
    copy.check()
    assert copy.first_network == b"a first network" and copy.network == model.network
    (job / "model" / FIRST_FILE).write(b"another")
    with pytest.raises(ModelProblem, match=r"first\.tflite is not the network"):
        load_model_copy(job, recipe.model.fingerprint).check()


def test_a_job_of_one_network_keeps_no_other(tmp_path: Path, model: Model) -> None:
    write_copies(Disk(tmp_path), ReadingRecipe(Settings(), model))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [CARD_FILE, MODEL_FILE]


def test_a_job_with_the_network_of_a_former_version(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    network = job.path / "model" / MODEL_FILE
    network.replace(network.with_suffix(".onnx"))
    resumed = CliRunner().invoke(cli.lettermill, ["resume", str(job.path)])
    assert isinstance(resumed.exception, ModelProblem)
    assert "is of a former Lettermill: its network is handprint.onnx" in resumed.exception.what
    assert "run its scans again" in resumed.exception.next_step


def test_a_word_list_survives_and_another_one_is_refused(tmp_path: Path, model: Model) -> None:
    (tmp_path / "words.txt").write_text("ANNA\nEVA\n")
    words = read_word_list(tmp_path / "words.txt", Settings().characters)
    recipe = ReadingRecipe(Settings(), model, words)
    folder = Disk(tmp_path / "job")
    write_copies(folder, recipe)
    loaded = load_lexicon_copy(folder, recipe.settings)
    assert loaded is not None
    assert loaded.content == words.content
    assert load_lexicon_copy(folder, Settings()) is None
    (folder / "lexicon.txt").write(b"ANNE\n")
    with pytest.raises(BadData, match="not the one"):
        load_lexicon_copy(folder, recipe.settings)
    (folder / "lexicon.txt").unlink()
    with pytest.raises(BadData, match="is gone"):
        load_lexicon_copy(folder, recipe.settings)


def test_a_context_survives_and_another_one_is_refused(tmp_path: Path, model: Model) -> None:
    recipe = ReadingRecipe(Settings(), model, context=read_context("names"))
    folder = Disk(tmp_path / "job")
    write_copies(folder, recipe)
    loaded = load_context_copy(folder, recipe.settings)
    assert loaded is not None
    assert loaded.ngram.log_probability("ANNA") == read_context("names").ngram.log_probability("ANNA")
    assert load_context_copy(folder, Settings()) is None
    (folder / "context.npz").write(read_context("dutch").content)
    with pytest.raises(BadData, match="not the one"):
        load_context_copy(folder, recipe.settings)
    (folder / "context.npz").unlink()
    with pytest.raises(BadData, match="is gone"):
        load_context_copy(folder, recipe.settings)


def test_another_model_is_refused(tmp_path: Path, model: Model) -> None:
    folder = Disk(tmp_path / "job")
    write_copies(folder, ReadingRecipe(Settings(), model))
    loaded = load_model_copy(folder, model.fingerprint)
    assert (loaded.fingerprint, loaded.network) == (model.fingerprint, model.network)
    with pytest.raises(ModelProblem, match="not the one that the job was made with"):
        load_model_copy(folder, "another fingerprint")


def test_a_job_checks_all_its_copies(job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    job.check_inputs()
    (job.path / "model" / "handprint.tflite").unlink()
    with pytest.raises(ModelProblem):
        Job.open(job.path).check_inputs()
