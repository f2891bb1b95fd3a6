"""Check rules between the fields of a form: `total = a + b`, `end >= start`, `one of yes, no`.

A rule compares numbers, dates or times, or counts ticks. It is only checked where the values that it needs
were read: an empty number counts as 0 in a sum, and a field that breaks the rule of its own kind is flagged
already.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from lettermill.jobs.inputs.field_kinds import Checked, Unit

ALLOWED = (
    "A rule compares fields: total = a + b, end >= start, with =, !=, <, <=, > or >=; or it counts ticks: "
    "one of a, b; at most one of a, b; at least one of a, b."
)
"""What a person can write as a rule."""

_COMPARED: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_COUNTED: dict[str, Callable[[int], bool]] = {
    "one of": lambda count: count == 1,
    "at most one of": lambda count: count <= 1,
    "at least one of": lambda count: count >= 1,
}

_COUNT = re.compile(r"(at most one of|at least one of|one of)\s+(.+)")
_COMPARISON = re.compile(r"([^<>=!]+)(<=|>=|!=|=|<|>)([^<>=!]+)")
_TERM = re.compile(r"([+-])\s*([A-Za-z]\w*|\d+(?:\.\d+)?)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule between fields.

    Attributes:
        text: as the template states it.
        fields: the names of its fields.
        kept: whether the values of the fields, by name, keep it.
    """

    text: str
    fields: tuple[str, ...]
    kept: Callable[[Mapping[str, Checked]], bool]


def rule_of(text: str, units: Mapping[str, Unit | None], ticks: frozenset[str]) -> Rule:
    """Read a rule.

    Args:
        text: the rule.
        units: what the value of each field is.
        ticks: the names of the tick boxes and signatures.

    Raises:
        ValueError: it is no rule; the message says why, `ALLOWED` what is possible.
    """
    if counted := _COUNT.fullmatch(text.strip()):
        names = tuple(name.strip() for name in counted[2].split(","))
        _check_names(names, units)
        for name in names:
            if name not in ticks:
                raise ValueError(f"{name} is not a tick box")
        right = _COUNTED[counted[1]]
        return Rule(text, names, lambda values: right(sum(values[name].value == "1" for name in names)))

    compared = _COMPARISON.fullmatch(text.strip())
    if not compared:
        raise ValueError(f"the rule {text!r} cannot be understood")
    left, sign, right_side = _terms(compared[1]), compared[2], _terms(compared[3])
    names = tuple(dict.fromkeys(term for _, term in (*left, *right_side) if not term[0].isdigit()))
    _check_names(names, units)
    kinds = {units[name] for name in names}
    is_sum = len(left) > 1 or len(right_side) > 1 or len(names) < 2
    for name in names:
        if units[name] is None:
            raise ValueError(f"{name} has no number, date or time that could be compared")
    if len(kinds) > 1 or (is_sum and kinds != {"number"}):
        raise ValueError(
            f"the rule {text!r} compares numbers with dates or times, or adds up what is no number"
        )
    unit = next(iter(kinds))

    def kept(values: Mapping[str, Checked]) -> bool:
        of_names = [values[name] for name in names]
        is_unknown = any(one.broken for one in of_names) or not any(one.value for one in of_names)
        if is_unknown or not (is_sum or all(one.value for one in of_names)):
            return True
        return _COMPARED[sign](_sum(left, values, unit), _sum(right_side, values, unit))

    return Rule(text, names, kept)


def _check_names(names: tuple[str, ...], units: Mapping[str, Unit | None]) -> None:
    if not names:
        raise ValueError("the rule names no field")
    for name in names:
        if name not in units:
            raise ValueError(f"there is no field {name}")


def _terms(side: str) -> list[tuple[int, str]]:
    """Return the terms of a side of a rule, each a sign and the name of a field or a number."""
    rest = f"+{side.strip()}"
    terms = []
    while rest:
        found = _TERM.match(rest)
        if not found:
            raise ValueError(f"the rule cannot be understood at {side.strip()!r}")
        terms.append((1 if found[1] == "+" else -1, found[2]))
        rest = rest[found.end() :]
    return terms


def _sum(terms: list[tuple[int, str]], values: Mapping[str, Checked], unit: Unit | None) -> Decimal:
    total = Decimal(0)
    for sign, term in terms:
        total += sign * (Decimal(term) if term[0].isdigit() else _measured(values[term].value, unit))
    return total


def _measured(value: str, unit: Unit | None) -> Decimal:
    """Return a value as a number: a date as its day, a time as its minutes, nothing as 0."""
    if not value:
        return Decimal(0)
    if unit == "date":
        return Decimal(dt.date.fromisoformat(value).toordinal())
    if unit == "time":
        hours, minutes = value.split(":")
        return Decimal(60 * int(hours) + int(minutes))
    return Decimal(value)
