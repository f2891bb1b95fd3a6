"""The page summary.html: a batch's story, and what to look at first; and the drawings that it links to.

The page needs nothing but itself: pictures are data URIs, there are no scripts and no requests. The worst
pages are drawn into overlays/.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ErrorCode, ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box
from lettermill.jobs.results.overlay import draw, to_png
from lettermill.jobs.results.summary import HISTOGRAM_BINS, SECONDS, Doubtful, Summary, WorstPage
from lettermill.jobs.scans.reader import open_unchanged, read_page
from lettermill.jobs.storage.display import display_path

if TYPE_CHECKING:
    import PIL.Image
    from jinja2 import Environment

QUALITY_ADVICE: dict[str, tuple[str, str]] = {
    "NO_INK": (
        "Nothing on the page is darker or lighter than its paper, dust and rules aside.",
        "Leave it if it is blank; else scan it darker.",
    ),
    "LOW_RESOLUTION": (
        "The letters are lower than 12 pixels.",
        "Scan at a higher resolution: 300 dpi gives a letter of 3 mm 35 pixels.",
    ),
    "LOW_CONTRAST": (
        "Ink and paper differ by less than a seventh of the way from black to white.",
        "Scan darker or with more contrast; photograph in better light.",
    ),
    "BLURRED": (
        "The edges of the strokes are so soft that letters close up.",
        "Clean the scanner's glass and lay the sheet flat; hold the camera still and let it focus.",
    ),
    "SKEWED": (
        "The lines of text are turned by more than 5°; from 20° on they are not found.",
        "Lay the sheet straight and scan it again, or turn the image.",
    ),
    "TURNED": (
        "The page lies on a side or upside down; it was turned before it was read.",
        "Look whether it was turned rightly; nothing needs to be done where it was.",
    ),
    "MUCH_INK_UNREAD": (
        "More than a quarter of the strokes on the page went into no letter, rules and frames aside.",
        "Look at the page: joined writing, drawings, stamps, struck text and letters on rules are left out.",
    ),
}
"""What each code of the column `quality` means and what a person can do about it."""

_MARGIN = 0.25
"""Paper around a letter's picture, as a share of its longer side: neighbours help to judge it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picture:
    """A letter to look at.

    Attributes:
        doubtful: the letter.
        source: its picture as a data URI, empty where there is none.
        missing: why there is no picture.
    """

    doubtful: Doubtful
    source: str
    missing: str


@dataclasses.dataclass(frozen=True, slots=True)
class Drawing:
    """A page to look at.

    Attributes:
        page: the page.
        thumbnail: its drawing, small, as a data URI; empty where there is none.
        overlay: the path of the drawing below the job folder.
        missing: why there is no drawing.
    """

    page: WorstPage
    thumbnail: str
    overlay: str
    missing: str


FAILURES_SHOWN = 24
"""Pages without a reading that the page names: more would hide what comes after them."""

OVERLAYS = "overlays"
"""The folder of the drawings in the job folder."""

_LETTER_PICTURE = (160, 160)
_THUMBNAIL = (420, 300)
_THUMBNAIL_QUALITY = 60


