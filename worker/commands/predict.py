"""`lettermill predict`: images of single characters, without a queue."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError, UsageProblem
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.results.write import inert
from lettermill.jobs.scans.decode import find_scans, read_page
from lettermill.jobs.settings import ALPHABETS, Alphabet, Limits, Settings
from lettermill.jobs.storage.atomic import display_path, written_whole
from lettermill.segmentation.glyph import GLYPH_INK_LEVEL, GLYPH_SIZE
from lettermill.worker.reading.classifier import CHOICES, Classifier
from lettermill.worker.reading.explain import draw_explanation
from lettermill.worker.reading.litert_network import BATCH
from lettermill.worker.reading.single_letter import Note, Single, look

HEADER = "file,letter,confidence,second,second_confidence,third,third_confidence,note"

_PLAIN = {
    Note.NO_LETTER: "no letter: nothing in it has the shape of one, so the answer is a guess",
    Note.SEVERAL: "several letters: the answer takes them for one",
    Note.UNREADABLE: "cannot be read",
}
SURELY_NONE = 0.9
"""Above this the network's "not a letter" is believed; docs/experiments.md has the price in letters."""

_READ_LINES = "To read several letters: lettermill run FOLDER --out DIR --layout line"
_TOO_LARGE = "the image is too large for a single letter: cut the letter out, or save the image smaller"
_NO_MEMORY = "the image needs more memory than there is: save it smaller"
_COLUMNS = len("A 100.0%   B 100.0%   C 100.0%")
_FAILURES_SHOWN = 10


