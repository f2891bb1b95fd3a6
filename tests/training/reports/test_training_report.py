"""The report folder, of letters that OpenCV draws, read by the model that comes with Lettermill."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils
from click.testing import CliRunner, Result

from lettermill import cli
from lettermill.jobs.errors import ResultsNotWritable
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.fitting.fit import Epoch
from lettermill.training.measure import Answers, RejectScores, measure
from lettermill.training.reports.report_content import LabelledGlyphs, Report, headline
from lettermill.training.reports.training_report import FIGURES_FILE, PAGE_FILE, write_report
from lettermill.worker.reading.cascade import load_cnn
from tests.drawn_letters import drawn_in_face, letters_of
from tests.report_pages import Page, figures_of, rows_of

FACES = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX, cv2.FONT_HERSHEY_TRIPLEX)


TABLES = {
    "figures.csv",
    "classes.csv",
    "confusions.csv",
    "errors.csv",
    "reliability.csv",
    "accept.csv",
    "data.csv",
}


PLOTS = {"confusion.png", "reliability.png", "accept.png", "counts.png", "filters.png", "looked-right.png"}


MISLABELLED = "BA" + LETTERS[2:]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources; the third costs 5 $, and its first two letters have each other's label."""
    folder = tmp_path_factory.mktemp("sets")
    for name, face in zip(("one", "two", "$5 script"), FACES, strict=True):
        labels = LETTERS if name in ("one", "two") else MISLABELLED
        np.savez(folder / f"{name}.npz", x=drawn_in_face(face, LETTERS), y=np.array(list(labels)))
    return folder


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that comes with Lettermill, but never answering B where anything else is likely."""
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(installed_model_folder(), folder)
    network = flatbuffer_utils.read_model(str(folder / "handprint.tflite"))
    biases = [tensor for tensor in network.subgraphs[0].tensors if list(tensor.shape) == [37]]
    assert len(biases) == 1
    values = np.frombuffer(bytes(network.buffers[biases[0].buffer].data), np.float32).copy()
    values[1] -= 30
    network.buffers[biases[0].buffer].data = values.view(np.uint8)
    flatbuffer_utils.write_model(network, str(folder / "handprint.tflite"))
    card = json.loads((folder / "handprint.json").read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256((folder / "handprint.tflite").read_bytes()).hexdigest()
    del card["first_network"]
    (folder / "handprint.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.lettermill, ["evaluate", *map(str, words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def evaluated(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("out") / "report"
    result = run("--data", sets, "--out", folder)
    assert result.exit_code == 0
    return folder, result.output


def test_a_report_holds_every_file(evaluated: tuple[Path, str]) -> None:
    folder, output = evaluated
    names = {path.name for path in folder.iterdir()}
    samples = {f"samples-{number}.png" for number in (1, 2, 3)}
    assert names == TABLES | PLOTS | samples | {
        "looked-wrong.png",
        "not-letters.png",
        PAGE_FILE,
        FIGURES_FILE,
    }
    for name in names:
        if name.endswith(".png"):
            image = cv2.imread(str(folder / name))
            assert image is not None and image.min() < 128, name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3_000_000
    assert f"report      {folder / PAGE_FILE}" in output
    assert [path.name for path in folder.parent.iterdir()] == ["report"]


def test_the_numbers_are_those_of_the_letters(evaluated: tuple[Path, str]) -> None:
    folder, output = evaluated
    values = figures_of(folder)
    model = load_model(installed_model_folder())
    temperature = model.card["temperature"]
    parts = {
        name: letters_of(name, face, LETTERS)
        for name, face in zip(("one", "two", "$5 script"), FACES, strict=True)
    }
    glyphs = {name: part.glyphs for name, part in parts.items()}
    glyphs["all letters"] = np.concatenate(list(glyphs.values()))
    straight, swapped = list(range(26)), [LETTERS.index(label) for label in MISLABELLED]
    truth = {"one": straight, "two": straight, "$5 script": swapped}
    truth["all letters"] = straight + straight + swapped
    assert set(values["figures"]) == set(glyphs)
    for name, own in glyphs.items():
        logits = load_cnn(model).logits(own)
        expected = measure(logits, np.array(truth[name]), temperature, LETTERS, model.card["labels"])
        got = values["figures"][name]
        assert (got["count"], got["accuracy"]["value"]) == (expected.count, expected.accuracy)
        assert got["loss"]["value"] == pytest.approx(expected.loss, abs=1e-4)
        assert got["calibration_error"] == pytest.approx(expected.calibration_error, abs=1e-4)
        assert f"{expected.accuracy:.2%}" in output
    wrong = values["figures"]["all letters"]["wrong"]
    assert (
        wrong == len(rows_of(folder / "errors.csv")) == sum(row["count"] for row in values["confusions"]) > 0
    )
    assert sum(row["count"] - row["right"] for row in values["classes"]) == wrong
    assert sum(row["count"] for row in values["reliability"]) == 78
    worst = [row["confidence"] for row in values["worst_errors"]]
    assert worst == sorted(worst, reverse=True)
    assert values["data"]["counts"]["one"] == dict.fromkeys(LETTERS, 1)


def test_the_tables_say_what_the_json_says(evaluated: tuple[Path, str]) -> None:
    folder, _ = evaluated
    values = figures_of(folder)
    for row in rows_of(folder / "figures.csv"):
        expected = values["figures"][row["letters_of"]]
        assert float(row["accuracy_low"]) == pytest.approx(expected["accuracy"]["low"], rel=1e-5)
        assert float(row["accepted_99.9"]) == pytest.approx(
            expected["coverage"][2]["share"]["value"], rel=1e-5
        )
    error, worst = rows_of(folder / "errors.csv")[0], values["worst_errors"][0]
    assert (error["is"], error["read"], error["alternative_1"]) == (
        worst["is"],
        worst["read"],
        worst["alternatives"][0][0],
    )
    assert len(rows_of(folder / "data.csv")) == 26


def test_the_page_can_be_read_without_seeing_it(evaluated: tuple[Path, str]) -> None:
    page = Page(evaluated[0])
    assert page.images and all(image.get("alt") for image in page.images)
    assert all(head.get("scope") in ("row", "col") for head in page.heads)
    assert page.levels[0] == 1 and page.levels.count(1) == 1
    assert all(below - above <= 1 for above, below in zip(page.levels, page.levels[1:], strict=False))
    assert {link.removeprefix("#") for link in page.links} <= page.ids
    sources = [image["src"] or "" for image in page.images]
    plots = {source for source in sources if not source.startswith("data:")}
    assert plots == {path.name for path in evaluated[0].iterdir() if path.suffix == ".png"}
    wrong = figures_of(evaluated[0])["figures"]["all letters"]["wrong"]
    assert len(sources) - len(plots) == min(wrong, 60)


def test_a_model_compared_with_itself_has_not_changed(
    sets: Path, evaluated: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(evaluated[0], tmp_path / "report")  # an earlier report, which gives way as a whole
    (tmp_path / "report" / "curves.png").write_bytes(b"of a training")
    result = run("--data", sets, "--compare", installed_model_folder(), "--out", tmp_path / "report")
    assert "0 letters corrected, 0 broken; by chance with p = 1 " in result.output
    assert "No letter is read differently." in Page(tmp_path / "report").text
    compared = figures_of(tmp_path / "report")["compared"]
    assert compared["figures"] == figures_of(tmp_path / "report")["figures"]
    assert (compared["mended"], compared["spoilt"], compared["otherwise"], compared["p"]) == (0, 0, 0, 1)
    before, now = ({path.name for path in one.iterdir()} for one in (evaluated[0], tmp_path / "report"))
    assert now == before | {"changes.csv"}
    assert figures_of(tmp_path / "report")["figures"] == figures_of(evaluated[0])["figures"]


def test_two_models_compared_show_what_was_mended(sets: Path, other_model: Path, tmp_path: Path) -> None:
    words = ("--data", sets, "--compare", other_model, "--out", tmp_path / "report")
    output = run(*words).output
    compared = figures_of(tmp_path / "report")["compared"]
    classes = {row["label"]: row for row in compared["classes"]}
    assert classes["B"]["before"] == 0 < classes["B"]["after"]
    assert compared["mended"] == round(3 * classes["B"]["after"]) > 0
    assert f"{compared['mended']} letters corrected, {compared['spoilt']} broken" in output
    page = Page(tmp_path / "report")
    assert "Corrected letters" in page.text
    assert sum("; before: " in (image["alt"] or "") for image in page.images) == (
        compared["mended"] + compared["spoilt"]
    )
    assert {row["label"] for row in rows_of(tmp_path / "report" / "changes.csv")} == set(LETTERS)


def classes_62(count: int) -> Answers:
    """Make answers over 62 classes, mostly right."""
    labels = (*LETTERS, *LETTERS.lower(), *DIGITS)
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 62, count)
    odds = rng.random((count, 62)) * 0.2
    odds[np.arange(count), classes] += 1
    odds[np.arange(count), rng.integers(0, 62, count)] += rng.choice([0, 2], count)
    glyphs = np.zeros((count, 28, 28), np.uint8)
    glyphs[:, 4:24, 13:15] = 255
    return Answers(labels, odds / odds.sum(axis=1, keepdims=True), classes, glyphs, np.full(count, "emnist"))


def test_62_classes_and_scores_for_not_a_letter(tmp_path: Path) -> None:
    answers = classes_62(400)
    rng = np.random.default_rng(5)
    others = np.concatenate([rng.beta(9, 1, 60), rng.beta(2, 2, 40)])
    scores = RejectScores(rng.beta(1, 30, 1000), others, np.array(["speck"] * 60 + ["half"] * 40))
    report = Report(
        title="Letters & digits",
        about="Made up.",
        answers=answers,
        measured=headline(answers),
        data=LabelledGlyphs(
            "The letters", answers.glyphs, np.array(answers.labels)[answers.classes], answers.sources
        ),
        network=installed_model_folder() / "handprint.tflite",
        probabilities=lambda glyphs: np.full((len(glyphs), 62), 1 / 62, np.float32),
        reject_scores=scores,
    )
    values = write_report(tmp_path / "report", report)
    assert figures_of(tmp_path / "report") == json.loads(json.dumps(values))
    assert len(values["classes"]) == 62
    assert values["not_letters"]["counts"] == {"all": 100, "speck": 60, "half": 40}
    one, tenth = values["not_letters"]["rows"]
    assert (one["lost"], tenth["lost"]) == (0.01, 0.001)
    assert one["rejected"]["all"]["value"] >= tenth["rejected"]["all"]["value"] > 0.5
    page = Page(tmp_path / "report")
    assert "Letters & digits" in page.text and "half" in page.text
    assert cv2.imread(str(tmp_path / "report" / "not-letters.png")) is not None


def test_a_single_letter_read_rightly_after_a_training_that_diverged(tmp_path: Path) -> None:
    one = letters_of("one", FACES[0], "A")
    answers = Answers(("A", "B"), np.array([[0.9, 0.1]]), np.array([0]), one.glyphs, one.sources)
    report = Report(
        title="One letter",
        about="",
        answers=answers,
        measured=headline(answers),
        data=LabelledGlyphs("The letters", one.glyphs, one.labels, one.sources),
        network=installed_model_folder() / "handprint.tflite",
        probabilities=lambda glyphs: np.tile(np.float32([0.9, 0.1]), (len(glyphs), 1)),
        history=[Epoch(1, float("nan"), 0.1, float("inf"), 0.1, 3.0)],
    )
    write_report(tmp_path / "report", report)
    assert figures_of(tmp_path / "report")["history"][0]["loss"] is None
    assert "No letter is read wrongly." in Page(tmp_path / "report").text
    assert rows_of(tmp_path / "report" / "errors.csv") == []
    head = (tmp_path / "report" / "errors.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith("source,is,read,confidence,alternative_1")


def test_an_error_in_mid_report_leaves_the_earlier_one(evaluated: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "report"
    shutil.copytree(evaluated[0], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    answers = classes_62(10)

    def breaks(glyphs: np.ndarray) -> np.ndarray:
        raise OSError(28, "No space left on device")

    labels = np.array(answers.labels)[answers.classes]
    report = Report(
        title="",
        about="",
        answers=answers,
        measured=headline(answers),
        data=LabelledGlyphs("", answers.glyphs, labels, answers.sources),
        network=installed_model_folder() / "handprint.tflite",
        probabilities=breaks,
    )
    with pytest.raises(ResultsNotWritable, match="No space left"):
        write_report(folder, report)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
