"""What a new record has beyond its row: Id, system fields, defaults, auto-numbers.

Knows defaults and formats. Knows nothing of how a row is read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter

from runner.local_org import exact_numbers
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.ids import make_id, make_ids
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.standard_behaviour import derivation_of, rule_for_lacking
from runner.local_org.records.stored import Stored
from runner.local_org.records.time_values import stamp
from runner.local_org.store import quoted, reserve

_NUMBER = re.compile(r"\{(0+)\}")
_FIRST_NUMBERS = {"CaseNumber": 1000, "ContractNumber": 100, "OrderNumber": 100}
_FIRST_CUSTOM_NUMBER = 1
_FIRST_STANDARD_NUMBER = 1
_STAMPS = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


class Creation:
    """Completes and inserts the new records of one sObject for one user."""

    def __init__(self, sobject: SObject, user_id: str) -> None:
        self._sobject = sobject
        self._stored = sobject.columns
        self._template = _template(sobject, user_id)
        self._never_null = [
            (field.name, self._template[field.name])
            for field in sobject.fields
            if not field.nillable and field.name in self._template
        ]
        self._numbered = [field for field in sobject.fields if field.auto_number]
        self._derive = derivation_of(sobject)
        self._blank = self._template
        if self._derive is not None:
            self._blank = {**dict.fromkeys(self._stored), **self._template}
        self._rule = rule_for_lacking(sobject)
        self._required = tuple(field.name for field in sobject.fields if field.required_on_create)

    def complete(self, conn: sqlite3.Connection, drafts: Sequence[RowDraft], now: datetime) -> None:
        """Give each draft its Id and the values that its row omits.

        The Id of a draft that fails later is not used again, as at Salesforce.
        """
        if not drafts:
            return
        moment = stamp(now)
        stamps = dict.fromkeys(_STAMPS, moment)
        first = reserve(conn, self._sobject.name, len(drafts))
        ids = make_ids(self._sobject.key_prefix, first, len(drafts))
        for record_id, draft in zip(ids, drafts, strict=True):
            draft.id = record_id
            self._fill(draft, moment, stamps)
            if draft.values.get("IsPersonAccount"):
                draft.values["PersonContactId"] = make_id("003", reserve(conn, "Contact", 1))

    def _fill(self, draft: RowDraft, moment: str, stamps: Mapping[str, Stored]) -> None:
        given = draft.values
        record = {**self._blank, **given, **stamps}
        record["Id"] = draft.id
        if None in given.values():
            for name, value in self._never_null:
                if record.get(name) is None:
                    record[name] = value
        if self._derive is not None:
            self._derive(record, frozenset(given), moment)
        if self._sobject.custom and not record.get("Name"):
            record["Name"] = draft.id
        draft.values = record

    def missing(self, record: Mapping[str, Stored]) -> list[str]:
        """Names of the required fields that a new record lacks."""
        lacking = [name for name in self._required if record.get(name) is None]
        return lacking if self._rule is None else lacking + self._rule(record)

    def number(self, conn: sqlite3.Connection, drafts: Sequence[RowDraft], now: datetime) -> None:
        """Assign auto-numbers to drafts before they are inserted."""
        for field in self._numbered:
            first = reserve(conn, f"{self._sobject.name}.{field.name}", len(drafts))
            start = first + _first_number(field)
            for number, draft in enumerate(drafts, start):
                draft.values[field.name] = auto_number(
                    field.auto_number_format or "{0}", number, now
                )

    def insert(self, conn: sqlite3.Connection, drafts: Sequence[RowDraft]) -> None:
        """Insert complete records; only columns in which any of them has a value."""
        records = [draft.values for draft in drafts]
        present = set().union(*records)
        used = [
            name
            for name in self._stored
            if name in present and any(record.get(name) is not None for record in records)
        ]
        columns, places = ", ".join(map(quoted, used)), ", ".join("?" * len(used))
        conn.executemany(
            f"INSERT INTO {quoted(self._sobject.name)} ({columns}) VALUES ({places})",  # noqa: S608
            _rows(used, records),
        )


def _rows(
    names: Sequence[str], records: Sequence[Mapping[str, Stored]]
) -> list[tuple[Stored, ...]]:
    """The values of records; most have all names."""
    try:
        return list(map(itemgetter(*names), records))
    except KeyError:
        return [tuple(map(record.get, names)) for record in records]


def _template(sobject: SObject, user_id: str) -> dict[str, Stored]:
    """The default values of a record."""
    template: dict[str, Stored] = {}
    for field in sobject.fields:
        if field.type == "boolean":
            template[field.name] = int(bool(field.default))
        elif isinstance(field.default, str | int | float):
            template[field.name] = _stored_default(field)
    for name in ("OwnerId", "CreatedById", "LastModifiedById"):
        if name in sobject.columns:
            template[name] = user_id
    for record_type in sobject.record_types:
        if record_type.default and record_type.active:
            template["RecordTypeId"] = record_type.id
    return template


def _stored_default(field: Field) -> Stored:
    if field.type in {"double", "currency", "percent"}:
        return exact_numbers.to_stored(Decimal(str(field.default)))
    return field.default if isinstance(field.default, str | int) else None


def _first_number(field: Field) -> int:
    if field.custom:
        return _FIRST_CUSTOM_NUMBER
    return _FIRST_NUMBERS.get(field.name, _FIRST_STANDARD_NUMBER)


def auto_number(display_format: str, number: int, now: datetime) -> str:
    """Format an auto-number: `INV-{0000}` gives INV-0007; {YYYY}, {MM}, {DD} are today's."""
    text = (
        display_format.replace("{YYYY}", f"{now:%Y}")
        .replace("{YY}", f"{now:%y}")
        .replace("{MM}", f"{now:%m}")
        .replace("{DD}", f"{now:%d}")
    )
    return _NUMBER.sub(lambda match: str(number).zfill(len(match[1])), text)
