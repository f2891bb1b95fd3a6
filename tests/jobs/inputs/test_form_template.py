"""A template is read as it stands, and what is wrong with one is said with file, line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from lettermill.jobs.errors import BadData, TemplateProblem
from lettermill.jobs.inputs.context import read_context
from lettermill.jobs.inputs.form_template import header, read_template
from lettermill.jobs.records.readings import Box
from tests.automata import accepts
from tests.support import ROOT

EXAMPLE = ROOT / "examples" / "form" / "form.toml"

GOOD = """blank = "blank.png"

[[fields]]
name = "name"
box = [10, 10, 100, 20]

[[fields]]
name = "code"
box = [10, 40, 80, 20]
alphabet = '[A-Z]\\d{3}'
comb = 4
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("L", (200, 100), 255).save(tmp_path / "blank.png")
    (tmp_path / "names.txt").write_text("ANNA\nBERT\n")
    (tmp_path / "form.toml").write_text(GOOD)
    return tmp_path


def test_the_example() -> None:
    template = read_template(EXAMPLE)
    assert template.blank.shape == (1240, 1748)
    assert [field.name for field in template.fields][:3] == ["surname", "card", "forename"]
    card = template.fields[1]
    assert (card.box, card.comb, card.required) == (Box(1154, 280, 504, 90), 7, True)
    assert accepts(card.automaton, "AB12345")
    assert sorted(template.files) == ["blank.png", "towns.txt"]
    assert header(template)[:7] == [
        "scan",
        "page",
        "status",
        "flagged",
        "look_at",
        "surname",
        "surname_confidence",
    ]


def test_what_is_not_saved_yet(folder: Path) -> None:
    """It is read as if it lay in the template's place; what is wrong is said with the field's number."""
    path = folder / "form.toml"
    other = GOOD.replace('"code"', '"card"')
    assert [field.name for field in read_template(path, other.encode()).fields] == ["name", "card"]
    for text, where in (
        (GOOD.replace("comb = 4", "comb = 3"), (1, "comb", "the pattern needs at least 4 characters")),
        (GOOD.replace("comb = 4", "cells = 4"), (1, "cells", "there is no key cells")),
        (GOOD.replace("\n", "\ndpi = 5\n", 1), (None, "dpi", "dpi must be a whole number")),
        (GOOD.replace("\n", '\nrules = ["a = b"]\n', 1), (None, "rules", "there is no field a")),
    ):
        with pytest.raises(TemplateProblem) as caught:
            read_template(path, text.encode())
        found = caught.value
        assert (found.field, found.key) == where[:2] and found.said.startswith(where[2])
        assert found.what.startswith(str(path)) and found.what.endswith(found.said)
    assert path.read_text() == GOOD


def test_every_file_is_part_of_the_digest(folder: Path) -> None:
    path = folder / "form.toml"
    first = read_template(path).digest
    assert read_template(path).digest == first
    path.write_text(GOOD + "# a remark\n")
    second = read_template(path).digest
    Image.new("L", (200, 100), 254).save(folder / "blank.png")
    third = read_template(path).digest
    assert len({first, second, third}) == 3


