"""What all writes of one sObject by one user have in common, worked out once.

Knows fields, their flags and what is derived from them. Knows no rows, no connection and no call.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.local_org.catalog.model import Catalog, SObject
from runner.local_org.org import Org
from runner.local_org.records.creation import Creation
from runner.local_org.records.documents import VERSION
from runner.local_org.records.owners import OWNER
from runner.local_org.records.row_reading import PlainColumns, plain_columns
from runner.local_org.records.standard_behaviour import (
    derivation_of,
    derives_much,
    misplaced_of,
)
from runner.local_org.records.uniqueness import fields_to_check

_MOST_HEADERS = 100


class WriteSetup:
    """How records of one sObject are created and changed by one user."""

    def __init__(self, catalog: Catalog, sobject: SObject, user_id: str) -> None:
        self.sobject = sobject
        self.creation = Creation(sobject, user_id)
        self.is_version = sobject.name == VERSION
        self.derive = derivation_of(sobject)
        self.derives_much = derives_much(sobject)
        self.misplaced = misplaced_of(sobject)
        self.always_read = fields_to_check(sobject) | {"Id", "IsDeleted", OWNER}
        """Columns of a record that an update looks at, whatever it changes."""
        fields = sobject.fields
        self.not_createable = frozenset(item.name for item in fields if not item.createable)
        self.not_updateable = frozenset(
            item.name
            for item in fields
            # The REST API guide: the content of a version cannot be updated.
            if not item.updateable or (self.is_version and item.type == "base64")
        )
        self.not_null = frozenset(
            item.name for item in fields if not item.nillable and item.type != "boolean"
        )
        self._catalog = catalog
        self._columns: dict[tuple[str, ...], PlainColumns] = {}

    def columns(self, header: Sequence[str]) -> PlainColumns:
        """See `plain_columns`."""
        names = tuple(header)
        found = self._columns.get(names)
        if found is None:
            if len(self._columns) >= _MOST_HEADERS:
                self._columns.clear()
            found = self._columns[names] = plain_columns(self._catalog, self.sobject, names)
        return found


class WriteSetups:
    """The setups of an org."""

    def __init__(self, org: Org) -> None:
        self._catalog = org.catalog
        self._setups: dict[tuple[str, str], WriteSetup] = {}

    def of(self, sobject: SObject, user_id: str) -> WriteSetup:
        """The setup for an sObject of the catalog, or a changed copy of one."""
        key = sobject.name, user_id
        setup = self._setups.get(key)
        if setup is None or setup.sobject is not sobject:
            setup = self._setups[key] = WriteSetup(self._catalog, sobject, user_id)
        return setup
