"""Read the values of a form's fields from a page, and say which fields a person should check."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from lettermill.jobs.inputs.field_kinds import Checked
from lettermill.jobs.inputs.form_template import Field, Template
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.records.readings import READ, LineReading, PageReading
from lettermill.jobs.settings import MARKS


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The value of a field.

    Attributes:
        text: the entry of the field's word list if it has a list, else its letters; may be empty.
        confidence: the probability that all letters are right, 0–1; None without letters.
        checked: what the text means, and which rule of its kind it breaks.
        doubt: why a person should check the field; empty if nobody needs to.
    """

    text: str
    confidence: float | None
    checked: Checked
    doubt: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class FormValues:
    """The values of a page that is a copy of a form.

    Attributes:
        values: one per field, in the order of the template.
        look_at: names of the fields that a person should check.
        flagged: whether there are such fields, or the page was not read.
        meant: the cells of the columns after those of the fields: the value of each field whose kind has one,
            and the rules that are broken; none if the template has neither kinds nor rules.
    """

    values: tuple[Value, ...]
    look_at: tuple[str, ...]
    flagged: bool
    meant: tuple[str, ...] = ()


def form_values(template: Template, reading: PageReading) -> FormValues:
    """Return the values of a page that is a copy of a template's form."""
    is_read = reading.status in READ
    # A line whose letters people removed is an empty field.
    lines = {line.field: line for line in reading.lines if line.text}
    values = tuple(_value(field, lines.get(field.name), is_read) for field in template.fields)
    broken = _broken_rules(template, values) if is_read else {}
    values = tuple(
        dataclasses.replace(value, doubt=_doubt_of_rules(field.name, broken) or value.doubt)
        for field, value in zip(template.fields, values, strict=True)
    )
    look_at = tuple(field.name for field, value in zip(template.fields, values, strict=True) if value.doubt)
    of_fields = zip(template.fields, values, strict=True)
    meant = [value.checked.value for field, value in of_fields if field.kind.has_value]
    meant += ["; ".join(broken)] if template.has_rules else []
    return FormValues(values, look_at, bool(look_at) or not is_read, tuple(meant))


def _value(field: Field, line: LineReading | None, is_read: bool) -> Value:
    text = (line.lexicon_text or line.text) if line else ""
    checked = field.kind.checked(text) if is_read else Checked("")
    doubt = _doubt(field, line) if is_read else ""
    return Value(text, (line.confidence or 0.0) if line else None, checked, doubt)


def _broken_rules(template: Template, values: Sequence[Value]) -> dict[str, tuple[str, ...]]:
    """Return a sentence for each broken rule, and the fields that it is about."""
    checked = {field.name: value.checked for field, value in zip(template.fields, values, strict=True)}
    broken = {f"{name} {one.broken}": (name,) for name, one in checked.items() if one.broken}
    return broken | {rule.text: rule.fields for rule in template.rules if not rule.kept(checked)}


def _doubt_of_rules(name: str, broken: Mapping[str, tuple[str, ...]]) -> str:
    """Return the sentence of a broken rule that is about a field; empty if there is none."""
    return next((sentence for sentence, names in broken.items() if name in names), "")


def _doubt(field: Field, line: LineReading | None) -> str:
    """Say why a person should check a field; empty if nobody needs to."""
    if line is None:
        return "empty, but required" if field.required else ""
    if not _fits(field, plain(line.text)):  # Only what a person typed.
        return "does not fit the pattern"
    # Where the word list changed the letters, its entry is a guess, however good.
    if field.lexicon is not None and plain(line.lexicon_text) != plain(line.text):
        return "the word list changed the letters"
    return "letters doubtful" if any(letter.flagged for letter in line.letters) else ""


def _fits(field: Field, text: str) -> bool:
    """Say whether a field may contain a text."""
    state: int | None = 0
    for char in text:
        if char == " " or char in MARKS:
            continue
        state = None if state is None else field.automaton.moves[state].get(char)
    return state is not None and field.automaton.accepting[state]
