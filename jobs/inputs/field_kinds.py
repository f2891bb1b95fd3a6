"""Say what each kind of field of a form may hold, and turn what was read into one plain value.

A kind is the table of a field in a template: its `kind`, and the keys that this kind has. It says which
characters the field may contain (an automaton), which marks are read between them, and what the text means:
31/12/1999 is 1999-12-31. Where the text breaks the kind's rule there is no value, and a sentence says why.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec

from lettermill.jobs.inputs.pattern import Automaton, automaton_of, automaton_of_words
from lettermill.jobs.settings import DIGITS, MARKS

MOST_CELLS = 200
"""Of a comb."""

LONGEST_NAME_CHARACTERS = 40
"""Of a field's name."""

YEARS = (1900, 2099)
"""The years of a date that states no others."""

PHONE_DIGITS = (5, 15)
"""Digits of a telephone number: no country has shorter ones, and E.164 allows no longer ones."""

TICKED = "X"
"""What is read where there is a tick or a signature."""

MOST_DECIMALS = 4

Unit = Literal["number", "date", "time"]
"""What a value is when rules compare it with others."""

NAME_PATTERN = rf"^[A-Za-z][A-Za-z0-9_]{{0,{LONGEST_NAME_CHARACTERS - 1}}}\Z"
"""Of a field's name, as a regular expression."""

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
Comb = Annotated[int, msgspec.Meta(ge=1, le=MOST_CELLS)]
Year = Annotated[int, msgspec.Meta(ge=1000, le=9999)]

_DATE_MARKS = re.compile(r"[/.\-]")
_MOST = {"D": 31, "M": 12}
"""The largest day and month."""


class Checked(NamedTuple):
    """What the text of a field means.

    Attributes:
        value: as a computer writes it; empty if the field is empty, or breaks its rule.
        broken: which rule it breaks, in words that continue the field's name; empty if none.
    """

    value: str
    broken: str = ""


class FieldKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind"):
    """A field as its template states it.

    Attributes:
        name: its column in fields.csv.
        box: x, y, width and height in pixels of the blank.
    """

    name: Name
    box: tuple[int, int, int, int]

    marks: ClassVar[str] = ""
    """The marks that are read between its characters; others are passed over."""

    words: ClassVar[bool] = False
    """Whether a wide gap separates words."""

    has_value: ClassVar[bool] = True
    """Whether it has a column for its value."""

    unit: ClassVar[Unit | None] = None
    """What its value is in rules; None if it can't be compared."""

    def automaton(self) -> Automaton:
        """Return the texts that it may contain, without marks.

        Raises:
            ValueError: its alphabet is neither an alphabet nor a pattern.
        """
        return automaton_of("alnum")

    def checked(self, text: str) -> Checked:
        """Return what a text means: of an empty field, nothing."""
        return Checked(text)


class Text(FieldKind, frozen=True, tag="text"):
    """Letters and digits as they are; the kind of a field that names none."""

    alphabet: str = "letters"
    comb: Comb | None = None
    lexicon: str | None = None
    context: str | None = None
    required: bool = False

    has_value: ClassVar[bool] = False

    def automaton(self) -> Automaton:
        """Return the texts of its alphabet or pattern."""
        return automaton_of(self.alphabet)


class PersonName(FieldKind, frozen=True, tag="name"):
    """A name: letters, with the hyphens and apostrophes between them."""

    comb: Comb | None = None
    lexicon: str | None = None
    context: str | None = None
    required: bool = False

    marks: ClassVar[str] = "-'"
    words: ClassVar[bool] = True
    has_value: ClassVar[bool] = False

    def automaton(self) -> Automaton:
        """Return all texts of letters."""
        return automaton_of("letters")


