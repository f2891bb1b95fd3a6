"""Write the values of a form's template as TOML that people can read: one table per field, a line per key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_FIRST_LINE = "# A template of Lettermill: docs/forms.md describes the settings."

_FIRST_KEYS = ("name", "kind", "box")
"""The keys of a field that come before all others, in this order."""


def template_text(values: Mapping[str, Any]) -> str:
    """Return a template as TOML.

    Args:
        values: what `tomllib` reads from it: texts, whole numbers, booleans and lists of these; `fields` is a
            list of tables.
    """
    lines = [_FIRST_LINE, ""]
    lines += [f"{key} = {_toml(value)}" for key, value in values.items() if key != "fields"]
    for field in values["fields"]:
        first = {key: field[key] for key in _FIRST_KEYS if key in field}
        lines += ["", "[[fields]]", *(f"{key} = {_toml(value)}" for key, value in (first | field).items())]
    return "\n".join([*lines, ""])


def _toml(value: Any) -> str:
    """Return a value as TOML; patterns, which have backslashes, in single quotes."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if "\\" in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    # What JSON escapes, TOML does, too; the control character 127 only TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
