"""What `--context` takes: packs that come with Lettermill, packs of one's own, lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from lettermill.jobs.errors import BadData
from lettermill.jobs.inputs.context import (
    PACK_SUFFIX,
    PACKS,
    installed_pack_folder,
    read_context,
    words_of,
)

MOST_BYTES_OF_A_PACK, MOST_BYTES_OF_ALL = 2_000_000, 10_000_000


def test_the_packs_that_come_with_it_are_small() -> None:
    files = sorted(installed_pack_folder().glob(f"*{PACK_SUFFIX}"))

    assert {path.stem for path in files} == set(PACKS)
    assert max(path.stat().st_size for path in files) <= MOST_BYTES_OF_A_PACK
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES_OF_ALL


@pytest.mark.parametrize(
    ("name", "likely", "unlikely"),
    [
        ("names", "MARTINEZ", "HARTIMEZ"),
        ("english", "THE", "TUE"),
        ("french", "TOUJOURS", "TOUIOURS"),
        ("german", "SCHREIBEN", "SCHRFIBEN"),
        ("spanish", "SIEMPRE", "SIFMPRE"),
        ("italian", "SEMPRE", "SFMPRE"),
        ("portuguese", "SEMPRE", "SFMPRE"),
        ("dutch", "ALTIJD", "ALTLJD"),
    ],
)
def test_each_pack_expects_its_words(name: str, likely: str, unlikely: str) -> None:
    ngram = read_context(name).ngram

    assert ngram.log_probability(likely) > ngram.log_probability(unlikely) + 1


def test_a_list_is_counted_with_the_numbers_behind_its_words(tmp_path: Path) -> None:
    listed = tmp_path / "streets.txt"
    listed.write_text("\ufeff# streets\nRue Léon-Blum,40\n\nHauptstraße\nAllee, 3\n", encoding="utf-8")

    ngram = read_context(str(listed)).ngram

    assert ngram.log_probability("LEON") > ngram.log_probability("ALLEE")
    assert ngram.log_probability("HAUPTSTRASSE") > ngram.log_probability("HAUPTSTRAXXE")


def test_a_pack_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("ANNA\nLEA\n", encoding="utf-8")
    made = read_context(str(tmp_path / "list.txt"))
    pack = tmp_path / f"own{PACK_SUFFIX}"
    pack.write_bytes(made.content)

    assert read_context(str(pack)).digest == made.digest


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no words"),
        (b"ANNA\n\xff\n", "line 2: the line is not UTF-8"),
        ("ANNA\nИван\n".encode(), "line 2: the line ('Иван') has characters"),
        (b"A" * 70, "more than 64 letters"),
        (b"ANNA,0\n", "a count that is not between"),
        (b"PK\x03\x04", "is no pack of this version"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(content)

    with pytest.raises(BadData, match=r"list\.txt") as raised:
        read_context(str(file))

    assert what in str(raised.value)


def test_an_unknown_name_says_which_packs_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot read the context") as raised:
        read_context(str(tmp_path / "klingon"))

    assert "names, english" in raised.value.next_step


def test_words_of_a_text() -> None:
    assert words_of("Jean-Luc d'Été  O’Neil") == ["JEAN", "LUC", "DETE", "ONEIL"]
