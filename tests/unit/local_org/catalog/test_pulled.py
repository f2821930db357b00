"""What describe says becomes an org file, and a local org of that file describes the same."""

import json

import msgspec
import pytest

from runner.local_org.catalog.declared import extend
from runner.local_org.catalog.described import DescribedObject, ListedObject
from runner.local_org.catalog.pulled import pull
from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.resources.describe import describe
from tests.sixty_objects import org_file

PULLED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "AccountSource": {"values": ["Web", "Fair"], "restricted": True},
                "AnnualRevenue": {"access": "read_only"},
                "ERP_Id__c": {
                    "type": "text",
                    "label": "Number in the ERP",
                    "length": 20,
                    "unique": True,
                    "case_sensitive": True,
                    "external_id": True,
                    "help": "As on the invoice",
                },
                "Fax": {"access": "hidden"},
                "Phone": {"required": True},
            },
            "record_types": {"Retail": {"label": "Shops", "default": True}, "Whole": {}},
        },
        "Invoice__c": {
            "label": "Bill",
            "plural_label": "Bills of sale",
            "name_field": {"type": "auto_number", "label": "Number"},
            "key_prefix": "a0X",
            "fields": {
                "Account__c": {
                    "type": "master_detail",
                    "to": "Account",
                    "child_relationship": "Bills__r",
                    "reparentable": True,
                },
                "Amount__c": {"type": "currency", "precision": 16, "scale": 3},
                "Body__c": {"type": "rich_text", "length": 1000},
                "Code__c": {"type": "auto_number", "external_id": True},
                "Count__c": {"type": "number", "unique": True, "external_id": True},
                "Day__c": {"type": "date"},
                "Done__c": {"type": "checkbox", "default": True},
                "Hour__c": {"type": "time"},
                "Kind__c": {
                    "type": "picklist",
                    "values": ["A", "B"],
                    "restricted": True,
                    "default": "B",
                },
                "Kinds__c": {"type": "multi_picklist", "values": ["A", "B"]},
                "Mail__c": {"type": "email", "unique": True, "external_id": True},
                "Memo__c": {"type": "long_text"},
                "Moment__c": {"type": "datetime", "access": "read_only"},
                "Old__c": {
                    "type": "lookup",
                    "required": True,
                    "to": "Other__c",
                    "child_relationship": "Olds__r",
                    "on_delete": "cascade",
                },
                "Page__c": {"type": "url"},
                "Person__c": {"type": "lookup", "to": "Contact", "on_delete": "restrict"},
                "Place__c": {"type": "location", "scale": 4},
                "Rate__c": {"type": "percent", "precision": 5, "scale": 2},
                "Secret__c": {"type": "encrypted_text", "length": 50},
                "Tel__c": {"type": "phone"},
                "Text__c": {"type": "text", "required": True},
            },
        },
        "Other__c": {"key_prefix": "a0Y"},
    },
}
"""In the form that a pull writes; `Contact` is referred to and not pulled."""


OTHER_KINDS = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "CurrencyIsoCode": {"type": "picklist", "values": ["EUR"], "restricted": True},
                "Up__c": {"type": "lookup", "to": ["Contact", "Lead"], "relationship": "Upper__r"},
            },
        },
        "Job2": {
            "label": "Work",
            "name_field": {"type": "text"},
            "key_prefix": "0WO",
            "fields": {
                "AccountId": {"type": "lookup", "to": "Account"},
                "Count": {"type": "number", "precision": 9},
                "Status": {"type": "picklist", "required": True, "values": ["New"]},
            },
        },
        "News__e": {
            "label": "News flash",
            "key_prefix": "e0A",
            "fields": {
                "Read__c": {"type": "number", "access": "read_only"},
                "Text__c": {"type": "text"},
            },
        },
        "Setting__mdt": {"key_prefix": "m0A", "fields": {"On__c": {"type": "checkbox"}}},
        "ns__Foo__c": {
            "key_prefix": "a0A",
            "fields": {
                "Up__c": {
                    "type": "master_detail",
                    "to": "ns__Foo__c",
                    "child_relationship": "Ups__r",
                },
                "Also__c": {
                    "type": "master_detail",
                    "to": "Account",
                    "child_relationship": "Foos__r",
                },
                "ns__A__c": {
                    "type": "lookup",
                    "to": "Job2",
                    "child_relationship": "ns__Foos__r",
                },
            },
        },
    },
}
"""Events, metadata, packages, and a standard object that the local org lacks."""


