"""A plan with every kind of row, and values that are markup elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runner.diagnostics import Position
from runner.plan import (
    Change,
    FieldChanges,
    PlannedCell,
    PlannedRow,
    Refusal,
    RunPlan,
    TaskPlan,
    Trip,
)

OLD = "A long text that goes on until the very place where something differs: old\nand on"
NAME = "<b>Alpha</b> | `x` @team"
PICKLIST = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
MISSING = "Required fields are missing: [Name]"
PLATINUM = "Tier__c: bad value for restricted picklist field: Platinum"


def row(number, change, cells=(), record=None, code=None, message=None):
    return PlannedRow(number, change, record, f"K-{number}", tuple(cells), code, message)


ROWS = (
    row(
        4,
        Change.CREATE,
        [PlannedCell("Name", None, "Müller"), PlannedCell("Parent.ERP_Id__c", None, "K-1")],
    ),
    row(17, Change.UPDATE, [PlannedCell("Phone", "030 1", "030 2")], "001AA0000000017AAA"),
    row(
        18,
        Change.UPDATE,
        [
            PlannedCell("Phone", "030 1", None),
            PlannedCell("Description", OLD, OLD.replace("old", "new")),
            PlannedCell("Secret__c", None, "s3cr3t", before_known=False),
            PlannedCell("Name", "Alpha", NAME),
        ],
        "001AA0000000018AAA",
    ),
    row(
        58,
        Change.REFUSED,
        code="REQUIRED_FIELD_MISSING",
        message="Required fields are missing: [Name]",
    ),
    row(204, Change.REFUSED, code=PICKLIST, message=PLATINUM),
)
ACCOUNTS = TaskPlan(
    "accounts",
    "upsert",
    "Account",
    "data/accounts.csv",
    key="ERP_Id__c",
    columns=(
        "ERP_Id__c",
        "Name",
        "Phone",
        "Parent.ERP_Id__c",
        "Description",
        "Secret__c",
        "Tier__c",
    ),
    read=10_003,
    counts={Change.CREATE: 12, Change.UPDATE: 312, Change.UNCHANGED: 9_676, Change.REFUSED: 3},
    fields=(
        FieldChanges("Phone", 312, 14),
        FieldChanges("Description", 41),
        FieldChanges("Name", 1),
    ),
    rows=ROWS,
    refusals=(Refusal(PICKLIST, PLATINUM, 2, 204),),
    api="bulk",
    api_calls=9,
    bulk_jobs=1,
)
OLD_LEADS = TaskPlan("old_leads", "query", "Lead", "out/old.csv", read=31, api="rest", api_calls=1)
CLEAR_LEADS = TaskPlan(
    "clear_leads",
    "delete",
    "Lead",
    "the records of old_leads",
    key="Id",
    columns=("Id",),
    read=31,
    counts={Change.DELETE: 31},
    rows=(PlannedRow(1, Change.DELETE, "00QAA0000000001AAA", "00QAA0000000001AAA"),),
    api="rest",
    api_calls=1,
)
NOTIFY = TaskPlan(
    "notify",
    "create",
    "Task",
    "failed rows of accounts",
    has_unknown_rows=True,
    unknown=("Which rows of `accounts` fail is only known after the run.",),
)


@pytest.fixture
def plan():
    return RunPlan(
        "nightly",
        Path("jobs/nightly.yaml"),
        datetime(2026, 11, 29, 8, 30, tzinfo=UTC),
        (ACCOUNTS, OLD_LEADS, CLEAR_LEADS, NOTIFY),
        "00D000000000001EAA",
        "https://acme.my.salesforce.com",
        "sync@acme.example",
        "65.0",
        11,
        18,
        15_000,
        (
            Trip(
                "max_deletes",
                "clear_leads would delete 31 records, and `max_deletes` allows 20",
                Path("jobs/nightly.yaml"),
                Position(12, 5, 9),
            ),
        ),
    )
