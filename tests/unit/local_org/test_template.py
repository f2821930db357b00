"""Orgs that are made from a template are as those that are made from an org file."""

import sqlite3
from contextlib import closing

import pytest

from runner.local_org.app import new_org, open_org, template
from runner.local_org.catalog.section import DeclarationError

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {"record_types": {"Key": {"label": "Key"}}},
        "Asset__c": {
            "label": "Asset",
            "fields": {"No__c": {"type": "text", "label": "No", "length": 9, "external_id": True}},
        },
    },
}


def stored(org):
    """Tables and rows, without what depends on the folder and the time."""
    org.store.close()
    with closing(sqlite3.connect(org.store.path)) as conn:
        conn.create_function("sf_lower", 1, str.casefold, deterministic=True)
        return {
            line.replace(org.id, "ORG")
            for line in conn.iterdump()
            if not line.startswith('INSERT INTO "_catalog"')
        }


def test_an_org_of_a_template_is_like_one_of_its_org_file(tmp_path):
    made = template(DECLARED)
    one = open_org(tmp_path / "one", DECLARED)
    two = new_org(tmp_path / "two", made, DECLARED, None)
    assert (two.catalog, two.user, two.settings) == (one.catalog, one.user, one.settings)
    assert stored(two) == stored(one)


def test_orgs_of_one_template_share_no_records(tmp_path):
    made = template(DECLARED)
    orgs = [new_org(tmp_path / name, made, DECLARED, None) for name in ("one", "two")]
    with orgs[0].store.writing() as conn:
        conn.execute('DELETE FROM "User"')
    with orgs[1].store.reading() as conn:
        assert conn.execute('SELECT COUNT(*) FROM "User"').fetchone() == (1,)
    for org in orgs:
        org.store.close()


def test_faults_of_one_org_are_checked(tmp_path):
    wrong = {**DECLARED, "faults": [{"kind": "status", "path": "("}]}
    with pytest.raises(DeclarationError):
        new_org(tmp_path / "org", template(DECLARED), wrong, None)
