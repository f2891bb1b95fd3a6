"""Read the template of a form: the file of `--template`, checked when a job is made and kept in its folder.

```toml
blank = "blank.png"          # the blank form, in the folder of this file
dpi = 300                    # of a blank that is a PDF

[[fields]]
name = "surname"             # the column in fields.csv
box = [90, 280, 1008, 90]    # x, y, width, height in pixels of the blank
alphabet = "letters"         # or digits, alnum, or a pattern
comb = 14                    # number of cells; without it, letters are written freely
lexicon = "names.txt"        # the words that the field may contain, in the folder of this file
context = "names"            # what is likely: a pack's name, or a list or pack in the folder of this file
required = true              # flag the page if this field is empty

[[fields]]
name = "born"
kind = "date"                # each kind has its keys: lettermill.jobs.inputs.field_kinds
box = [90, 450, 560, 90]
order = "DMY"
```

Before the first field, `rules = ["end >= start"]` states rules between fields.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import re
import shlex
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, BinaryIO, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from lettermill.jobs.errors import BadData, ScanError, TemplateProblem
from lettermill.jobs.inputs.context import (
    PACK_SUFFIX,
    PACKS,
    ContextPack,
    context_of,
    installed_pack_folder,
)
from lettermill.jobs.inputs.field_kinds import (
    KINDS,
    LONGEST_NAME_CHARACTERS,
    MOST_CELLS,
    MOST_DECIMALS,
    NAME_PATTERN,
    PHONE_DIGITS,
    Choice,
    Code,
    Date,
    FieldKind,
    Ignore,
    Kind,
    PersonName,
    Signature,
    Text,
    Tick,
    Unit,
    plain_word,
)
from lettermill.jobs.inputs.field_rules import ALLOWED as RULES
from lettermill.jobs.inputs.field_rules import Rule, rule_of
from lettermill.jobs.inputs.pattern import ALLOWED, Automaton
from lettermill.jobs.inputs.word_list import WordList, check_word_list
from lettermill.jobs.records.readings import Box
from lettermill.jobs.scans.find import SCAN_SUFFIXES
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import ALPHABETS, DIGITS, MAX_DPI, MIN_DPI, Limits
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

_MOST_BYTES = 1_000_000
"""Larger templates are refused: a hundred fields take ten thousand bytes."""

_MOST_FIELDS = 500

_LEAST_SIDE_PIXELS = 8
"""Of a field, and of a comb's cell: nothing smaller can be read."""

PAGE_COLUMNS = ("scan", "page", "status", "flagged", "look_at")
"""The columns of fields.csv before the fields."""

_CONFIDENCE_SUFFIX = "_confidence"
"""The column of a field's confidence is the field's name with this suffix."""

_VALUE_SUFFIX = "_value"
"""The column of what a field's text means is the field's name with this suffix."""

_BROKEN_RULES = "broken_rules"
"""The last column of a form with kinds or rules."""

_HELP = "docs/forms.md describes templates; `lettermill template new` makes one from a blank form."

_HELP_TOML = f"Write patterns in single quotes: in double quotes a backslash has another meaning. {_HELP}"

_FIELDS_LINE = re.compile(r"^\s*\[\[\s*fields\s*\]\]")

_WHERE = re.compile(r"`\$(?:\.fields\[(\d+)\])?(?:\.(\w+))?")
"""How msgspec names the key of an error."""

_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `(.*)`$")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    blank: str
    fields: Annotated[tuple[Kind, ...], msgspec.Meta(min_length=1, max_length=_MOST_FIELDS)]
    dpi: Annotated[int, msgspec.Meta(ge=MIN_DPI, le=MAX_DPI)] = 300
    rules: tuple[str, ...] = ()


_FILE_BESIDE = "the name of a file in the template's folder, in quotes"

_NAME_RULE = (
    f"use letters, digits and _, begin with a letter, at most {LONGEST_NAME_CHARACTERS} characters, in quotes"
)

