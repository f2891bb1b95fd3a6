"""A form as it was filled: what stands in each of its fields, and at which a person should look."""

from __future__ import annotations

import dataclasses

from lettermill.jobs.inputs.form_template import Field, Template
from lettermill.jobs.inputs.word_list import plain
from lettermill.jobs.records.readings import READ, LineReading, PageReading


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """What stands in a field.

    Attributes:
        text: its entry of the word list, where there is one, else its letters; empty where there is nothing.
        confidence: how sure it is that all letters are right, 0–1; None where there are none.
    """

    text: str
    confidence: float | None


_NOTHING = Value("", None)


@dataclasses.dataclass(frozen=True, slots=True)
class Filled:
    """A page as the copy of a form.

    Attributes:
        values: what stands in the fields, in the order of the template.
        look_at: names of the fields at which a person should look.
        flagged: whether there are such fields, or the page was not read.
    """

    values: tuple[Value, ...]
    look_at: tuple[str, ...]
    flagged: bool


def form_values(template: Template, reading: PageReading) -> Filled:
    """Return what a page says as the copy of a template's form."""
    is_read = reading.status in READ
    # A line that people emptied holds nothing.
    lines = {line.field: line for line in reading.lines if line.text}
    values = tuple(_value(lines.get(field.name)) for field in template.fields)
    look_at = tuple(
        field.name for field in template.fields if is_read and _is_doubtful(field, lines.get(field.name))
    )
    return Filled(values, look_at, bool(look_at) or not is_read)


def _value(line: LineReading | None) -> Value:
    return Value(line.lexicon_text or line.text, line.confidence or 0.0) if line else _NOTHING


def _is_doubtful(field: Field, line: LineReading | None) -> bool:
    if line is None:
        return field.required
    # What a word list made of the ink is a guess, however good.
    is_changed = field.lexicon is not None and plain(line.lexicon_text) != plain(line.text)
    return is_changed or any(letter.flagged for letter in line.letters)
