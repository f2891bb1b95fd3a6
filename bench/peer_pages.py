"""Makes the pages that Lettermill and its peers read: sets of images with exact truth.

`LETTERMILL_DATA` names the folder of real handwriting. It gives letters by writers that the CNN was not
trained on, form fields and photographed pages, and its pen strokes write the made pages. Without it, fonts
write everything.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import itertools
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from bench.pages.difficulties import at_most
from bench.pages.hands import Hand
from bench.pages.layouts import KINDS, text_for
from bench.pages.maker import make
from bench.pages.write import ALIKE, default_hands
from bench.real_sets import amounts, decoded, fields, forms
from lettermill.jobs import settings
from lettermill.jobs.inputs.word_list import plain
from lettermill.training.training_settings import TEST_WRITERS

Pixels = NDArray[np.uint8]
Item = tuple[str, Pixels, str]
"""A file's name, its grey pixels, and what is written there."""

A4_WIDTH, A4_HEIGHT = 2480, 3508
"""An A4 sheet at 300 dpi."""

A4_LINES = 32

LETTERS = "isolated letters"
FIELDS = "form fields"
PHOTOGRAPHS = "photographed pages"
A4 = "A4, 1,000 letters"
MIXED = "40 mixed pages"
SCHOOL_FIELDS = "other school fields"
AMOUNTS = "amounts"
OTHER_FORMS = "fields of other forms"
"""The sets, as the tables name them."""

_PHOTOGRAPHS = ("01_list.jpg", "03_haiku.jpg")

_MIXED = ("a4", "card", "comb", "grid", "line")
_PHOTOGRAPHED = ("card", "grid")
"""Kinds of pages that are kept as JPEG."""

_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 90)

REAL_FIELDS = 40
"""Images of the sets of real fields that have more."""

TUNING = 1000
"""Seeds of made pages from here on choose the peers' settings; those below are measured."""


@dataclasses.dataclass(frozen=True, slots=True)
class PageSet:
    """Pages of one kind.

    Attributes:
        name: as the tables say it.
        folder: the images, and nothing else.
        truth: file name → what is written.
        alphabet: what may be written.
    """

    name: str
    folder: Path
    truth: dict[str, str]
    alphabet: settings.Alphabet = "letters"

    @property
    def files(self) -> list[Path]:
        """The images, by name."""
        return [self.folder / name for name in sorted(self.truth)]

    def cer(self, texts: dict[str, str]) -> float:
        """Return the character error rate over the files of `texts`, which maps their names to what was read.

        Counted are the alphabet's characters, as capitals without accents; spaces and line breaks are not.
        """
        edits = letters = 0
        for name, text in texts.items():
            truth, read = (self._counted(each) for each in (self.truth[name], text))
            edits += Levenshtein.distance(truth, read)
            letters += len(truth)
        return edits / letters

    def _counted(self, text: str) -> str:
        return "".join(
            character for character in plain(text) if character in settings.ALPHABETS[self.alphabet]
        )


def write_set(
    folder: Path, name: str, items: Iterable[Item], alphabet: settings.Alphabet = "letters"
) -> PageSet:
    """Write images into a new folder; those whose names end with .jpg as JPEG of quality 90."""
    folder.mkdir(parents=True)
    truth = {}
    for file, pixels, text in items:
        cv2.imwrite(str(folder / file), pixels, _JPEG if file.endswith(".jpg") else [])
        truth[file] = text
    return PageSet(name, folder, truth, alphabet)


def measured_sets(out: Path) -> list[PageSet]:
    """Write the pages that are measured; amounts and other fields only with LETTERMILL_DATA."""
    data = os.environ.get("LETTERMILL_DATA")
    return [
        write_set(out / "letters", LETTERS, letters(TEST_WRITERS[:4])),
        write_set(out / "fields", FIELDS, form_fields(0, 40)),
        write_set(out / "photograph", PHOTOGRAPHS, photographs(), "alnum"),
        write_set(out / "a4", A4, a4_pages(0, 4)),
        write_set(out / "mixed", MIXED, mixed_pages(0, 40)),
        *(real_field_sets(out, Path(data)) if data else []),
    ]


def real_field_sets(out: Path, data: Path) -> list[PageSet]:
    """Write fields that trained neither network: of the school forms, of cheques and of other forms."""
    school = itertools.islice(fields(data, "other"), REAL_FIELDS)
    cheques = itertools.islice(amounts(data), REAL_FIELDS)
    return [
        write_set(out / "school", SCHOOL_FIELDS, as_png(school)),
        write_set(out / "amounts", AMOUNTS, as_png(cheques), "digits"),
        write_set(out / "forms", OTHER_FORMS, other_forms(data), "alnum"),
    ]


def other_forms(data: Path) -> Iterator[Item]:
    """All labelled fields of other people's forms; letters and digits may be on each."""
    for source in sorted((data / "forms").iterdir()):
        for alphabet in settings.ALPHABETS:
            yield from as_png(forms(source, alphabet), f"{source.name}-")


