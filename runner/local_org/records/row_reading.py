"""Reads the rows of a write; names are resolved once per call, not per row.

Knows names, values and what can be written. Knows nothing of the store or of other records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from msgspec import Struct, field

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Catalog, Field, SObject
from runner.local_org.ids import normalise
from runner.local_org.records import refusals
from runner.local_org.records.column_values import ColumnReader, column_reader
from runner.local_org.records.columns import Column, column_of, is_key, parent_of
from runner.local_org.records.csv_rows import CsvRows
from runner.local_org.records.stored import Stored
from runner.local_org.records.value_errors import RefusedError, UnreadableError
from runner.local_org.records.values import csv_reader, json_reader, null

_NULL_TEXT = "#N/A"
_ABSENT: Any = object()


class RowDraft(Struct, gc=False):
    """One row in progress: its values and its errors."""

    place: int
    """Position in the call, from 0."""
    values: dict[str, Stored] = field(default_factory=dict)
    """Stored values by field name."""
    parents: tuple[tuple[Column, Stored, object], ...] = ()
    """Parents named by key: the column, the key as stored, the key as given."""
    errors: list[ApiError] = field(default_factory=list)
    id: str | None = None
    id_given: object = None
    read_only: tuple[str, ...] = ()
    """Fields of the row that nobody can write."""
    before: dict[str, Stored] | None = None
    """The record before an update."""


Setter = Callable[[RowDraft, object], None]
PlainColumns = tuple[tuple[Field, ColumnReader], ...]


class RowReader:
    """Turns rows of one sObject into drafts; caches how each name is read."""

    def __init__(
        self,
        catalog: Catalog,
        sobject: SObject,
        key: Field | None,
        *,
        from_text: bool,
        columns: Callable[[Sequence[str]], PlainColumns] | None = None,
    ) -> None:
        """`columns` is `plain_columns` of this sObject, if the caller keeps what it gave."""
        self._catalog = catalog
        self._sobject = sobject
        self._key = key
        """An upsert's key: rows may contain it even if it cannot be written (an auto-number)."""
        self._from_text = from_text
        self._plain_columns = columns or partial(plain_columns, catalog, sobject)
        self._setters: dict[str, Setter] = {}

    def draft(self, place: int, row: Mapping[str, object]) -> RowDraft:
        """Read one row; its mistakes are in the draft's errors."""
        draft = RowDraft(place)
        setters = self._setters
        for name, value in row.items():
            setter = setters.get(name)
            if setter is None:
                setter = setters[name] = self._setter(name, list(row))
            setter(draft, value)
        return draft

    def drafts(self, first: int, rows: Sequence[Mapping[str, object]]) -> list[RowDraft]:
        """Read several rows; the texts of a CSV column by column, as long as nothing is wrong."""
        if self._from_text and rows:
            read = self._read_columns(first, rows)
            if read is not None:
                return read
        return [self.draft(place, row) for place, row in enumerate(rows, first)]

    def _read_columns(
        self, first: int, rows: Sequence[Mapping[str, object]]
    ) -> list[RowDraft] | None:
        """The drafts of rows; None if one needs more than to be read."""
        header = rows.header if isinstance(rows, CsvRows) else list(rows[0])
        plain = self._plain_columns(header)
        if not plain:
            return None
        texts = rows.columns() if isinstance(rows, CsvRows) else _columns_of(header, rows)
        if texts is None:
            return None
        try:
            read = [
                _read_column(reader, column)
                for (_, reader), column in zip(plain, texts, strict=True)
            ]
        except (UnreadableError, RefusedError):
            return None
        names = [field.name for field, _ in plain]
        columns = dict(zip(names, read, strict=True))
        ids = columns.pop("Id", None)
        drafts = [
            RowDraft(place, dict(zip(columns, row, strict=True)))
            for place, row in enumerate(zip(*columns.values(), strict=True), first)
        ]
        if any("" in column for column in texts):
            for draft in drafts:
                draft.values = {
                    name: value for name, value in draft.values.items() if value is not _ABSENT
                }
        if ids is not None:
            _set_ids(drafts, texts[names.index("Id")], ids)
        return drafts

    def _setter(self, name: str, names: list[str]) -> Setter:
        if self._from_text:
            column = column_of(self._catalog, self._sobject, name)
            if column is None:
                return partial(_refuse, refusals.unknown_column(name, self._sobject.name))
            return _text_setter(column, names.index(name), named=self._is_key(column.field))
        if name == "attributes":
            return _ignore
        known = self._sobject.field(name)
        if known is not None:
            return _field_setter(known, json_reader(known), named=self._is_key(known))
        reference = self._sobject.parent(name)
        if reference is None:
            return partial(_refuse, refusals.unknown_column(name, self._sobject.name))
        return partial(self._set_parent, name, reference)

    def _is_key(self, field: Field) -> bool:
        return self._key is not None and field.name == self._key.name

    def _set_parent(self, name: str, reference: Field, draft: RowDraft, value: object) -> None:
        """Read `{"Account": {"Ext__c": "A1"}}`."""
        if value is None:
            draft.values[reference.name] = None
            return
        if not isinstance(value, Mapping):
            draft.errors.append(refusals.not_deserializable(reference, value))
            return
        column = self._column_of_parent(name, reference, value)
        if isinstance(column, ApiError):
            draft.errors.append(column)
        elif column.key is not None:
            given = next(entry for key, entry in value.items() if key != "attributes")
            _set_key(column, json_reader(column.key), draft, given)

    def _column_of_parent(
        self, name: str, reference: Field, value: Mapping[str, object]
    ) -> Column | ApiError:
        attributes = value.get("attributes")
        named = attributes.get("type") if isinstance(attributes, Mapping) else None
        if named is None and reference.polymorphic:
            return refusals.foreign_key_needs_type(name)
        keys = [key for key in value if key != "attributes"]
        if len(keys) != 1:
            return refusals.foreign_key_not_single(name)
        parent = parent_of(self._catalog, reference, None if named is None else str(named))
        if parent is None:
            return refusals.unknown_column(name, self._sobject.name)
        key = parent.field(keys[0])
        if key is None:
            return refusals.unknown_column(keys[0], parent.name)
        if not is_key(key):
            return refusals.not_an_external_id(key.name, parent.name)
        return Column(reference, parent, key)


