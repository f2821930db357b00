"""Pages of REST records as columns of texts, in the form of Bulk API 2.0.

A page is decoded once, into records of exactly the shape that the query asks for, then converted
column by column; texts are used as they are. If a page has another shape, `PageReader` returns None
and the writer goes record by record. Knows JSON and values. Knows nothing of files or requests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, cast

import msgspec
from msgspec import Struct

from runner.tables.field_types import FieldKind

FieldPath = tuple[str, ...]
DatetimesOf = Callable[[str], frozenset[str]]
"""Names, in lower case, of the fields of an object that hold datetimes."""


class Digits(str):
    """A fractional number as written; a float would lose digits."""

    __slots__ = ()


_LOOSE = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Digits)
_OFFSET = "+0000"


def parse_records(page: bytes) -> list[dict[str, Any]]:
    """Parse the records of a page, fractional numbers as `Digits`.

    Raises:
        ValueError: The page is not an array of records.
    """
    try:
        return _LOOSE.decode(page)
    except msgspec.MsgspecError:  # a lone surrogate, say: Python's own parser accepts it
        return cast("list[dict[str, Any]]", json.loads(page, parse_float=Digits))


def value_at(record: object, path: FieldPath) -> object:
    """The value at the end of a path; None if it or a parent is missing."""
    value: object = record
    for step in path:
        key = key_of(value, step) if isinstance(value, Mapping) else None
        if key is None:
            return None
        value = cast("Mapping[str, object]", value)[key]
    return value


def key_of(record: Mapping[str, object], step: str) -> str | None:
    """A record's key for a field; the org answers in its own letter case, not the query's."""
    if step in record:
        return step
    wanted = step.lower()
    return next((key for key in record if key.lower() == wanted), None)


def lacks(record: Mapping[str, object], path: FieldPath) -> bool:
    """Whether a record lacks a path, its parent being there or not: null is a value."""
    value: object = record
    for step in path:
        if value is None:
            return False
        key = key_of(value, step) if isinstance(value, Mapping) else None
        if key is None:
            return True
        value = cast("Mapping[str, object]", value)[key]
    return False


def bulk_text(value: object, kind: FieldKind | None, datetimes: DatetimesOf | None = None) -> str:
    """A value as the text that Bulk API 2.0 writes; of lists and parents, their JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list):
        plain = _without_attributes(value, datetimes or _no_datetimes)
        return msgspec.json.encode(plain, enc_hook=_raw_number).decode()
    text = str(value)
    if kind is FieldKind.DATETIME and text.endswith(_OFFSET):
        return text.removesuffix(_OFFSET) + "Z"
    if kind is FieldKind.NUMBER:
        return f"{text}.0" if text.lstrip("-").isdigit() else _in_full(text)
    return text


def _in_full(number: str) -> str:
    if "E" not in number and "e" not in number:
        return number
    from runner.tables.targets.exponents import without_exponent

    return without_exponent(number)


def _raw_number(value: object) -> msgspec.Raw:
    return msgspec.Raw(_in_full(str(value)).encode())


def _without_attributes(value: object, datetimes: DatetimesOf) -> object:
    """A nested value without `attributes`, its datetimes in the form of all others."""
    if isinstance(value, list):
        return [_without_attributes(each, datetimes) for each in value]
    if not isinstance(value, Mapping):
        return value
    attributes = value.get("attributes")
    sobject = attributes.get("type") if isinstance(attributes, Mapping) else None
    moments = datetimes(sobject) if isinstance(sobject, str) else frozenset()
    return {
        key: (
            bulk_text(each, FieldKind.DATETIME)
            if isinstance(each, str) and key.lower() in moments
            else _without_attributes(each, datetimes)
        )
        for key, each in value.items()
        if key != "attributes"
    }


def _no_datetimes(_sobject: str) -> frozenset[str]:
    return frozenset()


class FormattedPage(Struct, frozen=True):
    """A page whose records are CSV already."""

    total_size: int
    """Records of the whole query, as the org counted them at the start."""
    done: bool
    next_records_url: str | None
    count: int
    """Records of this page."""
    csv: bytes


