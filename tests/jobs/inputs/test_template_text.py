"""A template as TOML: what is written is what is read, and people can read it."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.inputs.template_text import template_text
from tests.support import ROOT

KEYS = st.from_regex(r"[a-z_]{1,8}", fullmatch=True).filter(lambda key: key != "fields")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LISTS = st.lists(TEXTS | st.integers(0, 9), max_size=4)
VALUES = TEXTS | st.integers(-(10**6), 10**6) | st.booleans() | LISTS
TABLES = st.dictionaries(KEYS, VALUES, max_size=5)


@given(TABLES, st.lists(TABLES, min_size=1, max_size=3))
def test_what_is_written_is_what_is_read(file: dict[str, object], fields: list[dict[str, object]]) -> None:
    values = {**file, "fields": fields}
    assert tomllib.loads(template_text(values)) == values


def test_people_can_read_it() -> None:
    field = {"alphabet": r"[A-Z]\d", "box": [1, 2, 30, 40], "kind": "code", "name": "card", "required": True}
    text = template_text({"blank": "a 'b'.pdf", "dpi": 200, "rules": ["a = b"], "fields": [field]})
    assert text.splitlines()[2:] == [
        "blank = \"a 'b'.pdf\"", "dpi = 200", 'rules = ["a = b"]', "", "[[fields]]",
        'name = "card"', 'kind = "code"', "box = [1, 2, 30, 40]", r"alphabet = '[A-Z]\d'", "required = true",
    ]  # fmt: skip


def test_the_example_keeps_its_values() -> None:
    text = (ROOT / "examples" / "form" / "form.toml").read_text()
    assert tomllib.loads(template_text(tomllib.loads(text))) == tomllib.loads(text)
