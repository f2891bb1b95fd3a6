"""Read the values of a form's fields from a page, and say which fields a person should check."""

from __future__ import annotations

import dataclasses

from lettermill.jobs.inputs.form_template import Field, Template
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.records.readings import READ, LineReading, PageReading


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The value of a field.

    Attributes:
        text: the entry of the field's word list if it has a list, else its letters; may be empty.
        confidence: the probability that all letters are right, 0–1; None without letters.
    """

    text: str
    confidence: float | None


_NOTHING = Value("", None)


@dataclasses.dataclass(frozen=True, slots=True)
class FormValues:
    """The values of a page that is a copy of a form.

    Attributes:
        values: one per field, in the order of the template.
        look_at: names of the fields that a person should check.
        flagged: whether there are such fields, or the page was not read.
    """

    values: tuple[Value, ...]
    look_at: tuple[str, ...]
    flagged: bool


def form_values(template: Template, reading: PageReading) -> FormValues:
    """Return the values of a page that is a copy of a template's form."""
    is_read = reading.status in READ
    # A line whose letters people removed is an empty field.
    lines = {line.field: line for line in reading.lines if line.text}
    values = tuple(_value(lines.get(field.name)) for field in template.fields)
    look_at = tuple(
        field.name for field in template.fields if is_read and _is_doubtful(field, lines.get(field.name))
    )
    return FormValues(values, look_at, bool(look_at) or not is_read)


def _value(line: LineReading | None) -> Value:
    return Value(line.lexicon_text or line.text, line.confidence or 0.0) if line else _NOTHING


def _is_doubtful(field: Field, line: LineReading | None) -> bool:
    if line is None:
        return field.required
    # Where the word list changed the letters, its entry is a guess, however good.
    is_changed = field.lexicon is not None and plain(line.lexicon_text) != plain(line.text)
    return is_changed or any(letter.flagged for letter in line.letters)
