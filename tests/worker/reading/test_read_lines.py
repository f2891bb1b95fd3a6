"""Pages to lines: drawn pages word by word, and the error rates on real photographs that the docs state."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.word_list import WordList, plain
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import ALPHABETS, LETTERS, Limits, Printed, Settings
from lettermill.segmentation.page import segment
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.trace import Trace
from lettermill.segmentation.values import Flaw
from lettermill.worker.reading.calibration import field_confidence
from lettermill.worker.reading.classifier import Classification, Classifier
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import (
    DOUBTFUL_BELOW_PROBABILITY,
    ClassifiedWord,
    _Chosen,
    _with_slashes,
    _word_numbers,
    classify_candidates,
    classify_components,
    classify_page,
    read_lines,
)
from tests.worker.reading.words import word_of

ALNUM = Settings(alphabet="alnum")
ONE_LINE = Settings(layout="line", printed="keep")


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), LETTERS)


@pytest.fixture(scope="module")
def alnum() -> Classifier:
    return Classifier(load_model(installed_model_folder()), ALPHABETS["alnum"])


def drawn(*words: str, gap: int = 12) -> NDArray[np.uint8]:
    """A line of words, with a gap in pixels between the boxes of letters and a wide one between words."""
    font = ImageFont.load_default(90)
    text = "   ".join(words)
    page = Image.new("L", (120 + 90 * len(text), 180), 255)
    x = 60
    for letter in text:
        left, _, right, _ = font.getbbox(letter)
        ImageDraw.Draw(page).text((x - left, 40), letter, font=font, fill=0)
        x += round(right - left) + gap
    return np.asarray(page.crop((0, 0, x + 60, 180)))


class Notes(Trace):
    """Records what the stages report."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {}
        self.readings: list[dict[str, str]] = []

    def note(self, stage: str, seen: Any, what: str = "") -> None:
        self.seen[stage] = seen

    def note_readings(self, top: float, bottom: float, readings: Any) -> None:
        texts = {name: "".join(one for one, _ in read) for name, read in readings.items()}
        self.readings.append(texts)


def test_words_are_numbered_and_boxes_enclose_their_ink(classifier: Classifier) -> None:
    page = drawn("MILL", "AT", "HOME")
    (line,), segmentation = read_lines(page, ONE_LINE, classifier)
    assert line.text == "MILL AT HOME"
    assert [letter.word for letter in line.letters] == [1] * 4 + [2] * 2 + [3] * 4
    assert len(segmentation.lines) == 1
    for letter in line.letters:
        box = letter.box
        inside = page[box.y : box.y + box.height, box.x : box.x + box.width]
        assert inside.min() < 100
        assert line.box.x <= box.x
        assert box.x + box.width <= line.box.x + line.box.width


def test_a_page_without_ink_has_no_lines(classifier: Classifier) -> None:
    page = np.full((100, 300), 255, np.uint8)
    notes = Notes()
    lines, segmentation = read_lines(page, Settings(), classifier, trace=notes)
    assert (lines, segmentation.lines, notes.seen["chosen"]) == ((), (), [])
    assert classify_page(page, Settings(), classifier)[1] == []


def test_letters_below_the_setting_are_flagged(classifier: Classifier) -> None:
    page = drawn("HOUSE")
    (line,), _ = read_lines(page, Settings(layout="line", printed="keep", flag_below=0.0), classifier)
    assert not any(letter.flagged for letter in line.letters)
    (line,), _ = read_lines(page, Settings(layout="line", printed="keep", flag_below=1.0), classifier)
    assert all(letter.flagged for letter in line.letters if letter.confidence < 1)


def test_look_alikes_follow_their_line_if_both_kinds_are_allowed(alnum: Classifier) -> None:
    settings = Settings(alphabet="alnum", layout="line", printed="keep")
    (line,), _ = read_lines(drawn("HOUSE", "2409"), settings, alnum)
    assert line.text == "HOUSE 2409"


def test_a_slash_is_read_and_ends_a_word_where_it_is_not(alnum: Classifier, classifier: Classifier) -> None:
    page = drawn("ABECUP", gap=50)
    (line,), _ = read_lines(page, ALNUM, alnum)
    assert line.text == "ABECUP"

    before, after = line.letters[2].box, line.letters[3].box
    middle = (before.x + before.width + after.x) // 2
    slashed = Image.fromarray(page)
    ImageDraw.Draw(slashed).line([(middle - 18, 140), (middle + 18, 25)], 0, 8)
    (line,), _ = read_lines(np.asarray(slashed), ALNUM, alnum)
    assert line.text == "ABE/CUP"
    assert line.letters[3].is_mark
    (line,), _ = read_lines(np.asarray(slashed), Settings(), classifier)
    assert line.text == "ABE CUP"
    (line,), _ = read_lines(np.asarray(slashed), ONE_LINE, classifier)
    assert line.text == "ABE CUP"


