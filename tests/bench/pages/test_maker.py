"""Made pages: their truth is exact, they are the same again, and what is easy is read."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from bench.pages.difficulties import GROUPS, NAMES, Difficulties
from bench.pages.hands import FontHand, Hand, font_hands, stroke_hands
from bench.pages.layouts import KINDS, PRINT_FONTS
from bench.pages.maker import MadePage, make
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.settings import Settings
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines
from tests.support import ROOT

ROOT = ROOT
SANS = FontHand(PRINT_FONTS / "DejaVuSans.ttf")
LINES = ["QUICK MAZE", "FLAX JT"]
SMALL = sorted(set(KINDS) - {"a4"})


@pytest.fixture
def strokes(tmp_path: Path) -> Hand:
    """A writer of Z and L."""
    drawings = {
        "Z": [[[[0, 0], [60, 0], [0, 100], [60, 100]]]],
        "L": [[[[0, 0], [0, 100], [50, 100]], [[5, 5], [6, 5]]]],
    }
    path = tmp_path / "drawn_strokes.json"
    path.write_text(json.dumps(drawings), encoding="utf-8")
    return stroke_hands(path, [1])[0]


def level(page: MadePage, share: float) -> float:
    """Return the grey that lies a share of the way from ink to paper."""
    ink, paper = float(page.grey.min()), float(np.median(page.grey))
    return ink + share * (paper - ink)


def ink_outside(page: MadePage) -> int:
    """Count inked pixels that lie in no letter's box."""
    inked = page.grey < level(page, 0.45)
    for letter in page.letters:
        inked[letter.y : letter.y + letter.height, letter.x : letter.x + letter.width] = False
    return int(np.count_nonzero(inked))


def slack(page: MadePage) -> int:
    """Return how many pixels the boxes are larger than the ink in them, at the worst side of all."""
    worst = 0
    inked = page.grey < level(page, 0.6)
    for letter in page.letters:
        inside = inked[letter.y : letter.y + letter.height, letter.x : letter.x + letter.width]
        for axis, size in ((1, letter.height), (0, letter.width)):
            found = np.flatnonzero(inside.any(axis=axis))
            worst = max(worst, int(found[0]), int(size - 1 - found[-1]))
    return worst


@pytest.mark.parametrize("kind", ["line", "card", "a4"])
def test_boxes_hold_the_ink_and_no_more(kind: str) -> None:
    page = make(kind, SANS, 3, lines=LINES)
    assert ink_outside(page) == 0
    assert slack(page) <= 1


@settings(max_examples=15)
@given(seed=st.integers(0, 999), skew=st.floats(0, 1), curve=st.floats(0, 1), resolution=st.floats(0, 0.5))
def test_boxes_follow_every_bend(seed: int, skew: float, curve: float, resolution: float) -> None:
    page = make("line", SANS, seed, Difficulties(skew=skew, curve=curve, resolution=resolution, slant=0.5))
    assert ink_outside(page) == 0
    assert slack(page) <= 2


def test_drawn_strokes_fill_their_boxes(strokes: Hand) -> None:
    page = make("card", strokes, 1, lines=["ZLZ LLZ"])
    assert ink_outside(page) == 0
    assert slack(page) <= 1
    low = [letter.height for letter in page.letters]
    assert max(low) < 1.3 * min(low)  # The dot beside the L is no part of it.


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_letters_spell_the_text_in_its_lines_and_words(kind: str) -> None:
    page = make(kind, SANS, 5)
    spelled: dict[int, dict[int, str]] = {}
    for letter in page.letters:
        words = spelled.setdefault(letter.line, {})
        words[letter.word] = words.get(letter.word, "") + letter.character
    assert "\n".join(" ".join(words.values()) for words in spelled.values()) == page.text
    for line in spelled:
        lefts = [letter.x for letter in page.letters if letter.line == line]
        assert lefts == sorted(lefts)


