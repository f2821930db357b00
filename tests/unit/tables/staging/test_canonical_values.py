import json
from decimal import Decimal
from itertools import pairwise

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape
from runner.tables.field_types import FieldKind
from runner.tables.staging.canonical_values import (
    MACROS,
    canonical,
    comparable,
    null_if_blank,
    source_format,
)
from runner.tables.staging.json_records import JsonRecords


@pytest.fixture(scope="module")
def database():
    connection = duckdb.connect(":memory:")
    for macro in MACROS:
        connection.execute(macro)
    yield connection
    connection.close()


def converted(connection, kind, text, timezone="UTC"):
    connection.execute("SET TimeZone = ?", [timezone])
    blank_is_null = null_if_blank(kind, "x")
    query = f"SELECT {canonical(kind, 't')} FROM (SELECT {blank_is_null} AS t FROM (SELECT ? x))"
    return connection.execute(query, [text]).fetchall()[0][0]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("text", " 0123 ", " 0123 "),
        ("text", "a\r\nb\rc\n", "a\nb\nc\n"),
        ("text", "", None),
        ("text", " \t\r\n", None),
        ("text", "\u00a0", "\u00a0"),
        ("text", "\u3000A\u3000", "\u3000A\u3000"),
        ("integer", "\t\u00a042\u3000\r\n", "42"),
        ("integer", "\u00a0", None),
        ("boolean", "TRUE", "true"),
        ("boolean", "y", "true"),
        ("boolean", "1", "true"),
        ("boolean", "No", "false"),
        ("boolean", " f ", "false"),
        ("boolean", "maybe", None),
        ("boolean", "#N/A", "false"),
        ("integer", "42", "42"),
        ("integer", "-5.0", "-5"),
        ("integer", "1e3", "1000"),
        ("integer", "5.5", None),
        ("number", "123456789012345678.10", "123456789012345678.10"),
        ("number", "9.12260031E8", "912260031"),
        ("number", "1e-3", "0.001"),
        ("number", "-.5", "-0.5"),
        ("number", "+007.50", "7.50"),
        ("number", "5.", "5"),
        ("number", "1,000", None),
        ("number", "1_000", None),
        ("number", "inf", None),
        ("number", "NaN", None),
        ("date", "2026-01-31", "2026-01-31"),
        ("date", "1700-01-01", "1700-01-01"),
        ("date", "4000-12-31", "4000-12-31"),
        ("date", "2026-01-31 00:00:00", "2026-01-31"),
        ("date", "2026-01-31T00:00:00.000Z", "2026-01-31"),
        ("date", "2026-01-31T10:00:00Z", None),
        ("date", "2026-02-30", None),
        ("date", "31.01.2026", None),
        ("date", "infinity", None),
        ("datetime", "2026-01-31", "2026-01-31T00:00:00.000Z"),
        ("datetime", "2026-01-31 10:00", "2026-01-31T10:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00.000+0000", "2026-01-31T10:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00.123456Z", "2026-01-31T10:00:00.123Z"),
        ("datetime", "2026-01-31t10:00:00z", None),
        ("datetime", "2026-01-31T10:00:00z", "2026-01-31T10:00:00.000Z"),
        ("datetime", "2026-01-31 10:00:00 z", "2026-01-31T10:00:00.000Z"),
        ("datetime", "2026-01-31 10:00 +01:00", "2026-01-31T09:00:00.000Z"),
        ("datetime", "2026-01-31T10:00+0100", "2026-01-31T09:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00+01", "2026-01-31T09:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00-0330", "2026-01-31T13:30:00.000Z"),
        ("datetime", "2026-01-31T10:00:00+14:00", "2026-01-30T20:00:00.000Z"),
        ("datetime", "2026-01-31T10:00:00+14:01", None),
        ("datetime", "2026-01-31T10:00:00-15:00", None),
        ("datetime", "2026-01-31T10:00:00+0160", None),
        ("date", "2026-01-31T00:00:00+0100", "2026-01-31"),
        ("date", "2026-01-31T00:00:00+15:00", None),
        ("datetime", "2026-02-30T10:00:00.000Z", None),
        ("datetime", "yesterday", None),
        ("datetime", "epoch", None),
        ("time", "10:00", "10:00:00.000Z"),
        ("time", "23:59:59.9Z", "23:59:59.900Z"),
        ("time", "24:00", None),
        ("id", "001000000000001AAA", "001000000000001AAA"),
        ("id", " 001000000000001 ", "001000000000001"),
        ("id", "ACME", None),
        ("number", "#N/A", "#N/A"),
        ("text", "#N/A", "#N/A"),
    ],
)
def test_values_become_canonical_or_do_not_fit(database, kind, text, expected):
    assert converted(database, FieldKind(kind), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A1", "A1"), (" A 1\t", "A 1"), ("\u00a0A1 ", "\u00a0A1"), (" ", None), ("ä\n", "ä")],
)
def test_a_key_is_what_the_org_has_stored(database, text, expected):
    query = f"SELECT {null_if_blank(FieldKind.TEXT, 'x', is_key=True)} FROM (SELECT ? AS x)"
    assert database.execute(query, [text]).fetchall()[0][0] == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("date", "31.01.2026", "2026-01-31"),
        ("date", "31.01.2026 00:00", "2026-01-31"),
        ("date", "31.01.2026 08:30", None),
        ("datetime", "31.01.2026", "2026-01-30T23:00:00.000Z"),
        ("datetime", "31.01.2026 08:30", "2026-01-31T07:30:00.000Z"),
        ("datetime", "2026-01-31T08:30Z", "2026-01-31T08:30:00.000Z"),
        ("datetime", "31.01.26", None),
        ("datetime", "32.01.2026", None),
    ],
)
def test_declared_formats_serve_fields_of_dates_and_of_datetimes(database, kind, text, expected):
    shape = FileShape(FileFormat.CSV, dates="%d.%m.%Y", datetimes="%d.%m.%Y %H:%M")
    kind = FieldKind(kind)
    database.execute("SET TimeZone = 'Europe/Berlin'")
    read = source_format(shape, kind).sql("x")
    query = f"SELECT {canonical(kind, 't')} FROM (SELECT {read} AS t FROM (SELECT ? AS x))"
    assert database.execute(query, [text]).fetchall()[0][0] == expected