class PageReader:
    """Reads the pages of one query; learns the letter case of field names from the first."""

    def __init__(
        self,
        columns: Sequence[tuple[FieldPath, FieldKind | None]],
        datetimes: DatetimesOf | None = None,
    ) -> None:
        """Read these columns: each one's path, `("Account", "Name")`, and kind.

        With `datetimes`, those inside of lists and parents get the form of all others.
        """
        self._columns = tuple(columns)
        self._datetimes = datetimes
        self._shape: _Shape | None = None
        self.types: list[set[type]] = [set() for _ in self._columns]
        """Types of the values of the columns whose kind is unknown."""

    def texts(self, page: bytes) -> list[list[str]] | None:
        """Convert a page to columns of texts.

        Args:
            page: A JSON array of records.

        Returns:
            A list per column; None if the page does not have the expected shape.
        """
        if self._shape is None:
            self._shape = _learn_shape(self._columns, parse_records(page))
        records = self._shape.records(page) if self._shape else None
        found = None if records is None else self._columns_of(records)
        return None if found is None else [column for column, _ in found]

    def formatted(self, answer: bytes) -> FormattedPage | None:
        """Read a whole answer of a query.

        Returns:
            None before `texts` has read a page, and if the answer does not have the expected shape.
        """
        page = self._shape.page(answer) if self._shape else None
        columns = self._columns_of(page.records) if page else None
        if page is None or columns is None:
            return None
        count = len(page.records)
        rows = _csv(columns).encode() if count else b""
        return FormattedPage(page.total_size, page.done, page.next_records_url, count, rows)

    def _columns_of(self, records: list[Any]) -> list[_Column] | None:
        values = self._shape.values(records) if self._shape else None
        if values is None:
            return None
        found: list[_Column] = []
        for column, (_, kind), seen in zip(values, self._columns, self.types, strict=True):
            quick = _quick_column(column, kind)
            if quick is None:
                types = set(map(type, column))
                if msgspec.UnsetType in types:
                    return None
                if kind is None:
                    seen.update(types)
                texts = _column_texts(column, kind, types, self._datetimes)
                quick = texts, '"' in "".join(texts)
            found.append(quick)
        return found


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    """An answer to a query."""

    total_size: int
    done: bool
    records: list[Any]
    next_records_url: str | None = None


class _Shape:
    """The shape of a query's records: their fields, and the fields of their parents."""

    def __init__(self, paths: Sequence[FieldPath], *, told_apart: bool) -> None:
        """With `told_apart`, numbers can be told from texts, which takes longer."""
        record = _record_type(tuple(paths))
        hook = Digits if told_apart else str
        records = list[record]  # type: ignore[valid-type]
        page = msgspec.defstruct(
            "Page", [("records", records)], bases=(_Page,), frozen=True, rename="camel"
        )
        self._records = msgspec.json.Decoder(records, float_hook=hook)
        self._page = msgspec.json.Decoder(page, float_hook=hook)
        self._paths = paths

    def records(self, page: bytes) -> list[Any] | None:
        try:
            return self._records.decode(page)
        except msgspec.MsgspecError:
            return None

    def page(self, answer: bytes) -> _Page | None:
        try:
            answer.decode()  # msgspec passes over what it does not read
            return cast("_Page", self._page.decode(answer))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def values(self, records: list[Any]) -> list[list[Any]] | None:
        known: dict[FieldPath, list[Any]] = {(): records}
        try:
            return [_column(known, path) for path in self._paths]
        except AttributeError:  # a record without a parent that the others have
            return None


def _learn_shape(
    columns: Sequence[tuple[FieldPath, FieldKind | None]], records: Sequence[Mapping[str, Any]]
) -> _Shape | None:
    """Find the org's name of each path; None if a parent is missing from all records."""
    paths_found: list[FieldPath] = []
    for path, _ in columns:
        found = next((s for record in records if (s := _org_path(record, path))), None)
        if found is None:
            return None
        paths_found.append(found)
    kinds = {kind for _, kind in columns}
    return _Shape(paths_found, told_apart=bool(kinds & {None, FieldKind.JSON}))


