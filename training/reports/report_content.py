"""Holds what the report of a training or a measurement is about, and groups its letters."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lettermill.training.measure import Answers, Figures, Mask, RejectScores, figures

if TYPE_CHECKING:
    from lettermill.training.fitting.fit import Epoch
    from lettermill.worker.reading.explain import Probabilities

ALL = "all letters"
"""The name of all letters together, beside the names of the sources."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LabelledGlyphs:
    """Labelled glyphs to count and to show samples of."""

    name: str
    """What they are: the heading of the section."""

    glyphs: NDArray[np.uint8]
    """uint8, n×28×28."""

    labels: NDArray[np.str_]
    """n labels, as the files have them."""

    sources: NDArray[np.str_]
    """n names."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class OtherModel:
    """Another model's answers about the same letters in the same order."""

    name: str
    answers: Answers
    measured: dict[str, Figures]
    """The headline figures of these answers."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a report is written from."""

    title: str
    """The page's heading."""

    about: str
    """A sentence: which letters these are, and what could be answered."""

    answers: Answers
    """What was measured, one or more letters."""

    measured: dict[str, Figures]
    """The headline figures of the answers, and of other letters to show beside them."""

    data: LabelledGlyphs
    """Letters to count and to show; for a training, those that were trained on."""

    network: Path | None = None
    """The network file, for its first filters; None if several networks answered."""

    probabilities: Probabilities | None = None
    """Reads glyphs (uint8, n×28×28) as the answers were read: n×k over their labels. Goes with `network`."""

    history: Sequence[Epoch] = ()
    """One row per epoch."""

    compared: OtherModel | None = None
    """Another model, to show what changed from it."""

    reject_scores: RejectScores | None = None
    """Scores of letters and non-letters, if the model has the reject class."""


def headline(answers: Answers) -> dict[str, Figures]:
    """Return the headline figures of all letters and, if there are several sources, of each source."""
    return {name: figures(answers[own]) for name, own in groups(answers).items()}


def groups(answers: Answers) -> dict[str, Mask]:
    """Mark all letters and, if there are several sources, the letters of each: bool, n."""
    names = np.unique(answers.sources).tolist()
    by_source = {name: answers.sources == name for name in names} if len(names) > 1 else {}
    return {ALL: np.ones(len(answers), bool), **by_source}
