"""Cuts the writing out of labelled fields, so that made pages have words as people wrote them with a pen.

    python -m lettermill.training.pages.field_writing FIELDS --truth FILE.csv --out writing/NAME.npz

A field is used if it reads as its text: then its letters are where they were read, and a caption beside them
is left out. Give the folder, which must be named `writing`, to `--data`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.progress import track

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.segmentation.binarise import find_ink
from lettermill.training.letters.set_formats import unreadable
from lettermill.training.lines.real_fields import Field, read_field_set
from lettermill.training.lines.writing import Written
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

_MARGIN_PIXELS = 2
_PAPER_WINDOW_LETTERS, _CONTRAST_WINDOW_LETTERS = 4.0, 0.5


def cut_writing(field: Field, classifier: Classifier) -> Written | None:
    """Cut the writing out of a field; None if it reads as something else than its text."""
    lines, _ = read_lines(field.image, Settings(alphabet="alnum", layout="line"), classifier)
    letters = [letter for line in lines for letter in line.letters if not letter.is_mark]
    text = "".join(character for character in field.text if character in classifier.characters)
    if not text or "".join(letter.letter for letter in letters) != text:
        return None
    left, top = (min(getattr(letter.box, side) for letter in letters) for side in "xy")
    right = max(letter.box.x + letter.box.width for letter in letters)
    bottom = max(letter.box.y + letter.box.height for letter in letters)
    capital = int(np.median([letter.box.height for letter in letters]))
    ink = find_ink(
        field.image, _PAPER_WINDOW_LETTERS * capital, max(3.0, _CONTRAST_WINDOW_LETTERS * capital), blur=0.0
    )
    x, y = max(0, left - _MARGIN_PIXELS), max(0, top - _MARGIN_PIXELS)
    cut = ink[y : bottom + _MARGIN_PIXELS, x : right + _MARGIN_PIXELS]
    return Written(np.ascontiguousarray(cut), capital, max(0, cut.shape[0] - capital - _MARGIN_PIXELS), text)


def read_writing(path: Path) -> list[Written]:
    """Read a file that `write_writing` wrote.

    Raises:
        BadData: it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            pixels, shapes, capitals, tops, texts = (
                archive[name] for name in ("pixels", "shapes", "capitals", "tops", "y")
            )
        ends = np.cumsum(shapes.prod(axis=1))
        pieces = np.split(pixels, ends[:-1])
        return [
            Written(piece.reshape(shape), int(capital), int(top), str(text))
            for piece, shape, capital, top, text in zip(pieces, shapes, capitals, tops, texts, strict=True)
        ]
    except (OSError, KeyError, ValueError) as error:
        raise unreadable(path, "writing cut out of fields", error) from error


def write_writing(found: Sequence[Written], path: Path) -> None:
    """Write the writing of at least one field, atomically."""
    archive = io.BytesIO()
    np.savez_compressed(
        archive,
        pixels=np.concatenate([one.ink.ravel() for one in found]),
        shapes=np.array([one.ink.shape for one in found]),
        capitals=np.array([one.cap for one in found]),
        tops=np.array([one.top for one in found]),
        y=np.array([one.text for one in found]),
    )
    with atomic_write(path) as file:
        file.buffer.write(archive.getvalue())


@click.command(help=__doc__)
@click.argument("fields", type=click.Path(path_type=Path, exists=True))
@click.option("--truth", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(fields: Path, truth: Path | None, out: Path) -> None:
    """Cut the writing out of labelled fields."""
    classifier = Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])
    train: Sequence[Field] = read_field_set(fields, truth).train
    kept = [one for field in track(train, "cutting") if (one := cut_writing(field, classifier)) is not None]
    if not kept:
        raise BadData(f"no field of {fields} reads as its text", "Give images of one line each.")
    write_writing(kept, out)
    click.echo(f"the writing of {len(kept)} of {len(train)} fields in {out}")


if __name__ == "__main__":
    main()
