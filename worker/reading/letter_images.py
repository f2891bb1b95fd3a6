"""Reads image files of single characters: one answer per file, with a note where an image is odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits, Settings
from lettermill.jobs.storage.display import display_path
from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, GLYPH_SIZE
from lettermill.worker.reading.classifier import Classifier, Ranking
from lettermill.worker.reading.litert_network import BATCH_GLYPHS
from lettermill.worker.reading.single_letter import Note, SingleLetter, find_letter

REJECT_ABOVE_PROBABILITY = 0.9
"""Above this the network's reject class is believed; docs/experiments.md has the price in letters."""

_TOO_LARGE = "the image is too large for a single letter: cut the letter out, or save the image smaller"
_NO_MEMORY = "there is not enough memory for this image: save it smaller"


class Answer(NamedTuple):
    """What was read in a file.

    Attributes:
        file: its name, fit for display.
        ranking: the best characters with their confidence, best first; empty if the file cannot be read.
        note: what is odd about the image.
        error: why the file cannot be read and what to do about it; empty if it can.
    """

    file: str
    ranking: Ranking
    note: Note
    error: str = ""


def read_letter_images(files: Sequence[Path], classifier: Classifier) -> Iterator[Answer]:
    """Read files in order, holding one image and one batch of glyphs at a time.

    Args:
        files: image files; of a PDF or TIFF file the first page is read.
        classifier: knows the characters.

    Yields:
        One answer per file.
    """
    for start in range(0, len(files), BATCH_GLYPHS):
        images = [(display_path(file), *_find_letter(file)) for file in files[start : start + BATCH_GLYPHS]]
        glyphs = [np.zeros((0, GLYPH_SIZE, GLYPH_SIZE), np.uint8)]
        glyphs += [single.glyph[None] for _, single, _ in images if single is not None]
        probabilities, reject, _ = classifier.classify_augmented(np.concatenate(glyphs))

        results = zip(classifier.rank(probabilities), reject, strict=True)
        for name, single, error in images:
            if single is None:
                yield Answer(name, (), Note.UNREADABLE, error)
                continue
            ranking, reject_probability = next(results)
            rejected = reject_probability > REJECT_ABOVE_PROBABILITY
            yield Answer(name, ranking, _note_of_rejected(single) if rejected else single.note)


def decode_letter_image(file: Path) -> NDArray[np.uint8]:
    """Decode the first page of a file: uint8, h×w, grey.

    Raises:
        ScanError: the file cannot be read.
    """
    return read_page(file, 1, Settings().dpi, Limits())


def _find_letter(file: Path) -> tuple[SingleLetter | None, str]:
    """Decode a file and make its glyph; None and a reason if it cannot be read."""
    try:
        return find_letter(decode_letter_image(file)), ""
    except ScanError as error:
        too_large = error.code in (ErrorCode.TOO_MANY_PIXELS, ErrorCode.TOO_MANY_BYTES)
        return None, _TOO_LARGE if too_large else error.message
    except MemoryError:
        return None, _NO_MEMORY


def _note_of_rejected(single: SingleLetter) -> Note:
    """Return the note of an image that the network rejects, although its ink has the shape of one letter.

    Touching letters are wider than high. Rules are, too, but `find_letter` has already recognised them.
    Halves of letters and blots are not wider than high.
    """
    if single.note:
        return single.note
    rows, columns = np.nonzero(single.glyph >= GLYPH_INK_LEVEL)
    return Note.SEVERAL if np.ptp(columns) > np.ptp(rows) else Note.NO_LETTER
