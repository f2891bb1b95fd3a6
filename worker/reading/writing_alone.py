"""Leaves the writing and the form lines of a page and erases the rest, before anything is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.settings import Settings
from lettermill.segmentation.region_image import region_image
from lettermill.segmentation.regions import Region, erase_what_is_no_writing
from lettermill.worker.reading.region_network import RegionNetwork

PRINTED_FORM_SHARE = 0.6
"""Share of print in the ink beside form lines from which a page is a printed form."""

LEAST_SIDE_PIXELS, LEAST_SIDE_RATIO = 200, 0.25
"""Lower or narrower images, and those whose short side is less than this share of the long one, are no pages
but lines or words: there is too little to see for the network."""


def writing_alone(
    page: NDArray[np.uint8], settings: Settings, network: RegionNetwork | None
) -> tuple[NDArray[np.uint8], bool]:
    """Erase print, logos, codes, pictures and the surroundings of the sheet from a page.

    A single line stays as it is, and so does a page whose print is to be kept.

    Args:
        page: uint8, h×w, grey.
        settings: the layout, and whether print is dropped.
        network: tells writing from print; None if the model has none, then nothing is erased.

    Returns:
        The page, and whether most of its ink is print.
    """
    if network is None or settings.printed == "keep" or settings.layout == "line":
        return page, False
    if min(page.shape) < max(LEAST_SIDE_PIXELS, LEAST_SIDE_RATIO * max(page.shape)):
        return page, False
    image, _ = region_image(page)
    erased = erase_what_is_no_writing(page, image, network.probabilities(image))
    beside_lines = 1 - erased.shares[Region.LINES]
    is_form = erased.page is not page and erased.shares[Region.PRINT] > PRINTED_FORM_SHARE * beside_lines
    return erased.page, is_form
