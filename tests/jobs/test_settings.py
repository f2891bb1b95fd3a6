"""Settings are written and read as plain values, and what changes a reading changes the fingerprint."""

from __future__ import annotations

import msgspec
import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.settings import ALPHABETS, Limits, Settings


def test_settings_are_read_as_they_were_written() -> None:
    digests = ("of a word list", "of a context", "of a template")
    settings = Settings("alnum", "line", "keep", 200, 0.8, *digests, Limits(max_pages=5))
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_json(Settings().to_json()) == Settings()


@pytest.mark.parametrize(
    "wrong",
    [
        {"alphabet": "greek"},
        {"dpi": 10},
        {"dpi": "300"},
        {"colour": "red"},
        {"limits": {"max_pages": 0}},
        {"limits": {"page_seconds": 1e9}},
    ],
)
def test_values_that_this_version_does_not_know(wrong: dict[str, object]) -> None:
    with pytest.raises(NotAJob, match=r"job\.json") as caught:
        Settings.from_json({**Settings().to_json(), **wrong})
    assert caught.value.next_step
    for values in (None, [], "letters"):
        with pytest.raises(NotAJob):
            Settings.from_json(values)


def test_all_but_the_limits_is_part_of_the_fingerprint() -> None:
    changed = [
        Settings(),
        Settings(alphabet="digits"),
        Settings(layout="page"),
        Settings(printed="keep"),
        Settings(dpi=200),
        Settings(flag_below=0.5),
        Settings(lexicon="a digest"),
        Settings(context="a digest"),
        Settings(template="a digest"),
    ]
    assert len({settings.fingerprint() for settings in changed}) == len(changed)
    assert Settings(limits=Limits(max_pages=1)).fingerprint() == Settings().fingerprint()


def test_the_fingerprint_of_the_defaults_stays() -> None:
    """It is part of every page's id: if it changes, all pages of all jobs are read again."""
    assert not {"template", "context"} & Settings().to_json().keys()
    assert Settings().fingerprint() == "84654fb02be492c5d45cc0e5676e52e041bffd942537ccd9123a6b73e67115fd"


def test_the_marks_of_an_alphabet() -> None:
    assert {alphabet: Settings(alphabet=alphabet).marks for alphabet in (*ALPHABETS, "auto")} == {
        "letters": "-'",
        "digits": "/-.,",
        "alnum": "/-.,'",
        "auto": "/-.,'",
    }


def test_the_characters_of_an_alphabet() -> None:
    assert Settings(alphabet="digits").characters == "0123456789"
    assert Settings(alphabet="alnum").characters == ALPHABETS["letters"] + ALPHABETS["digits"]


def test_larger_pages_may_take_more_memory() -> None:
    assert Limits(max_megapixels=2).memory_bytes - Limits(max_megapixels=1).memory_bytes == 25_000_000
    assert Limits(max_megapixels=1).memory_bytes > 1 << 30


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().dpi = 200  # type: ignore[misc]
    assert msgspec.structs.replace(Settings(), dpi=200).dpi == 200