def _org_path(record: Mapping[str, Any], path: FieldPath) -> FieldPath | None:
    value: object = record
    steps: list[str] = []
    for step in path:
        name = key_of(value, step) if isinstance(value, Mapping) else None
        if name is None:
            return None
        steps.append(name)
        value = cast("Mapping[str, object]", value)[name]
    return tuple(steps)


def _record_type(paths: tuple[FieldPath, ...]) -> type[msgspec.Struct]:
    """Make the type of a record with only these fields; others are ignored."""
    below: dict[str, list[FieldPath]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    fields: list[tuple[str, Any, Any]] = []
    for place, deeper in enumerate(below.values()):
        leaf = () in deeper
        kind: Any = Any if leaf else _record_type(tuple(deeper)) | msgspec.UnsetType | None
        fields.append((f"f{place}", kind, msgspec.UNSET))
    names = {f"f{place}": name for place, name in enumerate(below)}
    return msgspec.defstruct("Record", fields, rename=names, gc=False)


def _column(known: dict[FieldPath, list[Any]], path: FieldPath) -> list[Any]:
    """The values of a path; those of its parents are cached in `known`."""
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


_Column = tuple[list[str], bool]
"""The texts of a column, and whether there are quotes in them."""


def _quick_column(values: list[Any], kind: FieldKind | None) -> _Column | None:
    """Convert a column with one pass or two; None if it takes more."""
    if kind is None or not values:
        return None
    try:
        if kind in _JSON_LETTERS:
            written = msgspec.json.encode(values)[1:-1].replace(b"null", b"")
            is_other = written.translate(None, _JSON_LETTERS[kind])
            return None if is_other else (written.decode().split(","), False)
        joined = "".join(values)  # the fastest way to know that all are texts
    except TypeError:
        return None
    if kind is FieldKind.DATETIME:
        values = [text[:-5] + "Z" if text[-5:] == _OFFSET else text for text in values]
    elif kind is FieldKind.NUMBER and (
        joined.count(".") != len(values) or "E" in joined or "e" in joined
    ):
        values = [bulk_text(text, kind) for text in values]
    return values, '"' in joined


def _column_texts(
    values: list[Any], kind: FieldKind | None, types: set[type], datetimes: DatetimesOf | None
) -> list[str]:
    """Convert a column's values to texts; the most common columns take one pass or none."""
    quick = _QUICK.get(frozenset(types))
    if quick is None or kind in _REWRITTEN:
        return [bulk_text(value, kind, datetimes) for value in values]
    return quick(values)


def _unchanged(values: list[Any]) -> list[str]:
    return values


def _blank_for_none(values: list[Any]) -> list[str]:
    return [value or "" for value in values]


def _numbers(values: list[Any]) -> list[str]:
    return list(map(str, values))


def _booleans(values: list[Any]) -> list[str]:
    return ["true" if value else "false" for value in values]


_TEXTS = frozenset({str})
_JSON_LETTERS = {FieldKind.INTEGER: b"0123456789-,", FieldKind.BOOLEAN: b"truefals,"}
"""What a list of such values is written with in JSON."""
_REWRITTEN = frozenset({FieldKind.DATETIME, FieldKind.NUMBER})
_QUICK: dict[frozenset[type], Callable[[list[Any]], list[str]]] = {
    _TEXTS: _unchanged,
    frozenset({str, type(None)}): _blank_for_none,
    frozenset({int}): _numbers,
    frozenset({bool}): _booleans,
}


def format_csv(columns: Sequence[list[str]]) -> str:
    """Format columns of texts as CSV records, every value quoted."""
    return _csv([(column, '"' in "".join(column)) for column in columns])


def _csv(columns: Iterable[_Column]) -> str:
    doubled = (
        [text.replace('"', '""') for text in column] if has_quotes else column
        for column, has_quotes in columns
    )
    lines = map('","'.join, zip(*doubled, strict=True))
    return '"' + '"\n"'.join(lines) + '"\n'
