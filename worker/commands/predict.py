"""`lettermill predict`: read images of single characters, without a job or a queue."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.progress_bar import ProgressBar
from lettermill.jobs.results.counted import counted
from lettermill.jobs.results.csv_tables import escape_formula
from lettermill.jobs.scans.find import find_scans
from lettermill.jobs.settings import ALPHABETS, Alphabet
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.jobs.storage.display import display_path
from lettermill.worker.reading.classifier import RANKING_LENGTH, Classifier
from lettermill.worker.reading.explain import draw_explanation
from lettermill.worker.reading.letter_images import Answer, decode_letter_image, read_letter_images
from lettermill.worker.reading.litert_network import BATCH_GLYPHS
from lettermill.worker.reading.single_letter import Note, find_letter

HEADER = "file,letter,confidence,second,second_confidence,third,third_confidence,note"

_REMARKS = {
    Note.NONE: "",
    Note.NO_LETTER: "no letter: nothing in the image has the shape of a letter, so the answer is a guess",
    Note.SEVERAL: "several letters: the answer takes them for one",
    Note.UNREADABLE: "cannot be read",
}
_READ_LINES = "To read several letters: lettermill run FOLDER --layout line"
_RANKING_COLUMNS = len("A 100.0%   B 100.0%   C 100.0%")
_MAX_FAILURES_SHOWN = 10


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE|FOLDER…")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a CSV file instead of printing.",
)
@click.option(
    "--explain",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw what the CNN saw of a single image, and which ink decided.",
)
@click.option(
    "--alphabet",
    type=click.Choice(list(ALPHABETS), case_sensitive=False),
    default="letters",
    show_default=True,
    help="Characters that the images may show: A–Z, 0–9, or both.",
)
@click.option(
    "--model",
    "model_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Use your own model, as written by `lettermill train`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line, for programs.")
def predict(
    images: tuple[Path, ...],
    csv_file: Path | None,
    picture: Path | None,
    alphabet: Alphabet,
    model_folder: Path | None,
    as_json: bool,
) -> int:
    """Read images of single characters.

    Prints for each file the letter, its confidence and two alternatives. Notes mark images with no letter
    (NO_LETTER), more than one letter (SEVERAL), and files that cannot be read (UNREADABLE). A FOLDER is read
    with its sub-folders; files without an image suffix are counted and left out. Of a PDF or TIFF file the
    first page is read.

    \b
    Examples:
      lettermill predict letter.png
      lettermill predict letters/ --alphabet alnum --csv answers.csv
    """
    model = load_model(model_folder or installed_model_folder())
    classifier = Classifier(model, ALPHABETS[alphabet])
    files, left_out = _find_files(images)
    for sentence in left_out:
        click.echo(sentence, err=True)
    if picture is not None:
        _check_explainable(files, picture)
    counts: Counter[Note] = Counter()
    failed: list[Answer] = []
    echo = _printer(len(files), csv_file, as_json)
    with _csv_rows(csv_file) as write_row, _progress(len(files), csv_file is not None) as bar:
        for answer in read_letter_images(files, classifier):
            counts[answer.note] += 1
            if answer.note is Note.UNREADABLE:
                failed.append(answer)
            write_row(_cells(answer))
            echo(answer)
            bar.advance()
            if picture is not None and answer.ranking:
                _explain(picture, files[0], answer, classifier)
    if csv_file is not None or not (len(files) == 1 or as_json):
        _print_summary(counts, failed if csv_file or as_json else [], csv_file)
    return 1 if failed else 0


def _find_files(images: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """List the files to read, and say what is left out."""
    files, left_out = [], []
    for image in images:
        if os.path.isdir(image):  # noqa: PTH112 - Path.is_dir raises where a folder above is closed
            names, others = find_scans(image)
            files += [image / name for name in names]
            left_out += [f"{display_path(image)}: {sentence}" for sentence in others.sentences()]
        elif os.path.lexists(image):
            files.append(image)
        else:
            raise UsageProblem(
                f"{display_path(image)} does not exist", "Give an image or a folder of images."
            )
    return files, left_out


def _check_explainable(files: Sequence[Path], picture: Path) -> None:
    if len(files) > 1 or picture.suffix.lower() != ".png":
        raise UsageProblem(
            f"--explain draws one image into a PNG file, but was given {len(files)} images "
            f"and {display_path(picture)}",
            "Give a single image, and a file name that ends with .png.",
        )


def _printer(images: int, csv_file: Path | None, as_json: bool) -> Callable[[Answer], None]:
    """Return what prints an answer to standard output."""
    if as_json:
        return lambda answer: click.echo(json.dumps(_json_object(answer), ensure_ascii=False))
    if csv_file is not None:
        return lambda answer: None
    if images == 1:
        return lambda answer: click.echo(_block(answer))
    return lambda answer: click.echo(_line(answer))


def _explain(picture: Path, file: Path, answer: Answer, classifier: Classifier) -> None:
    image = decode_letter_image(file)
    draw_explanation(
        picture,
        answer.file,
        _remark(answer),
        image,
        find_letter(image).glyph,
        classifier.probabilities,
        classifier.characters,
    )


def _cells(answer: Answer) -> list[str]:
    """Return the row of the CSV file."""
    choices = [cell for letter, confidence in answer.ranking for cell in (letter, f"{confidence:.4f}")]
    return [escape_formula(answer.file), *choices, *[""] * (2 * RANKING_LENGTH - len(choices)), answer.note]


def _json_object(answer: Answer) -> dict[str, Any]:
    ranked = [[letter, round(confidence, 4)] for letter, confidence in answer.ranking]
    letter, confidence = ranked[0] if ranked else (None, None)
    values = {"letter": letter, "confidence": confidence, "alternatives": ranked[1:]}
    return {"file": answer.file, **values, "note": answer.note, "error": answer.error}


def _remark(answer: Answer) -> str:
    """Return what is odd about an image, in words; empty if nothing is."""
    words = _REMARKS[answer.note]
    return f"{words}: {answer.error}" if answer.error else words


def _block(answer: Answer) -> str:
    """Return the lines that are printed for a single file."""
    ranked = [f"  {letter}  {_percent(confidence):>6}" for letter, confidence in answer.ranking]
    remark = [f"  {_remark(answer)}"] if answer.note else []
    advice = [f"  {_READ_LINES}"] if answer.note is Note.SEVERAL else []
    return "\n".join([answer.file, *remark, *advice, *ranked])


def _line(answer: Answer) -> str:
    """Return the line that is printed for one of many files; the name, of any length, comes last."""
    ranked = "   ".join(f"{letter} {_percent(confidence):>6}" for letter, confidence in answer.ranking)
    remark = f": {_remark(answer)}" if answer.note else ""
    return f"{ranked:<{_RANKING_COLUMNS}}   {answer.file}{remark}"


@contextlib.contextmanager
def _csv_rows(file: Path | None) -> Iterator[Callable[[list[str]], object]]:
    """Give a function that writes a row; without a file it does nothing."""
    if file is None:
        yield lambda row: None
        return
    with atomic_write(file) as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(HEADER.split(","))
        yield writer.writerow


def _progress(images: int, quiet: bool) -> ProgressBar:
    """Return a progress bar, drawn if there is much to read and the terminal shows no answers."""
    drawn = images > BATCH_GLYPHS and sys.stderr.isatty() and (quiet or not sys.stdout.isatty())
    return ProgressBar("reading", "images · left", total=images, transient=True, drawn=drawn)


def _print_summary(counts: Counter[Note], failed: Sequence[Answer], csv_file: Path | None) -> None:
    """Print to standard error how many images were read, how many were not, and why."""
    parts = [counted(counts.total(), "image")]
    parts += [
        f"{counts[note]} {words}"
        for note, words in (
            (Note.NO_LETTER, "without a letter"),
            (Note.SEVERAL, "with several letters"),
            (Note.UNREADABLE, "unreadable"),
        )
        if counts[note]
    ]
    click.echo(", ".join(parts) + (f": {display_path(csv_file)}" if csv_file else ""), err=True)
    for answer in failed[:_MAX_FAILURES_SHOWN]:
        click.echo(f"  {answer.file}: {answer.error}", err=True)
    if len(failed) > _MAX_FAILURES_SHOWN:
        click.echo(f"  … and {len(failed) - _MAX_FAILURES_SHOWN} more", err=True)
    if counts[Note.SEVERAL]:
        click.echo(_READ_LINES, err=True)


def _percent(share: float) -> str:
    return f"{share:.1%}"
