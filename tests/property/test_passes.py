"""The fast pass over rows finds what the one finds that explains what is wrong."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.job.model import Blank
from runner.tables.database import Database
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import MACROS
from runner.tables.staging.mapping import (
    ColumnMapping,
    Pass,
    check_expressions,
    map_columns,
    staging_query,
)

COLUMNS = (
    MappedColumn("Key__c", "a", required=True, tells_case=True),
    MappedColumn("Name", "b", max_length=5),
    MappedColumn("Short__c", "b", max_length=3, is_cut=True),
    MappedColumn("Sum__c", "c", FieldKind.NUMBER),
    MappedColumn("Count__c", "d", FieldKind.INTEGER),
    MappedColumn("Day__c", "e", FieldKind.DATE),
    MappedColumn("At__c", "f", FieldKind.DATETIME),
    MappedColumn("Ok__c", "g", FieldKind.BOOLEAN),
    MappedColumn("Account__c", "g", FieldKind.ID, id_prefix="001"),
    MappedColumn("Long__c", "b || chr(13) || b", max_length=7),
    MappedColumn("Whole__c", "CAST(b AS INTEGER)", FieldKind.INTEGER),
    MappedColumn("Text__c", "b"),
)
SOURCE = ("a", "b", "c", "d", "e", "f", "g")
NUMBERS = ("1", "-0", "007", "1.0", "1e3", "-.5E-2", "1e400", "12345678901234567890", "1.234,5")
DAYS = ("2026-02-28", "2026-02-30", "2026-02-28 00:00", "31.1.2026", "2026-03-29T02:30:00")
MOMENTS = ("2026-01-31T08:00:00.000Z", "2026-13-01T08:00:00.000Z", "2026-01-31t08:00:00 +01:00")
TEXTS = (
    "true",
    "YES",
    "off",
    " ",
    " x ",
    "\t",
    "a\r\nb",
    "\r",
    "ééé",
    "éééééé",
    "#N/A",
    "\0",
    "\ufeff",
)
VALUES = st.none() | st.text(max_size=9) | st.sampled_from(NUMBERS + DAYS + MOMENTS + TEXTS)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Iterator[tuple[Database, tuple[ColumnMapping, ...]]]:
    database = Database(tmp_path_factory.mktemp("passes"), timezone="Europe/Berlin")
    database.set_timezone("Europe/Berlin")
    for macro in MACROS:
        database.connection.execute(macro)
    mappings = map_columns(COLUMNS, SOURCE, lambda _column: (PLAIN_CSV,))
    yield database, check_expressions(database.connection, mappings, SOURCE)
    database.close()


@settings(max_examples=20)
@given(
    st.lists(st.tuples(*(VALUES for _ in SOURCE)), min_size=1, max_size=40), st.sampled_from(Blank)
)
def test_the_fast_pass_sends_the_same_rows(mapped, rows, blank):
    database, mappings = mapped
    values = ", ".join(f"({', '.join(map(_sql, row))})" for row in rows)
    relation = f"(VALUES {values}) AS t({', '.join(map(name, SOURCE))})"

    def staged(goal: Pass) -> list[tuple[object, ...]]:
        query = staging_query(mappings, SOURCE, relation, blank, goal)
        return database.connection.execute(query).fetchall()

    content = "".join(cell for row in rows for cell in row if cell)
    slow = staged(Pass())
    fast = staged(Pass("\0" in content, "\r" in content, explains=False))
    problem = len(COLUMNS)
    for exact, found in zip(slow, fast, strict=True):
        assert exact[:problem] == found[:problem]
        assert exact[problem + 1 :] == found[problem + 1 :]
        assert exact[problem] is None or found[problem] is not None


def _sql(cell: str | None) -> str:
    # A blank is read as NULL.
    return "CAST(NULL AS VARCHAR)" if not cell else literal(cell).replace("\0", "' || chr(0) || '")