class Date(FieldKind, frozen=True, tag="date"):
    """A day: `/`, `.` or `-` between its parts, or printed there, or nothing.

    Attributes:
        order: of day, month and year.
        years: the first and last year that may be written.
    """

    order: Literal["DMY", "MDY", "YMD"]
    years: tuple[Year, Year] = YEARS
    comb: Comb | None = None
    required: bool = False

    marks: ClassVar[str] = "/-."
    unit: ClassVar[Unit | None] = "date"

    def automaton(self) -> Automaton:
        """Return the digits of days and months, and years of two or four digits."""
        if self.comb == 8:
            parts = {"D": "[0-3][0-9]", "M": "[01][0-9]", "Y": "[0-9]{4}"}
        elif self.comb == 6:
            parts = {"D": "[0-3][0-9]", "M": "[01][0-9]", "Y": "[0-9]{2}"}
        else:
            parts = {"D": "[0-3]?[0-9]", "M": "[01]?[0-9]", "Y": "[0-9]{2,4}"}
        return automaton_of("".join(parts[part] for part in self.order))

    def checked(self, text: str) -> Checked:
        """Return the day as 1999-12-31."""
        if not text:
            return Checked("")
        parts = self._parts(text)
        if isinstance(parts, str):
            return Checked("", parts)
        said = dict(zip(self.order, parts, strict=True))
        first, last = self.years
        years = [
            year
            for year in range(first, last + 1)
            if str(year).endswith(said["Y"]) and len(said["Y"]) in (2, 4)
        ]
        if not years:
            return Checked("", f"has the year {said['Y']}, which is not from {first} to {last}")
        if len(years) > 1:
            return Checked("", f"has the year {said['Y']}, which may be {years[0]} or {years[1]}")
        try:
            return Checked(dt.date(years[0], int(said["M"]), int(said["D"])).isoformat())
        except ValueError:
            return Checked("", "is a day that does not exist")

    def _parts(self, text: str) -> list[str] | str:
        """Return the three numbers in their order, or why they can't be told apart."""
        parts = _DATE_MARKS.split(text)
        if not all(part.isdecimal() for part in parts):
            return "is not a date"
        widths = [4 if part == "Y" else 2 for part in self.order]
        if len(parts) == 3:
            fits = all(len(part) <= width for part, width in zip(parts, widths, strict=True))
            return parts if fits else "has a day, month or year of too many digits"
        if len(parts) == 2:
            return "has one separator in place of two"
        if self.comb and len(text) == 6:
            widths = [2, 2, 2]
        elif len(text) != 8 or len(parts) > 1:
            return "cannot be split into day, month and year"
        ends = list(itertools.accumulate(widths))
        parts = [text[end - width : end] for end, width in zip(ends, widths, strict=True)]
        if self.comb is None and self._holds_separator(text):
            return "has no separators, and a 1 of it may be one"
        return parts

    def _holds_separator(self, text: str) -> bool:
        """Whether a 1 may be a slash: 11122001 is also 1/12/2001, with one slash read as a 1."""
        for widths in itertools.product(*[(2, 4) if part == "Y" else (1, 2) for part in self.order]):
            for slashes in (("1", ""), ("", "1"), ("1", "1")):
                pattern = "".join(
                    f"(?P<{part}>[0-9]{{{width}}}){slash}"
                    for part, width, slash in zip(self.order, widths, (*slashes, ""), strict=True)
                )
                found = re.fullmatch(pattern, text)
                if found and all(1 <= int(found[part]) <= most for part, most in _MOST.items()):
                    return True
        return False


class Time(FieldKind, frozen=True, tag="time"):
    """A time of day in hours and minutes, 0 to 24 hours."""

    comb: Comb | None = None
    required: bool = False

    marks: ClassVar[str] = ".-"
    unit: ClassVar[Unit | None] = "time"

    def automaton(self) -> Automaton:
        """Return the digits of hours and minutes."""
        return automaton_of("[0-2]?[0-9][0-5][0-9]")

    def checked(self, text: str) -> Checked:
        """Return the time as 09:30."""
        if not text:
            return Checked("")
        found = re.fullmatch(r"(\d{1,2})([.\-]?)(\d\d)", text)
        if not found:
            return Checked("", "is not a time of hours and minutes")
        hours, mark, minutes = found.groups()
        if self.comb is None and not mark and hours in ("11", "21"):
            return Checked("", "has no separator, and a 1 of it may be one")
        if int(hours) > 23 or int(minutes) > 59:
            return Checked("", "is a time that does not exist")
        return Checked(f"{int(hours):02}:{minutes}")


class Phone(FieldKind, frozen=True, tag="phone"):
    """A telephone number: digits, with the marks between them passed over.

    Attributes:
        digits: how many it has; None if that differs.
    """

    digits: Annotated[int, msgspec.Meta(ge=PHONE_DIGITS[0], le=PHONE_DIGITS[1])] | None = None
    comb: Comb | None = None
    required: bool = False

    def automaton(self) -> Automaton:
        """Return the numbers of as many digits."""
        least, most = (self.digits, self.digits) if self.digits else PHONE_DIGITS
        return automaton_of(rf"\d{{{least},{most}}}")

    def checked(self, text: str) -> Checked:
        """Return its digits."""
        if not text:
            return Checked("")
        least, most = (self.digits, self.digits) if self.digits else PHONE_DIGITS
        if text.isdecimal() and least <= len(text) <= most:
            return Checked(text)
        many = f"{least}" if least == most else f"{least} to {most}"
        return Checked("", f"is not a telephone number of {many} digits")


class Amount(FieldKind, frozen=True, tag="amount"):
    """An amount of money, or another number with decimals.

    In a comb the decimal mark is printed, so the last cells are the decimals; elsewhere it must be written.

    Attributes:
        decimal: the decimal mark; the other one may separate thousands.
        decimals: how many digits are behind it.
    """

    decimal: Literal[".", ","] = "."
    decimals: Annotated[int, msgspec.Meta(ge=0, le=MOST_DECIMALS)] = 2
    comb: Comb | None = None
    required: bool = False

    marks: ClassVar[str] = ".,"
    unit: ClassVar[Unit | None] = "number"

    def automaton(self) -> Automaton:
        """Return numbers of up to 15 digits."""
        return automaton_of(rf"\d{{1,{15 + self.decimals}}}")

    def checked(self, text: str) -> Checked:
        """Return the number as 1250.00."""
        if not text:
            return Checked("")
        whole, decimals = text, ""
        if self.decimals and self.comb and text.isdecimal():
            padded = text.zfill(self.decimals + 1)
            whole, decimals = padded[: -self.decimals], padded[-self.decimals :]
        elif self.decimals:
            whole, mark, decimals = text.rpartition(self.decimal)
            if not mark:
                return Checked("", f"has no decimal mark ({self.decimal})")
            if not decimals.isdecimal() or len(decimals) != self.decimals:
                return Checked("", f"has not {self.decimals} digits behind its decimal mark")
        thousands = re.escape("," if self.decimal == "." else ".")
        if not re.fullmatch(rf"\d+|\d{{1,3}}(?:{thousands}\d{{3}})+", whole):
            return Checked("", "has marks where no thousands are")
        digits = re.sub(r"\D", "", whole).lstrip("0") or "0"
        return Checked(f"{digits}.{decimals}" if decimals else digits)


