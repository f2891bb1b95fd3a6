"""Words written downwards are read so; the rows of answers, codes and lists stay rows."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.worker.reading.downward_words import read_downward_words

HEIGHT = 40


def line(*placed: tuple[str, int], y: int, listed: str = "") -> LineReading:
    """A line of words that begin at columns; letters are 30 wide and 10 apart."""
    letters = [
        Letter(Box(x + 40 * place, y, 30, HEIGHT), number, ((character, 0.9),), False)
        for number, (word, x) in enumerate(placed, start=1)
        for place, character in enumerate(word)
    ]
    right = max(one.box.x + one.box.width for one in letters)
    left = min(one.box.x for one in letters)
    return LineReading(Box(left, y, right - left, HEIGHT), tuple(letters), listed)


def rows(columns: Sequence[str], apart: int = 200, pitch: int = 70) -> list[LineReading]:
    """Columns of single letters, as lines that were read across."""
    return [
        line(
            *(
                (column[row], 50 + apart * number)
                for number, column in enumerate(columns)
                if row < len(column)
            ),
            y=50 + pitch * row,
        )
        for row in range(max(map(len, columns)))
    ]


def texts(lines: Sequence[LineReading]) -> list[str]:
    return [each.text for each in lines]


@pytest.mark.parametrize("pitch", [45, 60, 80])
@pytest.mark.parametrize(
    "words",
    [["NORTH", "SOUTH", "EAST"], ["HOTEL"], ["PARKING", "GARAGE"], ["WATER", "FIRE", "STOP", "DANGER"]],
)
def test_words_are_read_downwards(words: list[str], pitch: int) -> None:
    found, has_words = read_downward_words(rows(words, pitch=pitch))
    assert texts(found) == words
    assert has_words


def test_their_line_encloses_them_and_keeps_their_letters() -> None:
    across = rows(["HOTEL"])
    (found,), _ = read_downward_words(across)
    assert found.box == Box(50, 50, 30, 4 * 70 + HEIGHT)
    assert [letter.box for letter in found.letters] == [each.letters[0].box for each in across]


def test_marks_beside_the_letters_do_not_matter() -> None:
    across = rows(["NORTH", "SOUTH"])
    mark = Letter(Box(140, 65, 20, 6), 1, (("-", 0.5),), True)
    marked = [msgspec.structs.replace(one, letters=(one.letters[0], mark, one.letters[1])) for one in across]
    assert read_downward_words(marked) == read_downward_words(across)


def test_lines_above_and_below_stay_in_their_places() -> None:
    title, foot = line(("DIRECTIONS", 50), y=0), line(("THE", 50), ("END", 250), y=900)
    found, _ = read_downward_words([title, *rows(["NORTH", "SOUTH"]), foot])
    assert texts(found) == ["DIRECTIONS", "NORTH", "SOUTH", "THE END"]


@pytest.mark.parametrize(
    "columns",
    [
        ["ABDCA", "BBADC", "CADBB", "DACAB"],
        ["BEADDEEDBEAD"],
        ["TFFTFT", "FTTFFF"],
        ["MFFMF"],
        ["KQZXW", "VHJPG"],
        ["TOR", "HER", "ERE", "REN"],
    ],
)
def test_answers_and_codes_stay_in_their_rows(columns: list[str]) -> None:
    across = rows(columns)
    found, _ = read_downward_words(across)
    assert list(found) == across


def test_letters_as_near_across_as_down_stay_in_their_rows() -> None:
    across = rows(["NORTH", "SOUTH", "EASTS"], apart=70)
    assert read_downward_words(across) == (tuple(across), False)


def test_a_word_beside_other_text_is_only_reported() -> None:
    across = [
        line((letter, 50), (text, 250), y=50 + 70 * row)
        for row, (letter, text) in enumerate(
            zip("HOTEL", ["ROOMS", "MEALS", "DRINKS", "GARDEN", "POOL"], strict=True)
        )
    ]
    assert read_downward_words(across) == (tuple(across), True)


def test_the_letters_of_a_list_are_not_reported() -> None:
    across = [
        line((letter, 50), (text, 250), y=50 + 70 * row)
        for row, (letter, text) in enumerate(
            zip("ABCDG", ["ROOMS", "MEALS", "DRINKS", "GARDEN", "POOL"], strict=True)
        )
    ]
    assert read_downward_words(across) == (tuple(across), False)


def test_lines_of_words_are_untouched() -> None:
    across = [line(("A", 50), ("CAT", 130), y=50), line(("I", 50), ("SEE", 130), y=120)]
    assert read_downward_words(across) == (tuple(across), False)
    assert read_downward_words([]) == ((), False)


def test_with_a_word_list_a_downward_word_says_what_was_read() -> None:
    across = [line((letter, 50), y=50 + 70 * row, listed="X") for row, letter in enumerate("HOTEL")]
    (found,), _ = read_downward_words(across)
    assert found.lexicon_text == "HOTEL"
