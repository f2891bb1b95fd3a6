"""Divides letters into training, validation and test so that no writer or source is in two parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import NOT_A_LETTER
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import Letters, origins, written
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings

TRAIN, VALIDATION, TEST = 0, 1, 2


@dataclasses.dataclass(frozen=True, slots=True)
class Split:
    """The three parts, and the classes of the model."""

    train: Letters
    validation: Letters
    test: Letters
    labels: tuple[str, ...] = CLASSES


def split(
    letters: Letters, settings: TrainingSettings, report: Callable[[str], None] = lambda line: None
) -> Split:
    """Hold out the sites and writers, or the whole sources, that the settings name.

    Args:
        letters: everything that was found.
        settings: names the writers and sources.
        report: called with what is left out, and with classes that have no training glyphs.

    Raises:
        BadData: a named source was not found, or nothing is left to train or to validate on.
    """
    usable = usable_labels(letters, settings)
    for source in np.unique(letters.sources[~usable]).tolist():
        outside = letters.labels[~usable & (letters.sources == source)]
        report(
            f"{source}: {len(outside)} glyphs left out because their labels are no classes: "
            f"{' '.join(np.unique(outside).tolist())}"
        )
    letters = letters[usable]
    part = part_of(letters, settings)
    parts = Split(letters[part == TRAIN], exact(letters[part == VALIDATION]), exact(letters[part == TEST]))
    if not len(parts.train):
        raise BadData("no glyphs are left to train on", "Add training sets that hold A–Z or 0–9 to --data.")
    if not len(parts.validation) and settings.validate_on:
        raise BadData(
            f"the source {settings.validate_on!r} has no letters A–Z or 0–9 to validate on",
            "Name a source of written letters with --validate-on, and another one with --test-on.",
        )
    if not len(parts.validation):
        raise BadData(
            "no glyphs to validate on: none of UNIPEN's sites or Chars74K's writers that are held out",
            "Name one of your sources with --validate-on, one that other people wrote than the rest.",
        )
    untrained = np.setdiff1d(np.arange(len(LABELS)), classes_of(parts.train))
    if untrained.size:
        report(f"no glyphs to train these classes on: {' '.join(LABELS[place] for place in untrained)}")
    return parts


def part_of(letters: Letters, settings: TrainingSettings) -> NDArray[np.int64]:
    """Return the part that each letter belongs to (TRAIN, VALIDATION or TEST): int64, n."""
    part = np.full(len(letters), TRAIN)
    part[_held_out(letters, settings.validate_on, settings.validation_writers)] = VALIDATION
    part[_held_out(letters, settings.test_on, settings.test_writers)] = TEST
    return part


def without_test(letters: Letters, settings: TrainingSettings) -> Letters:
    """Return all letters except the test part, with any label."""
    return letters[~_held_out(letters, settings.test_on, settings.test_writers)]


def _held_out(letters: Letters, source: str, writers: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mark the letters of a source, or of sites and writers if no source is named."""
    if not source:
        return np.isin(letters.writers, writers)
    if source not in letters.sources:
        raise BadData(
            f"the source {source!r} is not in the data",
            f"The sources found are: {', '.join(sorted(set(letters.sources.tolist())))}.",
        )
    return np.asarray(origins(letters) == source)


def usable_labels(letters: Letters, settings: TrainingSettings) -> NDArray[np.bool_]:
    """Mark A–Z, 0–9, the lower-case letters that train capitals, and the reject class: bool, n."""
    return np.asarray(np.isin(letters.labels, [*LABELS, *settings.lower_case_as_capitals, NO_LETTER]))


def exact(letters: Letters) -> Letters:
    """Keep A–Z and 0–9 that a person wrote; everything else may be trained on, never measured on."""
    return letters[np.isin(letters.labels, LABELS) & written(letters)]


def capitals(letters: Letters) -> Letters:
    """Keep A–Z that a person wrote."""
    return letters[np.isin(letters.labels, LABELS[:26]) & written(letters)]


def classes_of(letters: Letters, labels: Sequence[str] = CLASSES) -> NDArray[np.int64]:
    """Return the index of each letter's class: int64, n.

    A lower-case letter without a class of its own counts as its capital.
    """
    index = {label: number for number, label in enumerate(labels)}
    index[NO_LETTER] = index.get(NOT_A_LETTER, -1)
    return np.array(
        [index[label if label in index else label.upper()] for label in letters.labels.tolist()],
        dtype=np.int64,
    )
