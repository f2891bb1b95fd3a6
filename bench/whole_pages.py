"""Reads whole pages of forms: what is read in its place, what is missed, what is invented.

    LETTERMILL_DATA=DATA python -m bench.whole_pages [--made FOLDER …] [--pages N] [--drawn DIR]

The pages of LETTERMILL_DATA/forms: each labelled field is found on its page by its crop, which was cut from
it. A letter in a field counts for that field; a letter in no field counts as invented, so letters of fields
without a label do, too.

`--made` makes pages with the writers and fonts of some folders (hands, `print`, `symbols`, `pictures`), which
should have trained nothing; there every field is known. `--drawn` writes a picture of each page with what was
read.
"""

from __future__ import annotations

import csv
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import Letter
from lettermill.jobs.settings import ALPHABETS, Settings
from lettermill.training.pages.made_pages import PageMaker
from lettermill.training.pages.page_scanning import scan_page
from lettermill.training.pages.page_sources import load_page_sources
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines

Image = NDArray[np.uint8]

PAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
SAME_DIFFERENCE = 0.001
"""A crop lies where the normalised squared difference is below this."""

MADE_SIZE = (2339, 1654)
"""Height and width of a made page: A4 at 200 dpi."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A field on a page.

    Attributes:
        text: what is written in it, letters and digits only.
        corners: float32, 4×2, its corners (x, y) in page pixels, in order.
    """

    text: str
    corners: NDArray[np.float32]


@dataclasses.dataclass(slots=True)
class Counts:
    """What was read on one or more pages.

    Attributes:
        fields: labelled fields in which something is written.
        exact: those read without a mistake.
        written: letters in them.
        edits: letters read wrong, missed or too many within fields, empty ones too.
        missed: letters of fields in which fewer letters were read than are written.
        invented: letters read in no field or in an empty one.
    """

    fields: int = 0
    exact: int = 0
    written: int = 0
    edits: int = 0
    missed: int = 0
    invented: int = 0

    def __add__(self, other: Counts) -> Counts:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Counts(*(one + two for one, two in pairs))

    def __str__(self) -> str:
        written = max(1, self.written)
        return (
            f"{self.exact} of {self.fields} fields exact ({self.exact / max(1, self.fields):.1%}), "
            f"CER {self.edits / written:.1%}, missed {self.missed / written:.1%}, "
            f"invented {self.invented / written:.1%} of {self.written} letters"
        )


def real_pages(data: Path) -> Iterator[tuple[str, Image, list[Place]]]:
    """Yield the name, the image and the fields of each whole page of forms."""
    for folder in sorted((data / "forms").iterdir()):
        rows = list(csv.DictReader((folder / "truth.csv").read_text(encoding="utf-8").splitlines()))
        for path in sorted(one for one in folder.iterdir() if one.suffix in PAGE_SUFFIXES):
            page = _grey(path)
            places = [
                _located(page, _grey(folder / row["file"]), row["label"])
                for row in rows
                if Path(row["file"]).name.startswith(path.stem)
            ]
            yield path.name, page, places


def _grey(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise click.ClickException(f"{path} is no picture")
    return np.asarray(image, np.uint8)


def _located(page: Image, crop: Image, text: str) -> Place:
    """Find where a crop was cut from its page."""
    differences = cv2.matchTemplate(page, crop, cv2.TM_SQDIFF_NORMED)
    least, _, (x, y), _ = cv2.minMaxLoc(differences)
    if least > SAME_DIFFERENCE:
        raise click.ClickException(f"the field {text} is not on its page")
    right, bottom = x + crop.shape[1], y + crop.shape[0]
    return Place(_plain(text), np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float32))


def _plain(text: str) -> str:
    """Keep letters and digits."""
    known = ALPHABETS["alnum"]
    return "".join(character for character in text.upper() if character in known)


def made_pages(folders: Sequence[Path], count: int, seed: int) -> Iterator[tuple[str, Image, list[Place]]]:
    """Make pages with the writers and fonts of some folders."""
    sources = load_page_sources(folders)
    rng = np.random.default_rng(seed)
    maker = PageMaker(sources, rng)
    for number in range(count):
        page = scan_page(maker.page(*MADE_SIZE), sources.pictures, rng)
        yield f"made-{number}.png", page.image, [Place(_plain(one.text), one.corners) for one in page.fields]


def count_page(letters: Iterable[Letter], places: Sequence[Place]) -> Counts:
    """Compare the letters of a page, in reading order, with its fields."""
    texts = [""] * len(places)
    counts = Counts()
    for letter in letters:
        if letter.is_mark:
            continue
        box = letter.box
        middle = (box.x + box.width / 2, box.y + box.height / 2)
        inside = [cv2.pointPolygonTest(place.corners, middle, False) >= 0 for place in places]
        if True in inside:
            texts[inside.index(True)] += letter.letter
        else:
            counts.invented += 1
    for place, text in zip(places, texts, strict=True):
        if not place.text:
            counts.invented += len(text)
            continue
        counts.fields += 1
        counts.exact += text == place.text
        counts.written += len(place.text)
        counts.edits += Levenshtein.distance(text, place.text)
        counts.missed += max(0, len(place.text) - len(text))
    return counts


def _draw(page: Image, letters: Sequence[Letter], path: Path) -> None:
    """Write a picture of the page with what was read."""
    picture = cv2.cvtColor(page, cv2.COLOR_GRAY2BGR)
    for letter in letters:
        box = letter.box
        colour = (0, 0, 255) if letter.flagged else (0, 140, 0)
        cv2.rectangle(picture, (box.x, box.y), (box.x + box.width, box.y + box.height), colour, 1)
        size = max(0.4, box.height / 40)
        cv2.putText(
            picture, letter.letter, (box.x, box.y - 2), cv2.FONT_HERSHEY_SIMPLEX, size, (255, 0, 0), 1
        )
    cv2.imwrite(str(path), picture)


@click.command()
@click.option("--made", multiple=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--pages", default=20, show_default=True, help="Pages to make.")
@click.option("--seed", default=1, show_default=True)
@click.option("--model", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--drawn", type=click.Path(file_okay=False, path_type=Path))
def main(made: tuple[Path, ...], pages: int, seed: int, folder: Path | None, drawn: Path | None) -> None:
    """Read the whole pages of LETTERMILL_DATA, or made ones."""
    model = load_model(folder or installed_model_folder())
    settings = Settings(alphabet="alnum")
    classifier = Classifier(model, ALPHABETS["alnum"])
    total = Counts()
    source = made_pages(made, pages, seed) if made else real_pages(Path(os.environ["LETTERMILL_DATA"]))
    for name, page, places in source:
        lines, _ = read_lines(page, settings, classifier)
        letters = [letter for line in lines for letter in line.letters]
        counts = count_page(letters, places)
        click.echo(f"{name}: {counts}")
        total += counts
        if drawn is not None:
            drawn.mkdir(parents=True, exist_ok=True)
            _draw(page, letters, drawn / f"{Path(name).stem}.png")
    click.echo(f"together: {total}")


if __name__ == "__main__":
    main()
