"""Reads the real fields, grids, pages, forms and amounts of LETTERMILL_DATA: errors against truth.

    LETTERMILL_DATA=DATA python -m bench.real_sets [--words FILE] [--context NAME|FILE] [--wrong DIR]

Nothing that is read here trained a network. Of the school fields for training each 7th is read, of the
amounts each 4th, of the UNIPEN words those of some sites: the others train the line network.

`--words FILE` reads the fields a second time with a word list: the set's own labels and the words of that
file. `--context NAME|FILE` reads all that has letters in that context. `--wrong DIR` writes a picture of
each image that was not read as it should be, with truth and reading.
"""

from __future__ import annotations

import csv
import io
import os
import tempfile
import time
import zipfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import click
import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from bench.acceptance import ReadImage, count_unflagged, share_accepted
from lettermill.jobs.inputs.context import ContextPack, read_context
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import plain, read_word_list
from lettermill.jobs.records.readings import LineReading
from lettermill.jobs.settings import ALPHABETS, LETTERS, Alphabet, Settings
from lettermill.training.letters.stroke_archive import Drawing, read_strokes_archive
from lettermill.training.lines.hands import draw_strokes
from lettermill.training.lines.line_sources import HELD_OUT_WORD_SITES
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import read_lines

Image = NDArray[np.uint8]
Item = tuple[str, Image, str]

GRID = "ABCDI KOLMR EHXWT"
"""What is written on every grid, row by row."""

FIELDS_EVERY, AMOUNTS_EVERY = 7, 4
"""Of the school fields for training and of the amounts, each such one is held out; the others train."""

ACCEPTED_RATES = (0.98, 0.99, 0.995)
"""Shares of the accepted images that are right."""

FLAG_BELOW = 0.999
"""Confidence below which a letter is flagged here."""

WORD_ROWS, WORD_PEN, WORD_MARGIN = 48, 3.5, 20
"""Height of a drawn word, thickness of the pen and paper around the word, in pixels."""

WORD_INK, WORD_PAPER = 40, 244
"""Grey of the pen and of the paper."""

MOST_HEIGHTS = 30.0
"""A word wider than this, in its heights, is a line that was drawn, and is left out."""

PAGES = ("01_list.jpg", "03_haiku.jpg", "orxan_word.png")


def decoded(content: bytes) -> Image:
    """Decode an image to grey."""
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)


def zipped(path: Path, labels: Path | None = None, every: int = 1, first: int = 0) -> Iterator[Item]:
    """The labelled images of a zip file; those that nobody could read are left out.

    Args:
        path: the zip file; its labels are in labels.csv.
        labels: another file of labels that counts instead.
        every: only each such image (2: every second one) is given.
        first: number of the first that is given.
    """
    with zipfile.ZipFile(path) as archive:
        names = {Path(name).name: name for name in archive.namelist()}
        text = labels.read_text("utf-8") if labels else archive.read(names["labels.csv"]).decode("utf-8")
        for row in list(csv.DictReader(io.StringIO(text)))[first::every]:
            if row["label"].strip() not in {"", "EMPTY", "UNREADABLE"}:
                yield row["file"], decoded(archive.read(names[Path(row["file"]).name])), row["label"]


def fields(data: Path, which: Literal["dev", "other"] = "dev") -> Iterator[Item]:
    """The labelled form fields: all that were set apart ("dev"), or the held-out ones of the others."""
    if which == "dev":
        return zipped(data / "fields" / "names_labelled_dev.zip")
    return zipped(data / "fields" / "names_labelled_train.zip", every=FIELDS_EVERY)


def amounts(data: Path) -> Iterator[Item]:
    """The held-out amounts."""
    return zipped(data / "amounts" / "cheque_amounts_dev.zip", every=AMOUNTS_EVERY)


def unipen_words(
    data: Path, alphabet: Alphabet, sites: Collection[str] = HELD_OUT_WORD_SITES
) -> Iterator[Item]:
    """The words of UNIPEN from some sites whose labels are in an alphabet, drawn with a plain pen."""
    path = data / "strokes" / "unipen_words_strokes.npz"
    for number, (strokes, label, _, site) in enumerate(read_strokes_archive(path, "word_first_stroke")):
        if site in sites and alphabet_of(label) == alphabet:
            word = drawn_word(strokes)
            if word is not None:
                yield f"{site}{number:04}.png", word, label


