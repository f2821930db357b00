"""Transformation specs of Bulk API 1.0: how the columns of a CSV become fields.

Knows the columns of a spec and Java's date patterns. Knows no job. Source: the Bulk API developer
guide, Map Data Fields.

    Salesforce Field,Csv Header,Value,Hint
    Name,Full Name,,
    LeadSource,Lead Source,Import,
    Birthdate,Date of Birth,,dd.MM.yyyy
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime

from msgspec import Struct

from runner.local_org.bulk.failure import JobFailure
from runner.local_org.catalog.model import SObject

MAX_CHARACTERS = 8_192
_COLUMNS = ["Salesforce Field", "Csv Header", "Value", "Hint"]
_PERSON = ("LastName", "FirstName")
_PATTERN = re.compile(r"'([^']*)'|y+|M+|d+|H+|h+|m+|s+|S+|a+|E+|Z|z|X+|.", re.DOTALL)
_LETTERS = {
    "d": "%d",
    "H": "%H",
    "h": "%I",
    "m": "%M",
    "s": "%S",
    "S": "%f",
    "a": "%p",
    "E": "%a",
    "z": "%Z",
    "Z": "%z",
    "X": "%z",
}
_NAMED_MONTH = 3
_LONG_YEAR = 3
_YEARS_AHEAD = 20
"""A year of two digits is at most so far ahead, as in Java."""


class _Rule(Struct, frozen=True):
    """One line of a spec."""

    fields: tuple[str, ...]
    """One field, or the two parts of a person's Name."""
    column: str
    default: str
    hint: str
    kind: str
    """Describe's type of the field."""

    def values(self, given: str) -> list[str]:
        text = given or self.default
        if len(self.fields) > 1:
            return _split_name(text)
        if not text or not self.hint:
            return [text]
        if self.kind == "boolean":
            return ["true" if re.fullmatch(self.hint, text) else "false"]
        return [_reformatted(text, self.hint, self.kind)]


class Transformation:
    """A spec that can be applied to the rows of a CSV."""

    def __init__(self, text: str, sobject: SObject) -> None:
        """Read a spec.

        Raises:
            JobFailure: it is too long, or is not a spec.
        """
        if len(text) >= MAX_CHARACTERS:
            raise JobFailure.invalid_batch(
                f"A transformation spec has less than {MAX_CHARACTERS} characters"
            )
        header, *lines = [line for line in csv.reader(io.StringIO(text)) if line] or [[]]
        if [name.strip() for name in header] != _COLUMNS:
            raise JobFailure.invalid_batch(
                f"The header of a transformation spec is {','.join(_COLUMNS)}"
            )
        self._rules = [_rule(line, sobject) for line in lines]

    @property
    def header(self) -> list[str]:
        """The fields of the transformed rows."""
        return [name for rule in self._rules for name in rule.fields]

    def rows(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[list[str]]:
        """Transform rows; columns that the spec does not name are left out.

        A row with more values than the header keeps them at its end, so that it fails alone.
        """
        places = {name: place for place, name in enumerate(header)}
        columns = [(rule, places.get(rule.column)) for rule in self._rules]
        return [
            [
                *(
                    value
                    for rule, place in columns
                    for value in rule.values("" if place is None else row[place])
                ),
                *row[len(header) :],
            ]
            for row in rows
        ]


def _rule(line: Sequence[str], sobject: SObject) -> _Rule:
    name, column, default, hint = [*line, "", "", "", ""][:4]
    field = sobject.field(name)
    if field is None:
        raise JobFailure.invalid_batch(f"Field name not found : {name}")
    if field.type == "boolean":
        try:
            re.compile(hint)
        except re.error:
            raise JobFailure.invalid_batch(f"The hint of {name} is no expression: {hint}") from None
    by_parts = field.name == "Name" and all(sobject.field(part) for part in _PERSON)
    return _Rule(_PERSON if by_parts else (field.name,), column, default, hint, field.type)


def _split_name(text: str) -> list[str]:
    """`Cat, Tom` and `Tom Cat` are both Cat and Tom."""
    if "," in text:
        last, _, first = text.partition(",")
    else:
        first, _, last = text.strip().rpartition(" ")
    return [last.strip(), first.strip()]


def _reformatted(text: str, pattern: str, kind: str) -> str:
    """A date or datetime as the API writes it; as it was if it does not match the pattern."""
    for months in ("%m", "%b"):
        try:
            moment = datetime.strptime(text, _format(pattern, months))  # noqa: DTZ007 - as written
        except ValueError:
            continue
        if "y" in pattern and "yyy" not in pattern and moment.year > _last_year():
            moment = moment.replace(year=moment.year - 100)
        return moment.date().isoformat() if kind == "date" else moment.isoformat()
    return text


def _last_year() -> int:
    return date.today().year + _YEARS_AHEAD  # noqa: DTZ011 - a window of years


def _format(pattern: str, months: str) -> str:
    """Java's date pattern as Python's; a month of three letters or more is a name."""
    made = ""
    for found in _PATTERN.finditer(pattern):
        letters = found[0]
        if found[1] is not None:
            made += found[1].replace("%", "%%")
        elif letters[0] == "y":
            made += "%Y" if len(letters) >= _LONG_YEAR else "%y"
        elif letters[0] == "M":
            named = "%B" if len(letters) > _NAMED_MONTH else "%b"
            made += named if len(letters) >= _NAMED_MONTH else months
        else:
            made += _LETTERS.get(letters[0], letters.replace("%", "%%"))
    return made
