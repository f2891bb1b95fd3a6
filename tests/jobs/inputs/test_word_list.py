"""Word lists: what a line of the file means, and what is said of lines that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs import word_list
from lettermill.jobs.inputs.word_list import WordList, plain, read_word_list
from lettermill.jobs.settings import DIGITS, LETTERS


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "words.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def found(words: WordList) -> list[tuple[str, str]]:
    """What is looked for, and the entry as it stands in the file."""
    return [(entry.letters, words.content[entry.begin : entry.end].decode()) for entry in words.entries()]


def test_a_word_a_line(tmp_path: Path) -> None:
    text = "# staff of 2026\r\n\r\nAnna\r\n  Zoë-Lou O’Neil \nLebœuf\n  # another\nSTRAẞE\nde l'Île"
    words = read_word_list(written(tmp_path, text), LETTERS)
    assert found(words) == [
        ("ANNA", "Anna"),
        ("ZOELOUONEIL", "Zoë-Lou O’Neil"),
        ("LEBOEUF", "Lebœuf"),
        ("STRASSE", "STRAẞE"),
        ("DELILE", "de l'Île"),
    ]


def test_a_byte_order_mark_is_no_part_of_a_word(tmp_path: Path) -> None:
    words = read_word_list(written(tmp_path, b"\xef\xbb\xbfAnna\nEva"), LETTERS)
    assert found(words) == [("ANNA", "Anna"), ("EVA", "Eva")]


@given(st.lists(st.text(LETTERS + LETTERS.lower() + "éÏç", min_size=1, max_size=8), min_size=1))
def test_every_word_is_found_again_as_it_is_written(names: list[str]) -> None:
    words = WordList(Path("words.txt"), "\n".join(names).encode(), LETTERS)
    assert found(words) == [(plain(name), name) for name in names]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("ANNA\nR2D2\n", "line 2: .*R2D2.* alphabet"),
        ("ANNA\nИван", "line 2: .*Иван.* alphabet"),
        ("# names\n\n---", "line 3: .* alphabet"),
        (b"ANNA\nZO\xcb\n", "line 2: .*UTF-8"),
        ("A" * (word_list.MAX_LETTERS + 1), "line 1: .*64 letters"),
        ("# nothing but this\n\n", "no words"),
        ("", "no words"),
    ],
)
def test_lines_that_cannot_be_used(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BadData, match=said) as error:
        read_word_list(path, LETTERS)
    assert str(path) in error.value.what
    assert error.value.next_step


def test_the_alphabet_decides_what_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, "R2D2\n12-34")
    assert [letters for letters, _ in found(read_word_list(path, LETTERS + DIGITS))] == ["R2D2", "1234"]
    with pytest.raises(BadData, match="R2D2"):
        read_word_list(path, DIGITS)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "not there.txt", tmp_path):
        with pytest.raises(BadData, match="cannot read the word list"):
            read_word_list(path, LETTERS)


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(word_list, "MAX_ENTRIES", 3)
    read_word_list(written(tmp_path, "A\nB\n#\nC\n"), LETTERS)
    with pytest.raises(BadData, match=r"line 5: .*more than 3 words"):
        read_word_list(written(tmp_path, "A\nB\n#\nC\nD\n"), LETTERS)
    with pytest.raises(BadData, match="larger than 16 megabytes"):
        read_word_list(written(tmp_path, b"A\n" * (word_list.MAX_BYTES // 2 + 1)), LETTERS)