def test_a_bar_that_does_not_lean_is_no_slash(alnum: Classifier) -> None:
    page = drawn("ABECUP", gap=50)
    (line,), _ = read_lines(page, ALNUM, alnum)
    before, after = line.letters[2].box, line.letters[3].box
    middle = (before.x + before.width + after.x) // 2
    barred = Image.fromarray(page)
    ImageDraw.Draw(barred).line([(middle, 150), (middle, 15)], 0, 8)
    (line,), _ = read_lines(np.asarray(barred), ALNUM, alnum)
    assert "/" not in line.text


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["12-", "05"], [1, 1, 1, 1, 1]),
        (["1,", "234.", "50"], [1] * 8),
        (["J.", "SMITH"], [1, 1, 2, 2, 2, 2, 2]),
        (["O", "'", "NEIL", "A"], [1, 1, 1, 1, 1, 1, 2]),
        (["A", "", "B"], [1, 2]),
    ],
)
def test_marks_join_words_but_stops_and_commas_beside_letters(words: list[str], numbers: list[int]) -> None:
    x = itertools.count(0, 30)
    segmented = [
        word_of(*((left, left + 20) for _, left in zip(word or "?", x, strict=False))) for word in words
    ]
    chosen = [
        _Chosen(candidate, number, ((character, 0.9),), False, False)
        for number, (word, one) in enumerate(zip(words, segmented, strict=True))
        for character, candidate in zip(word, one.candidates, strict=False)
    ]
    nothing = Classification(np.zeros((0, 1), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32))
    assert _word_numbers(chosen, [ClassifiedWord(one, 20.0, nothing) for one in segmented]) == numbers


def test_marks_change_neither_the_word_list_nor_look_alikes(alnum: Classifier) -> None:
    page = Image.fromarray(drawn("HOUSE", gap=50))
    (line,), _ = read_lines(np.asarray(page), ALNUM, alnum)
    before, after = line.letters[2].box, line.letters[3].box
    middle = (before.x + before.width + after.x) // 2
    ImageDraw.Draw(page).line([(middle - 18, 140), (middle + 18, 25)], 0, 8)
    names = Lexicon(WordList(Path("words.txt"), b"House\nMill", ALPHABETS["alnum"]))
    (line,), _ = read_lines(np.asarray(page), ALNUM, alnum, names)
    assert (line.text, line.lexicon_text) == ("HOU/SE", "House")


def test_a_word_list_adds_its_reading_and_changes_no_letter(classifier: Classifier) -> None:
    names = Lexicon(WordList(Path("words.txt"), b"Mill\nHouse", LETTERS))
    page = drawn("MILL", "AT")
    (without,), _ = read_lines(page, ONE_LINE, classifier)
    (with_list,), _ = read_lines(page, ONE_LINE, classifier, names)
    assert (without.lexicon_text, with_list.lexicon_text) == ("", "Mill AT")
    assert with_list.letters == without.letters


def test_stages_report_the_parts_and_the_chosen_letters(classifier: Classifier) -> None:
    notes = Notes()
    lines, _ = read_lines(drawn("OHOH", gap=-9), ONE_LINE, classifier, trace=notes)
    letters = [letter for line in lines for letter in line.letters]
    boxes = [(one.box.x, one.box.y) for (one,) in notes.seen["chosen"]]
    assert boxes == [(letter.box.x, letter.box.y) for letter in letters]
    assert all(one.last == one.first + 1 for (one,) in notes.seen["parts"])
    assert len(notes.seen["parts"]) >= len(letters)


@pytest.mark.parametrize(("layout", "views"), [("page", 1), ("line", 3)])
def test_both_readers_report_what_they_read(classifier: Classifier, layout: Any, views: int) -> None:
    notes = Notes()
    (line,), _ = read_lines(drawn("MILL"), Settings(layout=layout), classifier, trace=notes)
    names = ("CNN", *(f"line network{view}" for view in ("", ", stretched", ", whole image")))
    (readings,) = notes.readings
    assert list(readings) == [*names[: 1 + views], "chosen"]
    assert readings["CNN"] == readings["chosen"] == line.text == "MILL"
    assert read_lines(drawn("MILL"), Settings(layout=layout), classifier)[0] == (line,)


