"""EMNIST's splits as they were published: their classes, their test file, no letter moved between them.

Cohen, Afshar, Tapson and van Schaik, "EMNIST: an extension of MNIST to handwritten letters", 2017
(arXiv:1702.05373): letters has 26 classes with both cases folded, balanced and bymerge 47, byclass 62.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData
from lettermill.training.letters import set_formats as formats
from lettermill.training.letters import sources
from lettermill.training.letters.sources import Found, Letters
from lettermill.training.letters.split import Split
from lettermill.training.training_settings import SPLITS

_FILE = re.compile(rf"emnist-({'|'.join(SPLITS)})-(train|test)-images-idx3-ubyte\.gz")
_SIXTH = 6
"""The most of the training file that validates: what EMNIST's authors set aside where classes are equal."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    train: Found
    test: Found


def chosen_split(found: Sequence[Found], name: str) -> str:
    """Return the published split that a run is about; empty where it is about all letters there are.

    Args:
        found: all training sets.
        name: the split that was asked for; empty takes the only one where there is nothing else.

    Raises:
        BadData: the split asked for is not whole, or several are there and nothing else.
    """
    whole = _whole_splits(found)
    if name:
        if name not in whole:
            raise BadData(
                f"the data hold no train and test file of EMNIST's {name} split",
                f"Whole splits found: {', '.join(whole) or 'none'}. Expected are "
                f"emnist-{name}-train-images-idx3-ubyte.gz, …-test-… and their labels.",
            )
        return name
    if any(_FILE.fullmatch(one.path.name) is None for one in found):
        return ""
    if len(_names(found)) > 1:
        names = ", ".join(sorted(_names(found)))
        raise BadData(
            f"the data hold several splits of EMNIST, cut from the same letters: {names}",
            "Choose one with --split.",
        )
    return next(iter(whole), "")


def read_split(found: Sequence[Found], name: str, report: Callable[[str], None]) -> Split:
    """Read a published split: test as published, validation from the end of the training file.

    Validation is as large as the test file, but at most a sixth of the training file. Glyphs that test
    holds to the last pixel leave the training file, and glyphs that validation holds leave training.

    Args:
        found: all training sets; only the split's two files are read.
        name: a split that `chosen_split` returned.
        report: is called with progress.

    Raises:
        BadData: the files are damaged, or there is too little in them.
    """
    files = _whole_splits(found)[name]
    train, test = (sources.read(one, report) for one in (files.train, files.test))
    held_out = min(len(test), len(train) // _SIXTH)
    if not held_out:
        raise BadData(
            f"{files.train.path} has {len(train)} letters, {files.test.path.name} {len(test)}",
            "Fetch them again: a published split has thousands.",
        )
    border = len(train) - held_out
    validates = ~_among(train.glyphs[border:], test.glyphs)
    validation = train[border + np.flatnonzero(validates)]
    kept = np.flatnonzero(~_among(train.glyphs[:border], np.concatenate([test.glyphs, validation.glyphs])))
    left_out = len(train) - len(kept) - len(validation)
    if left_out:
        report(f"{left_out} glyphs of the training file left out that validation or test holds too")
    return Split(train[kept], validation, test, tuple(formats.read_mapping(files.train.path).values()))


def letters_to_measure(
    folders: Sequence[Path], card: dict[str, Any], report: Callable[[str], None] = lambda line: None
) -> Letters:
    """Read what a model is measured on.

    Of the published split that the model was trained on that is the test file alone, as published. Any
    other model is measured on all letters that the folders hold, without duplicates.

    Args:
        folders: as given to `--data`.
        card: the model's card.
        report: is called with what was found.
    """
    found, aside = sources.find(folders)
    whole, name = _whole_splits(found), card.get("settings", {}).get("split", "")
    letters = sources.read(whole[name].test, report) if name in whole else sources.load(found, report)
    report_aside(aside, report)
    return letters


def report_aside(aside: Sequence[Path], report: Callable[[str], None]) -> None:
    """Name what lies in the folders and is no training set."""
    for path in aside:
        report(f"{path.name}: left aside, not a format that training reads")


def _names(found: Sequence[Found]) -> set[str]:
    return {match[1] for one in found if (match := _FILE.fullmatch(one.path.name))}


def _whole_splits(found: Sequence[Found]) -> dict[str, _Files]:
    """Return the splits that have both files, in the order of SPLITS."""
    files: dict[tuple[str, str], Found] = {}
    for one in found:
        if match := _FILE.fullmatch(one.path.name):
            files.setdefault((match[1], match[2]), one)
    return {
        name: _Files(files[name, "train"], files[name, "test"])
        for name in SPLITS
        if (name, "train") in files and (name, "test") in files
    }


def _among(glyphs: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mark the glyphs that are among the others: bool, n."""
    there = {glyph.tobytes() for glyph in others}
    return np.array([glyph.tobytes() in there for glyph in glyphs], dtype=bool)
