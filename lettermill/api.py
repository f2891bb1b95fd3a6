"""Read from Python: one page in this process, or a folder as `lettermill run` does. docs/python.md shows it.

Parameters have the names of the command line's options. Nothing here prints, and a page of an image is read
without another process; PDFs and HEICs are decoded in one, because a hostile file may end it.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import LettermillError, NotAJob, ScanError
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe, make_recipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.results.csv_tables import FIELDS_FILE, LETTERS_FILE, LINES_FILE, PAGES_FILE
from lettermill.jobs.results.scan_pages import by_scan
from lettermill.jobs.results.write import write_results
from lettermill.jobs.scans.find import DOCUMENT_SUFFIXES, common_folder
from lettermill.jobs.scans.page_count import PageCounter
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import AlphabetChoice, Layout, Printed
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.segmentation.quality import find_flaws
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.forms import Form
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import read_lines

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Letter",
    "LettermillError",
    "Line",
    "Page",
    "Results",
    "ScanError",
    "Word",
    "read",
    "read_pages",
    "run",
]

FilePath = str | os.PathLike[str]

Table = Literal["letters", "lines", "pages", "fields"]

_FILES: dict[Table, str] = {
    "letters": LETTERS_FILE,
    "lines": LINES_FILE,
    "pages": PAGES_FILE,
    "fields": FIELDS_FILE,
}

_NUMBERS = frozenset(
    {
        *("page", "line", "word", "position", "x", "y", "width", "height", "flagged", "attempts", "seconds"),
        *("confidence", "second_confidence", "third_confidence", "field_confidence", "mean_confidence"),
        *("min_confidence", "letters", "lines", "flagged_letters", "skew_degrees", "cell_row", "cell"),
    }
)
"""Columns of the CSV files that hold numbers; all others are text: 007 stays 007."""

_KEPT = 4
"""How many ways of reading stay prepared: loading the networks takes longer than reading a small page."""


class ReadingOptions(TypedDict, total=False):
    """How pages are read: the options of `lettermill run`, by the same names and with the same defaults."""

    alphabet: AlphabetChoice
    layout: Layout
    printed: Printed
    template: FilePath
    lexicon: FilePath
    context: str | FilePath
    dpi: int
    model: FilePath
    max_megapixels: float
    max_megabytes: float
    max_pages: int
    page_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """A word of a line.

    Attributes:
        letters: its letters, at least one.
    """

    letters: tuple[Letter, ...]

    @property
    def text(self) -> str:
        """Its letters."""
        return "".join(letter.letter for letter in self.letters)

    @property
    def box(self) -> Box:
        """The smallest box around its letters, in pixels of the page."""
        boxes = [letter.box for letter in self.letters]
        x, y = min(box.x for box in boxes), min(box.y for box in boxes)
        return Box(
            x, y, max(box.x + box.width for box in boxes) - x, max(box.y + box.height for box in boxes) - y
        )

    @property
    def confidence(self) -> float:
        """The mean confidence of its letters, 0–1."""
        return _mean_confidence(self.letters)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A line of a page, or a field of a form.

    Attributes:
        letters: its letters and marks in reading order, at least one.
        box: its box in pixels of the page.
        field: the field's name; empty without a template.
        lexicon_text: the line as read with the word list; empty without one.
    """

    letters: tuple[Letter, ...]
    box: Box
    field: str = ""
    lexicon_text: str = ""

    @property
    def words(self) -> tuple[Word, ...]:
        """Its words."""
        groups = itertools.groupby(self.letters, key=lambda letter: letter.word)
        return tuple(Word(tuple(letters)) for _, letters in groups)

    @property
    def text(self) -> str:
        """Its words, joined by one space."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """The mean confidence of its letters, 0–1."""
        return _mean_confidence(self.letters)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """What was read on a page.

    Attributes:
        lines: its lines in reading order; with a template, a line for each field that is not empty.
        quality: codes about the scan, the gravest first (docs/output.md).
        width: in pixels; None where a job of an early version did not keep it.
        height: in pixels; as `width`.
        scan: the file; empty for an array.
        number: the page's number in the file, from 1.
    """

    lines: tuple[Line, ...]
    quality: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    scan: str = ""
    number: int = 1

    @property
    def text(self) -> str:
        """Its lines, joined by line breaks."""
        return "\n".join(line.text for line in self.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def letters(self) -> tuple[Letter, ...]:
        """All letters in reading order."""
        return tuple(letter for line in self.lines for letter in line.letters)

    @property
    def fields(self) -> dict[str, str]:
        """The texts of the fields that are not empty; none without a template."""
        return {line.field: line.text for line in self.lines if line.field}

    def to_dataframe(self, rows: Literal["letters", "words", "lines"] = "letters") -> pd.DataFrame:
        """Return a table with a row for each letter, word or line; pandas is imported for it.

        Args:
            rows: what has a row.

        Returns:
            The columns line (from 1), word (of letters and words), text, x, y, width, height, confidence, and
            of letters flagged.
        """
        import pandas as pd

        table = []
        for number, line in enumerate(self.lines, 1):
            if rows == "lines":
                table.append({"line": number, **_cells(line.text, line)})
                continue
            for word in line.words:
                place = {"line": number, "word": word.letters[0].word}
                if rows == "words":
                    table.append(place | _cells(word.text, word))
                else:
                    table += [
                        place | _cells(one.letter, one) | {"flagged": one.flagged} for one in word.letters
                    ]
        columns = ["line", "word", "text", "x", "y", "width", "height", "confidence", "flagged"]
        absent = {"letters": set(), "words": {"flagged"}, "lines": {"word", "flagged"}}[rows]
        return pd.DataFrame(table, columns=[column for column in columns if column not in absent])

    def __str__(self) -> str:
        return self.text


@dataclasses.dataclass(frozen=True, slots=True)
class Results:
    """The results of `run`: a job folder, with everything that `lettermill run` writes.

    Attributes:
        path: the job folder: a path on disk, or an address `s3://…`.
    """

    path: Path | str

    def pages(self) -> Iterator[Page]:
        """Yield the pages that were read, in order, as the networks read them.

        Raises:
            NotAJob: the job folder is damaged.
        """
        for scan, pages in by_scan(Job.open(locate(self.path))):
            for entry, reading in pages:
                if reading is None or isinstance(reading, NotAJob) or reading.failed:
                    continue
                lines = tuple(map(_line, reading.lines))
                yield Page(lines, reading.quality, reading.width, reading.height, scan, entry.page)

    def to_dataframe(self, table: Table = "letters") -> pd.DataFrame:
        """Return a CSV file of the job, with people's corrections; pandas is imported for it.

        Args:
            table: which one; failed pages are in "pages", with the reason.

        Returns:
            The columns that docs/output.md describes. Texts are text: 007 stays 007, and an empty cell is "".

        Raises:
            FileNotFoundError: the job has no such table: "fields" without a template.
        """
        import pandas as pd

        with (locate(self.path) / _FILES[table]).opened() as file:
            found = pd.read_csv(file, dtype=str, keep_default_na=False)
        if table == "fields":  # Its other columns have the names of fields, and are what people wrote.
            known = frozenset({"page", "flagged", *(f"{name}_confidence" for name in found.columns)})
        else:
            known = _NUMBERS
        return found.assign(**{name: pd.to_numeric(found[name]) for name in found.columns if name in known})


def read(image: FilePath | NDArray[np.uint8], *, page: int = 1, **options: Unpack[ReadingOptions]) -> Page:
    """Read one page.

    Args:
        image: a file, or pixels: uint8, h×w grey (0 black, 255 white) or h×w×3 red, green, blue.
        page: the page's number in a TIFF or PDF file, from 1.
        options: as those of `lettermill run`: alphabet, layout, printed, template, lexicon, dpi, model and
            the limits.

    Returns:
        The page; one without letters has no lines.

    Raises:
        FileNotFoundError: there is no such file.
        ScanError: the page cannot be read; it says why and what to do.
        LettermillError: an option cannot be used.
        TypeError, ValueError: the array is no image.
    """
    recipe = _recipe(options)
    if isinstance(image, str | os.PathLike):
        pixels = read_page(_existing(image), page, recipe.settings.dpi, recipe.settings.limits)
        return _read(pixels, recipe, os.fspath(image), page)
    return _read(_grey(image), recipe, "", 1)


def read_pages(file: FilePath, **options: Unpack[ReadingOptions]) -> Iterator[Page]:
    """Read all pages of a file, one after the other.

    Args:
        file: a TIFF, a PDF, or a file with one page.
        options: as for `read`.

    Yields:
        The pages.

    Raises:
        As `read`.
    """
    recipe = _recipe(options)
    path, limits = _existing(file), recipe.settings.limits
    pages = 1
    if path.suffix.lower() in DOCUMENT_SUFFIXES:
        with PageCounter(Disk(path.parent), limits) as counter:
            pages = counter.count(path.name)
    for number in range(1, pages + 1):
        pixels = read_page(path, number, recipe.settings.dpi, limits, pages)
        yield _read(pixels, recipe, os.fspath(file), number)


def run(
    *sources: FilePath,
    out: FilePath = "results",
    name: str = "",
    workers: int | None = None,
    max_failures: int | None = None,
    **options: Unpack[ReadingOptions],
) -> Results:
    """Read a folder of scans, or some files, on all cores, as `lettermill run` does.

    Pages that were read before are not read again. Progress goes to standard error.

    Args:
        sources: a folder, or files and folders, on disk or in an object store.
        out: the folder that holds the job folders.
        name: the job folder's name; by default after scans and settings.
        workers: how many pages are read at once; by default, the machine's cores.
        max_failures: stop when more pages than this have failed; None for never.
        options: as for `read`.

    Returns:
        The results; pages that failed do not raise.

    Raises:
        LettermillError: there is nothing to read, or an option cannot be used.
    """
    from lettermill.jobs.running.dispatch import read_here

    recipe = _recipe(options)
    folder, only = common_folder([locate(os.fspath(source)) for source in sources])
    results = locate(os.fspath(out))
    roots = Roots(folder, results)
    made = make_job(folder, results, recipe, roots, only=only, name=name, max_failures=max_failures)
    point_latest(made.job)
    if made.to_read:
        read_here(made.job, roots, workers or usable_cores())
    write_results(made.job)
    return Results(Path(made.job.path) if isinstance(made.job.path, Disk) else str(made.job.path))


def _existing(file: FilePath) -> Path:
    path = Path(file)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {display_path(path)}")
    return path


class _Prepared:
    """What reads pages by a recipe: the networks, the word list, the form."""

    def __init__(self, recipe: ReadingRecipe) -> None:
        ngram = recipe.context.ngram if recipe.context else None
        self.classifier = Classifier(recipe.model, recipe.settings.characters, ngram)
        self.lexicon = Lexicon(recipe.lexicon) if recipe.lexicon else None
        self.form = Form(recipe.template, self.classifier) if recipe.template else None


_prepared: dict[tuple[str, str], _Prepared] = {}
"""The last few, by the fingerprints of settings and model."""


def _prepare(recipe: ReadingRecipe) -> _Prepared:
    key = recipe.settings.fingerprint(), recipe.model.fingerprint
    if key not in _prepared:
        recipe.check_alphabet()
        while len(_prepared) >= _KEPT:
            del _prepared[next(iter(_prepared))]
        _prepared[key] = _Prepared(recipe)
    return _prepared[key]


def _recipe(options: ReadingOptions) -> ReadingRecipe:
    given: dict[str, Any] = {**options}
    for name in ("model", "lexicon", "template"):
        if given.get(name):
            given[name] = Path(given[name])
    return make_recipe(**given)


def _read(pixels: NDArray[np.uint8], recipe: ReadingRecipe, scan: str, number: int) -> Page:
    with_ = _prepare(recipe)
    if with_.form:
        lines, segmentation = with_.form.read(pixels, recipe.settings)
    else:
        lines, segmentation = read_lines(pixels, recipe.settings, with_.classifier, with_.lexicon)
    height, width = pixels.shape
    quality = tuple(flaw.value for flaw in find_flaws(segmentation))
    return Page(tuple(map(_line, lines)), quality, width, height, scan, number)


def _line(reading: LineReading) -> Line:
    return Line(reading.letters, reading.box, reading.field, reading.lexicon_text)


def _grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an array as a page.

    Raises:
        TypeError, ValueError: it is no image.
    """
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8:
        raise TypeError(f"an image must be uint8, 0 black to 255 white, not {pixels.dtype}")
    if not pixels.size or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(
            f"an image must be h×w or h×w×3 and not empty, not {'×'.join(map(str, pixels.shape))}"
        )
    if pixels.ndim == 2:
        return pixels
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))


def _cells(text: str, of: Letter | Word | Line) -> dict[str, object]:
    box = of.box
    return {
        "text": text,
        **{"x": box.x, "y": box.y, "width": box.width, "height": box.height},
        "confidence": of.confidence,
    }


def _mean_confidence(letters: Sequence[Letter]) -> float:
    return sum(letter.confidence for letter in letters) / len(letters)