def test_a_blank_that_is_a_pdf(folder: Path) -> None:
    Image.new("L", (200, 100), 255).save(folder / "blank.pdf", resolution=100)
    (folder / "form.toml").write_text(
        GOOD.replace("blank.png", "blank.pdf").replace("\n", "\ndpi = 200\n", 1)
    )
    assert read_template(folder / "form.toml").blank.shape == (200, 400)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"blank.png"', '"gone.png"', "line 1: cannot read the blank form gone.png: No such file"),
        ('"blank.png"', '"../blank.png"', "line 1: '../blank.png' is not the name of a blank form in"),
        ('"blank.png"', '"names.txt"', "line 1: the blank form names.txt: this is n"),
        ('"blank.png"', "7", "line 1: blank must be the name of a file in the template's folder, in quotes"),
        ('blank = "blank.png"', "", "line 1: blank is missing"),
        (
            'name = "code"',
            'name = "Name"',
            "line 8, field Name: the field in line 4 already has a column",
        ),
        ('name = "code"', 'name = "page"', "line 8, field page: fields.csv already has a column page"),
        (
            'name = "code"',
            'name = "name_confidence"',
            "line 8, field name_confidence: the field in line 4 already has",
        ),
        (
            'name = "code"',
            'name = "two words"',
            'line 8: "two words" cannot be a field name: use letters, digits and _, begin with a letter',
        ),
        ('name = "code"', "", "line 7: name is missing"),
        (
            "[10, 40, 80, 20]",
            "[10, 25, 80, 20]",
            "line 9, field code: the fields name (line 5) and code overlap",
        ),
        (
            "[10, 40, 80, 20]",
            "[150, 40, 80, 20]",
            "line 9, field code: the box is not inside the blank form, which has",
        ),
        ("[10, 40, 80, 20]", "[-1, 40, 80, 20]", "line 9, field code: the box is not inside the blank form"),
        (
            "[10, 40, 80, 20]",
            "[10, 40, 30, 20]",
            "line 9, field code: the field or its cells are smaller than",
        ),
        (
            "[10, 40, 80, 20]",
            "[10, 40, 80]",
            "line 9: box must be four whole numbers: [x, y, width, height]",
        ),
        ("[10, 40, 80, 20]", "[10, 40, 80.5, 20]", "line 9: box must be four whole numbers"),
        (
            "comb = 4",
            "comb = 3",
            "line 11, field code: the pattern needs at least 4 characters",
        ),
        ("comb = 4", "combs = 4", "line 11: there is no key combs, only name, box, alphabet, comb"),
        (
            "comb = 4",
            'lexicon = "names.txt"',
            "line 11, field code: a field with a pattern cannot have a",
        ),
        (
            "comb = 4",
            'context = "names"',
            "line 11, field code: only a field of letters or alnum can have a context",
        ),
        (
            "'[A-Z]\\d{3}'",
            "'[a-z]+'",
            "line 10, field code: the class [a-z] has characters that cannot be read",
        ),
        ("comb = 4", "comb = ", "is not TOML"),
        ("comb = 4", "comb = 0", "line 11: comb must be a whole number from 1 to 200"),
        ("comb = 4", 'required = "yes"', "line 11: required must be true or false"),
        ("comb = 4", '"comb" = "4"', "line 11: comb must be a whole number"),
        (
            'blank = "blank.png"',
            'blank = "blank.png"\ndpi = 20',
            "line 2: dpi must be a whole number from 50",
        ),
        (
            'blank = "blank.png"',
            'blank = "blank.png"\nsize = 2',
            "line 2: there is no key size, only blank, fields",
        ),
        ("'[A-Z]\\d{3}'", '"[A-Z]\\d{3}"', "is not TOML: Unescaped"),
        ("'[A-Z]\\d{3}'", '"DIGITS"', "line 10, field code: write digits in small letters"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(folder: Path, old: str, new: str, what: str) -> None:
    assert old in GOOD
    (folder / "form.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(BadData) as caught:
        read_template(folder / "form.toml")
    assert str(folder / "form.toml") in caught.value.what
    assert what in caught.value.what
    assert caught.value.next_step


KINDS = """blank = "blank.png"
rules = [
  "paid <= due",
  "one of yes, no",
]

[[fields]]
name = "due"
kind = "amount"
box = [10, 10, 60, 20]
decimal = ","

[[fields]]
name = "paid"
kind = "amount"
box = [80, 10, 60, 20]

[[fields]]
name = "yes"
kind = "tick"
box = [10, 40, 10, 10]

[[fields]]
name = "no"
kind = "tick"
box = [30, 40, 10, 10]

[[fields]]
name = "stamp"
kind = "ignore"
box = [50, 40, 40, 20]

[[fields]]
name = "town"
box = [100, 40, 60, 20]
"""


def test_kinds_have_columns_for_their_values_at_the_end(folder: Path) -> None:
    (folder / "form.toml").write_text(KINDS)
    template = read_template(folder / "form.toml")
    assert [field.name for field in template.fields] == ["due", "paid", "yes", "no", "town"]
    assert header(template)[15:] == ["due_value", "paid_value", "yes_value", "no_value", "broken_rules"]
    assert [rule.fields for rule in template.rules] == [("paid", "due"), ("yes", "no")]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"amount"', '"money"', "line 9: kind must be one of text, name, date, time, phone, amount, code"),
        ('decimal = ","', 'decimal = ";"', 'line 11: decimal must be the decimal mark, "." or ","'),
        (
            'decimal = ","',
            'alphabet = "digits"',
            "line 11: there is no key alphabet in a field of the kind amount",
        ),
        ('decimal = ","', "decimals = 7", "line 11: decimals must be a whole number from 0 to 4"),
        ('kind = "amount"\nbox = [80', 'kind = "date"\nbox = [80', "line 13: order is missing"),
        (
            'kind = "amount"\nbox = [80',
            'kind = "date"\norder = "DDM"\nbox = [80',
            "line 16: order must be DMY, MDY or YMD",
        ),
        (
            'kind = "amount"\nbox = [10, 10, 60, 20]\ndecimal = ","',
            'kind = "date"\nbox = [10, 10, 60, 20]\norder = "DMY"\nyears = [2030, 1900]',
            "line 12, field due: the first year is after the last",
        ),
        (
            'kind = "amount"\nbox = [10, 10, 60, 20]\ndecimal = ","',
            'kind = "code"\nbox = [10, 10, 60, 20]',
            "line 9, field due: a code needs an alphabet or a check",
        ),
        (
            'kind = "amount"\nbox = [10, 10, 60, 20]\ndecimal = ","',
            'kind = "choice"\nbox = [10, 10, 60, 20]\nchoices = ["Yes", "YES"]',
            "line 11, field due: YES is there twice",
        ),
        (
            'kind = "amount"\nbox = [10, 10, 60, 20]\ndecimal = ","',
            'kind = "choice"\nbox = [10, 10, 60, 20]\nchoices = ["?"]',
            "line 11, field due: '?' is not a word of A to Z",
        ),
        ("paid <= due", "paid <= sum", "line 3: there is no field sum"),
        ("paid <= due", "paid <= town", "line 3: town has no number, date or time"),
        ("one of yes, no", "one of yes, stamp", "line 4: there is no field stamp"),
        ('"one of yes, no"', "7", "line 2: rules must be a list of rules, each in quotes"),
        ("[50, 40, 40, 20]", "[25, 40, 40, 20]", "the fields no (line 26) and stamp overlap"),
        (
            "[10, 40, 10, 10]",
            "[10, 40, 5, 5]",
            "line 21, field yes: the field or its cells are smaller than 8",
        ),
        ('name = "town"', 'name = "due_value"', "line 34, field due_value: the field in line 8 already has"),
        (
            'name = "town"',
            'name = "broken_rules"',
            "line 34, field broken_rules: fields.csv already has a column",
        ),
    ],
)
def test_what_is_wrong_with_a_kind_is_said_with_its_line(folder: Path, old: str, new: str, what: str) -> None:
    assert old in KINDS
    (folder / "form.toml").write_text(KINDS.replace(old, new, 1))
    with pytest.raises(BadData) as caught:
        read_template(folder / "form.toml")
    assert what in caught.value.what
    assert caught.value.next_step


