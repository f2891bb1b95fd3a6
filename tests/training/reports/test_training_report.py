"""The report folder, of letters that OpenCV's fonts draw, read by the model that comes with Lettermill."""

from __future__ import annotations

import csv
import hashlib
import html.parser
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils
from click.testing import CliRunner, Result

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem, ResultsNotWritable, UsageProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.segmentation.glyph import ink_of, normalise
from lettermill.training.commands import evaluate as evaluation
from lettermill.training.fitting.fit import Epoch
from lettermill.training.letters.sources import Letters
from lettermill.training.letters.split import Split
from lettermill.training.measure import Answers, measure
from lettermill.training.reports import training_report as report
from lettermill.training.reports.training_report import FIGURES_FILE, PAGE_FILE
from lettermill.worker.reading.litert_network import Network

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


def drawn(face: int, characters: str) -> np.ndarray:
    """Draw characters, white on black."""
    images = np.zeros((len(characters), 60, 60), np.uint8)
    for image, character in zip(images, characters, strict=True):
        cv2.putText(image, character, (10, 46), face, 1.5, 255, 2, cv2.LINE_AA)
    return images


def letters_of(source: str, face: int, characters: str = LETTERS + DIGITS) -> Letters:
    glyphs = np.stack([normalise(ink_of(image)) for image in drawn(face, characters)])
    count = len(characters)
    return Letters(
        glyphs,
        np.zeros((count, 48, 48), np.uint8),
        np.array(list(characters)),
        np.full(count, source),
        np.full(count, ""),
    )


