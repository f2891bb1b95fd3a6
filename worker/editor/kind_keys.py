"""Say which keys each kind of field has, and which control of a page sets each: from the kinds themselves."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from lettermill.jobs.inputs.context import PACKS
from lettermill.jobs.inputs.field_kinds import KINDS
from lettermill.jobs.settings import ALPHABETS

LABELS = {
    "alphabet": "Characters",
    "comb": "Cells of the comb",
    "lexicon": "Word list (a file)",
    "context": "Context",
    "required": "Must be filled in",
    "order": "Order",
    "years": "First and last year",
    "digits": "Number of digits",
    "decimal": "Decimal mark",
    "decimals": "Digits behind it",
    "check": "Check digits",
    "choices": "Words, one a line",
}
"""What each key is called on the page."""

_SUGGESTIONS = {"alphabet": tuple(ALPHABETS), "context": tuple(PACKS)}
"""What can be chosen for a key that also takes other texts."""


class Key(msgspec.Struct, frozen=True):
    """A key of a kind.

    Attributes:
        name: as in the template.
        label: what it is called on the page.
        control: `check` for true and false; `pair` for two numbers; `lines` for a list of texts; or one of
            the values in `options`, a number, a text.
        is_required: whether a template must state it.
        options: all values of a choice, or some that a text may have.
        least: smallest number.
        most: largest number.
        default: what counts where it is not stated.
    """

    name: str
    label: str
    control: Literal["check", "choice", "number", "pair", "lines", "text"]
    is_required: bool
    options: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    default: Any = None


def keys_of_kinds() -> dict[str, list[Key]]:
    """Return the keys of each kind, by its name in a template, without those that every kind has."""
    return {
        name: [_key(field) for field in msgspec.inspect.type_info(kind).fields if field.name in LABELS]  # type: ignore[attr-defined]
        for name, kind in KINDS.items()
    }


def _key(field: msgspec.inspect.Field) -> Key:
    """Return a key of a kind, from msgspec's description of it."""
    of = field.type
    if isinstance(of, msgspec.inspect.UnionType):  # A type, or None.
        (of,) = [one for one in of.types if not isinstance(one, msgspec.inspect.NoneType)]
    options = _SUGGESTIONS.get(field.name, ())
    least = most = None
    control: Literal["check", "choice", "number", "pair", "lines", "text"] = "text"
    match of:
        case msgspec.inspect.BoolType():
            control = "check"
        case msgspec.inspect.LiteralType():
            control, options = "choice", tuple(str(value) for value in of.values)
        case msgspec.inspect.IntType():
            control, least, most = "number", of.ge, of.le
        case msgspec.inspect.TupleType():
            control = "pair"
        case msgspec.inspect.VarTupleType():
            control = "lines"
    default = None if field.required else field.default
    return Key(field.encode_name, LABELS[field.name], control, field.required, options, least, most, default)
