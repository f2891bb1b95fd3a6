"""Read the values of a form's fields from a page, and say which fields a person should check."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lettermill.jobs.inputs.field_kinds import Checked
from lettermill.jobs.inputs.form_template import Field, Template
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.records.readings import READ, LineReading, PageReading


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The value of a field.

    Attributes:
        text: the entry of the field's word list if it has a list, else its letters; may be empty.
        confidence: the probability that all letters are right, 0–1; None without letters.
        checked: what the text means, and which rule of its kind it breaks.
    """

    text: str
    confidence: float | None
    checked: Checked


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
    unruly = {name for names in broken.values() for name in names}
    look_at = tuple(
        field.name
        for field in template.fields
        if is_read and (_is_doubtful(field, lines.get(field.name)) or field.name in unruly)
    )
    of_fields = zip(template.fields, values, strict=True)
    meant = [value.checked.value for field, value in of_fields if field.kind.has_value]
    meant += ["; ".join(broken)] if template.has_rules else []
    return FormValues(values, look_at, bool(look_at) or not is_read, tuple(meant))


def _value(field: Field, line: LineReading | None, is_read: bool) -> Value:
    text = (line.lexicon_text or line.text) if line else ""
    checked = field.kind.checked(text) if is_read else Checked("")
    return Value(text, (line.confidence or 0.0) if line else None, checked)


def _broken_rules(template: Template, values: Sequence[Value]) -> dict[str, tuple[str, ...]]:
    """Return a sentence for each broken rule, and the fields that it is about."""
    checked = {field.name: value.checked for field, value in zip(template.fields, values, strict=True)}
    broken = {f"{name} {one.broken}": (name,) for name, one in checked.items() if one.broken}
    return broken | {rule.text: rule.fields for rule in template.rules if not rule.kept(checked)}


def _is_doubtful(field: Field, line: LineReading | None) -> bool:
    if line is None:
        return field.required
    # Where the word list changed the letters, its entry is a guess, however good.
    is_changed = field.lexicon is not None and plain(line.lexicon_text) != plain(line.text)
    return is_changed or any(letter.flagged for letter in line.letters)
