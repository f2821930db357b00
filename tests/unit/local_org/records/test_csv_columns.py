"""Rows of a CSV that are read column by column are what they are row by row, errors included."""

import pytest

from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.records.row_reading import RowReader

CATALOG = standard_catalog()
ACCOUNT = CATALOG.sobject("Account")
PLAIN = {"Name": "Acme", "AnnualRevenue": "12.5", "NumberOfEmployees": "7", "Site": "x"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Name": ""},
        {"Name": "  padded\n"},
        {"Name": "   "},
        {"Site": "#N/A"},
        {"AnnualRevenue": "1e3"},
        {"AnnualRevenue": "much"},
        {"NumberOfEmployees": "1.5"},
        {"NumberOfEmployees": "1234567890123"},
        {"Name": "x" * 300},
        {"Id": "001000000000001AAA"},
        {"Id": "no"},
        {"CreatedDate": "2026-01-01T00:00:00Z"},
        {"Parent.Name": "Globex"},
        {"Colour__c": "blue"},
    ],
)
def test_a_column_is_read_as_its_cells_are(changes):
    header = list(PLAIN | changes)
    rows = [{name: (PLAIN | dict.fromkeys(header, "") | row).get(name) for name in header}
            for row in (PLAIN, PLAIN | changes, {**PLAIN, "Name": "Globex"})]  # fmt: skip
    together = RowReader(CATALOG, ACCOUNT, None, from_text=True).drafts(5, rows)
    reader = RowReader(CATALOG, ACCOUNT, None, from_text=True)
    alone = [reader.draft(place, row) for place, row in enumerate(rows, 5)]
    assert together == alone
    assert [list(draft.values) for draft in together] == [list(draft.values) for draft in alone]
