"""Cuts the letters of reviewed pages from their scans, as a training set.

Letters that people decided are doubtful ones, and a network that sees these alone learns a wrong picture. So
where nothing is left to review on a page, the letters that were sure enough not to be shown train as they
were read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ErrorCode, ScanError
from lettermill.jobs.job.corrections import SETTLED, Correction, Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box, PageReading
from lettermill.jobs.scans.reader import open_unchanged, read_page
from lettermill.jobs.settings import MARKS
from lettermill.training.letters.set_formats import LabelledImages
from lettermill.training.letters.sources import Found

_LABELLED = (Decision.RIGHT, Decision.CORRECTED)

_MARGIN_PIXELS = 2
"""Paper around a letter's box: `ink_of` takes the paper's grey from the edge of the image."""


def reviewed_set(job: Path) -> Found:
    """Return a reviewed job as a training set; its source is the name of the job folder."""
    return Found(job, job.resolve().name, "corrections", read_corrections)


def read_corrections(path: Path) -> LabelledImages:
    """Cut out the letters that people confirmed or corrected, and sure ones of pages that are done.

    Args:
        path: a job folder.

    Returns:
        Their images (uint8, h×w, grey) with the labels that people gave them, or that were read; the writers
        are unknown. Marks are left out: the CNN has no class for them.

    Raises:
        NotAJob: the folder is no job folder, or it is damaged.
        BadData: nobody has decided about a letter whose scan can be read.
    """
    job = Job.open(path)
    corrections = Corrections(job)
    images: list[NDArray[np.uint8]] = []
    labels: list[str] = []
    remarks: list[str] = []
    reviewed = {one.page for one in (*corrections, *corrections.fields())}
    for entry in [entry for entry, _ in job.manifest() if entry.id in reviewed]:
        ((_, reading),) = job.results.read_each([entry.id])
        if not isinstance(reading, PageReading):
            continue
        said = corrections.of_page(reading)
        letters = [
            (one.box, one.corrected)
            for one in said.values()
            if one.decision in _LABELLED and one.corrected and one.corrected not in MARKS
        ]
        if letters:
            letters += _sure(reading, said)
            try:
                images += _cut(job, entry, [box for box, _ in letters])
                labels += [label for _, label in letters]
            except ScanError as error:
                remarks.append(f"{entry.scan}, page {entry.page}: its letters are left out: {error.message}")
    remarks += corrections.count().unused
    if not images:
        raise BadData(
            "; ".join([f"{path} has no letters that somebody decided in a review", *remarks]),
            "Review its letters first: `lettermill review JOB`.",
        )
    return LabelledImages(images, labels, [""] * len(labels), tuple(remarks))


def _sure(reading: PageReading, said: Mapping[tuple[int, int], Correction]) -> list[tuple[Box, str]]:
    """Return the letters that nobody needed to look at; none if a flagged letter is still to be settled."""
    letters = {
        (line, position): letter
        for line, one in enumerate(reading.lines, start=1)
        for position, letter in enumerate(one.letters, start=1)
    }
    settled = {place for place, one in said.items() if one.decision in SETTLED}
    if any(letter.flagged and place not in settled for place, letter in letters.items()):
        return []
    return [
        (letter.box, letter.letter)
        for place, letter in letters.items()
        if place not in said and not letter.is_mark
    ]


def _cut(job: Job, entry: ManifestEntry, boxes: Sequence[Box]) -> list[NDArray[np.uint8]]:
    limits = job.settings.limits
    scan = f"{job.scans_below}/{entry.scan}"
    try:
        with open_unchanged(job.local_roots.scans, scan, entry, limits) as file:
            pixels = read_page(file, entry.page, job.settings.dpi, limits)
    except MemoryError as error:
        raise ScanError(ErrorCode.OUT_OF_MEMORY, "the scan is too large to open here") from error
    return [_crop(box, pixels) for box in boxes]


def _crop(box: Box, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    top, left = max(box.y - _MARGIN_PIXELS, 0), max(box.x - _MARGIN_PIXELS, 0)
    crop = pixels[top : box.y + box.height + _MARGIN_PIXELS, left : box.x + box.width + _MARGIN_PIXELS]
    if crop.size == 0:
        raise ScanError(ErrorCode.SCAN_CHANGED, "the letter's box lies outside of the scan")
    return crop