def plain_columns(catalog: Catalog, sobject: SObject, header: Sequence[str]) -> PlainColumns:
    """The fields of a CSV all of whose columns are read and no more; empty if one is not."""
    found = [column_of(catalog, sobject, name) for name in header]
    fields = [each.field for each in found if each is not None and each.key is None]
    names = {each.name for each in fields}
    is_plain = len(names) == len(header) and all(
        each.name == "Id" or (each.type != "base64" and (each.createable or each.updateable))
        for each in fields
    )
    return (
        tuple((each, column_reader(each)) for each in fields)
        if is_plain and names != {"Id"}
        else ()
    )


def _columns_of(
    header: Sequence[str], rows: Sequence[Mapping[str, object]]
) -> list[Sequence[str]] | None:
    """The texts of each column; None if a row has other columns, or what is no text."""
    if any(len(row) != len(header) for row in rows):
        return None
    try:
        columns = [[row[name] for row in rows] for name in header]
    except KeyError:
        return None
    are_texts = all(set(map(type, column)) == {str} for column in columns)
    return cast("list[Sequence[str]]", columns) if are_texts else None


def _read_column(read: ColumnReader, texts: Sequence[str]) -> Sequence[Stored]:
    if "" not in texts:
        return read(texts)
    given = [text for text in texts if text]
    values = iter(read(given) if given else ())
    return [next(values) if text else _ABSENT for text in texts]


def _set_ids(drafts: Sequence[RowDraft], texts: Sequence[str], ids: Sequence[Stored]) -> None:
    for draft, text, record_id in zip(drafts, texts, ids, strict=True):
        if text:
            draft.id, draft.id_given = str(record_id), text


def _ignore(_draft: RowDraft, _value: object) -> None:
    """`attributes` adds nothing new."""


def _refuse(error: ApiError, draft: RowDraft, _value: object) -> None:
    draft.errors.append(error)


def _set_id(field: Field, draft: RowDraft, value: object) -> None:
    if value is None or value == "":
        return
    draft.id_given = value
    draft.id = normalise(value)
    if draft.id is None:
        draft.errors.append(refusals.id_of_wrong_type(field, value))


def _field_setter(target: Field, read: Callable[[object], Stored], *, named: bool) -> Setter:
    """Reads a JSON value into a field."""
    if target.name == "Id":
        return partial(_set_id, target)
    if not (named or target.createable or target.updateable):
        return partial(_note_read_only, target.name)
    name = target.name

    def set_value(draft: RowDraft, value: object) -> None:
        try:
            draft.values[name] = read(value)
        except UnreadableError:
            draft.errors.append(refusals.not_deserializable(target, value))
        except RefusedError as refusal:
            draft.errors.append(refusal.error)

    return set_value


def _note_read_only(name: str, draft: RowDraft, _value: object) -> None:
    draft.read_only += (name,)


def _set_key(
    column: Column, read: Callable[[object], Stored], draft: RowDraft, value: object
) -> None:
    if column.key is None:
        return
    try:
        draft.parents += ((column, read(value), value),)
    except UnreadableError:
        draft.errors.append(refusals.not_deserializable(column.key, value))
    except RefusedError as refusal:
        draft.errors.append(refusal.error)


def _text_setter(column: Column, index: int, *, named: bool) -> Setter:
    """Reads a CSV text: empty is absent, `#N/A` is null."""
    if column.key is not None:
        return _text_key_setter(column, index)
    target = column.field
    if target.name == "Id":
        return partial(_set_id, target)
    read_only = not (named or target.createable or target.updateable)
    read = csv_reader(target)
    name = target.name

    def set_value(draft: RowDraft, value: object) -> None:
        if value == "":
            return
        if read_only:
            draft.read_only += (name,)
            return
        try:
            draft.values[name] = null(target) if value == _NULL_TEXT else read(value)
        except UnreadableError:
            draft.errors.append(refusals.not_deserializable_text(target, str(value), index))
        except RefusedError as refusal:
            draft.errors.append(refusal.error)

    return set_value


def _text_key_setter(column: Column, index: int) -> Setter:
    key = column.key
    if key is None:
        raise TypeError("the column has no parent")
    read = csv_reader(key)

    def set_key(draft: RowDraft, value: object) -> None:
        if value == "":
            return
        if value == _NULL_TEXT:
            draft.values[column.field.name] = None
            return
        try:
            draft.parents += ((column, read(value), value),)
        except UnreadableError:
            draft.errors.append(refusals.not_deserializable_text(key, str(value), index))
        except RefusedError as refusal:
            draft.errors.append(refusal.error)

    return set_key
