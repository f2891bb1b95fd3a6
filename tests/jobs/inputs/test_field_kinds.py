"""What a text means in a field of each kind, and when it breaks its rule."""

from __future__ import annotations

import msgspec
import pytest

from lettermill.jobs.inputs.field_kinds import KINDS, FieldKind
from tests.automata import accepts


def field(kind: str, **keys: object) -> FieldKind:
    return msgspec.convert({"kind": kind, "name": "x", "box": [0, 0, 9, 9], **keys}, KINDS[kind])


@pytest.mark.parametrize(
    ("kind", "keys", "text", "value"),
    [
        ("date", {"order": "DMY"}, "31/12/1999", "1999-12-31"),
        ("date", {"order": "DMY"}, "1.2.2003", "2003-02-01"),
        ("date", {"order": "MDY"}, "2-1-2003", "2003-02-01"),
        ("date", {"order": "YMD"}, "20030201", "2003-02-01"),
        ("date", {"order": "DMY"}, "29022004", "2004-02-29"),
        ("date", {"order": "DMY", "comb": 8}, "11122001", "2001-12-11"),
        ("date", {"order": "DMY", "comb": 6, "years": [1950, 2040]}, "010245", ""),
        ("date", {"order": "DMY", "comb": 6, "years": [1950, 2040]}, "010265", "1965-02-01"),
        ("date", {"order": "DMY", "years": [1930, 2020]}, "1/2/45", "1945-02-01"),
        ("time", {}, "9.30", "09:30"),
        ("time", {}, "0930", "09:30"),
        ("time", {"comb": 4}, "1130", "11:30"),
        ("phone", {}, "02079460018", "02079460018"),
        ("amount", {}, "1,250.00", "1250.00"),
        ("amount", {}, "0.50", "0.50"),
        ("amount", {"decimal": ","}, "1.234.567,89", "1234567.89"),
        ("amount", {"decimals": 0}, "1,250", "1250"),
        ("amount", {"comb": 6}, "5", "0.05"),
        ("amount", {"comb": 6}, "000125", "1.25"),
        ("code", {"check": "luhn"}, "79927398713", "79927398713"),
        ("code", {"check": "mod97"}, "79444", "79444"),
        ("code", {"check": "iban"}, "GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("code", {"check": "isbn"}, "9780306406157", "9780306406157"),
        ("code", {"check": "isbn"}, "080442957X", "080442957X"),
        ("code", {"alphabet": "[A-Z]{2}"}, "AB", "AB"),
        ("choice", {"choices": ["Yes", "Not sure"]}, "NOTSURE", "Not sure"),
        ("tick", {}, "X", "1"),
        ("tick", {}, "", "0"),
        ("signature", {}, "X", "1"),
    ],
)
def test_what_a_text_means(kind: str, keys: dict[str, object], text: str, value: str) -> None:
    one = field(kind, **keys)
    found = one.checked(text)
    assert found.value == value
    assert bool(found.broken) == (value == "")
    if kind not in ("tick", "signature"):
        characters = "".join(char for char in text if char not in one.marks)
        assert accepts(one.automaton(), characters)


@pytest.mark.parametrize(
    ("kind", "keys", "text", "why"),
    [
        ("date", {"order": "DMY"}, "31/02/1999", "a day that does not exist"),
        ("date", {"order": "DMY"}, "29/02/1900", "a day that does not exist"),
        ("date", {"order": "DMY"}, "1/2/45", "which may be 1945 or 2045"),
        ("date", {"order": "DMY"}, "1/2/1745", "not from 1900 to 2099"),
        ("date", {"order": "DMY"}, "1/2/945", "the year 945"),
        ("date", {"order": "DMY"}, "2711/2012", "one separator in place of two"),
        ("date", {"order": "DMY"}, "001/2/2003", "too many digits"),
        ("date", {"order": "DMY"}, "562001", "cannot be split"),
        ("date", {"order": "DMY"}, "1/OCT/2001", "is not a date"),
        # Read from 1/12/2001, 05/2/2001 and 1/1/2001, with slashes that were taken for a 1 or lost.
        ("date", {"order": "DMY"}, "11122001", "a 1 of it may be one"),
        ("date", {"order": "DMY"}, "05122001", "a 1 of it may be one"),
        ("date", {"order": "DMY"}, "11112001", "a 1 of it may be one"),
        ("time", {}, "2460", "does not exist"),
        ("time", {}, "1130", "a 1 of it may be one"),
        ("time", {}, "99", "not a time"),
        ("phone", {"digits": 10}, "123456789", "of 10 digits"),
        ("phone", {}, "1234", "of 5 to 15 digits"),
        ("amount", {}, "1250", "no decimal mark"),
        ("amount", {}, "1,250", "no decimal mark"),
        ("amount", {}, "12.5", "has not 2 digits"),
        ("amount", {}, "1.250", "has not 2 digits"),
        ("amount", {}, "12,50.00", "where no thousands are"),
        ("amount", {"decimals": 0}, "12.50", "where no thousands are"),
        ("amount", {}, ".50", "where no thousands are"),
        ("code", {"check": "luhn"}, "79927398710", "wrong check digits"),
        ("code", {"check": "luhn"}, "7992739871I", "wrong check digits"),
        ("code", {"check": "iban"}, "GB82WEST12345698765423", "wrong check digits"),
        ("code", {"check": "isbn"}, "9780306406158", "wrong check digits"),
        ("code", {"check": "isbn"}, "0804429570", "wrong check digits"),
        ("choice", {"choices": ["Yes", "No"]}, "YEN", "none of Yes, No"),
    ],
)
def test_what_breaks_a_rule(kind: str, keys: dict[str, object], text: str, why: str) -> None:
    found = field(kind, **keys).checked(text)
    assert found.value == ""
    assert why in found.broken


@pytest.mark.parametrize("kind", ["date", "time", "phone", "amount", "code", "choice"])
def test_an_empty_field_means_nothing_and_breaks_no_rule(kind: str) -> None:
    keys = {"date": {"order": "DMY"}, "choice": {"choices": ["A"]}, "code": {"check": "luhn"}}
    assert field(kind, **keys.get(kind, {})).checked("") == ("", "")