def as_png(items: Iterable[Item], prefix: str = "") -> Iterator[Item]:
    """Name images so that they are written as PNG."""
    yield from ((f"{prefix}{Path(name).stem}.png", pixels, text) for name, pixels, text in items)


def tuning_sets(out: Path) -> list[PageSet]:
    """Write other pages, on which the peers' settings are chosen.

    There are no other photographs: their settings are chosen on the measured ones, in the peers' favour.
    """
    return [
        write_set(out / "letters", LETTERS, letters(TEST_WRITERS[4:6])),
        write_set(out / "fields", FIELDS, form_fields(40, 70)),
        write_set(out / "photograph", PHOTOGRAPHS, photographs(), "alnum"),
        write_set(out / "a4", A4, a4_pages(TUNING, 2)),
        write_set(out / "mixed", MIXED, mixed_pages(TUNING, 5)),
    ]


def letters(writers: Iterable[str]) -> Iterator[Item]:
    """Single capitals by writers of Chars74K; without LETTERMILL_DATA as many by fonts."""
    data = os.environ.get("LETTERMILL_DATA")
    if data:
        with zipfile.ZipFile(Path(data) / "letters" / "chars74k_hnd_62.zip") as archive:
            for row in csv.DictReader(io.TextIOWrapper(archive.open("labels.csv"), "utf-8")):
                label, writer = row["label"], Path(row["file"]).stem.split(".")[1]
                if label in settings.LETTERS and writer in writers:
                    yield f"{writer}-{label}.png", decoded(archive.read(row["file"])), label
        return
    for writer, hand in zip(writers, writers_of_pages(), strict=False):
        for character in settings.LETTERS:
            ink = hand.write(character, 200, 24, np.random.default_rng(int(writer))).mask
            around = cv2.copyMakeBorder(ink, 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=0)
            yield f"{writer}-{character}.png", 255 - around, character


def form_fields(first: int, last: int) -> Iterator[Item]:
    """Form fields of one line; without LETTERMILL_DATA they are made."""
    data = os.environ.get("LETTERMILL_DATA")
    if data:
        labelled = itertools.islice(fields(Path(data)), first, last)
        yield from ((Path(name).name, pixels, text) for name, pixels, text in labelled)
        return
    yield from (made("field", seed, ".png") for seed in range(first, last))


def photographs() -> Iterator[Item]:
    """Photographed pages of capitals and digits; without LETTERMILL_DATA they are made."""
    data = os.environ.get("LETTERMILL_DATA")
    if data:
        for name in _PHOTOGRAPHS:
            path = Path(data) / "pages" / name
            yield name, decoded(path.read_bytes()), path.with_suffix(".txt").read_text(encoding="utf-8")
        return
    yield from (made("card", seed, ".jpg") for seed in range(TUNING, TUNING + len(_PHOTOGRAPHS)))


def a4_pages(first: int, count: int) -> Iterator[Item]:
    """A4 pages of 1,000 letters, each by the next writer."""
    hands = writers_of_pages()
    for seed in range(first, first + count):
        pixels, text = a4_page(hands[seed % len(hands)], seed, 1000)
        yield f"a4-{seed:04}.png", pixels, text


def mixed_pages(first: int, count: int) -> Iterator[Item]:
    """Pages of all kinds in turn, each by the next writer."""
    for seed in range(first, first + count):
        kind = _MIXED[seed % len(_MIXED)]
        yield made(kind, seed, ".jpg" if kind in _PHOTOGRAPHED else ".png")


@functools.cache
def writers_of_pages() -> list[Hand]:
    """Those who write the made pages; the file of their strokes is read once."""
    return default_hands(None)


def made(kind: str, seed: int, suffix: str) -> Item:
    """Make a page as hard as real ones of its kind."""
    hands = writers_of_pages()
    page = make(kind, hands[seed % len(hands)], seed, at_most(ALIKE[kind], seed))
    return f"{seed:04}-{kind}{suffix}", page.grey, page.text


def a4_page(hand: Hand, seed: int, letters: int) -> tuple[Pixels, str]:
    """Write an A4 page at 300 dpi with so many letters, as hard as real ones: grey uint8, and its text."""
    lines = a4_text(seed, letters, min(A4_LINES, max(1, letters // 30)))
    page = make("a4", hand, seed, at_most(ALIKE["a4"], seed), lines)
    # A skewed sheet, or a wide hand, takes a little more; there is no ink that far out.
    return page.grey[:A4_HEIGHT, :A4_WIDTH], page.text


def a4_text(seed: int, letters: int, lines: int) -> list[str]:
    """Return lines of words with so many letters together, about the same number in each.

    Args:
        seed: chooses the words.
        letters: how many.
        lines: how many lines.
    """
    words = (
        word
        for number in itertools.count()
        for line in text_for(KINDS["a4"], seed + TUNING * number)
        for word in line.split()
    )
    text = []
    for number in range(lines):
        left = letters * (number + 1) // lines - letters * number // lines
        line = []
        while left > 0:
            line.append(next(words)[:left])
            left -= len(line[-1])
        text.append(" ".join(line))
    return text
