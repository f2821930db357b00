"""Pages of REST records as columns of texts, in the form of Bulk API 2.0.

A page is read straight into records of the very shape that the query asks for, and its columns
are turned into texts column by column: what is already a text is not touched. Where a page is of
another shape after all, it says so, and the writer goes record by record. Knows JSON and values.
Knows nothing of files or requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

import msgspec

from runner.tables.field_types import FieldKind

Path = tuple[str, ...]


class Digits(str):
    """A fractional number as it was written: a float would lose digits."""

    __slots__ = ()


_LOOSE = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Digits)
_UNMET = object()
_OFFSET = "+0000"


def records_of(page: bytes) -> list[dict[str, Any]]:
    """Read the records of a page, fractional numbers as `Digits`.

    Raises:
        ValueError: They are no records.
    """
    try:
        return _LOOSE.decode(page)
    except msgspec.MsgspecError:  # a lone surrogate, say: Python's own reader takes more
        return cast("list[dict[str, Any]]", json.loads(page, parse_float=Digits))


def value_at(record: object, path: Path) -> object:
    """The value at the end of a path; None where a parent is missing."""
    found = _found(record, path)
    return None if found is _UNMET else found


def _found(record: object, path: Path) -> object:
    value: object = record
    for step in path:
        if not isinstance(value, Mapping):
            return _UNMET
        spelled = spelled_as(value, step)
        if spelled is None:
            return _UNMET
        value = value[spelled]
    return value


def spelled_as(record: Mapping[str, object], step: str) -> str | None:
    """Field names come back in the org's letter case, whatever the query's was."""
    if step in record:
        return step
    wanted = step.lower()
    return next((key for key in record if key.lower() == wanted), None)


def text_of(value: object, kind: FieldKind | None) -> str:
    """A value as Bulk API 2.0 writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        return msgspec.json.encode(_without_attributes(value), enc_hook=_as_written).decode()
    text = str(value)
    if kind is FieldKind.DATETIME and text.endswith(_OFFSET):
        return text.removesuffix(_OFFSET) + "Z"
    if kind is FieldKind.NUMBER and text.lstrip("-").isdigit():
        return f"{text}.0"
    return text


def _as_written(value: object) -> msgspec.Raw:
    return msgspec.Raw(str(value).encode())


def _without_attributes(value: object) -> object:
    if isinstance(value, Mapping):
        return {k: _without_attributes(each) for k, each in value.items() if k != "attributes"}
    return [_without_attributes(each) for each in value] if isinstance(value, list) else value


class PageReader:
    """Reads pages of one query; learns from the first how the org spells its fields."""

    def __init__(self, columns: Sequence[tuple[Path, FieldKind | None]]) -> None:
        """Take each column's path, `("Account", "Name")`, and kind, in their order."""
        self._columns = tuple(columns)
        self._shape: _Shape | None = None

    def texts(self, page: bytes) -> list[list[str]] | None:
        """Give a page's columns as texts.

        Args:
            page: A JSON array of records.

        Returns:
            A list a column; None where the page is not of the shape that is known.
        """
        if self._shape is None:
            self._shape = _learned([path for path, _ in self._columns], records_of(page))
        if self._shape is None:
            return None
        values = self._shape.values(page)
        if values is None:
            return None
        kinds = (kind for _, kind in self._columns)
        try:
            return [_texts(column, kind) for column, kind in zip(values, kinds, strict=True)]
        except _MissingError:
            return None


class _Shape:
    """Records as the org spells them: fields at the top, and below one parent after the other."""

    def __init__(self, paths: Sequence[Path]) -> None:
        record = _record_type(tuple(paths))
        self._decoder = msgspec.json.Decoder(list[record], float_hook=str)  # type: ignore[valid-type]
        self._paths = paths

    def values(self, page: bytes) -> list[list[Any]] | None:
        try:
            records = self._decoder.decode(page)
        except msgspec.MsgspecError:
            return None
        known: dict[Path, list[Any]] = {(): records}
        try:
            return [_column(known, path) for path in self._paths]
        except AttributeError:  # a record lacks a parent that the others have
            return None