def test_fields_in_one_array(folder: Path) -> None:
    path = folder / "form.toml"
    path.write_text('blank = "blank.png"\n\nfields = [{name = "a", box = [1, 1, 20, 20]}]\n')
    assert [field.name for field in read_template(path).fields] == ["a"]
    path.write_text('blank = "blank.png"\n\nfields = [{name = "a", box = [1, 1, 20, 2]}]\n')
    with pytest.raises(BadData, match="line 3, field a: the field or its cells are smaller than"):
        read_template(path)
    path.write_text('blank = "blank.png"\n\nfields = 7\n')
    with pytest.raises(
        BadData, match=r"line 3: fields must be 1 to 500 tables, each under a line \[\[fields"
    ):
        read_template(path)
    path.write_text('blank = "blank.png"\nfields = [7]\n')
    with pytest.raises(BadData, match="line 2: fields must be 1 to 500 tables"):
        read_template(path)


def test_a_word_list(folder: Path) -> None:
    text = GOOD.replace("box = [10, 10, 100, 20]\n", 'box = [10, 10, 100, 20]\nlexicon = "names.txt"\n')
    (folder / "form.toml").write_text(text)
    assert read_template(folder / "form.toml").fields[0].lexicon is not None
    (folder / "names.txt").write_text("ANNA\nB3RT\n")
    with pytest.raises(BadData, match=r"names\.txt, line 2"):
        read_template(folder / "form.toml")