def pages(room: str) -> Environment:
    """Return what fills a room's templates: all text is escaped, and an unknown name is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(room),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["thousands"] = "{:,}".format
    return environment


def write_overlays_and_page(summary: Summary) -> str:
    """Write the drawings of the worst pages into the job's folder, and return the page that links to them.

    Raises:
        ResultsNotWritable: the job folder does not take the drawings.
    """
    pictures, drawings = _look(summary.job, summary.doubtful, summary.worst_pages)
    expectation, no_list = _expectation(summary)
    environment = pages("lettermill.jobs.results")
    environment.filters.update(shown=display_path, visible=visible, percent=_percent, moment=_moment)
    by_code = [(ErrorCode(name), count) for name, count in summary.by_error_code.items()]
    codes = [(code, count, code.meaning, code.remedy) for code, count in by_code]
    quality = [(code, count, *quality_advice(code)) for code, count in summary.by_quality.items()]
    return environment.get_template("summary.html.j2").render(
        summary=summary,
        job=summary.job,
        scan_root=display_path(summary.job.scan_root),
        codes=codes,
        failures=summary.failures[:FAILURES_SHOWN],
        quality=quality,
        flagged_for=flagged_for(summary),
        expected=expected(summary) if summary.unflagged_letters else "",
        bins=_binned(summary.histogram),
        scan_bins=_binned(summary.scan_histogram),
        doubts=[
            (char, round(100 * (1 - summary.letter_confidence[char]), 1) if count else 0)
            for char, count in summary.letter_counts.items()
        ],
        expectation=expectation,
        no_list=no_list,
        seconds=list(zip(_SECONDS_NAMES, summary.seconds_histogram, strict=True)),
        pictures=pictures,
        drawings=drawings,
    )


def flagged_for(summary: Summary) -> str:
    """Return why letters are flagged, for a sentence that says how many."""
    if summary.flagging.below is None:
        return f"as no letter is sure enough for {summary.flagging.accept_at}"
    return f"those below a confidence of {summary.flagging.below}"


def expected(summary: Summary) -> str:
    """Return what is expected of the letters that are not flagged, for a sentence that says how many."""
    wrong = "less than one" if summary.expected_wrong < 0.5 else f"about {summary.expected_wrong:,.0f}"
    return f"{wrong} expected to be wrong ({summary.expected_right:.2%} right)"


def _binned(counts: Sequence[int]) -> list[tuple[str, int]]:
    """Name the bins in percent; empty ones of the lower half are left out up to the first that is not."""
    width = 100 // HISTOGRAM_BINS
    bins = [(f"{width * bin_}–{width * (bin_ + 1)}", count) for bin_, count in enumerate(counts)]
    filled = next((bin_ for bin_, count in enumerate(counts) if count), 0)
    return bins[min(filled, HISTOGRAM_BINS // 2) :]


_SECONDS_NAMES = (
    f"under {SECONDS[0]:g}",
    *(f"{low:g}–{high:g}" for low, high in itertools.pairwise(SECONDS)),
    f"over {SECONDS[-1]:g}",
)


def _expectation(summary: Summary) -> tuple[dict[str, float], str]:
    """Return how often each character would be read if the pages held the words of the job's list.

    Without a list nothing is expected: names, codes and forms have the letters of no language.

    Returns:
        Counts by character, empty where nothing is expected; and why a list that there is cannot be used.
    """
    try:
        words = summary.job.lexicon
        counts = Counter("".join(entry.letters for entry in words.entries()) if words else "")
    except BadData as error:
        return {}, error.what
    whole = max(1, counts.total())
    return {char: summary.letters * count / whole for char, count in counts.items()}, ""


def quality_advice(code: str) -> tuple[str, str]:
    """Return what a quality code means and what to do; for one of another version, that it is unknown."""
    return QUALITY_ADVICE.get(code, ("This version does not know the code.", "Collect with a newer version."))


def visible(text: str) -> str:
    r"""Return text in which nothing hides: line breaks, controls and direction marks show as \n or \u202e."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _moment(iso: str) -> str:
    return dt.datetime.fromisoformat(iso).astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _look(
    job: Job, letters: Sequence[Doubtful], worst: Sequence[WorstPage]
) -> tuple[list[Picture], list[Drawing]]:
    """Cut out letters and draw pages; each page is opened once, and one page is in memory at a time."""
    folder = job.path / OVERLAYS
    old = set(folder.files()) if folder.is_folder() else set()
    if worst:
        folder.make()
    pictures: dict[Doubtful, Picture] = {}
    drawings: dict[str, Drawing] = {}
    for entry in dict.fromkeys([*(page.entry for page in worst), *(letter.entry for letter in letters)]):
        of_page = [letter for letter in letters if letter.entry == entry]
        to_draw = [page for page in worst if page.entry == entry]
        try:
            pixels = _pixels(job, entry)
        except ScanError as error:
            pictures.update({letter: Picture(letter, "", error.message) for letter in of_page})
            for page in to_draw:
                drawings[entry.id] = Drawing(page, "", "", error.message)
            continue
        pictures.update({letter: _picture(letter, pixels) for letter in of_page})
        for page in to_draw:
            name = f"{entry.id}.png"
            drawing = draw(pixels, page.lines)
            (folder / name).write(to_png(drawing))
            old.discard(name)
            drawing.thumbnail(_THUMBNAIL)
            thumbnail = _data_uri(drawing, "JPEG", quality=_THUMBNAIL_QUALITY)
            drawings[entry.id] = Drawing(page, thumbnail, f"{OVERLAYS}/{name}", "")
    for name in old:
        (folder / name).unlink(missing_ok=True)
    return [pictures[letter] for letter in letters], [drawings[page.entry.id] for page in worst]


def _pixels(job: Job, entry: ManifestEntry) -> NDArray[np.uint8]:
    scan = f"{job.scans_below}/{entry.scan}"
    try:
        with open_unchanged(job.local_roots.scans, scan, entry, job.settings.limits) as file:
            return read_page(file, entry.page, job.settings.dpi, job.settings.limits)
    except MemoryError as error:
        raise ScanError(ErrorCode.OUT_OF_MEMORY, "the scan is too large to open here") from error


def _picture(letter: Doubtful, pixels: NDArray[np.uint8]) -> Picture:
    crop = _crop(letter.letter.box, pixels)
    if crop.size == 0:
        return Picture(letter, "", "the letter's place lies outside of the scan")
    import PIL.Image

    picture = PIL.Image.fromarray(crop)
    picture.thumbnail(_LETTER_PICTURE)
    return Picture(letter, _data_uri(picture, "PNG", optimize=True), "")


def _crop(box: Box, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    margin = round(_MARGIN * max(box.width, box.height))
    top, left = max(box.y - margin, 0), max(box.x - margin, 0)
    return pixels[top : max(box.y + box.height + margin, 0), left : max(box.x + box.width + margin, 0)]


def _data_uri(picture: PIL.Image.Image, kind: str, **how: Any) -> str:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