def drawn_word(strokes: Drawing) -> Image | None:
    """Draw a word with a plain pen: grey uint8; None if it is far too wide to be one."""
    points = np.concatenate(strokes)
    low, (width, height) = points.min(axis=0), np.ptp(points, axis=0).tolist()
    unit = max(1.0, height)
    if width > MOST_HEIGHTS * unit:
        return None
    ink = draw_strokes([((one - low) / unit).astype(np.float32) for one in strokes], WORD_ROWS, WORD_PEN).ink
    grey = WORD_PAPER - np.pad(ink, WORD_MARGIN) / 255 * (WORD_PAPER - WORD_INK)
    return np.rint(grey).astype(np.uint8)


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
    name: str,
    items: Iterable[Item],
    settings: Settings,
    lexicon: Lexicon | None,
    wrong: Path | None,
    context: ContextPack | None = None,
) -> None:
    """Read all images of a set and print what was right, and what could be accepted unseen."""
    ngram = context.ngram if context and settings.alphabet != "digits" else None
    classifier = Classifier(load_model(installed_model_folder()), settings.characters, ngram)
    settings = msgspec.structs.replace(settings, flag_below=FLAG_BELOW)
    images = []
    seconds = 0.0
    for file, image, label in items:
        start = time.process_time()
        lines, _ = read_lines(image, settings, classifier, lexicon)
        seconds += time.process_time() - start
        found = judged(lines, compared(label, settings), lexicon is not None, settings)
        images.append(found)
        if wrong and found.read != found.truth:
            draw(wrong / f"{name}-{Path(file).stem}.png", image, f"{found.truth} read {found.read}")
    if images:
        click.echo(
            f"{name}: {errors(images)}, {1000 * seconds / len(images):.1f} ms of processor time an image"
        )
        if not lexicon:
            click.echo(f"    {acceptance(images)}")


def judged(lines: Sequence[LineReading], truth: str, by_words: bool, settings: Settings) -> ReadImage:
    """Return what was read of an image, by the letters or by the word list (without confidences).

    Marks do not count: the labels of most sets leave them out.
    """
    if by_words:
        return ReadImage(truth, compared(" ".join(line.lexicon_text for line in lines), settings), (), ())
    letters = [letter for line in lines for letter in line.letters if not letter.is_mark]
    confidences = tuple(letter.confidence for letter in letters)
    read = "".join(letter.letter for letter in letters)
    return ReadImage(truth, read, confidences, tuple(letter.flagged for letter in letters))


def errors(images: Sequence[ReadImage]) -> str:
    """Say how many characters and images of a set are wrong."""
    edits = sum(Levenshtein.distance(one.truth, one.read) for one in images)
    letters = max(1, sum(len(one.truth) for one in images))
    exact = sum(one.read == one.truth for one in images)
    return (
        f"CER {edits / letters:.2%} ({edits} of {letters}), exact {exact / len(images):.1%} "
        f"({exact} of {len(images)})"
    )


def acceptance(images: Sequence[ReadImage]) -> str:
    """Say what of a set could be accepted unseen."""
    shares = ", ".join(f"{share_accepted(images, rate):.1%} at {rate:.1%}" for rate in ACCEPTED_RATES)
    counted = count_unflagged(images)
    return (
        f"images accepted: {shares} right; letters unflagged below {FLAG_BELOW}: "
        f"{counted.unflagged / max(1, counted.letters):.1%} of {counted.letters}, {counted.accuracy:.3%} of "
        f"them right; {counted.missed} missed beside no flag"
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
@click.option("--context", "context_name", metavar="NAME|FILE", help="What is likely to be written.")
@click.option("--wrong", type=click.Path(path_type=Path, file_okay=False), help="Where pictures go.")
def main(words: Path | None, context_name: str | None, wrong: Path | None) -> None:
    cv2.setNumThreads(1)
    data = Path(os.environ["LETTERMILL_DATA"])
    context = read_context(context_name) if context_name else None
    line = Settings(layout="line")
    measure("fields", fields(data), line, None, wrong, context)
    if words:
        listed = {label for _, _, label in fields(data) if set(plain(label)) <= set(LETTERS)}
        with tempfile.TemporaryDirectory() as folder:
            merged = Path(folder) / "words.txt"
            merged.write_text("\n".join([*sorted(listed), words.read_text("utf-8")]), encoding="utf-8")
            lexicon = Lexicon(read_word_list(merged, line.characters))
        measure("fields with words", fields(data), line, lexicon, wrong, context)
    school = data / "fields"
    checked = school / "names_labelled_dev_checked.csv"
    measure(
        "fields, labels checked",
        zipped(school / "names_labelled_dev.zip", checked),
        line,
        None,
        wrong,
        context,
    )
    measure("other fields", fields(data, "other"), line, None, wrong, context)
    measure("amounts", amounts(data), Settings(layout="line", alphabet="digits"), None, wrong, context)
    for alphabet in ALPHABETS:
        settings = Settings(layout="line", alphabet=alphabet)
        measure(f"unipen words, {alphabet}", unipen_words(data, alphabet), settings, None, wrong, context)
    for source in sorted((data / "forms").iterdir()):
        for alphabet in ALPHABETS:
            settings = Settings(layout="line", alphabet=alphabet)
            measure(f"{source.name}, {alphabet}", forms(source, alphabet), settings, None, wrong, context)
    measure("grids", grids(data), Settings(), None, wrong, context)
    measure("pages", pages(data), Settings(alphabet="alnum"), None, wrong, context)


if __name__ == "__main__":
    main()
