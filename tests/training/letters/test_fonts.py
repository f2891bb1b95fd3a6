"""Letters and lines of a font."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

from lettermill.jobs.settings import DIGITS, LETTERS
from lettermill.training.letters import fonts
from lettermill.training.letters.set_formats import NO_LETTER

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def test_a_font_gives_each_character_and_pieces_of_lines() -> None:
    content = fonts.read_font(FONT)
    alone = len(LETTERS + DIGITS)
    assert content.labels[:alone] == list(LETTERS + DIGITS)
    assert len(content.labels) > alone + 60  # six lines of some twenty characters
    assert set(content.labels) <= {*LETTERS, *DIGITS, NO_LETTER}
    assert set(content.writers) == {"DejaVuSans"}
    assert fonts.read_font(FONT).labels == content.labels
