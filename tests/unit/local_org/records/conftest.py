"""An org without a server: `org.insert("Account", {...})` and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.local_org.app import open_org
from runner.local_org.org import Org
from runner.local_org.records import RowOutcome, WriteCall, read, write


@dataclass
class Clock:
    """Stands still until told to go on."""

    now: datetime = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class Book:
    """The records of an org, written and read as the resources do."""

    org: Org
    clock: Clock

    def write(self, operation, sobject, rows, **options) -> list[RowOutcome]:
        with self.org.store.writing() as conn:
            target = self.org.catalog.sobject(sobject)
            call = WriteCall(operation, target, rows, self.org.user, **options)
            return write(self.org, conn, call)

    def one(self, operation, sobject, row, **options) -> RowOutcome:
        return self.write(operation, sobject, [row], **options)[0]

    def insert(self, sobject, **fields) -> str:
        """The Id of a new record that must be good."""
        outcome = self.one("insert", sobject, fields)
        assert outcome.success, outcome.errors
        return str(outcome.id)

    def refusal(self, operation, sobject, row, **options) -> tuple[str, str, tuple[str, ...]]:
        """Code, message and fields of the first error of a row that must be refused."""
        outcome = self.one(operation, sobject, row, **options)
        assert not outcome.success
        error = outcome.errors[0]
        return error.code, error.message, error.fields

    def get(self, sobject, record_id) -> dict[str, object] | None:
        with self.org.store.reading() as conn:
            return read(self.org, conn, self.org.catalog.sobject(sobject), record_id)

    def count(self, sobject) -> int:
        with self.org.store.reading() as conn:
            statement = f'SELECT COUNT(*) FROM "{sobject}" WHERE IsDeleted = 0'
            return int(conn.execute(statement).fetchone()[0])


DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "Ext__c": {"type": "text", "length": 20, "external_id": True, "unique": True},
                "Loose__c": {"type": "text", "external_id": True, "label": "Loose key"},
                "Exact__c": {
                    "type": "text",
                    "external_id": True,
                    "unique": True,
                    "case_sensitive": True,
                },
                "Tier__c": {"type": "picklist", "values": ["Gold", "Silver"], "restricted": True},
                "Tags__c": {
                    "type": "multi_picklist",
                    "values": ["A", "B", "C"],
                    "restricted": True,
                },
                "Score__c": {"type": "number", "precision": 5, "scale": 2},
                "Opens__c": {"type": "time"},
                "Seen__c": {"type": "datetime"},
                "Active__c": {"type": "checkbox", "default": True},
                "Region__c": {"type": "picklist", "values": ["N", "S"], "default": "S"},
                "Spot__c": {"type": "location"},
                "Phone": {"access": "read_only"},
            },
            "record_types": {"Retail": {}},
        },
        "Contact": {"fields": {"Ext__c": {"type": "text", "external_id": True}}},
        "Invoice__c": {
            "name_field": {"type": "auto_number", "format": "INV-{YYYY}-{0000}"},
            "fields": {"Account__c": {"type": "master_detail", "to": "Account"}},
        },
        "Note__c": {
            "fields": {
                "Kept__c": {"type": "lookup", "to": "Invoice__c", "on_delete": "restrict"},
                "Freed__c": {
                    "type": "lookup",
                    "to": "Account",
                    "child_relationship": "FreedNotes__r",
                },
            }
        },
    },
}


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    clock = Clock()
    org = open_org(tmp_path, DECLARED)
    org.clock = clock
    yield Book(org, clock)
    org.store.close()


@pytest.fixture
def open_book(tmp_path: Path) -> Iterator[Callable[..., Book]]:
    """Books of other orgs: `open_book(Account={…})`."""
    opened: list[Book] = []

    def start(**objects) -> Book:
        org = open_org(tmp_path / str(len(opened)), {"version": 1, "objects": objects})
        opened.append(Book(org, Clock()))
        org.clock = opened[-1].clock
        return opened[-1]

    yield start
    for each in opened:
        each.org.store.close()
