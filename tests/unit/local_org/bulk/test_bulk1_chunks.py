"""PK chunking: sizes, and the queries that a query is cut into."""

import pytest

from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk1.chunks import queries_of, rows_of

IDS = ["001A", "001B", "001C"]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("", 0),
        ("FALSE", 0),
        ("true", 100_000),
        ("chunkSize=1000", 1000),
        ("chunkSize=50000; startRow=00130000000xEftMGH", 50_000),
        ("chunkSize=900000; parent=Case", 250_000),
        ("parent=Account", 100_000),
        ("chunkSize=0", 100_000),
    ],
)
def test_the_header_tells_the_rows_of_a_chunk(header, rows):
    assert rows_of(header) == rows


def test_ranges_of_ids_are_added_to_the_query():
    assert list(queries_of("SELECT Name FROM Account", IDS, 2)) == [
        "SELECT Name FROM Account WHERE Id >= '001A' AND Id < '001C'",
        "SELECT Name FROM Account WHERE Id >= '001C'",
    ]
    filtered = "select Name from Account where Name = 'where' OR Name = 'x'"
    assert list(queries_of(filtered, IDS, 5)) == [
        "select Name from Account WHERE (Name = 'where' OR Name = 'x') AND Id >= '001A'"
    ]
    assert list(queries_of("SELECT Name FROM Account", [], 5)) == ["SELECT Name FROM Account"]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Name FROM Account ORDER BY Name",
        "SELECT Name FROM Account LIMIT 5",
        "SELECT COUNT() FROM Account",
        "SELECT Name, COUNT(Id) FROM Account GROUP BY Name",
        "SELECT Name, (SELECT Id FROM Contacts) FROM Account",
    ],
)
def test_other_clauses_cannot_be_cut(soql):
    with pytest.raises(JobFailure, match="PK chunking"):
        list(queries_of(soql, IDS, 2))
