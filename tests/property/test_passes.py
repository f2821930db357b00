"""The fast pass over rows finds what the one finds that explains what is wrong."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.job.choices import Blank
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
    passed_on,
    staging_query,
)
from tests.short_form import sampled

COLUMNS = (
    MappedColumn("Key__c", "a", required=True, tells_case=True),
    MappedColumn("Name", "b", max_length=5),
    MappedColumn("Short__c", "b", max_length=3, is_cut=True),
    MappedColumn("Sum__c", "c", FieldKind.NUMBER),
    MappedColumn("Count__c", "d", FieldKind.INTEGER),
    MappedColumn("Day__c", "e", FieldKind.DATE),
    MappedColumn("At__c", "f", FieldKind.DATETIME),
    MappedColumn("Ok__c", "g", FieldKind.BOOLEAN),
    MappedColumn("Time__c", "g", FieldKind.TIME),
    MappedColumn("Parent__r.Key__c", "a"),
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


@sampled(10)
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


AS_SENT = (
    "1.50", "0", "123456789012345678", "true", "false", "2024-02-29", "2023-02-29", "2026-01-31",
    "0999-01-01", "2026-04-31T00:00:00.000Z", "2026-03-31T23:59:59.999Z",
    "0012-01-01T00:00:00.000Z", "2026-01- 1", "26-01-0001", "00a000000000000", "001000000000000AAA",
    "[]", "12:30:00.000Z", "-0",
)  # fmt: skip
MOSTLY_BLANK = st.none() | st.none() | st.sampled_from(AS_SENT) | VALUES


@sampled(15)
@given(
    st.lists(st.tuples(*(MOSTLY_BLANK for _ in SOURCE)), min_size=1, max_size=40),
    st.sampled_from(Blank),
    st.booleans(),
    st.sets(st.integers(0, len(COLUMNS))),
)
def test_rows_that_are_passed_on_are_those_that_mapping_gives(
    mapped, rows, blank, computes, left_out
):
    database, mappings = mapped
    if not computes:
        mappings = tuple(each for each in mappings if each.source is not None)
    rows = [row for row in rows if not {"\0", "\r"} & {*"".join(filter(None, row))}]
    rows.append(("k", *[None] * (len(SOURCE) - 1)))
    values = ", ".join(f"({', '.join(map(_sql, row))})" for row in rows)
    relation = f"(VALUES {values}) AS t({', '.join(map(name, SOURCE))})"

    def staged(goal: Pass) -> list[tuple[object, ...]]:
        query = staging_query(mappings, SOURCE, relation, blank, goal)
        return database.connection.execute(query).fetchall()

    problem = len(mappings)
    slow = staged(Pass())
    passed = {at: why for at, why in passed_on(mappings, blank).items() if at not in left_out}
    fast = staged(Pass(has_null=False, has_return=False, explains=False, passed=passed))
    for exact, found in zip(slow, fast, strict=True):
        if found[problem] is None:
            assert found == exact
    assert blank is Blank.CLEAR or fast[-1][problem] is None or computes


def _sql(cell: str | None) -> str:
    # A blank is read as NULL.
    return "CAST(NULL AS VARCHAR)" if not cell else literal(cell).replace("\0", "' || chr(0) || '")
