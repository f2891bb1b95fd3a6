"""Decode HEIC, the format of phones, with libheif.

Its decoder has had more holes than the others, so all of this runs in a child process (`isolated`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from lettermill.jobs.scans.checks import check_pixels
from lettermill.jobs.settings import Limits

if TYPE_CHECKING:
    from PIL.Image import Image


def decode_heic(file: BinaryIO, limits: Limits) -> Image:
    """Decode the primary picture of a HEIC: its thumbnails, depth maps and other pictures are no pages.

    Returns:
        The picture as a viewer shows it. libheif turns it as the file says, and EXIF's orientation, which
        says the same once more, is left behind.

    Raises:
        ScanError: it is larger than the limit.
    """
    import pi_heif

    picture = pi_heif.open_heif(file)
    width, height = picture.size
    check_pixels("page", width, height, limits)
    image: Image = picture.to_pillow()
    return image
