"""Real photographed pages: the error rates that the README states."""

from __future__ import annotations

from pathlib import Path

import pytest
from rapidfuzz.distance import Levenshtein

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

SETTINGS = Settings(alphabet="alnum")


def read(path: Path) -> str:
    classifier = Classifier(load_model(installed_model_folder()), SETTINGS.characters)
    lines, _ = read_lines(read_page(path, 1, 300, Limits()), SETTINGS, classifier)
    return "\n".join(line.text for line in lines)


@pytest.mark.parametrize("name", ["01_list", "03_haiku"])
def test_block_letters_on_a_photographed_page(data: Path, name: str) -> None:
    truth = "".join((data / "pages" / f"{name}.txt").read_text().split())
    text = "".join(read(data / "pages" / f"{name}.jpg").split())
    errors = Levenshtein.distance(text, truth)
    assert errors / len(truth) <= 0.02, f"{errors} edits in {len(truth)} characters: {text}"


def test_words_are_separated_as_written(data: Path) -> None:
    truth = (data / "pages" / "03_haiku.txt").read_text().split()
    text = read(data / "pages" / "03_haiku.jpg").split()
    assert [len(word) for word in text] == [len(word) for word in truth]