@pytest.mark.parametrize("kind", SMALL)
def test_the_same_seed_gives_the_same_bytes(kind: str) -> None:
    hard = Difficulties(**dict.fromkeys(NAMES, 0.5))
    first, again, other = (make(kind, SANS, seed, hard) for seed in (1, 1, 2))
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.letters, first.text) == (again.letters, again.text)
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_each_difficulty_changes_the_page_the_more_the_stronger(name: str) -> None:
    pages = [make("card", SANS, 4, Difficulties(**{name: strength}), LINES) for strength in (0.0, 0.25, 1.0)]
    assert len({page.image.tobytes() for page in pages}) == 3
    assert {page.text for page in pages} == {"\n".join(LINES)}
    assert {len(page.letters) for page in pages} == {len("".join(LINES)) - 2}


def test_each_difficulty_is_in_one_group() -> None:
    assert sorted(sum(GROUPS.values(), ())) == sorted(NAMES)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strengths_lie_between_0_and_1(strength: float) -> None:
    with pytest.raises(ValueError, match="the strength of skew"):
        Difficulties(skew=strength)


def test_a_difficulty_leaves_the_rest_of_the_page_as_it_is() -> None:
    plain, ruled = make("card", SANS, 4), make("card", SANS, 4, Difficulties(rules=0.5))
    assert plain.letters == ruled.letters
    darker = plain.grey.astype(int) - ruled.grey
    assert (darker >= -1).all() and (darker > 50).any()


def test_the_letters_of_a_pair_share_ink() -> None:
    import cv2

    pages = [make("pair", SANS, seed) for seed in range(10)]
    parts = [cv2.connectedComponents((page.grey < 128).astype(np.uint8))[0] - 1 for page in pages]
    assert parts == [1] * 10


def test_pairs_overlap_the_more_the_harder() -> None:
    widths = []
    for touching in (0.0, 0.5, 1.0):
        first, second = make("pair", SANS, 3, Difficulties(touching=touching)).letters
        widths.append(second.x + second.width - first.x)
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


@pytest.mark.parametrize(("strength", "turns"), [(0.2, 1), (0.6, 2), (1.0, 3)])
def test_turned_pages_have_their_letters_where_they_stand(strength: float, turns: int) -> None:
    upright, turned = make("line", SANS, 4), make("line", SANS, 4, Difficulties(turned=strength))
    assert (np.rot90(turned.image, -turns) == upright.image).all()
    assert ink_outside(turned) == 0
    assert slack(turned) <= 2
    assert turned.text == upright.text


def test_letters_of_a_comb_stand_each_in_its_cell() -> None:
    page = make("comb", SANS, 2, lines=["AB CD"])
    assert [letter.word for letter in page.letters] == [1, 1, 2, 2]
    middles = [letter.x + letter.width / 2 for letter in page.letters]
    cell = 1.5 * KINDS["comb"].cap
    assert np.allclose(np.diff(middles), [cell, 2 * cell, cell], atol=0.3 * cell)


def test_clean_pages_are_read() -> None:
    classifier = Classifier(load_model(installed_model_folder()), Settings().characters)
    truth = read = ""
    for seed, name in enumerate(("DejaVuSans.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSans-Bold.ttf")):
        page = make("card", FontHand(PRINT_FONTS / name), seed)
        lines, _ = read_lines(page.grey, Settings(), classifier)
        truth += page.text
        read += "\n".join(line.text for line in lines)
    assert Levenshtein.normalized_distance("".join(truth.split()), "".join(read.split())) < 0.05


def test_the_script_writes_pages_their_texts_and_their_letters(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts"
    fonts.mkdir()
    (fonts / "hand.ttf").symlink_to(PRINT_FONTS / "DejaVuSans.ttf")
    script = [sys.executable, "-m", "bench.pages.write", str(tmp_path / "made")]
    words = ["--kind", "field", "--pages", "2", "--fonts", str(fonts)]
    subprocess.run([*script, *words], check=True, timeout=60, cwd=ROOT)
    rows = list(csv.reader((tmp_path / "made/truth.csv").read_text().splitlines()))
    letters = json.loads((tmp_path / "made/letters.json").read_text())
    assert rows[0] == ["file", "label"]
    assert [row[0] for row in rows[1:]] == sorted(letters)
    for name, label in rows[1:]:
        assert (tmp_path / "made" / name).is_file()
        assert "".join(letter["character"] for letter in letters[name]["letters"]) == label


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no font"):
        font_hands(tmp_path)