class Code(FieldKind, frozen=True, tag="code"):
    """A number or code, whose last characters may check the others.

    Attributes:
        alphabet: an alphabet or a pattern; empty for any code of its check.
        check: how it checks itself; None if it does not.
    """

    alphabet: str = ""
    check: Literal["luhn", "mod97", "iban", "isbn"] | None = None
    comb: Comb | None = None
    required: bool = False

    def automaton(self) -> Automaton:
        """Return the codes of its pattern, or of its check."""
        return automaton_of(self.alphabet or (_CODES[self.check] if self.check else ""))

    def checked(self, text: str) -> Checked:
        """Return the code, if its check digits are right."""
        if not text or self.check is None or _CHECKS[self.check](text):
            return Checked(text)
        return Checked("", f"has wrong check digits ({self.check})")


class Choice(FieldKind, frozen=True, tag="choice"):
    """One of some given words.

    Attributes:
        choices: the words as they are written into the value.
    """

    choices: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    comb: Comb | None = None
    required: bool = False

    def automaton(self) -> Automaton:
        """Return its words in capitals, without spaces."""
        return automaton_of_words([plain_word(word) for word in self.choices])

    def checked(self, text: str) -> Checked:
        """Return the word as the template writes it."""
        if not text:
            return Checked("")
        found = [word for word in self.choices if plain_word(word) == text]
        return Checked(found[0]) if found else Checked("", "is none of " + ", ".join(self.choices))


class _Inked(FieldKind, frozen=True):
    """A field of which only matters whether there is ink."""

    required: bool = False

    def checked(self, text: str) -> Checked:
        """Return 1 if there is ink, else 0."""
        return Checked("1" if text else "0")


class Tick(_Inked, frozen=True, tag="tick"):
    """A box that is ticked or not."""


class Signature(_Inked, frozen=True, tag="signature"):
    """A place that is signed or not."""


class Ignore(FieldKind, frozen=True, tag="ignore"):
    """A box that is not read and has no column."""


Kind = Text | PersonName | Date | Time | Phone | Amount | Code | Choice | Tick | Signature | Ignore

KINDS: dict[str, type[FieldKind]] = {
    "text": Text,
    "name": PersonName,
    "date": Date,
    "time": Time,
    "phone": Phone,
    "amount": Amount,
    "code": Code,
    "choice": Choice,
    "tick": Tick,
    "signature": Signature,
    "ignore": Ignore,
}
"""The kinds by the names that a template gives them."""


def plain_word(word: str) -> str:
    """Return a word of a choice as it is read: in capitals, without spaces and marks."""
    return "".join(char for char in word.upper() if char != " " and char not in MARKS)


def _is_luhn(text: str) -> bool:
    """Whether the last digit checks the others as on bank cards (ISO/IEC 7812-1)."""
    digits = [int(char) for char in reversed(text) if char in DIGITS]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[1::2]]
    return len(digits) == len(text) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _is_mod97(text: str) -> bool:
    """Whether the last two digits check the others (ISO 7064, MOD 97-10); A is 10, Z is 35."""
    return len(text) > 2 and int("".join(str(int(char, 36)) for char in text)) % 97 == 1


def _is_iban(text: str) -> bool:
    """Whether the digits behind the country check the account number (ISO 13616)."""
    return len(text) > 4 and _is_mod97(text[4:] + text[:4])


def _is_isbn(text: str) -> bool:
    """Whether the last character checks the others of an ISBN of 10 or 13 (ISO 2108)."""
    if re.fullmatch(r"\d{9}[\dX]", text):
        values = [10 if char == "X" else int(char) for char in text]
        return sum(weight * value for weight, value in zip(range(10, 0, -1), values, strict=True)) % 11 == 0
    weights = itertools.cycle((1, 3))
    is_long = bool(re.fullmatch(r"97[89]\d{10}", text))
    return is_long and sum(weight * int(char) for weight, char in zip(weights, text, strict=False)) % 10 == 0


_CHECKS = {"luhn": _is_luhn, "mod97": _is_mod97, "iban": _is_iban, "isbn": _is_isbn}

_CODES = {
    "luhn": r"\d{2,19}",
    "mod97": "[A-Z0-9]{3,40}",
    "iban": r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}",
    "isbn": r"\d{9}[0-9X]\d{0,3}",
}
"""The pattern of each check's codes."""