class _Answer(NamedTuple):
    """What is said of a file.

    Attributes:
        file: as a person can read it.
        ranking: the best characters with their confidence, best first; empty where it cannot be read.
        note: what is odd.
        error: why it cannot be read, and what to do.
    """

    file: str
    ranking: tuple[tuple[str, float], ...]
    note: Note
    error: str = ""

    def cells(self) -> list[str]:
        """The row of the CSV file."""
        choices = [cell for letter, sure in self.ranking for cell in (letter, f"{sure:.4f}")]
        return [inert(self.file), *choices, *[""] * (2 * CHOICES - len(choices)), self.note]

    def to_json(self) -> dict[str, Any]:
        """The object for a program."""
        ranked = [[letter, round(sure, 4)] for letter, sure in self.ranking]
        letter, confidence = ranked[0] if ranked else (None, None)
        values = {"letter": letter, "confidence": confidence, "alternatives": ranked[1:]}
        return {"file": self.file, **values, "note": self.note, "error": self.error}

    @property
    def remark(self) -> str:
        """What is odd, in words; empty where nothing is."""
        words = _PLAIN.get(self.note, "")
        return f"{words}: {self.error}" if self.error else words

    def block(self) -> str:
        """The answer for a person who asks about one file."""
        ranked = [f"  {letter}  {_percent(sure):>6}" for letter, sure in self.ranking]
        remark = [f"  {self.remark}"] if self.note else []
        advice = [f"  {_READ_LINES}"] if self.note is Note.SEVERAL else []
        return "\n".join([self.file, *remark, *advice, *ranked])

    def line(self) -> str:
        """The answer for a person who asks about many files: columns first, then the name of any length."""
        ranked = "   ".join(f"{letter} {_percent(sure):>6}" for letter, sure in self.ranking)
        remark = f": {self.remark}" if self.note else ""
        return f"{ranked:<{_COLUMNS}}   {self.file}{remark}"


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE|FOLDER…")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a CSV file instead.",
)
@click.option(
    "--explain",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw what the CNN saw of one image, and where it looked.",
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read, an object a line.")
def predict(
    images: tuple[Path, ...],
    csv_file: Path | None,
    picture: Path | None,
    alphabet: Alphabet,
    model_folder: Path | None,
    as_json: bool,
) -> int:
    """Read images of single characters.

    Prints each file's letter, its confidence and two alternatives, and says where an image shows no letter
    (NO_LETTER), more than one (SEVERAL), or cannot be read (UNREADABLE). A FOLDER is read with its
    sub-folders; hidden files and files that are no image by their suffix are passed over. Of a PDF or TIFF
    file the first page is read.
    """
    model = load_model(model_folder or installed_model_folder())
    classifier = Classifier(model, ALPHABETS[alphabet])
    files, others = _files(images)
    if picture is not None and (len(files) > 1 or picture.suffix.lower() != ".png"):
        raise UsageProblem(
            f"--explain draws one image as a PNG file; here are {len(files)} images "
            f"and {display_path(picture)}",
            "Give a single image, and a name that ends with .png.",
        )
    alone = len(files) == 1
    counts: Counter[Note] = Counter()
    failed: list[_Answer] = []
    with _csv_rows(csv_file) as write_row, _progress(len(files), csv_file is not None) as step:
        for answer in _answers(files, classifier):
            counts[answer.note] += 1
            if answer.note is Note.UNREADABLE:
                failed.append(answer)
            write_row(answer.cells())
            if as_json:
                click.echo(json.dumps(answer.to_json(), ensure_ascii=False))
            elif csv_file is None:
                click.echo(answer.block() if alone else answer.line())
            step()
            if picture is not None and answer.ranking:
                image = _decode(files[0])
                network, characters = classifier.probabilities, ALPHABETS[alphabet]
                draw_explanation(
                    picture, answer.file, answer.remark, image, look(image).glyph, network, characters
                )
    if csv_file is not None or not (alone or as_json):
        _sum_up(counts, failed if csv_file or as_json else [], others, csv_file)
    return 1 if failed else 0


def _files(images: Sequence[Path]) -> tuple[list[Path], int]:
    """List the files to read, and count those that are passed over."""
    files, others = [], 0
    for image in images:
        if os.path.isdir(image):  # noqa: PTH112 - Path.is_dir raises where a folder above is closed
            names, more = find_scans(image)
            files += [image / name for name in names]
            others += more
        elif os.path.lexists(image):
            files.append(image)
        else:
            raise UsageProblem(
                f"{display_path(image)} does not exist", "Give an image or a folder of images."
            )
    return files, others


def _answers(files: Sequence[Path], classifier: Classifier) -> Iterator[_Answer]:
    """Yield an answer a file, in order, holding no more than a batch of glyphs and one image."""
    for start in range(0, len(files), BATCH):
        seen = [(display_path(file), *_look(file)) for file in files[start : start + BATCH]]
        glyphs = [np.zeros((0, GLYPH_SIZE, GLYPH_SIZE), np.uint8)]
        glyphs += [single.glyph[None] for _, single, _ in seen if single is not None]
        probabilities, non_letter = classifier.read_closely(np.concatenate(glyphs))
        read = zip(classifier.ranked(probabilities), non_letter, strict=True)
        for name, single, error in seen:
            if single is None:
                yield _Answer(name, (), Note.UNREADABLE, error)
            else:
                ranking, none = next(read)
                yield _Answer(name, ranking, _doubted(single) if none > SURELY_NONE else single.note)


def _doubted(single: Single) -> Note:
    """Return the note of an image in which the network sees no single letter, though its ink looks like one.

    Letters that touch are wider than high; so are rules, which `look` knows. Halves and blots are neither.
    """
    if single.note:
        return single.note
    rows, columns = np.nonzero(single.glyph >= GLYPH_INK_LEVEL)
    return Note.SEVERAL if np.ptp(columns) > np.ptp(rows) else Note.NO_LETTER


def _look(file: Path) -> tuple[Single | None, str]:
    """Decode a file and look at it; None and a reason where it cannot be read."""
    try:
        return look(_decode(file)), ""
    except ScanError as error:
        too_large = error.code in (ErrorCode.TOO_MANY_PIXELS, ErrorCode.TOO_MANY_BYTES)
        return None, _TOO_LARGE if too_large else error.message
    except MemoryError:
        return None, _NO_MEMORY


def _decode(file: Path) -> NDArray[np.uint8]:
    return read_page(file, 1, Settings().dpi, Limits())


@contextlib.contextmanager
def _csv_rows(file: Path | None) -> Iterator[Callable[[list[str]], object]]:
    """Give a function that writes a row, if there is a CSV file to write."""
    if file is None:
        yield lambda row: None
        return
    with written_whole(file) as text:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(HEADER.split(","))
        yield writer.writerow


@contextlib.contextmanager
def _progress(images: int, quiet: bool) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal where there is much to read and no answers are printed there."""
    if images <= BATCH or not sys.stderr.isatty() or not (quiet or not sys.stdout.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("images · left"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), redirect_stdout=False, transient=True
    ) as bar:
        task = bar.add_task("reading", total=images)
        yield lambda: bar.advance(task)


def _sum_up(counts: Counter[Note], failed: Sequence[_Answer], others: int, csv_file: Path | None) -> None:
    """Say on stderr what was read, what was not, and why."""
    parts = [f"{counts.total()} images"]
    parts += [
        f"{counts[note]} {words}"
        for note, words in (
            (Note.NO_LETTER, "without a letter"),
            (Note.SEVERAL, "with several letters"),
            (Note.UNREADABLE, "unreadable"),
        )
        if counts[note]
    ]
    if others:
        parts.append(f"{others} other files passed over")
    click.echo(", ".join(parts) + (f": {display_path(csv_file)}" if csv_file else ""), err=True)
    for answer in failed[:_FAILURES_SHOWN]:
        click.echo(f"  {answer.file}: {answer.error}", err=True)
    if len(failed) > _FAILURES_SHOWN:
        click.echo(f"  … and {len(failed) - _FAILURES_SHOWN} more", err=True)
    if counts[Note.SEVERAL]:
        click.echo(_READ_LINES, err=True)


def _percent(share: float) -> str:
    return f"{share:.1%}"
