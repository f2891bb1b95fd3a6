"""Where fields are on a scan that lies on its blank in any way, by the letters of some of them."""

from __future__ import annotations

import cmath
from pathlib import Path

import pytest

from lettermill.jobs.inputs.form_template import Field, read_template
from lettermill.jobs.records.readings import Box, Letter, LineReading, PageReading, Status
from lettermill.jobs.results.field_place import lie_of

TEMPLATE = read_template(Path("examples/form/form.toml"))


def laid(field: Field, turn: complex, shift: complex) -> LineReading:
    """A field with one letter a little beside where it is expected, on a scan that lies so."""
    inset = field.box.width / field.comb / 2 if field.comb else field.box.height / 2
    middle = turn * complex(field.box.x + inset + 6, field.box.y + field.box.height / 2 - 4) + shift
    box = Box(round(middle.real) - 20, round(middle.imag) - 20, 40, 40)
    return LineReading(box, (Letter(box, 1, (("A", 0.9),), False),), "", field.name, 0.9)


@pytest.mark.parametrize("degrees", [0, 3, 90, 178, 270])
@pytest.mark.parametrize("scale", [0.5, 1.2])
def test_a_field_without_letters_is_found_by_the_others(degrees: int, scale: float) -> None:
    turn, shift = cmath.rect(scale, degrees * cmath.pi / 180), complex(2500, 2600)
    *others, missing = TEMPLATE.fields
    lines = tuple(laid(field, turn, shift) for field in others)
    lie = lie_of(TEMPLATE.fields, PageReading("id", "a.png", 1, Status.DONE, lines=lines))
    assert lie is not None
    assert lie.quarter_turns == round(degrees / 90) % 4
    box, wanted = lie.box(missing), missing.box
    middle = turn * complex(wanted.x + wanted.width / 2, wanted.y + wanted.height / 2) + shift
    assert abs(complex(box.x + box.width / 2, box.y + box.height / 2) - middle) < 15
    sides = sorted((box.width, box.height))
    if degrees % 90 == 0:
        assert sides == pytest.approx(sorted((wanted.width * scale, wanted.height * scale)), rel=0.02)


def test_a_field_whose_first_letter_lies_elsewhere_does_not_count() -> None:
    lines = [laid(field, 1, 0) for field in TEMPLATE.fields[:-1]]
    astray = lines[4]
    box = Box(astray.box.x + 500, astray.box.y, 40, 40)
    lines[4] = LineReading(box, (Letter(box, 1, (("A", 0.9),), False),), "", astray.field, 0.9)
    lie = lie_of(TEMPLATE.fields, PageReading("id", "a.png", 1, Status.DONE, lines=tuple(lines)))
    assert lie is not None
    found, wanted = lie.box(TEMPLATE.fields[-1]), TEMPLATE.fields[-1].box
    assert abs(found.x - wanted.x) < 15 and abs(found.y - wanted.y) < 15


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_fields_say_nothing(count: int) -> None:
    lines = tuple(laid(field, 1, 0) for field in TEMPLATE.fields[:count])
    assert lie_of(TEMPLATE.fields, PageReading("id", "a.png", 1, Status.DONE, lines=lines)) is None
