"""Reads EMNIST's splits as they were published: their classes, their test file, no letter moved between them.

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
from lettermill.training.letters import sources
from lettermill.training.letters.set_formats import read_mapping
from lettermill.training.letters.sources import Found, Letters
from lettermill.training.letters.split import Split
from lettermill.training.training_settings import SPLITS

_FILE = re.compile(rf"emnist-({'|'.join(SPLITS)})-(train|test)-images-idx3-ubyte\.gz")
_VALIDATION_DIVISOR = 6
"""At most one part in six of the training file validates, as in EMNIST's splits with balanced classes."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Files:
    train: Found
    test: Found


def chosen_split(found: Sequence[Found], name: str) -> str:
    """Return the published split to train on; "" to train on all letters that were found.

    Args:
        found: all training sets.
        name: the split that was asked for; "" takes the only split if nothing else was found.

    Raises:
        BadData: a file of the split asked for is missing, or several splits and nothing else were found.
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

    Validation is as large as the test file, but at most a sixth of the training file. Glyphs of the training
    file that equal a test glyph are left out, and so are training glyphs that equal a validation glyph.

    Args:
        found: all training sets; only the split's two files are read.
        name: a split that `chosen_split` returned.
        report: called with progress.

    Raises:
        BadData: the files are damaged or hold too few letters.
    """
    files = _whole_splits(found)[name]
    train, test = (sources.read(one, report) for one in (files.train, files.test))
    held_out = min(len(test), len(train) // _VALIDATION_DIVISOR)
    if not held_out:
        raise BadData(
            f"{files.train.path} has {len(train)} letters, {files.test.path.name} {len(test)}",
            "Download them again: a published split has thousands.",
        )
    border = len(train) - held_out
    validates = ~_among(train.glyphs[border:], test.glyphs)
    validation = train[border + np.flatnonzero(validates)]
    kept = np.flatnonzero(~_among(train.glyphs[:border], np.concatenate([test.glyphs, validation.glyphs])))
    left_out = len(train) - len(kept) - len(validation)
    if left_out:
        report(f"{left_out} glyphs of the training file left out that validation or test holds too")
    return Split(train[kept], validation, test, tuple(read_mapping(files.train.path).values()))


def letters_to_measure(
    folders: Sequence[Path], card: dict[str, Any], report: Callable[[str], None] = lambda line: None
) -> Letters:
    """Read the letters that a model is measured on.

    For a model that was trained on a published split these are the letters of its test file, as published;
    for any other model all letters in the folders, without duplicates.

    Args:
        folders: as given to `--data`.
        card: the model's card.
        report: called with what was found.
    """
    found, ignored = sources.find(folders)
    whole, name = _whole_splits(found), card.get("settings", {}).get("split", "")
    letters = sources.read(whole[name].test, report) if name in whole else sources.load(found, report)
    sources.report_ignored(ignored, report)
    return letters


def _names(found: Sequence[Found]) -> set[str]:
    return {match[1] for one in found if (match := _FILE.fullmatch(one.path.name))}


def _whole_splits(found: Sequence[Found]) -> dict[str, _Files]:
    """Return the splits of which both files were found, in the order of SPLITS."""
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
    known = {glyph.tobytes() for glyph in others}
    return np.array([glyph.tobytes() in known for glyph in glyphs], dtype=bool)
