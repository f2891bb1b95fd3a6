"""Labels letters on unlabelled scans with a word list, so that they can be trained on.

Each line is read with the list. If an entry fits, its letters are aligned with the lattice (forced
alignment, as in speech recognition: the best path that spells the entry), and each letter's ink gets its
letter as the label. So letters that the CNN misreads get the right label too, which the CNN's own answers
could not give. This is self-training with a constraint (Lee 2013, "Pseudo-Label"). Run it with

    python -m lettermill.training.letters.self_labels FOLDER --words FILE --out NAME_self-labelled.npz

and put the file into a folder that you give to `lettermill train --data`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rich.progress import track

from lettermill.jobs.errors import BadData, ScanError
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import plain, read_word_list
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Layout, Settings
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.training.letters.set_formats import IMAGE_SUFFIXES
from lettermill.training.letters.sources import SELF_LABELLED_FILE, canvas_of
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lattice import join_lattices
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import ClassifiedWord, classify_page

LEAST_LETTERS = 4
"""Letters an entry needs: an entry of fewer letters may fit a line on which another word is written."""

LEAST_SIMILARITY = 0.5
"""Similarity (1 - edits / letters) that an entry needs to the line read without the list; below is chance."""

LEAST_PROBABILITY = 1e-3
"""The CNN's probability of a letter below which its label or its cut is taken to be wrong."""


def explained_lines(
    page: NDArray[np.uint8],
    settings: Settings,
    classifier: Classifier,
    lexicon: Lexicon,
    known: frozenset[str],
) -> Iterator[tuple[str, list[ClassifiedWord]]]:
    """Yield the lines of a page that an entry of the list fits.

    Args:
        page: uint8, h×w, grey.
        settings: the layout, and how captions are treated.
        classifier: reads the letters; its characters are A–Z.
        lexicon: the list.
        known: its entries as capitals.

    Yields:
        The entry as capitals, and the line's words.
    """
    segmentation, words = classify_page(page, settings, classifier)
    start = 0
    for line in segmentation.lines:
        own = words[start : start + len(line.words)]
        start += len(line.words)
        readings = []
        for one in own:
            lattice = one.lattice()
            _, rankings = lattice.best_reading(classifier.characters)
            readings.append(("".join(ranking[0][0] for ranking in rankings), lattice))
        free = "".join(text for text, _ in readings)
        text = lexicon.read(readings)
        entry = plain(text)
        if len(entry) < LEAST_LETTERS or not (entry in known or known.issuperset(map(plain, text.split()))):
            continue
        if Levenshtein.normalized_similarity(free, entry) >= LEAST_SIMILARITY:
            yield entry, own


def label_letters(
    entry: str, words: Sequence[ClassifiedWord], classifier: Classifier
) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Align the letters of an entry with a line; yield the ink of each (uint8, h×w) with its letter."""
    candidates = [candidate for one in words for candidate in one.word.candidates]
    lattice = join_lattices([one.lattice() for one in words])
    path = lattice.align([classifier.characters.index(character) for character in entry])
    relative = np.exp(lattice.scores[:, :-1] - lattice.scores[:, :-1].max(axis=1, keepdims=True))
    for index, character in zip(path or (), entry, strict=bool(path)):
        if relative[index, classifier.characters.index(character)] >= LEAST_PROBABILITY:
            yield candidates[index].ink, character


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--words", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True)
@click.option("--layout", type=click.Choice(["auto", "page", "line"]), default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(folder: Path, words: Path, layout: Layout, out: Path) -> None:
    """Label the letters on a folder of scans and write them as a training set."""
    if not out.name.endswith(SELF_LABELLED_FILE):
        raise click.UsageError(
            f"the name of {out} must end with {SELF_LABELLED_FILE}, so that training recognises it"
        )
    settings = Settings(layout=layout)
    classifier = Classifier(load_model(installed_model_folder()), settings.characters)
    entries = read_word_list(words, settings.characters)
    lexicon, known = Lexicon(entries), frozenset(entry.letters for entry in entries.entries())
    images, labels = [], []
    left_out = 0
    scans = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    for scan in track(scans, "reading"):
        try:
            page = read_page(scan, 1, settings.dpi, settings.limits)
        except ScanError as error:
            click.echo(f"left out {scan}: {error}", err=True)
            left_out += 1
            continue
        for entry, line in explained_lines(page, settings, classifier, lexicon, known):
            for ink, label in label_letters(entry, line, classifier):
                images.append(canvas_of(ink))
                labels.append(label)
    if not images:
        raise BadData(
            f"no line in {folder} fits an entry of {words}",
            "Give a list of words that are written on these scans.",
        )
    archive = io.BytesIO()
    np.savez_compressed(archive, x=np.stack(images), y=np.array(labels))
    with atomic_write(out) as file:
        file.buffer.write(archive.getvalue())
    click.echo(f"{len(labels)} letters of {len(scans) - left_out} scans in {out}")


if __name__ == "__main__":
    main()
