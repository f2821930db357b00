"""Rows of a CSV that are read column by column are what they are row by row, errors included."""

import pytest

from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.records.csv_rows import CsvRows
from runner.local_org.records.row_reading import RowReader

CATALOG = standard_catalog()
ACCOUNT = CATALOG.sobject("Account")
CONTACT = CATALOG.sobject("Contact")
OPPORTUNITY = CATALOG.sobject("Opportunity")
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
        {"id": "001000000000001"},
        {"ID": "#N/A"},
        {"CreatedDate": "2026-01-01T00:00:00Z"},
        {"Parent.Name": "Globex"},
        {"Colour__c": "blue"},
    ],
)
def test_a_column_is_read_as_its_cells_are(changes):
    header = list(PLAIN | changes)
    rows = [{name: (PLAIN | dict.fromkeys(header, "") | row).get(name) for name in header}
            for row in (PLAIN, PLAIN | changes, {**PLAIN, "Name": "Globex"})]  # fmt: skip
    assert_read_alike(ACCOUNT, rows)


@pytest.mark.parametrize(
    ("sobject", "field", "texts"),
    [
        (CONTACT, "Birthdate", ["1700-01-01", "2024-02-29", "3999-12-31"]),
        (CONTACT, "Birthdate", ["2023-02-29"]),
        (CONTACT, "Birthdate", ["20230201"]),
        (CONTACT, "Birthdate", ["2023-W01-1"]),
        (CONTACT, "Birthdate", ["4000-01-01", "1699-12-31"]),
        (CONTACT, "Birthdate", ["2023-01-01\n2023-01-02", "2023-01-03"]),
        (CONTACT, "Email", ["a@example.com", "no address"]),
        (OPPORTUNITY, "Amount", ["0", "-0", "1.25", "-7.5", "999999999999999"]),
        (OPPORTUNITY, "Amount", ["0.125", "0.135", "-2.675", "1.005", "12345678.1234567"]),
        (OPPORTUNITY, "Amount", ["1\n2", "3"]),
        (OPPORTUNITY, "Amount", ["1e3", ".5", "+1", "7."]),
        (OPPORTUNITY, "Amount", ["9999999999999999.99", "\u0661"]),
        (OPPORTUNITY, "Amount", [*["1.5"] * 200, "9999999999999999.99"]),
        (OPPORTUNITY, "TotalOpportunityQuantity", ["1.005", "2.5", "-2.5"]),
        (OPPORTUNITY, "StageName", ["Prospecting", "Closed Won"]),
        (ACCOUNT, "AnnualRevenue", ["0.5", "1.5", "2.5", "-0.5", "2.4999999"]),
        (ACCOUNT, "NumberOfEmployees", ["007", "99999999", "0"]),
        (ACCOUNT, "NumberOfEmployees", ["\u00b2", "-1", "1.0", "1_0", " 1"]),
        (ACCOUNT, "Name", ["\u00a0x", "a\n", "\t", "y" * 255]),
        (ACCOUNT, "Name", [" " + "y" * 255]),
    ],
)
def test_texts_are_read_together_as_each_is_alone(sobject, field, texts):
    assert_read_alike(sobject, [{field: text} for text in texts])
    assert_read_alike(sobject, [{field: text} for text in ("", *texts, texts[0])])


def test_rows_of_ids_alone_are_read_too():
    assert_read_alike(ACCOUNT, [{"Id": "001000000000001"}, {"Id": ""}, {"Id": "001000000000002"}])


def assert_read_alike(sobject, rows):
    header = list(rows[0])
    reader = RowReader(CATALOG, sobject, None, from_text=True)
    alone = [reader.draft(place, row) for place, row in enumerate(rows, 5)]
    csv_rows = CsvRows(header, [list(row.values()) for row in rows])
    for given in (rows, csv_rows, csv_rows[0:]):
        together = RowReader(CATALOG, sobject, None, from_text=True).drafts(5, given)
        assert together == alone
        assert [spelled(draft) for draft in together] == [spelled(draft) for draft in alone]


def spelled(draft):
    """Values in order, by their text: 0.0 equals -0.0 and 0, but is not the same."""
    return [(name, repr(value)) for name, value in draft.values.items()]