def with_context(name: str) -> str:
    return GOOD.replace("box = [10, 10, 100, 20]\n", f'box = [10, 10, 100, 20]\ncontext = "{name}"\n')


def test_a_context_of_a_field(folder: Path) -> None:
    (folder / "form.toml").write_text(with_context("names.txt"))
    context = read_template(folder / "form.toml").fields[0].context
    assert context is not None
    assert context.ngram.log_probability("ANNA") > context.ngram.log_probability("BNNB")
    (folder / "form.toml").write_text(with_context("nowhere.txt"))
    with pytest.raises(
        BadData, match=r"form\.toml, line 6, field name: cannot read the context nowhere\.txt"
    ):
        read_template(folder / "form.toml")


def test_a_pack_goes_with_the_template_and_its_copy_counts(folder: Path) -> None:
    """A job's folder holds the pack, so that a later Lettermill with other packs reads it as before."""
    (folder / "form.toml").write_text(with_context("names"))
    template = read_template(folder / "form.toml")
    assert sorted(template.files) == ["blank.png", "names.npz"]
    assert template.fields[0].context == read_context("names")
    (folder / "names.npz").write_bytes(read_context("dutch").content)
    copied = read_template(folder / "form.toml")
    assert copied.fields[0].context == read_context("dutch")
    assert copied.digest != template.digest


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"fields = []", b"x" * 2_000_000])
def test_what_is_no_template(folder: Path, content: bytes) -> None:
    (folder / "form.toml").write_bytes(content)
    with pytest.raises(BadData, match=r"form\.toml"):
        read_template(folder / "form.toml")


def test_an_image_in_the_place_of_a_template(folder: Path) -> None:
    with pytest.raises(BadData, match=r"blank\.png is an image, not a template") as caught:
        read_template(folder / "blank.png")
    assert caught.value.next_step.endswith(f"lettermill template new {folder}/blank.png")
    with pytest.raises(BadData, match="No such file"):
        read_template(folder / "none.png")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            '"first name"',
            '"first name" cannot be a field name: .* at most 40 characters, .* \\(first_name\\)$',
        ),
        ('"2nd"', '"2nd" cannot be a field name: .* in quotes$'),
        ("7", "7 cannot be a field name: .* in quotes$"),
    ],
)
def test_a_better_name_is_proposed_where_there_is_one(folder: Path, name: str, said: str) -> None:
    (folder / "form.toml").write_text(GOOD.replace('"code"', name))
    with pytest.raises(BadData) as caught:
        read_template(folder / "form.toml")
    assert re.search(said, caught.value.what)


def test_a_template_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="No such file"):
        read_template(tmp_path / "form.toml")
