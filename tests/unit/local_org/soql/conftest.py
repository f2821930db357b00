"""A small org with a handful of records, and ways to ask it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import Catalog, Field, PicklistValue, SObject
from runner.local_org.catalog.standard import standard_catalog, with_children
from runner.local_org.ids import make_id
from runner.local_org.org import Org, User
from runner.local_org.soql import prepare
from runner.local_org.store import Store, quoted

USER = User(make_id("005", 1), "admin@local.example", "Local Admin", "admin@local.example")
NOW = datetime(2024, 5, 15, 10, 30, tzinfo=UTC)  # a Wednesday
STAMP = "2024-05-01T08:00:00.000Z"


def _system_fields():
    user = {"reference_to": ("User",), "soap_type": "tns:ID", "nillable": False}
    return (
        Field("Id", "Record ID", "id", length=18, nillable=False, soap_type="tns:ID"),
        Field("Name", "Name", "string", length=80, name_field=True),
        Field("OwnerId", "Owner ID", "reference", relationship_name="Owner", **user),
        Field("IsDeleted", "Deleted", "boolean", nillable=False),
        Field("CreatedDate", "Created Date", "datetime", groupable=False),
        Field("CreatedById", "Created By", "reference", relationship_name="CreatedBy", **user),
        Field("LastModifiedDate", "Modified", "datetime"),
        Field("LastModifiedById", "By", "reference", relationship_name="LastModifiedBy", **user),
        Field("SystemModstamp", "Modstamp", "datetime"),
    )


def _widget():
    return SObject(
        "Widget__c",
        "Widget",
        "Widgets",
        "a00",
        (
            *_system_fields(),
            Field(
                "Account__c",
                "Account",
                "reference",
                custom=True,
                reference_to=("Account",),
                relationship_name="Account__r",
                child_relationship_name="Widgets__r",
                soap_type="tns:ID",
            ),
            Field("Colours__c", "Colours", "multipicklist", sortable=False, custom=True),
            Field("Price__c", "Price", "currency", custom=True, groupable=False),
            Field("Weight__c", "Weight", "double", custom=True, groupable=False),
            Field("Count__c", "Count", "int", custom=True),
            Field("Due__c", "Due", "date", custom=True),
            Field("At__c", "At", "time", custom=True),
            Field("Done__c", "Done", "boolean", nillable=False, custom=True),
            Field("Ext__c", "Ext", "string", external_id=True, unique=True, custom=True),
            Field("Exact__c", "Exact", "string", case_sensitive=True, custom=True),
            Field(
                "Stage__c",
                "Stage",
                "picklist",
                custom=True,
                picklist=(PicklistValue("a", "Stage A"), PicklistValue("b", "b")),
            ),
            Field("Notes__c", "Notes", "textarea", filterable=False, sortable=False, custom=True),
            Field("File__c", "File", "base64", filterable=False, custom=True),
            Field("Place__c", "Place", "location", custom=True),
            Field(
                "Place__Latitude__s",
                "Lat",
                "double",
                custom=True,
                compound_field_name="Place__c",
            ),
            Field(
                "Place__Longitude__s",
                "Long",
                "double",
                custom=True,
                compound_field_name="Place__c",
            ),
        ),
        custom=True,
    )


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return with_children(
        (*standard_catalog().sobjects, _widget()),
        [(each.name, child) for each in standard_catalog().sobjects for child in each.children],
    )


class World:
    """The org, with short ways to write and to ask."""

    def __init__(self, org):
        self.org = org
        self._numbers = {}

    def add(self, sobject, **values):
        number = self._numbers[sobject] = self._numbers.get(sobject, 0) + 1
        found = self.org.catalog.sobject(sobject)
        system = {
            "Id": make_id(found.key_prefix, number),
            "OwnerId": USER.id,
            "IsDeleted": 0,
            "CreatedDate": STAMP,
            "LastModifiedDate": STAMP,
            "SystemModstamp": STAMP,
            "CreatedById": USER.id,
            "LastModifiedById": USER.id,
        }
        record = {key: value for key, value in system.items() if found.field(key)} | values
        names = ", ".join(quoted(name) for name in record)
        marks = ", ".join("?" for _ in record)
        with self.org.store.writing() as conn:
            conn.execute(
                f"INSERT INTO {quoted(sobject)} ({names}) VALUES ({marks})", list(record.values())
            )
        return record["Id"]

    def prepared(self, soql, *, version=66.0, all_rows=False, user=USER):
        return prepare(self.org, soql, user=user, version=version, all_rows=all_rows)

    def query(self, soql, **options):
        with self.org.store.reading() as conn:
            return list(self.prepared(soql, **options).execute(conn))

    def values(self, soql, **options):
        """The one selected field of each record."""
        return [list(record.values())[1] for record in self.query(soql, **options)]

    def names(self, condition, sobject="Widget__c", **options):
        """Sorted names of the records that meet a condition."""
        return sorted(self.values(f"SELECT Name FROM {sobject} WHERE {condition}", **options))

    def total(self, soql, **options):
        with self.org.store.reading() as conn:
            return self.prepared(soql, **options).total(conn)

    def flat(self, soql, **options):
        prepared = self.prepared(soql, **options)
        with self.org.store.reading() as conn:
            return [prepared.columns, *prepared.flat(conn)]

    def refusal(self, soql, **options):
        """Code and message of the one error a query gets."""
        with pytest.raises(ApiRefusal) as caught:
            self.query(soql, **options)
        assert caught.value.status == 400
        error = caught.value.errors[0]
        return error.code, error.message


@pytest.fixture
def world(tmp_path, catalog) -> World:
    store = Store(tmp_path / "org.sqlite", catalog)
    made = World(Org(make_id("00D", 1), catalog, store, USER, clock=lambda: NOW))
    made.add("User", Id=USER.id, Username=USER.username, Name=USER.name, LastName="Admin")
    yield made
    store.close()


@pytest.fixture
def in_paris(world):
    return replace(USER, time_zone="Europe/Paris")
