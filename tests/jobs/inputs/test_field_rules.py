"""Rules between fields: which values keep them, and which texts are no rules."""

from __future__ import annotations

import pytest

from lettermill.jobs.inputs.field_kinds import Checked, Unit
from lettermill.jobs.inputs.field_rules import rule_of

UNITS: dict[str, Unit | None] = {
    **dict.fromkeys(("total", "a", "b"), "number"),
    **dict.fromkeys(("start", "end"), "date"),
    **dict.fromkeys(("come", "gone"), "time"),
    **dict.fromkeys(("yes", "no", "name"), None),
}
TICKS = frozenset({"yes", "no"})


@pytest.mark.parametrize(
    ("text", "values", "kept"),
    [
        ("total = a + b", {"total": "3.50", "a": "1.25", "b": "2.25"}, True),
        ("total = a + b", {"total": "3.51", "a": "1.25", "b": "2.25"}, False),
        ("total = a + b", {"total": "1.25", "a": "1.25", "b": ""}, True),
        ("total = a + b", {"total": "", "a": "1.25", "b": ""}, False),
        ("total = a + b", {"total": "", "a": "", "b": ""}, True),
        ("total - 0.5 <= a", {"total": "1.50", "a": "1.0"}, True),
        ("a < 100", {"a": "100"}, False),
        ("a != b", {"a": "1", "b": "1.0"}, False),
        ("end >= start", {"start": "2001-02-03", "end": "2001-02-03"}, True),
        ("end > start", {"start": "2001-02-03", "end": "2001-02-03"}, False),
        ("end >= start", {"start": "2001-02-03", "end": "1999-12-31"}, False),
        ("end >= start", {"start": "2001-02-03", "end": ""}, True),
        ("come < gone", {"come": "09:30", "gone": "10:00"}, True),
        ("one of yes, no", {"yes": "1", "no": "0"}, True),
        ("one of yes, no", {"yes": "0", "no": "0"}, False),
        ("one of yes, no", {"yes": "1", "no": "1"}, False),
        ("at most one of yes, no", {"yes": "0", "no": "0"}, True),
        ("at least one of yes, no", {"yes": "0", "no": "0"}, False),
    ],
)
def test_what_keeps_a_rule(text: str, values: dict[str, str], kept: bool) -> None:
    rule = rule_of(text, UNITS, TICKS)
    assert sorted(rule.fields) == sorted(values)
    assert rule.kept({name: Checked(value) for name, value in values.items()}) == kept


def test_a_field_that_breaks_its_own_rule_is_not_compared() -> None:
    rule = rule_of("total = a + b", UNITS, TICKS)
    assert rule.kept({"total": Checked("9"), "a": Checked("", "is wrong"), "b": Checked("2")})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("total", "cannot be understood"),
        ("total = a + sum", "there is no field sum"),
        ("total = a * b", "cannot be understood at 'a \\* b'"),
        ("total = a = b", "cannot be understood"),
        ("1 = 1", "names no field"),
        ("end = start + 1", "adds up what is no number"),
        ("end >= a", "compares numbers with dates"),
        ("name = a", "name has no number"),
        ("one of a, b", "a is not a tick box"),
        ("one of yes, maybe", "there is no field maybe"),
    ],
)
def test_what_is_no_rule(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rule_of(text, UNITS, TICKS)
