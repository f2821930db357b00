"""JSON Lines and JSON arrays as records; numbers keep their digits.

Holds one object in memory, and one block of an array. Knows nothing of columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TextIO

from runner.errors import SourceError
from runner.job.endpoints import FileShape, Written
from runner.tables.sources.chunks import open_text

JsonObject = dict[str, Any]
_FIRST_CHARACTERS = 1 << 16
_LONGEST_OBJECT_CHARACTERS = 64_000_000
_BLANKS = " \t\r\n"


class _Digits(str):
    """A JSON number as it was written."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_float=_Digits, parse_int=_Digits)


def json_lines(path: Path, shape: FileShape) -> Iterator[JsonObject]:
    """Read the object of each line.

    Raises:
        SourceError: A line is not a JSON object; gives its number.
    """
    with open_text(path, shape) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                record = _DECODER.decode(line.rstrip("\r\n"))
            except json.JSONDecodeError as error:
                hint = "JSON Lines has one whole JSON object on each line."
                _refuse(path, number, error, hint)
            if not isinstance(record, dict):
                raise SourceError(
                    f"{path}: line {number:,} is not a JSON object.",
                    hint='Each line is one row: {"Name": "Acme", "Phone": "1"}',
                )
            yield record


def json_array(path: Path, shape: FileShape) -> Iterator[JsonObject]:
    """Read the objects of a file that is one array.

    Raises:
        SourceError: The file is something else, or ends early; gives the line.
    """
    with open_text(path, shape) as stream:
        text = _Window(path, stream)
        if not text.peek():
            return
        text.expect("[", "a JSON array begins with [; one object a line is `format: jsonl`")
        if text.peek() != "]":
            yield text.object()
            while text.peek() == ",":
                text.expect(",", "")
                yield text.object()
        text.expect("]", "a comma or ] comes after each object; the file may end too early")
        if text.peek():
            text.refuse("there is text after the array")


class _Window:
    """The part of a text that is being parsed."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self._path = path
        self._stream = stream
        self._text = ""
        self._at = 0
        self._line = 1

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
        more = _FIRST_CHARACTERS
        while True:
            try:
                found, self._at = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # The text may just be cut off: try again with twice as much.
                if more > _LONGEST_OBJECT_CHARACTERS or not self._grow(more):
                    line = self._line + error.lineno - 1
                    _refuse(self._path, line, error, "Fix it, or export the file again.")
                more *= 2
            else:
                return dict(found)

    def refuse(self, why: str) -> NoReturn:
        line = self._line + self._text.count("\n", 0, self._at)
        raise SourceError(
            f"{self._path}: line {line:,}: not a JSON array of objects.",
            hint=f"{why.capitalize()}.",
        )

    def _grow(self, characters: int) -> bool:
        """Read more text and drop what has been parsed; False at the end."""
        more = self._stream.read(characters)
        self._line += self._text.count("\n", 0, self._at)
        self._text = self._text[self._at :] + more
        self._at = 0
        return bool(more)


def _refuse(path: Path, line: int, error: json.JSONDecodeError, hint: str) -> NoReturn:
    raise SourceError(
        f"{path}: line {line:,}, column {error.colno}: not JSON: {error.msg}.", hint=hint
    ) from error


class TypedColumns:
    """Finds the columns whose numbers are typed, which a declared decimal mark does not concern."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fractions: dict[str, int] = {}
        self._texts: dict[str, int] = {}

    def watch(self, objects: Iterable[JsonObject]) -> Iterator[JsonObject]:
        """Pass objects on, looking at their values."""
        for number, found in enumerate(objects, start=1):
            for column, value in found.items():
                if isinstance(value, _Digits):
                    if not value.lstrip("-").isdigit():
                        self._fractions.setdefault(column, number)
                elif isinstance(value, str) and value:
                    self._texts.setdefault(column, number)
            yield found

    def __call__(self, shape: FileShape) -> Written:
        """Say how their values are written, if the others are as `shape` says.

        Raises:
            SourceError: A column has both typed numbers and texts.
        """
        for column in self._fractions.keys() & self._texts.keys():
            raise SourceError(
                f"{self._path}: column {column!r} has a number with a decimal point in row"
                f" {self._fractions[column]:,} and a text in row {self._texts[column]:,}.",
                hint="`decimal` applies to texts; write all values of the column in one way.",
            )
        return {
            column: (replace(shape, decimal=".", thousands=None),) for column in self._fractions
        }


def json_cell(value: object) -> str:
    """The text of a value: lists and objects as JSON, null as blank."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    """Write a nested value as JSON, numbers unchanged."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, _Digits):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
