"""The model that comes with Lettermill: its card is true, and it reads letters that it was not trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from lettermill.jobs.inputs.model import FIRST_FILE, LINE_FILE, MODEL_FILE, installed_model_folder, load_model
from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.segmentation.glyph import GLYPH_VERSION
from lettermill.segmentation.line_image import LINE_VERSION
from lettermill.training.fitting.fit import logits_of
from lettermill.training.fitting.litert_export import check_agreement
from lettermill.training.fitting.network import Size, build
from lettermill.training.fitting.network_weights import read_weights, weights_file
from lettermill.training.letters import sources
from lettermill.training.letters.split import classes_of, split
from lettermill.training.measure import measure
from lettermill.training.training_settings import CLASSES, TEST_SITES, TrainingSettings
from lettermill.worker.reading.cascade import load_cnn
from lettermill.worker.reading.litert_network import Network
from tests.drawn_letters import drawn_letters

LEAST_ACCURACY = 0.97
"""On the capitals of ten writers that chose nothing; the card has the measured figure."""


def test_the_card_describes_the_file() -> None:
    card = load_model(installed_model_folder()).card
    path = installed_model_folder() / MODEL_FILE
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card["labels"] == list(CLASSES)
    assert card["glyph_version"] == GLYPH_VERSION
    assert path.stat().st_size < 2_000_000 and card["multiply_adds"] < 30_000_000
    interpreter = Interpreter(str(path))
    details = (interpreter.get_input_details(), interpreter.get_output_details())
    for place, (one,) in zip(("input", "output"), details, strict=True):
        shape = ["n" if size == -1 else size for size in one["shape_signature"].tolist()]
        found = {"name": one["name"], "dtype": np.dtype(one["dtype"]).name, "shape": shape}
        assert found == card[place]


def test_the_card_describes_the_first_network() -> None:
    model = load_model(installed_model_folder())
    path = installed_model_folder() / FIRST_FILE
    assert model.first_card is not None
    assert model.first_card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.stat().st_size == model.first_card["bytes"] < 500_000
    assert model.first_card["multiply_adds"] < 6_000_000
    assert 0.5 <= model.first_card["sure_above"] < 1 and model.first_card["read_again"] < 0.6


def test_the_card_describes_the_line_network() -> None:
    model = load_model(installed_model_folder())
    path = installed_model_folder() / LINE_FILE
    assert model.line_card is not None
    assert model.line_card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.line_card["labels"] == list(LETTERS + DIGITS + MARKS)
    assert model.line_card["line_version"] == LINE_VERSION
    assert path.stat().st_size < 3_000_000
    # A network with int8 weights, not with the four bytes of float32.
    assert path.stat().st_size < 2 * model.line_card["parameters"]


def test_it_reads_writers_that_it_was_not_trained_on(data: Path) -> None:
    model = load_model(installed_model_folder())
    found, _ = sources.find([data / "letters"])
    letters = sources.load(one for one in found if one.source == "chars74k")
    test = split(letters, TrainingSettings()).test
    assert {*test.writers.tolist()} == {*model.card["settings"]["test_writers"]} - {*TEST_SITES}
    test = test[np.isin(test.labels, list(LETTERS))]
    logits = load_cnn(model).logits(test.glyphs)
    measured = measure(logits, classes_of(test), model.card["temperature"], LETTERS, model.card["labels"])
    assert measured.count == 260
    assert measured.accuracy >= LEAST_ACCURACY


def test_the_cnn_s_weights_beside_it_are_those_of_its_networks() -> None:
    glyphs = drawn_letters("one", (cv2.FONT_HERSHEY_SIMPLEX,)).glyphs
    folder = installed_model_folder()
    sizes: dict[str, Size] = {MODEL_FILE: "large", FIRST_FILE: "first"}
    for name, size in sizes.items():
        model = build(len(CLASSES), size)
        read_weights(model, folder / weights_file(name))
        check_agreement(Network((folder / name).read_bytes()), glyphs, logits_of(model, glyphs))
