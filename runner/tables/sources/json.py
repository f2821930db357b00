"""JSON Lines and JSON arrays as records; numbers keep their digits.

Holds one object in memory, and one block of an array. Knows nothing of columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TextIO

from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.endpoints import FileShape, Written
from runner.tables.sources.chunks import open_text
from runner.tables.sources.csv import CODE_COLUMN, MESSAGE_COLUMN, REFERENCE_COLUMN, UNREADABLE
from runner.tables.sources.header import empty
from runner.tables.sources.value_texts import number_text

JsonObject = dict[str, Any]
_FIRST_CHARACTERS = 1 << 16
_LONGEST_OBJECT_CHARACTERS = 64_000_000
_BLANKS = " \t\r\n"
_RECORDS, _ATTRIBUTES = "records", "attributes"
"""Members of Salesforce's answers, of exported trees and of their records."""


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_MAY_BE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _Digits(str):
    """A JSON number as it was written."""

    __slots__ = ()


class _Decoder(json.JSONDecoder):
    """Decodes objects, and notes what Python accepts although it is not JSON."""

    def __init__(self) -> None:
        super().__init__(
            parse_float=_Digits,
            parse_int=_Digits,
            parse_constant=self._constant,
            object_pairs_hook=self._object,
        )
        self._faults: list[str] = []

    def checked(self, record: JsonObject, text: str, line: Callable[[], int]) -> JsonObject:
        """A decoded record; one with faults says so in the columns of a failed row.

        Args:
            record: What was decoded.
            text: From what.
            line: Gives the number of the line in which it begins.
        """
        if _MAY_BE_SURROGATE.search(text):
            record = self._without_surrogates(record)
        try:
            record = flat(record)
        except ValueError as error:
            self._faults.append(str(error))
        if not self._faults:
            return record
        faults = "; ".join(dict.fromkeys(self._faults))
        self._faults.clear()
        return {**record, CODE_COLUMN: UNREADABLE, MESSAGE_COLUMN: f"line {line():,}: {faults}"}

    def _constant(self, text: str) -> str:
        self._faults.append(f"{text} is not JSON; write null for a blank")
        return text

    def _object(self, members: list[tuple[str, Any]]) -> JsonObject:
        found = dict(members)
        if len(found) < len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            self._faults.append(f"the member {twice!r} appears twice in one object")
        return found

    def _without_surrogates(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            return {
                self._without_surrogates(name): self._without_surrogates(each)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._without_surrogates(each) for each in value]
        if not isinstance(value, str) or not (found := _LONE_SURROGATE.search(value)):
            return value
        self._faults.append(f"\\u{ord(found[0]):04x} is half a character")
        return _LONE_SURROGATE.sub("\ufffd", value)


def json_lines(path: Path, shape: FileShape) -> Iterator[JsonObject]:
    """Read the object of each line.

    Raises:
        SourceError: A line is not a JSON object; gives its number.
    """
    decoder = _Decoder()
    with open_text(path, shape) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                record = decoder.decode(line.rstrip("\r\n"))
            except json.JSONDecodeError as error:
                hint = "JSON Lines has one whole JSON object on each line."
                _refuse(path, number, error, hint)
            except RecursionError as error:
                raise _too_deep(path, number) from error
            if not isinstance(record, dict):
                raise SourceError(
                    f"{path}: line {number:,} is not a JSON object.",
                    hint='Each line is one row: {"Name": "Acme", "Phone": "1"}',
                )
            yield decoder.checked(record, line, partial(int, number))


def json_array(path: Path, shape: FileShape) -> Iterator[JsonObject]:
    """Read the objects of a file that is one array, or an answer of Salesforce's with `records`.

    The answer may be that of a query, of an export of a tree, or of the Salesforce CLI.

    Raises:
        SourceError: The file is something else, or ends early; gives the line.
    """
    with open_text(path, shape) as stream:
        text = _Window(path, stream)
        if not text.peek():
            raise empty(path)
        yield from _answer(text) if text.peek() == "{" else _array(text)
        if text.peek():
            text.refuse("there is text after the array")


def _array(text: _Window) -> Iterator[JsonObject]:
    text.expect("[", "a JSON array begins with [; one object a line is `format: jsonl`")
    if text.peek() != "]":
        yield text.object()
        while text.peek() == ",":
            text.expect(",", "")
            yield text.object()
    text.expect("]", "a comma or ] comes after each object; the file may end too early")


def _answer(text: _Window) -> Iterator[JsonObject]:
    """The records of an answer; it must have as many as it counts."""
    has_records = False
    count, counted = 0, ""
    text.expect("{", "")
    while text.peek() == '"':
        name = text.value()
        text.expect(":", "a colon comes after the name of a member")
        if name in {_RECORDS, "result"} and text.peek() in {"[", "{"}:
            has_records = True
            for record in _answer(text) if text.peek() == "{" else _array(text):
                count += 1
                yield record
        elif (value := text.value()) is False and name == "done":
            text.refuse("`done` is false: the answer is one page of several; save all records")
        elif name == "totalSize" and isinstance(value, _Digits):
            counted = value
        if text.peek() != ",":
            break
        text.expect(",", "")
    text.expect("}", "a comma or } comes after each member; the file may end too early")
    if has_records and counted not in {"", str(count)}:
        text.refuse_count(count, counted)
    if not has_records:
        text.refuse("an array of rows, or an object with `records`, is expected here")


class _Window:
    """The part of a text that is being parsed."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self._path = path
        self._stream = stream
        self._text = ""
        self._at = 0
        self._line = 1
        self._decoder = _Decoder()

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            if self._at < len(self._text) or not self._grow(_FIRST_CHARACTERS):
                return self._text[self._at : self._at + 1]

    def expect(self, character: str, otherwise: str) -> None:
        if self.peek() != character:
            self.refuse(otherwise)
        self._at += 1

    def object(self) -> JsonObject:
        if self.peek() != "{":
            self.refuse('each row is an object: {"Name": "Acme"}')
        found: JsonObject = self.value()
        return found

    def value(self) -> Any:  # noqa: ANN401 - any JSON
        """The next value; an object says what is wrong with it."""
        self.peek()
        more = _FIRST_CHARACTERS
        while True:
            start = self._at
            try:
                found, self._at = self._decoder.raw_decode(self._text, start)
            except json.JSONDecodeError as error:
                # The text may just be cut off: try again with twice as much.
                if more > _LONGEST_OBJECT_CHARACTERS or not self._grow(more):
                    line = self._line + error.lineno - 1
                    _refuse(self._path, line, error, "Fix it, or export the file again.")
                more *= 2
            except RecursionError as error:
                raise _too_deep(self._path, self._line_at(start)) from error
            else:
                text = self._text[start : self._at]
                if not isinstance(found, dict):
                    return found
                return self._decoder.checked(found, text, partial(self._line_at, start))

    def refuse(self, why: str) -> NoReturn:
        raise SourceError(
            f"{self._path}: line {self._line_at(self._at):,}: not a JSON array of objects.",
            hint=f"{why.capitalize()}.",
        )

    def refuse_count(self, count: int, counted: str) -> NoReturn:
        raise SourceError(
            f"{self._path}: it has {count:,} records, but its `totalSize` is {counted}.",
            hint="The program that saved it may have a limit; save all records.",
        )

    def _line_at(self, place: int) -> int:
        return self._line + self._text.count("\n", 0, place)

    def _grow(self, characters: int) -> bool:
        """Read more text and drop what has been parsed; False at the end."""
        more = self._stream.read(characters)
        self._line = self._line_at(self._at)
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)


def _too_deep(path: Path, line: int) -> SourceError:
    return SourceError(
        f"{path}: line {line:,}: lists and objects are nested too deeply.",
        hint="Rows are flat objects; export the file again.",
    )


def _refuse(path: Path, line: int, error: json.JSONDecodeError, hint: str) -> NoReturn:
    raise SourceError(
        f"{path}: line {line:,}, column {error.colno}: not JSON: {error.msg}.", hint=hint
    ) from error


def flat(record: JsonObject) -> JsonObject:
    """A record whose objects are columns of their own: `Account.ERP_Id__c`.

    Salesforce's `attributes` are left out; child records stay a list.

    Raises:
        ValueError: A member has the name of a column.
    """
    if not any(isinstance(value, dict) for value in record.values()):
        return record
    found: JsonObject = {}
    for name, value in record.items():
        if not isinstance(value, dict):
            members = {name: value}
        elif name == _ATTRIBUTES and "type" in value:
            reference = value.get("referenceId")
            members = {REFERENCE_COLUMN: reference} if isinstance(reference, str) else {}
        elif isinstance(value.get(_RECORDS), list):
            members = {name: value[_RECORDS]}
        else:
            own = flat(value)
            own.pop(REFERENCE_COLUMN, None)
            members = {f"{name}.{member}": each for member, each in own.items()}
        if twice := members.keys() & found.keys():
            raise ValueError(f"the column {twice.pop()!r} appears twice in one object")
        found |= members
    return found


class TypedColumns:
    """Finds columns with typed numbers, which no decimal mark concerns, with lists and objects."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fractions: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._lists: set[str] = set()
        self._members: set[str] = set()
        self._objects: set[str] = set()

    def watch(self, objects: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """Pass objects on, looking at their values."""
        for number, found in enumerate(objects, start=1):
            for column, value in found.items():
                if isinstance(value, _Digits):
                    if not value.lstrip("-").isdigit():
                        self._fractions.setdefault(column, number)
                elif isinstance(value, str):
                    if value:
                        self._texts.setdefault(column, number)
                elif isinstance(value, list):
                    self._lists.add(column)
                if value is not None and column not in self._members:
                    self._see(column, found)
            yield found

    def _see(self, column: str, found: JsonObject) -> None:
        """Note of what objects a new column is a member."""
        self._members.add(column)
        for place, letter in enumerate(column):
            if letter == "." and column[:place] not in found:
                self._objects.add(column[:place])

    def __call__(self, shape: FileShape, columns: Collection[str]) -> Written:
        """Say how their values are written, if the others are as `shape` says.

        Args:
            shape: Of the source.
            columns: Those that have values of their own.

        Raises:
            SourceError: A column has both typed numbers and texts.
        """
        both = self._fractions.keys() & self._texts.keys()
        for column in both if shape.decimal != "." else ():
            raise SourceError(
                f"{self._path}: column {column!r} has a number with a decimal point in row"
                f" {self._fractions[column]:,} and a text in row {self._texts[column]:,}.",
                hint="`decimal` applies to texts; write all values of the column in one way.",
            )
        typed = replace(shape, decimal=".", thousands=None)
        written = dict.fromkeys(self._fractions, (typed,))
        written |= {column: (replace(shape, has_lists=True),) for column in self._lists}
        mixed = self._objects.intersection(columns)
        return written | {column: (replace(shape, has_objects=True),) for column in mixed}


def json_cell(value: object) -> str:
    """The text of a value: lists and objects as JSON, null as blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Digits):
        return number_text(value)
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    """Write a nested value as JSON, numbers unchanged."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, _Digits):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
