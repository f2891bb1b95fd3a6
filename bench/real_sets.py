"""Reads the real fields, grids, pages, forms and amounts of LETTERMILL_DATA: errors against truth.

    LETTERMILL_DATA=DATA python -m bench.real_sets [--words FILE] [--wrong DIR]

`--words FILE` reads the fields a second time with a word list: the set's own labels and the words of that
file. `--wrong DIR` writes a picture of each image that was not read as it should be, with truth and reading.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import plain, read_word_list
from lettermill.jobs.settings import ALPHABETS, LETTERS, Alphabet, Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import read_lines

Image = NDArray[np.uint8]
Item = tuple[str, Image, str]

GRID = "ABCDI KOLMR EHXWT"
"""What is written on every grid, row by row."""

PAGES = ("01_list.jpg", "03_haiku.jpg", "orxan_word.png")


def decoded(content: bytes) -> Image:
    """Decode an image to grey."""
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def zipped(path: Path, labels: Path | None = None, every: int = 1) -> Iterator[Item]:
    """The labelled images of a zip file; those that nobody could read are left out.

    Args:
        path: the zip file; its labels are in labels.csv.
        labels: another file of labels that counts instead.
        every: only each such image (2: every second one) is given.
    """
    with zipfile.ZipFile(path) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        text = labels.read_text("utf-8") if labels else archive.read(names["labels.csv"]).decode("utf-8")
        for row in list(csv.DictReader(io.StringIO(text)))[::every]:
            if row["label"].strip() not in {"", "EMPTY", "UNREADABLE"}:
                yield row["file"], decoded(archive.read(names[Path(row["file"]).name])), row["label"]


def fields(data: Path) -> Iterator[Item]:
    """The labelled form fields."""
    return zipped(data / "fields" / "names_labelled_dev.zip")


def forms(source: Path, alphabet: Alphabet) -> Iterator[Item]:
    """The labelled fields of one source of forms whose labels are in an alphabet."""
    with (source / "truth.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["label"] and alphabet_of(row["label"]) == alphabet:
                yield row["file"], decoded((source / row["file"]).read_bytes()), row["label"]


def alphabet_of(label: str) -> Alphabet:
    """The alphabet that holds a label's letters and digits."""
    found = {character.isdigit() for character in plain(label) if character.isalnum()}
    return "alnum" if len(found) == 2 else "digits" if found == {True} else "letters"


def grids(data: Path) -> Iterator[Item]:
    """The photographed grids of letters."""
    with zipfile.ZipFile(data / "pages" / "letter_grids_dev.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".jpg"):
                yield Path(name).name, decoded(archive.read(name)), GRID


def pages(data: Path) -> Iterator[Item]:
    """The photographed pages."""
    for name in PAGES:
        path = data / "pages" / name
        yield name, decoded(path.read_bytes()), path.with_suffix(".txt").read_text(encoding="utf-8")


def compared(text: str, settings: Settings) -> str:
    """The characters of a text that count."""
    return "".join(character for character in plain(text) if character in settings.characters)


def measure(
    name: str, items: Iterator[Item], settings: Settings, lexicon: Lexicon | None, wrong: Path | None
) -> None:
    """Read all images of a set and print CER, and how many are exact."""
    classifier = Classifier(load_model(installed_model_folder()), settings.characters)
    edits = letters = exact = count = 0
    seconds = 0.0
    for file, image, label in items:
        start = time.process_time()
        lines, _ = read_lines(image, settings, classifier, lexicon)
        seconds += time.process_time() - start
        text = " ".join(line.lexicon_text if lexicon else line.text for line in lines)
        truth, read = compared(label, settings), compared(text, settings)
        distance = Levenshtein.distance(truth, read)
        edits, letters = edits + distance, letters + len(truth)
        exact, count = exact + (distance == 0), count + 1
        if wrong and distance:
            draw(wrong / f"{name}-{Path(file).stem}.png", image, f"{truth} read {read}")
    click.echo(
        f"{name}: CER {edits / letters:.2%} ({edits} of {letters}), exact {exact / count:.1%} "
        f"({exact} of {count}), {1000 * seconds / count:.1f} ms of processor time an image"
    )


def draw(path: Path, image: Image, words: str) -> None:
    """Write an image with a line of words over it."""
    shrink = min(1.0, 1200 / image.shape[1])
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(small, 24, 0, 0, max(0, 400 - small.shape[1]), cv2.BORDER_CONSTANT, value=255)
    cv2.putText(framed, words, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 0, 1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), framed)


@click.command(help=__doc__)
@click.option("--words", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Other words.")
@click.option("--wrong", type=click.Path(path_type=Path, file_okay=False), help="Where pictures go.")
def main(words: Path | None, wrong: Path | None) -> None:
    cv2.setNumThreads(1)
    data = Path(os.environ["LETTERMILL_DATA"])
    line = Settings(layout="line")
    measure("fields", fields(data), line, None, wrong)
    if words:
        listed = {label for _, _, label in fields(data) if set(plain(label)) <= set(LETTERS)}
        with tempfile.TemporaryDirectory() as folder:
            merged = Path(folder) / "words.txt"
            merged.write_text("\n".join([*sorted(listed), words.read_text("utf-8")]), encoding="utf-8")
            lexicon = Lexicon(read_word_list(merged, line.characters))
        measure("fields with words", fields(data), line, lexicon, wrong)
    school = data / "fields"
    checked = school / "names_labelled_dev_checked.csv"
    measure("fields, labels checked", zipped(school / "names_labelled_dev.zip", checked), line, None, wrong)
    measure("other fields", zipped(school / "names_labelled_train.zip", every=7), line, None, wrong)
    digits = Settings(layout="line", alphabet="digits")
    measure("amounts", zipped(data / "amounts" / "cheque_amounts_dev.zip"), digits, None, wrong)
    for source in sorted((data / "forms").iterdir()):
        for alphabet in ALPHABETS:
            items = list(forms(source, alphabet))
            settings = Settings(layout="line", alphabet=alphabet)
            if items:
                measure(f"{source.name}, {alphabet}", iter(items), settings, None, wrong)
    measure("grids", grids(data), Settings(), None, wrong)
    measure("pages", pages(data), Settings(alphabet="alnum"), None, wrong)


if __name__ == "__main__":
    main()
