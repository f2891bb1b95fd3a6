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
        doubt: why a person should check the field; empty if nobody needs to.
    """

    text: str
    confidence: float | None
    doubt: str = ""


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
    values = tuple(_value(field, lines.get(field.name), is_read) for field in template.fields)
    look_at = tuple(field.name for field, value in zip(template.fields, values, strict=True) if value.doubt)
    return FormValues(values, look_at, bool(look_at) or not is_read)


def _value(field: Field, line: LineReading | None, is_read: bool) -> Value:
    doubt = _doubt(field, line) if is_read else ""
    if line is None:
        return Value("", None, doubt)
    return Value(line.lexicon_text or line.text, line.confidence or 0.0, doubt)


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
    for char in text.replace(" ", ""):
        state = None if state is None else field.automaton.moves[state].get(char)
    return state is not None and field.automaton.accepting[state]