class _MissingError(Exception):
    """A record lacks a field that the others have."""


def _learned(paths: Sequence[Path], records: Sequence[Mapping[str, Any]]) -> _Shape | None:
    """Find how each path is spelled; None while a parent is missing from all records."""
    spelled: list[Path] = []
    for path in paths:
        found = next((s for record in records if (s := _spelled(record, path))), None)
        if found is None:
            return None
        spelled.append(found)
    return _Shape(spelled)


def _spelled(record: Mapping[str, Any], path: Path) -> Path | None:
    value: object = record
    steps: list[str] = []
    for step in path:
        name = spelled_as(value, step) if isinstance(value, Mapping) else None
        if name is None:
            return None
        steps.append(name)
        value = cast("Mapping[str, object]", value)[name]
    return tuple(steps)


def _record_type(paths: tuple[Path, ...]) -> type[msgspec.Struct]:
    """Make the type of a record that has just these fields; all others are passed over."""
    below: dict[str, list[Path]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    fields: list[tuple[str, Any, Any]] = []
    for place, deeper in enumerate(below.values()):
        leaf = () in deeper
        kind: Any = Any if leaf else _record_type(tuple(deeper)) | msgspec.UnsetType | None
        fields.append((f"f{place}", kind, msgspec.UNSET))
    names = {f"f{place}": name for place, name in enumerate(below)}
    return msgspec.defstruct("Record", fields, rename=names, gc=False)


def _column(known: dict[Path, list[Any]], path: Path) -> list[Any]:
    """Give the values of a path; those of its parents are kept in `known`."""
    if path in known:
        return known[path]
    parents = _column(known, path[:-1])
    attribute = _attribute(parents, path[-1])
    if attribute is None:
        values = [None] * len(parents)
    else:
        value_of = attrgetter(attribute)
        if len(path) == 1:
            values = list(map(value_of, parents))
        else:
            values = [None if each is None else value_of(each) for each in parents]
    known[path] = values
    return values


def _attribute(records: Sequence[Any], name: str) -> str | None:
    first = next((each for each in records if each is not None), None)
    if first is None:
        return None
    place: int = first.__struct_encode_fields__.index(name)
    return f"f{place}"


def _texts(values: list[Any], kind: FieldKind | None) -> list[str]:
    """Turn a column's values into texts; the commonest columns take one pass, or none."""
    types = frozenset(map(type, values))
    if msgspec.UnsetType in types:
        raise _MissingError
    if kind is FieldKind.DATETIME and types == _TEXTS:
        return [text[:-5] + "Z" if text[-5:] == _OFFSET else text for text in values]
    if kind is FieldKind.NUMBER and types == _TEXTS:
        return [text if "." in text else text_of(text, kind) for text in values]
    quick = _QUICK.get(types)
    if quick is None or kind in _RESPELLED:
        return [text_of(value, kind) for value in values]
    return quick(values)


def _as_they_are(values: list[Any]) -> list[str]:
    return values


def _blank_for_none(values: list[Any]) -> list[str]:
    return [value or "" for value in values]


def _numbers(values: list[Any]) -> list[str]:
    return list(map(str, values))


def _truths(values: list[Any]) -> list[str]:
    return ["true" if value else "false" for value in values]


_TEXTS = frozenset({str})
_RESPELLED = frozenset({FieldKind.DATETIME, FieldKind.NUMBER})
_QUICK: dict[frozenset[type], Callable[[list[Any]], list[str]]] = {
    _TEXTS: _as_they_are,
    frozenset({str, type(None)}): _blank_for_none,
    frozenset({int}): _numbers,
    frozenset({bool}): _truths,
}


def csv_of(columns: Sequence[Sequence[str]]) -> str:
    """Write columns of texts as CSV records, every value quoted."""
    doubled = [
        [text.replace('"', '""') for text in column] if '"' in "".join(column) else column
        for column in columns
    ]
    lines = map('","'.join, zip(*doubled, strict=True))
    return '"' + '"\n"'.join(lines) + '"\n'
