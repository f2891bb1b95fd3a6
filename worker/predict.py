"""`lettermill predict`: images of single characters, without a queue."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from jobs.collect import inert
from jobs.errors import ScanError, UsageProblem
from jobs.files import shown, written_whole
from jobs.models import installed_model_folder, load_model
from jobs.scans import find_scans, read_page
from jobs.settings import ALPHABETS, Alphabet, Limits, Settings
from segmentation.glyph import ink_of, normalise
from segmentation.page import segment
from worker.classifier import BATCH, Classifier

HEADER = "file,letter,confidence,second,second_confidence,third,third_confidence,note"

_SAME_SIZE = 0.5
"""Share of the largest candidate's height from which another counts as a second letter."""


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE|FOLDER…")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), metavar="FILE", help="Write a CSV file instead."
)
@click.option(
    "--alphabet",
    type=click.Choice(list(ALPHABETS)),
    default="letters",
    show_default=True,
    help="What the images may show: A–Z, 0–9, or both.",
)
@click.option(
    "--model",
    "model_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A model of your own, as `lettermill train` wrote it.",
)
def predict(
    images: tuple[Path, ...], csv_file: Path | None, alphabet: Alphabet, model_folder: Path | None
) -> int:
    """Read images of single characters.

    Prints each file's letter, its confidence and two alternatives. The note is empty, NO_LETTER (no ink),
    SEVERAL (more than one letter in the image) or UNREADABLE (not an image).
    """
    model = load_model(model_folder or installed_model_folder())
    classifier = Classifier(model, ALPHABETS[alphabet])
    files = [file for image in images for file in _files(image)]
    rows = _rows(files, classifier)
    unreadable = 0
    if csv_file is None:
        for row in rows:
            click.echo("  ".join(cell for cell in row if cell))
            unreadable += row[-1] == "UNREADABLE"
    else:
        with written_whole(csv_file) as file:
            writer = csv.writer(file, lineterminator="\r\n")
            writer.writerow(HEADER.split(","))
            for row in rows:
                writer.writerow([inert(row[0]), *row[1:]])
                unreadable += row[-1] == "UNREADABLE"
        click.echo(f"{len(files)} images, {unreadable} unreadable: {shown(csv_file)}")
    return 1 if unreadable else 0


def _files(image: Path) -> list[Path]:
    if image.is_dir():
        return [image / name for name in find_scans(image)[0]]
    if not image.exists():
        raise UsageProblem(f"{shown(image)} does not exist", "Give an image or a folder of images.")
    return [image]


def _rows(files: Sequence[Path], classifier: Classifier) -> Iterator[list[str]]:
    """Yield a row a file, in order, holding no more than a batch of images."""
    for start in range(0, len(files), BATCH):
        batch = files[start : start + BATCH]
        seen = [_look(file) for file in batch]
        rankings = iter(classifier.rank([glyph for glyph, _ in seen if glyph is not None]))
        for file, (glyph, note) in zip(batch, seen, strict=True):
            ranking = next(rankings) if glyph is not None else ()
            cells = [cell for letter, sure in ranking for cell in (letter, f"{sure:.4f}")]
            yield [shown(file), *cells, *[""] * (6 - len(cells)), note]


def _look(file: Path) -> tuple[NDArray[np.uint8] | None, str]:
    """Return a file's glyph and note."""
    try:
        image = read_page(file, 1, Settings().dpi, Limits())
    except ScanError:
        return None, "UNREADABLE"
    glyph = normalise(ink_of(image))
    if not glyph.any():
        return glyph, "NO_LETTER"
    return glyph, "SEVERAL" if _letters(image) > 1 else ""


def _letters(image: NDArray[np.uint8]) -> int:
    """Count the letters of about the same size in an image."""
    candidates = [
        candidate
        for line in segment(image, "line").lines
        for word in line.words
        for candidate in word.candidates
    ]
    heights = [candidate.box.height for candidate in candidates]
    return sum(height >= _SAME_SIZE * max(heights) for height in heights)
