"""Resolves and checks the references of a chunk.

Knows references, keys of parents, record types. Knows nothing of other fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Catalog, Field, SObject
from runner.local_org.records import refusals
from runner.local_org.records.columns import Column
from runner.local_org.records.lookups import Existence, Lookups
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import comparable

_Target = tuple[str, str]
"""A parent's sObject and the field it is found by."""


def _target(column: Column) -> _Target:
    return (column.parent.name if column.parent else "", column.key.name if column.key else "")


class Parents:
    """The references of drafts of one sObject."""

    def __init__(self, catalog: Catalog, sobject: SObject, lookups: Lookups) -> None:
        self._catalog = catalog
        self._lookups = lookups
        self._references = tuple(
            field for field in sobject.fields if field.reference_to and field.stored
        )
        self._record_types = frozenset(
            record_type.id for record_type in sobject.record_types if record_type.active
        )

    def resolve(self, drafts: Iterable[RowDraft]) -> None:
        """Fill in references given by key, then check every reference; drafts get the errors."""
        sound = [draft for draft in drafts if not draft.errors]
        self._resolve_keys([draft for draft in sound if draft.parents])
        self._check([draft for draft in sound if not draft.errors])

    def _resolve_keys(self, drafts: Sequence[RowDraft]) -> None:
        wanted: dict[_Target, set[Stored]] = defaultdict(set)
        columns: dict[_Target, Column] = {}
        for draft in drafts:
            for column, key, _ in draft.parents:
                columns[_target(column)] = column
                if column.key is not None:
                    wanted[_target(column)].add(comparable(column.key, key))
        found = {
            target: self._lookups.by_key(column.parent, column.key, wanted[target])
            for target, column in columns.items()
            if column.parent is not None and column.key is not None
        }
        for draft in drafts:
            for column, key, given in draft.parents:
                if column.key is not None:
                    ids = found[_target(column)].get(comparable(column.key, key), [])
                    _set_parent_id(draft, column, self._own(column, ids), given)

    def _own(self, column: Column, ids: list[str]) -> list[str]:
        """Drop record types of other sObjects, which may have the same names."""
        if column.field.name != "RecordTypeId":
            return ids
        return [each for each in ids if each in self._record_types]

    def _check(self, drafts: Sequence[RowDraft]) -> None:
        names = set().union(*(draft.values for draft in drafts))
        present = [
            field
            for field in self._references
            if field.name in names
            and any(draft.values.get(field.name) is not None for draft in drafts)
        ]
        for field in present:
            self._check_field(field, [draft for draft in drafts if draft.values.get(field.name)])

    def _check_field(self, field: Field, drafts: Sequence[RowDraft]) -> None:
        by_parent: dict[str, set[str]] = defaultdict(set)
        for draft in drafts:
            record_id = str(draft.values[field.name])
            parent = self._catalog.of_id(record_id)
            if parent is None or parent.name not in field.reference_to:
                draft.errors.append(refusals.id_of_wrong_type(field, record_id))
            else:
                by_parent[parent.name].add(record_id)
        existence: dict[str, Existence] = {}
        for name, ids in by_parent.items():
            parent = self._catalog.sobject(name)
            if parent is not None:
                existence.update(self._lookups.existence(parent, ids))
        for draft in drafts:
            error = self._error_of(field, draft.values[field.name], existence)
            if error is not None:
                draft.errors.append(error)

    def _error_of(
        self, field: Field, record_id: Stored, existence: Mapping[str, Existence]
    ) -> ApiError | None:
        match existence.get(str(record_id)):
            case Existence.MISSING:
                return refusals.invalid_cross_reference()
            case Existence.BINNED:
                return refusals.entity_is_deleted()
            case Existence.ALIVE if field.name == "RecordTypeId":
                mine = record_id in self._record_types
                return None if mine else refusals.record_type_of_other(record_id)
            case _:
                return None


def _set_parent_id(draft: RowDraft, column: Column, ids: list[str], given: object) -> None:
    if column.key is None or column.parent is None:
        return
    if len(ids) == 1:
        draft.values[column.field.name] = ids[0]
    elif ids:
        draft.errors.append(refusals.several_for_external_id(column.key, ids))
    else:
        draft.errors.append(
            refusals.foreign_key_not_found(given, column.key.name, column.parent.name)
        )