_VALUES = {
    "blank": _FILE_BESIDE,
    "fields": f"1 to {_MOST_FIELDS} tables, each under a line [[fields]]",
    "dpi": f"a whole number from {MIN_DPI} to {MAX_DPI}",
    "box": "four whole numbers: [x, y, width, height]",
    "alphabet": "letters, digits, alnum or a pattern, in quotes",
    "comb": f"a whole number from 1 to {MOST_CELLS}",
    "lexicon": _FILE_BESIDE,
    "context": f"the name of a pack, or {_FILE_BESIDE}",
    "required": "true or false",
    "kind": f"one of {', '.join(KINDS)}, in quotes",
    "order": "DMY, MDY or YMD, in quotes",
    "years": "two years of four digits: [1900, 2030]",
    "digits": f"a whole number from {PHONE_DIGITS[0]} to {PHONE_DIGITS[1]}",
    "decimal": 'the decimal mark, "." or ","',
    "decimals": f"a whole number from 0 to {MOST_DECIMALS}",
    "check": "luhn, mod97, iban or isbn, in quotes",
    "choices": "a list of words, each in quotes",
    "rules": "a list of rules, each in quotes",
}
"""What the value of each key must be; a name has `_NAME_RULE`."""


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a form.

    Attributes:
        name: its column in fields.csv.
        box: its box in pixels of the blank.
        automaton: the texts that it may contain.
        comb: its number of cells; None where letters are written freely.
        lexicon: the words that it may contain; None for any.
        context: what is likely to be written there; None if the ink alone counts.
        required: whether a page is flagged where this field is empty.
        words: whether a wide gap separates words; in a field with a pattern it does not, because no pattern
            has a space.
        kind: what its text means.
    """

    name: str
    box: Box
    automaton: Automaton = dataclasses.field(repr=False)
    comb: int | None = None
    lexicon: WordList | None = dataclasses.field(default=None, repr=False)
    context: ContextPack | None = dataclasses.field(default=None, repr=False)
    required: bool = False
    words: bool = True
    kind: FieldKind = dataclasses.field(kw_only=True)


@dataclasses.dataclass(frozen=True)
class Template:
    """A checked template.

    Attributes:
        content: the bytes of its file.
        files: the content of the blank, the word lists and the contexts, by the names that it has for them.
        blank: uint8, h×w, 0 black to 255 white: the blank form.
        fields: in the order of the columns.
        rules: those between fields.
    """

    content: bytes = dataclasses.field(repr=False)
    files: dict[str, bytes] = dataclasses.field(repr=False)
    blank: NDArray[np.uint8] = dataclasses.field(compare=False, repr=False)
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...] = dataclasses.field(default=(), compare=False, repr=False)

    @property
    def has_rules(self) -> bool:
        """Whether a field can break a rule."""
        return bool(self.rules) or any(field.kind.has_value for field in self.fields)

    @functools.cached_property
    def digest(self) -> str:
        """Digest of all its files."""
        parts = hashlib.sha256(hashlib.sha256(self.content).digest())
        for name, content in sorted(self.files.items()):
            parts.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
        return parts.hexdigest()


def header(template: Template) -> list[str]:
    """Return the columns of fields.csv."""
    return [
        *PAGE_COLUMNS,
        *(column for field in template.fields for column in (field.name, field.name + _CONFIDENCE_SUFFIX)),
        *(field.name + _VALUE_SUFFIX for field in template.fields if field.kind.has_value),
        *([_BROKEN_RULES] if template.has_rules else []),
    ]


def read_template(path: Path | Place, content: bytes | None = None) -> Template:
    """Read a template with its blank, word lists and contexts, and check all of it.

    Args:
        path: its file.
        content: what is read in place of the file's content, as if it had been saved there.

    Raises:
        BadData: a file is missing or cannot be used; the message names file, line and field.
    """
    return _Reader(locate(path), content).template()


class _Reader:
    """Reads and checks one template.

    Args:
        path: its file.
        content: as for `read_template`.

    Raises:
        BadData: the file cannot be read, or is no template.
    """

    def __init__(self, path: Place, content: bytes | None) -> None:
        self._path = path
        self._files: dict[str, bytes] = {}
        try:
            content = path.parent.read(path.name) if content is None else content
        except OSError as error:
            raise BadData(
                f"cannot read the template {display_path(path)}: {error.strerror}", _HELP
            ) from error
        if PurePath(path.name).suffix.lower() in SCAN_SUFFIXES:
            raise BadData(
                f"{display_path(path)} is an image, not a template",
                f"Make a template of it with: lettermill template new {shlex.quote(display_path(path))}",
            )
        if len(content) > _MOST_BYTES:
            raise BadData(f"the template {display_path(path)} is larger than a megabyte", _HELP)
        try:
            self._text = content.decode("utf-8")
            values = tomllib.loads(self._text)
        except UnicodeDecodeError as error:
            raise BadData(f"the template {display_path(path)} is not UTF-8", _HELP) from error
        except tomllib.TOMLDecodeError as error:
            raise BadData(f"the template {display_path(path)} is not TOML: {error}", _HELP_TOML) from error
        try:
            self._file = msgspec.convert(_with_kinds(values), _File)
        except msgspec.ValidationError as error:
            raise self._schema_problem(str(error), values) from error

    def template(self) -> Template:
        """Read the files that the template names, and check all of it.

        Raises:
            BadData: something in it cannot be used.
        """
        blank = self._blank()
        made = [self._field(number, field, blank.shape) for number, field in enumerate(self._file.fields)]
        fields = tuple(field for field in made if not isinstance(field.kind, Ignore))
        if not fields:
            raise self._problem(None, "fields", "all fields are ignored")
        self._check_names()
        for (one, first), (other, second) in itertools.combinations(enumerate(self._file.fields), 2):
            if _overlap(first.box, second.box):
                raise self._problem(
                    other,
                    "box",
                    f"the fields {first.name} (line {self._line(one, 'box')}) and {second.name} overlap",
                )
        return Template(self._text.encode(), self._files, blank, fields, self._rules(fields))

    def _blank(self) -> NDArray[np.uint8]:
        content = self._read(None, "blank", self._file.blank, "blank form")
        try:
            # A PDF is decoded by a child process, which is given an open file.
            with tempfile.TemporaryFile() as file:
                file.write(content)
                file.flush()
                return read_page(cast(BinaryIO, file), 1, self._file.dpi, Limits())
        except ScanError as error:
            raise self._problem(
                None, "blank", f"the blank form {self._file.blank}: {error.message}"
            ) from error

    def _field(self, number: int, field: Kind, shape: tuple[int, ...]) -> Field:
        x, y, width, height = field.box
        if x < 0 or y < 0 or x + width > shape[1] or y + height > shape[0]:
            raise self._problem(
                number,
                "box",
                f"the box is not inside the blank form, which has {shape[1]}×{shape[0]} pixels",
            )
        comb = getattr(field, "comb", None)
        if min(width // (comb or 1), height) < _LEAST_SIDE_PIXELS:
            raise self._problem(
                number, "box", f"the field or its cells are smaller than {_LEAST_SIDE_PIXELS} pixels"
            )
        automaton = self._automaton(number, field)
        if comb is not None and automaton.shortest > comb:
            raise self._problem(
                number,
                "comb",
                f"the pattern needs at least {automaton.shortest} characters, more than the comb has cells",
            )
        words = field.words or (isinstance(field, Text) and field.alphabet in ALPHABETS)
        lexicon = context = None
        if isinstance(field, Text | PersonName) and field.lexicon is not None:
            if not words:
                raise self._problem(number, "lexicon", "a field with a pattern cannot have a word list")
            content = self._read(number, "lexicon", field.lexicon, "word list")
            characters = "".join(sorted(automaton.characters, key="".join(ALPHABETS.values()).index))
            lexicon = WordList(self._path.parent / field.lexicon, content, characters)
            check_word_list(lexicon)
        if isinstance(field, Text | PersonName) and field.context is not None:
            if not words or (isinstance(field, Text) and field.alphabet == "digits"):
                raise self._problem(number, "context", "only a field of letters or alnum can have a context")
            context = self._context(number, field.context)
        required = getattr(field, "required", False)
        return Field(
            field.name, Box(*field.box), automaton, comb, lexicon, context, required, words, kind=field
        )

    def _automaton(self, number: int, field: Kind) -> Automaton:
        """Return what a field may contain."""
        key, allowed = "alphabet", ALLOWED
        if isinstance(field, Choice):
            key, allowed = "choices", "Give words of A to Z and 0 to 9; spaces in them are not read."
            plain = [plain_word(word) for word in field.choices]
            if twice := {word for word in plain if plain.count(word) > 1}:
                raise self._problem(number, key, f"{min(twice)} is there twice", allowed)
        if isinstance(field, Code) and not field.alphabet and field.check is None:
            raise self._problem(number, "kind", "a code needs an alphabet or a check")
        if isinstance(field, Date) and field.years[0] > field.years[1]:
            raise self._problem(number, "years", "the first year is after the last")
        alphabet = field.alphabet if isinstance(field, Text | Code) else ""
        if alphabet not in ALPHABETS and alphabet.lower() in ALPHABETS:
            raise self._problem(number, key, f"write {alphabet.lower()} in small letters", ALLOWED)
        try:
            return field.automaton()
        except ValueError as error:
            raise self._problem(number, key, str(error), allowed) from error

    def _rules(self, fields: Sequence[Field]) -> tuple[Rule, ...]:
        units = {field.name: _unit(field) for field in fields}
        ticks = frozenset(field.name for field in fields if isinstance(field.kind, Tick | Signature))
        rules = []
        for text in self._file.rules:
            try:
                rules.append(rule_of(text, units, ticks))
            except ValueError as error:
                line = next(
                    (at for at, said in enumerate(self._text.splitlines(), 1) if f'{text}"' in said),
                    self._line(None, "rules"),
                )
                what = f"{display_path(self._path)}, line {line}: {error}"
                raise TemplateProblem(what, RULES, None, "rules", str(error)) from error
        return tuple(rules)

    def _context(self, number: int, name: str) -> ContextPack:
        """Return the context of a field: in a job's folder the copy of a pack lies beside the template."""
        file = f"{name}{PACK_SUFFIX}" if name in PACKS else name
        if file != name and file not in self._files and not (self._path.parent / file).exists():
            self._files[file] = (installed_pack_folder() / file).read_bytes()
        return context_of(self._read(number, "context", file, "context"), self._path.parent / file)

    def _check_names(self) -> None:
        taken = dict.fromkeys((*PAGE_COLUMNS, _BROKEN_RULES), -1)
        for number, field in enumerate(self._file.fields):
            for column in _columns(field):
                other = taken.setdefault(column.lower(), number)
                if other != number:
                    whose = "fields.csv" if other < 0 else f"the field in line {self._line(other, 'name')}"
                    raise self._problem(number, "name", f"{whose} already has a column {column}")

    def _read(self, number: int | None, key: str, name: str, what: str) -> bytes:
        """Read a file in the template's folder."""
        # No .toml: in a job's folder the template itself has another name, which the file must not take.
        if "/" in name or "\0" in name or name in ("", ".", "..") or name.endswith(".toml"):
            raise self._problem(number, key, f"{name!r} is not the name of a {what} in the template's folder")
        if name not in self._files:
            try:
                self._files[name] = self._path.parent.read(name)
            except OSError as error:
                raise self._problem(
                    number, key, f"cannot read the {what} {name}: {error.strerror}"
                ) from error
        return self._files[name]

    def _problem(self, number: int | None, key: str, said: str, next_step: str = _HELP) -> TemplateProblem:
        """Return the error of a key, with its line."""
        field = "" if number is None else f", field {self._file.fields[number].name}"
        what = f"{display_path(self._path)}, line {self._line(number, key)}{field}: {said}"
        return TemplateProblem(what, next_step, number, key, said)

    def _schema_problem(self, message: str, values: dict[str, Any]) -> TemplateProblem:
        """Return the error of a missing or unknown key, or of a wrong value.

        Args:
            message: msgspec's message.
            values: the template as it was written.
        """
        what, _, where = message.partition(" - at ")
        found = _WHERE.match(where)
        number = int(found[1]) if found and found[1] else None
        key = (found[2] if found else None) or "fields"
        if missing := _MISSING.search(what):
            key, said = missing[1], f"{missing[1]} is missing"
        elif unknown := _UNKNOWN.search(what):
            key, said = unknown[1], self._unknown_key(unknown[1], number, values)
        elif key == "name" and number is not None:
            said = _name_problem(values["fields"][number]["name"])
        else:
            said = f"{key} must be {_VALUES[key]}"
        what = f"{display_path(self._path)}, line {self._line(number, key)}: {said}"
        return TemplateProblem(what, _HELP, number, key, said)

    def _unknown_key(self, key: str, number: int | None, values: dict[str, Any]) -> str:
        if number is None:
            return f"there is no key {key}, only {', '.join(_File.__struct_fields__)}"
        kind = values["fields"][number].get("kind", "text")
        known = [*KINDS[kind].__struct_fields__, "kind"]
        of_kind = "" if kind == "text" else f" in a field of the kind {kind}"
        return f"there is no key {key}{of_kind}, only {', '.join(known)}"

    def _line(self, number: int | None, key: str) -> int:
        """Return the line, from 1, of a key of a field or of the file; if it is missing, the first line."""
        lines = self._text.splitlines()
        starts = [line for line, text in enumerate(lines) if _FIELDS_LINE.match(text)]
        begin, end = 0, starts[0] if starts else len(lines)
        if number is not None and number < len(starts):
            begin, end = starts[number], [*starts[1:], len(lines)][number]
        elif number is not None:  # The fields are written as one array.
            key = "fields"
        written = re.compile(rf"\s*[\"\']?{re.escape(key)}[\"\']?\s*=")
        found = [line for line in range(begin, end) if written.match(lines[line])]
        return (found[0] if found else begin) + 1


