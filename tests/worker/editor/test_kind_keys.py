"""The keys of each kind, as a page shows them, are those that a template takes."""

from __future__ import annotations

from lettermill.jobs.inputs.field_kinds import KINDS
from lettermill.worker.editor.kind_keys import LABELS, keys_of_kinds


def test_every_key_of_every_kind_has_a_control() -> None:
    keys = keys_of_kinds()
    assert list(keys) == list(KINDS)
    for kind, struct in KINDS.items():
        assert {key.name for key in keys[kind]} == set(struct.__struct_fields__) - {"name", "box"}
    assert set(LABELS) == {key.name for of_kind in keys.values() for key in of_kind}


def test_what_msgspec_says_of_a_key() -> None:
    keys = {(kind, key.name): key for kind, of_kind in keys_of_kinds().items() for key in of_kind}
    order, comb, years = keys["date", "order"], keys["text", "comb"], keys["date", "years"]
    assert (order.control, order.is_required, sorted(order.options)) == (
        "choice",
        True,
        ["DMY", "MDY", "YMD"],
    )
    assert (comb.control, comb.is_required, comb.least, comb.most) == ("number", False, 1, 200)
    assert (years.control, years.default) == ("pair", (1900, 2099))
    assert (keys["choice", "choices"].control, keys["tick", "required"].control) == ("lines", "check")
    assert "digits" in keys["text", "alphabet"].options and keys["text", "alphabet"].control == "text"
