"""What lines are made from."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from lettermill.jobs.errors import BadData
from lettermill.jobs.settings import LETTERS
from lettermill.training.lines.line_sources import load_sources, read_line_font
from tests.training.written_fields import drawn_sources, write_sources, write_strokes

FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def test_a_folder_gives_glyphs_strokes_words_and_captions(tmp_path: Path) -> None:
    sources = drawn_sources(tmp_path)
    assert sources.glyphs is not None and set(LETTERS) <= set(sources.glyphs.of)
    assert len(sources.writers) == 1 and set(LETTERS) <= set(sources.writers[0])
    assert [text for _, text in sources.words] == sources.vocabulary == ["HAT", "TIN"]
    assert len(sources.captions) > 400 and all(caption.max() > 200 for caption in sources.captions[:20])
    assert len(sources.drawings_by_character["A"]) == 1


def test_sites_that_are_measured_on_are_left_out(tmp_path: Path) -> None:
    folder = write_sources(tmp_path / "sources")
    write_strokes(folder / "other_caps_strokes.npz", list(LETTERS), "char_first_stroke", site="aga")
    write_strokes(folder / "other_words_strokes.npz", ["SECRET"], "word_first_stroke", site="art")
    write_strokes(folder / "third_caps_strokes.npz", list(LETTERS), "char_first_stroke", site="val")
    sources = load_sources([folder])
    assert len(sources.drawings_by_character["A"]) == 1 and "SECRET" not in sources.vocabulary


def test_a_tenth_of_the_glyphs_is_left_to_measure_on(tmp_path: Path) -> None:
    image = np.zeros((20, 28, 28), np.uint8)
    image[:, 4:24, 10:14] = 255
    np.savez(tmp_path / "bars.npz", x=image, y=np.array(["I"] * 20))
    glyphs = load_sources([tmp_path]).glyphs
    assert glyphs is not None and len(glyphs.images) == 18


def test_fonts_write_lines_and_those_of_print_captions_alone(tmp_path: Path) -> None:
    for name in ("hand", "print"):
        (tmp_path / name).mkdir()
        shutil.copy(FONT, tmp_path / name / "one.ttf")
    assert len(load_sources([tmp_path / "hand", tmp_path / "print"]).fonts) == 1
    with pytest.raises(BadData, match="can write a line"):
        load_sources([tmp_path / "print"])


def test_a_fonts_capitals_begin_at_their_top() -> None:
    font = read_line_font(FONT)
    assert font is not None
    assert abs(font.glyphs["H"].top) <= 1 and abs(font.glyphs["H"].ink.shape[0] - font.capital) <= 1
    assert font.glyphs["."].top > 0.6 * font.capital


def test_what_is_no_source_is_named(tmp_path: Path) -> None:
    lines: list[str] = []
    folder = write_sources(tmp_path / "sources")
    (folder / "notes.txt").write_text("hello")
    load_sources([folder], lines.append)
    assert "notes.txt: not used for lines" in lines
    assert "1 writers' pen strokes, 2 words" in lines[-1]
    with pytest.raises(BadData, match="is not a folder"):
        load_sources([tmp_path / "gone"])


def test_damaged_strokes_are_named(tmp_path: Path) -> None:
    (tmp_path / "pen_strokes.npz").write_bytes(b"no archive")
    with pytest.raises(BadData, match=r"pen_strokes\.npz cannot be read as pen strokes"):
        load_sources([tmp_path])


def test_letters_that_were_cut_from_fields_write_no_lines(tmp_path: Path) -> None:
    folder = write_sources(tmp_path / "sources")
    before = load_sources([folder]).glyphs
    image = np.zeros((3, 28, 28), np.uint8)
    image[:, 4:24, 10:14] = 255
    np.savez(folder / "forms_aligned.npz", x=image, y=np.array(["I", "I", ""]))
    after = load_sources([folder]).glyphs
    assert before is not None and after is not None and len(after.images) == len(before.images)
