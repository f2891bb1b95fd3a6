"""Sources of pages for tests: a font that writes, one that prints, and a photograph of noise."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from lettermill.training.lines.line_sources import LineSources, read_line_font
from lettermill.training.pages.page_sources import PageSources

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"


def some_sources() -> PageSources:
    font = read_line_font(FONTS / "STIXGeneralItalic.ttf")
    assert font is not None
    picture = np.random.default_rng(1).integers(0, 255, (200, 300)).astype(np.uint8)
    return PageSources(LineSources(fonts=[font]), [FONTS / "DejaVuSans.ttf"], [], [picture])