MISLABELLED = "BA" + LETTERS[2:]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources; the third costs 5 $, and its first two letters have each other's label."""
    folder = tmp_path_factory.mktemp("sets")
    for name, face in zip(("one", "two", "$5 script"), FACES, strict=True):
        labels = LETTERS if name in ("one", "two") else MISLABELLED
        np.savez(folder / f"{name}.npz", x=drawn(face, LETTERS), y=np.array(list(labels)))
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
    (folder / "handprint.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.lettermill, ["evaluate", *map(str, words)], catch_exceptions=False)


def figures_of(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8"))
    return values


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Page(html.parser.HTMLParser):
    """Collects what a page shows and refers to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.heads: list[dict[str, str | None]] = []
        self.levels: list[int] = []
        self.text = ""
        self.feed((folder / PAGE_FILE).read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        elif tag == "a":
            self.links.append(values["href"] or "")
        elif tag == "th":
            self.heads.append(values)
        elif tag in ("h1", "h2", "h3"):
            self.levels.append(int(tag[1]))
        if values.get("id"):
            self.ids.add(values["id"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


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
        logits = Network(model.network).logits(own)
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
    assert "mended 0, spoilt 0 letters; by chance with p = 1 " in result.output
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
    assert f"mended {compared['mended']}, spoilt {compared['spoilt']} letters" in output
    page = Page(tmp_path / "report")
    assert "Mended letters" in page.text
    assert sum("; before: " in (image["alt"] or "") for image in page.images) == (
        compared["mended"] + compared["spoilt"]
    )
    assert {row["label"] for row in rows_of(tmp_path / "report" / "changes.csv")} == set(LETTERS)


def test_the_report_of_a_training(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(installed_model_folder(), model)
    parts = Split(letters_of("one", FACES[0]), letters_of("two", FACES[1]), letters_of("three", FACES[2]))
    history = [Epoch(1, 2.0, 0.4, 1.5, 0.5, 3.0), Epoch(2, 1.0, 0.7, 0.9, 0.8, 3.0)]
    evaluation.report_of_training(model, parts, history)
    values = figures_of(model / "report")
    assert list(values["figures"]) == ["all letters", "validation letters"]
    assert [row["validation_loss"] for row in values["history"]] == [1.5, 0.9]
    assert values["data"] == {
        "name": "What was trained on",
        "counts": {"one": dict.fromkeys(sorted(LETTERS + DIGITS), 1)},
    }
    for row in values["confusions"]:  # letters are read among letters
        assert row["is"].isdigit() == row["read"].isdigit()
    assert cv2.imread(str(model / "report" / "curves.png")) is not None
    assert "36 test letters" in Page(model / "report").text


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
    values = report.write(
        tmp_path / "report",
        answers,
        report.headline(answers),
        title="Letters & digits",
        about="Made up.",
        data=report.Data(
            "The letters", answers.glyphs, np.array(answers.labels)[answers.classes], answers.sources
        ),
        network=installed_model_folder() / "handprint.tflite",
        probabilities=lambda glyphs: np.full((len(glyphs), 62), 1 / 62, np.float32),
        not_letters=report.NotLetters(
            rng.beta(1, 30, 1000), others, np.array(["speck"] * 60 + ["half"] * 40)
        ),
    )
    assert figures_of(tmp_path / "report") == json.loads(json.dumps(values))
    assert len(values["classes"]) == 62
    assert values["not_letters"]["counts"] == {"all": 100, "speck": 60, "half": 40}
    one, tenth = values["not_letters"]["rows"]
    assert (one["lost"], tenth["lost"]) == (0.01, 0.001)
    assert one["rejected"]["all"]["value"] >= tenth["rejected"]["all"]["value"] > 0.5
    page = Page(tmp_path / "report")
    assert "Letters & digits" in page.text and "half" in page.text
    assert cv2.imread(str(tmp_path / "report" / "not-letters.png")) is not None


def test_a_single_letter_read_rightly_after_a_training_that_went_astray(tmp_path: Path) -> None:
    one = letters_of("one", FACES[0], "A")
    answers = Answers(("A", "B"), np.array([[0.9, 0.1]]), np.array([0]), one.glyphs, one.sources)
    report.write(
        tmp_path / "report",
        answers,
        report.headline(answers),
        title="One letter",
        about="",
        data=report.Data("The letters", one.glyphs, one.labels, one.sources),
        network=installed_model_folder() / "handprint.tflite",
        probabilities=lambda glyphs: np.tile(np.float32([0.9, 0.1]), (len(glyphs), 1)),
        history=[Epoch(1, float("nan"), 0.1, float("inf"), 0.1, 3.0)],
    )
    assert figures_of(tmp_path / "report")["history"][0]["loss"] is None
    assert "No letter is read wrongly." in Page(tmp_path / "report").text
    assert rows_of(tmp_path / "report" / "errors.csv") == []
    head = (tmp_path / "report" / "errors.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head.startswith("source,is,read,confidence,alternative_1")


def test_no_letter_of_the_alphabet(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="the data hold none of 0123456789"):
        run("--data", sets, "--alphabet", "digits", "--out", tmp_path / "report")
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_writes_nothing(sets: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(installed_model_folder(), model)
    network = (model / "handprint.tflite").read_bytes()
    (model / "handprint.tflite").write_bytes(network[:-100])
    with pytest.raises(ModelProblem, match="is not the network that its card describes"):
        run("--data", sets, "--model", model, "--out", tmp_path / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_of_other_things_is_left_alone(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageProblem, match="is there and is no report"):
        run("--data", sets, "--out", tmp_path)
    with pytest.raises(UsageProblem, match="is there and is no report"):
        run("--data", sets, "--out", tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_error_in_mid_report_leaves_the_earlier_one(evaluated: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "report"
    shutil.copytree(evaluated[0], folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    answers = classes_62(10)

    def breaks(glyphs: np.ndarray) -> np.ndarray:
        raise OSError(28, "No space left on device")

    with pytest.raises(ResultsNotWritable, match="No space left"):
        report.write(
            folder,
            answers,
            report.headline(answers),
            title="",
            about="",
            data=report.Data("", answers.glyphs, np.array(answers.labels)[answers.classes], answers.sources),
            network=installed_model_folder() / "handprint.tflite",
            probabilities=breaks,
        )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