def _catalog(declared):
    return extend(standard_catalog(), declared)


def _described(catalog, *names):
    answers = [describe(catalog.sobject(name), 66.0) for name in names]
    return [msgspec.json.decode(json.dumps(each), type=DescribedObject) for each in answers]


def _pulled(declared, *names, people=()):
    catalog = _catalog(declared)
    listed = [ListedObject(e.name, e.label, e.label_plural, e.key_prefix) for e in catalog.sobjects]
    return pull(_described(catalog, *names), listed, people)


def test_the_org_file_of_a_local_org_is_pulled_as_it_is():
    pulled = _pulled(PULLED, "Invoice__c", "Other__c", "Account")
    assert pulled.values == PULLED
    assert list(pulled.values["objects"]["Invoice__c"]["fields"])[:2] == ["Account__c", "Amount__c"]


def test_every_kind_of_object_is_pulled_as_it_is():
    assert _pulled(OTHER_KINDS, *OTHER_KINDS["objects"]).values == OTHER_KINDS


def test_an_org_of_sixty_objects_is_pulled_as_it_is():
    declared = org_file(seed=2)
    assert _pulled(declared, *declared["objects"]).values == declared


@pytest.mark.parametrize("declared", [PULLED, OTHER_KINDS, org_file(seed=2)])
def test_a_local_org_of_the_pulled_file_describes_the_same(declared):
    names = [*declared["objects"]]
    before, after = _catalog(declared), _catalog(_pulled(declared, *names).values)
    for name in [*names, "Contact"]:
        made, known = (in_order(describe(each.sobject(name), 66.0)) for each in (after, before))
        assert made == known


def in_order(described):
    """A pull declares fields in the order of their names."""
    described["fields"].sort(key=lambda field: field["name"])
    described["childRelationships"].sort(key=lambda each: (each["childSObject"], each["field"]))
    return described


def test_a_standard_org_has_nothing_to_declare():
    every = [each.name for each in standard_catalog().sobjects]
    assert _pulled({"version": 1}, *every) == pull((), ())


def test_an_object_that_is_only_referred_to_is_declared_without_fields():
    values = _pulled(PULLED, "Invoice__c").values["objects"]
    assert values["Other__c"] == {"key_prefix": "a0Y"}
    _catalog({"version": 1, "objects": values})


def test_person_accounts_come_with_their_record_type():
    declared = {
        "version": 1,
        "objects": {
            "Account": {"record_types": {"Human": {"person": True}}},
            "Contact": {"fields": {"Size__c": {"type": "number"}}},
        },
    }
    assert _pulled(declared, "Account", "Contact", people=["Human"]).values == declared


def _object(name, *fields):
    made = [{"name": each[0], "type": each[1], **each[2]} for each in fields]
    return msgspec.convert({"name": name, "fields": made}, DescribedObject)


@pytest.mark.parametrize(
    ("kind", "more", "declared"),
    [
        ("string", {"length": 1300, "calculated": True}, {"type": "text", "access": "read_only"}),
        ("string", {"length": 765}, {"type": "long_text", "length": 765, "access": "read_only"}),
        ("int", {"digits": 9}, {"type": "number", "precision": 9, "access": "read_only"}),
        ("picklist", {}, {"type": "text", "access": "read_only"}),
        ("reference", {"referenceTo": ["Odd__x"]}, {"type": "text", "access": "read_only"}),
        ("currency", {"precision": 30, "scale": 40}, {"type": "currency", "scale": 17}),
    ],
)
def test_what_an_org_file_lacks_becomes_the_nearest(kind, more, declared):
    pulled = pull([_object("X__c", ("Field__c", kind, more))], ())
    made = pulled.values["objects"]["X__c"]["fields"]["Field__c"]
    assert {"access": "read_only", **declared} == made
    _catalog(pulled.values)


def test_what_cannot_be_declared_is_said():
    pulled = pull(
        [
            _object("Account", ("NewInRelease", "string", {})),
            _object("Own__c", ("Body", "base64", {}), ("Blob__c", "base64", {})),
            _object("Away__x"),
        ],
        (),
    )
    assert pulled.left_out == ("Account.NewInRelease", "Away__x", "Own__c.Blob__c", "Own__c.Body")