def test_doubtful_components_are_over_segmented_and_certain_ones_are_not(classifier: Classifier) -> None:
    for page, more in ((drawn("RAMEN"), False), (drawn("OHOH", gap=-9), True)):
        segmentation = segment(page, "line", "keep")
        components = classify_components(segmentation, classifier)
        count = sum(len(word.candidates) for line in segmentation.lines for word in line.words)
        assert len(components.probabilities) == len(components.reject) == count
        certain = components.probabilities.max(axis=1) * (1 - components.reject) >= DOUBTFUL_BELOW_PROBABILITY
        assert bool(certain.all()) != more
        words = classify_candidates(segmentation, components, page.shape, classifier)
        assert (sum(len(each.word.candidates) for each in words) > count) == more
        for each in words:
            assert len(each.classification.probabilities) == len(each.word.candidates)
            assert each.lattice().parts == len(each.word.gaps) + 1


def read(path: Path, classifier: Classifier) -> str:
    lines, _ = read_lines(read_page(path, 1, 300, Limits()), ALNUM, classifier)
    return "\n".join(line.text for line in lines)


@pytest.mark.parametrize("name", ["01_list", "03_haiku"])
def test_block_letters_on_a_photographed_page(data: Path, alnum: Classifier, name: str) -> None:
    truth = "".join((data / "pages" / f"{name}.txt").read_text().split())
    text = "".join(read(data / "pages" / f"{name}.jpg", alnum).split())
    errors = Levenshtein.distance(text, truth)
    assert errors / len(truth) <= 0.02, f"{errors} edits in {len(truth)} characters: {text}"


def test_words_are_separated_as_written(data: Path, alnum: Classifier) -> None:
    truth = (data / "pages" / "03_haiku.txt").read_text().split()
    text = read(data / "pages" / "03_haiku.jpg", alnum).split()
    assert [len(word) for word in text] == [len(word) for word in truth]


def test_an_image_of_one_line_is_as_sure_as_its_least_letter() -> None:
    page = drawn("MILL", "HOME")
    classifier = Classifier(load_model(installed_model_folder()), LETTERS)
    classifier.field_calibration = ((-10.0, -5.0), (10.0, 5.0))
    (line,), _ = read_lines(page, Settings(layout="line"), classifier)
    least = min(letter.confidence for letter in line.letters)
    assert line.confidence == field_confidence([least], classifier.field_calibration)
    for others in (Settings(layout="page"), ONE_LINE):
        assert all(line.confidence is None for line in read_lines(page, others, classifier)[0])
    classifier.field_calibration = ()
    assert read_lines(page, Settings(layout="line"), classifier)[0][0].confidence is None


def test_a_slash_beside_nothing_that_was_read_is_left_out(classifier: Classifier) -> None:
    page = drawn("A/B")
    segmentation = segment(page, "line", "keep")
    components = classify_components(segmentation, classifier)
    words = classify_candidates(segmentation, components, page.shape, classifier)
    assert any(one.mark > 0 for each in words for one in each.word.candidates)
    assert _with_slashes([], words) == []


def test_a_page_of_digits_read_as_letters_says_so(classifier: Classifier, alnum: Classifier) -> None:
    settings = Settings(layout="line", printed="keep")
    _, found = read_lines(drawn("34796", "7943"), settings, classifier)
    assert found.has_other_alphabet and Flaw.OTHER_ALPHABET in find_flaws(found)
    _, found = read_lines(drawn("HOUSE", "BOSS"), settings, classifier)
    assert not found.has_other_alphabet
    _, found = read_lines(drawn("34796"), Settings(layout="line", printed="keep", alphabet="alnum"), alnum)
    assert not found.has_other_alphabet


@pytest.mark.parametrize("printed", ["keep", "drop"])
def test_auto_decides_for_each_line(alnum: Classifier, printed: Printed) -> None:
    lines = [drawn(text) for text in ("HOUSE", "2409", "KM4796")]
    width = max(line.shape[1] for line in lines)
    page = np.vstack(
        [np.pad(line, ((0, 0), (0, width - line.shape[1])), constant_values=255) for line in lines]
    )
    auto, both = (
        [line.text for line in read_lines(page, Settings(alphabet=each, printed=printed), alnum)[0]]
        for each in ("auto", "alnum")
    )
    assert auto == both == ["HOUSE", "2409", "KM4796"]
    (line,), _ = read_lines(drawn("2409"), Settings(layout="line", alphabet="auto", printed="keep"), alnum)
    assert all(choice.isdigit() for letter in line.letters for choice, _ in letter.ranking)


@pytest.mark.parametrize("text", ["2409", "HOUSE", "KM4796"])
def test_a_word_list_has_its_own_characters_where_the_line_decides(alnum: Classifier, text: str) -> None:
    names = Lexicon(WordList(Path("words.txt"), b"House\n2409\nKM4796\n47 Main", ALPHABETS["alnum"]))
    settings = Settings(layout="line", alphabet="auto")
    (line,), _ = read_lines(drawn(text), settings, alnum, names)
    assert plain(line.lexicon_text) == text
