"""Measures how well a model reads labelled fields: whole fields without a mistake, character error rate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from lettermill.jobs.inputs.model import load_model
from lettermill.jobs.settings import Alphabet, Settings
from lettermill.training.lines.real_fields import Field
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines


@dataclasses.dataclass(frozen=True, slots=True)
class FieldAccuracy:
    """How fields were read.

    Attributes:
        fields: those compared.
        exact: those read without a mistake.
        characters: of the labels that are in the alphabet.
        edits: characters to replace, insert or delete to turn the readings into the labels.
    """

    fields: int
    exact: int
    characters: int
    edits: int

    @property
    def cer(self) -> float:
        """Character error rate."""
        return self.edits / max(1, self.characters)

    def __str__(self) -> str:
        return (
            f"exact {self.exact / max(1, self.fields):.1%} ({self.exact} of {self.fields}), "
            f"CER {self.cer:.2%} ({self.edits} of {self.characters})"
        )


def measure_fields(folder: Path, fields: Sequence[Field], alphabet: Alphabet) -> FieldAccuracy:
    """Read fields with a model, as a job with `--layout line` does, and compare them with their labels.

    Args:
        folder: MODEL_DIR.
        fields: those to read.
        alphabet: the characters that may be answered; others, and marks, do not count.

    Raises:
        ModelProblem: the model is missing or damaged.
    """
    settings = Settings(layout="line", alphabet=alphabet)
    classifier = Classifier(load_model(folder), settings.characters)
    exact = characters = edits = 0
    for field in fields:
        lines, _ = read_lines(field.image, settings, classifier)
        read = "".join(letter.letter for line in lines for letter in line.letters if not letter.is_mark)
        truth = "".join(character for character in field.text if character in settings.characters)
        distance = Levenshtein.distance(truth, read)
        exact += distance == 0
        characters += len(truth)
        edits += distance
    return FieldAccuracy(len(fields), exact, characters, edits)
