"""Cuts letters out of fields whose text is known, so that the CNN can be trained on them.

The letters of a field's text are aligned with its lattice (forced alignment, as in speech recognition: the
best path that spells the text), and each letter's ink gets its letter as the label. So letters that the CNN
misreads get the right label too, which the CNN's own answers could not give. What the lattice would have cut
otherwise there, halves and pairs of letters, is the reject class. Run it with

    python -m lettermill.training.lines.aligned_letters FIELDS --truth FILE.csv --out NAME_aligned.npz

and put the file into a folder that you give to `lettermill train --data`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rich.progress import track

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.model import Model, installed_model_folder, load_model
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.jobs.storage.atomic import atomic_write
from lettermill.segmentation.glyph import GLYPH_SIZE, normalise
from lettermill.segmentation.values import Box
from lettermill.training.letters.set_formats import NO_LETTER
from lettermill.training.letters.sources import ALIGNED, ALIGNED_FILE, CANVAS_SIZE, Letters, canvas_of
from lettermill.training.lines.real_fields import Field, FieldSet, read_field_set
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.lattice import join_lattices
from lettermill.worker.reading.read_lines import classify_page

LEAST_SIMILARITY = 0.5
"""Similarity (1 - edits / letters) of the text to what the CNN reads; below, the cuts may be wrong."""

LEAST_SCORE_SHARE = 1e-3
"""A label whose score is this much below the best character's is taken to be wrong, or wrongly cut."""

_OTHER_CUT_IOU = 0.6
"""A candidate is a wrong cut if its box and that of each letter overlap by less (intersection over union)."""


def align_letters(field: Field, classifier: Classifier) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Align a field's text with its ink.

    Args:
        field: the image and its text.
        classifier: knows the text's letters and digits; marks have no ink of their own here.

    Yields:
        The ink (uint8, h×w, 255 for ink) of each letter with its letter, then that of wrong cuts with "": at
        most as many as letters. Nothing if the ink cannot be the text.
    """
    text = "".join(character for character in field.text if character in classifier.characters)
    if not text:
        return
    _, words = classify_page(field.image, Settings(layout="line"), classifier, quarters=0)
    if not words:
        return
    candidates = [candidate for one in words for candidate in one.word.candidates]
    lattice = join_lattices([one.lattice() for one in words])
    _, rankings = lattice.best_reading(classifier.characters)
    read = "".join(ranking[0][0] for ranking in rankings)
    path = lattice.align([classifier.characters.index(character) for character in text])
    if path is None or Levenshtein.normalized_similarity(read, text) < LEAST_SIMILARITY:
        return
    relative = np.exp(lattice.scores[:, :-1] - lattice.scores[:, :-1].max(axis=1, keepdims=True))
    letters = [
        (candidates[index].ink, character)
        for index, character in zip(path, text, strict=True)
        if relative[index, classifier.characters.index(character)] >= LEAST_SCORE_SHARE
    ]
    yield from letters
    chosen = set(path)
    others = [
        candidate.ink
        for index, candidate in enumerate(candidates)
        if index not in chosen and _is_wrong_cut(candidate.box, [candidates[place].box for place in path])
    ]
    rng = np.random.default_rng(len(others))
    for place in rng.permutation(len(others))[: len(letters)].tolist():
        yield others[place], NO_LETTER


def _is_wrong_cut(box: Box, letters: list[Box]) -> bool:
    """Tell whether a box overlaps letters, but is none of them."""
    overlaps = [_intersection_over_union(box, letter) for letter in letters]
    return 0 < max(overlaps) < _OTHER_CUT_IOU


def _intersection_over_union(one: Box, other: Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0, width) * max(0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def cut_letters(fields: FieldSet, model: Model) -> tuple[Letters, int]:
    """Align the fields to train on with their ink.

    Args:
        fields: the labelled fields.
        model: its CNN aligns.

    Returns:
        Letters and wrong cuts, of the source "NAME aligned"; and of how many fields they are.
    """
    classifier = Classifier(model, ALPHABETS[fields.alphabet])
    inks: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    used = 0
    for field in track(fields.train, f"aligning {fields.name}", transient=True):
        before = len(labels)
        for ink, label in align_letters(field, classifier):
            inks.append(ink)
            labels.append(label)
        used += len(labels) > before
    letters = Letters(
        np.array([normalise(ink) for ink in inks], np.uint8).reshape(-1, GLYPH_SIZE, GLYPH_SIZE),
        np.array([canvas_of(ink) for ink in inks], np.uint8).reshape(-1, CANVAS_SIZE, CANVAS_SIZE),
        np.array(labels, dtype="<U1"),
        np.full(len(labels), fields.name + ALIGNED),
        np.full(len(labels), ""),
    )
    return letters, used


@click.command(help=__doc__)
@click.argument("fields", type=click.Path(path_type=Path, exists=True))
@click.option("--truth", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
def main(fields: Path, truth: Path | None, out: Path) -> None:
    """Cut the letters of labelled fields and write them as a training set."""
    if not out.name.endswith(ALIGNED_FILE):
        raise click.UsageError(
            f"the name of {out} must end with {ALIGNED_FILE}, so that training recognises it"
        )
    found = read_field_set(fields, truth)
    letters, used = cut_letters(found, load_model(installed_model_folder()))
    if not used:
        raise BadData(
            f"no text of {fields} fits the ink", "Give images of one line each, and what is written there."
        )
    archive = io.BytesIO()
    np.savez_compressed(archive, x=letters.canvases, y=letters.labels)
    with atomic_write(out) as file:
        file.buffer.write(archive.getvalue())
    cuts = int((letters.labels == NO_LETTER).sum())
    click.echo(f"{len(letters) - cuts} letters and {cuts} wrong cuts of {used} fields in {out}")


if __name__ == "__main__":
    main()