def _with_kinds(values: dict[str, Any]) -> dict[str, Any]:
    """Return a template's values with the kind of each field that states none."""
    fields = values.get("fields")
    if not isinstance(fields, list):
        return values
    kinds = [{"kind": "text", **field} if isinstance(field, dict) else field for field in fields]
    return {**values, "fields": kinds}


def _columns(field: FieldKind) -> list[str]:
    """Return the columns of a field."""
    if isinstance(field, Ignore):
        return []
    return [field.name, field.name + _CONFIDENCE_SUFFIX, *([field.name + _VALUE_SUFFIX] * field.has_value)]


def _unit(field: Field) -> Unit | None:
    """Return what the value of a field is in rules: digits are a number."""
    if field.automaton.characters <= set(DIGITS) and isinstance(field.kind, Text | Code):
        return "number"
    return field.kind.unit


def _name_problem(name: object) -> str:
    """Return what is wrong with the name of a field, with a name that could be used where there is one."""
    said = f"{json.dumps(name, ensure_ascii=False, default=str)} cannot be a field name: {_NAME_RULE}"
    better = re.sub(r"\W+", "_", str(name), flags=re.ASCII).strip("_")
    return f"{said} ({better})" if re.match(NAME_PATTERN, better) else said


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return all(
        max(one[axis], other[axis]) < min(one[axis] + one[axis + 2], other[axis] + other[axis + 2])
        for axis in (0, 1)
    )