def test_a_datetime_without_zone_is_of_the_tasks_zone_and_a_date_never_moves(database):
    zone = "Pacific/Auckland"
    moved = converted(database, FieldKind.DATETIME, "2026-01-31 00:30:00", zone)
    assert moved == "2026-01-30T11:30:00.000Z"
    assert converted(database, FieldKind.DATE, "2026-01-31", zone) == "2026-01-31"


@pytest.mark.parametrize(
    ("kind", "spellings"),
    [
        ("number", ["912260031", "9.12260031E8", "912260031.0", "912260031.00"]),
        ("datetime", ["2026-01-31T08:00:00.000Z", "2026-01-31T10:00:00.000+0200"]),
        ("boolean", ["true", "TRUE", "1"]),
        ("id", ["001000000000001", "001000000000001AAA"]),
        ("text", ["", "#N/A", None, " \n"]),
        ("text", ["a b", " a b", "a b\n"]),
    ],
)
def test_spellings_that_the_org_takes_for_the_same_compare_equal(database, kind, spellings):
    query = f"SELECT {comparable(FieldKind(kind), 'x')} FROM (SELECT ?::VARCHAR AS x)"
    compared = [database.execute(query, [text]).fetchall()[0][0] for text in spellings]
    assert all(one == other for one, other in pairwise(compared))


def test_kinds_are_known_by_describe_type():
    assert FieldKind.of("currency") is FieldKind.NUMBER
    assert FieldKind.of("reference") is FieldKind.ID
    assert FieldKind.of("anythingElse") is FieldKind.TEXT


@pytest.mark.parametrize(
    ("timezone", "text", "expected"),
    [
        ("Europe/Berlin", "2026-03-29 01:59:59.999", "2026-03-29T00:59:59.999Z"),
        ("Europe/Berlin", "2026-03-29 02:00", None),
        ("Europe/Berlin", "2026-03-29T02:59:59", None),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00.000Z"),
        ("Europe/Berlin", "2026-10-25 01:59", "2026-10-24T23:59:00.000Z"),
        ("Europe/Berlin", "2026-10-25 02:30:00", "2026-10-25T00:30:00.000Z"),
        ("Europe/Berlin", "2026-10-25 02:30:00+01:00", "2026-10-25T01:30:00.000Z"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00.000Z"),
        ("America/New_York", "2026-03-08T02:30", None),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30:00.000Z"),
        ("America/Sao_Paulo", "2018-02-17 23:30", "2018-02-18T01:30:00.000Z"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", None),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00.000Z"),
        ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00.000Z"),
        ("Africa/Cairo", "2026-04-24 00:00", None),
        ("UTC", "2026-03-29 02:30", "2026-03-29T02:30:00.000Z"),
    ],
)
def test_a_skipped_local_time_does_not_fit_and_one_shown_twice_is_the_earlier(
    database, timezone, text, expected
):
    assert converted(database, FieldKind.DATETIME, text, timezone) == expected


def test_a_json_record_has_typed_values_no_blanks_and_explicit_nulls():
    kinds = {
        "Name": FieldKind.TEXT,
        "Active": FieldKind.BOOLEAN,
        "Staff": FieldKind.INTEGER,
        "Amount": FieldKind.NUMBER,
        "Phone": FieldKind.TEXT,
    }
    records = JsonRecords(list(kinds.items()))
    rows = (
        (["n", "true", "7", "1.50", "+1"],
         {"Name": "n", "Active": True, "Staff": 7, "Amount": 1.5, "Phone": "+1"}),
        ([None, "false", None, None, None], {"Active": False}),
        (["#N/A", None, "#N/A", "#N/A", "x"],
         {"Name": None, "Staff": None, "Amount": None, "Phone": "x"}),
        ([None] * 5, {}),
    )  # fmt: skip
    assert records.records([texts for texts, _ in rows]) == [record for _, record in rows]
    for texts, record in rows:  # what is in other rows does not matter
        assert records.records([texts]) == [record]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_a_number_in_json_has_all_its_digits(number):
    text = f"{number:f}"
    (record,) = JsonRecords([("N", FieldKind.NUMBER)]).records([[text]])
    sent = record["N"]
    assert Decimal(json.loads(json.dumps(sent), parse_float=Decimal)) == Decimal(text)
