"""Open a page of a scan for pictures, and cut a letter out of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import ErrorCode, ScanError
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import Box
from lettermill.jobs.scans.reader import open_unchanged, read_page


def page_pixels(job: Job, entry: ManifestEntry) -> NDArray[np.uint8]:
    """Decode a page of a scan.

    Args:
        job: the job.
        entry: the page.

    Returns:
        The page in grey, uint8, h×w, 0 black … 255 white.

    Raises:
        ScanError: the scan cannot be read, has changed since the job was made, or does not fit into memory.
    """
    scan = f"{job.scans_below}/{entry.scan}"
    try:
        with open_unchanged(job.local_roots.scans, scan, entry, job.settings.limits) as file:
            return read_page(file, entry.page, job.settings.dpi, job.settings.limits)
    except MemoryError as error:
        raise ScanError(ErrorCode.OUT_OF_MEMORY, "the scan is too large to open here") from error


def letter_crop(
    pixels: NDArray[np.uint8], box: Box, margin_share: float
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Cut a letter out of its page, with some paper around it.

    Args:
        pixels: the page, h×w; pixels from the upper left corner.
        box: the letter.
        margin_share: paper on each side, as a share of the letter's longer side.

    Returns:
        The crop, empty if the box lies outside of the page; and the x and y of its upper left corner.
    """
    margin = round(margin_share * max(box.width, box.height))
    top, left = max(box.y - margin, 0), max(box.x - margin, 0)
    bottom, right = max(box.y + box.height + margin, 0), max(box.x + box.width + margin, 0)
    return pixels[top:bottom, left:right], (left, top)
