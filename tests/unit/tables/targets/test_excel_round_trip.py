# ruff: noqa: E501 - a case reads best in one line
"""Any record that a query writes into an Excel file is the same record when the file is a source."""

import csv
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape, FileSource, FileTarget
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.staging.rows import StagedRows
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn

KINDS = {
    "Text": FieldKind.TEXT,
    "Number": FieldKind.NUMBER,
    "Whole": FieldKind.INTEGER,
    "Flag": FieldKind.BOOLEAN,
    "Day": FieldKind.DATE,
    "At": FieldKind.DATETIME,
    "Time": FieldKind.TIME,
}
# What XlsxWriter escapes only in part is refused; see `test_deliver`.
letters = st.characters(
    codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0\ufffe\uffff"
)
moments = st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31))  # noqa: DTZ001 - UTC below


def as_moment(value):
    return value.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


rows = st.tuples(
    st.text(letters, max_size=8) | st.sampled_from(["_x0041_", "_x005F_", "0123", "=1+1", " a ", "a\r\nb", "#N/A!"]),
    st.decimals(-(10**14), 10**14, places=4).map("{:f}".format),
    st.integers(-(10**18) + 1, 10**18 - 1).map(str),
    st.sampled_from(["true", "false"]),
    st.dates(date(1700, 1, 1), date(4000, 12, 31)).map(str),
    moments.map(as_moment),
    st.times().map(lambda t: t.isoformat(timespec="milliseconds") + "Z"),
)  # fmt: skip


def staged(folder, source):
    staging = StagedRows(folder)
    try:
        staging.load(source)
        staging.map([MappedColumn(name, None, kind) for name, kind in KINDS.items()])
        return next(staging.batches(1_000), [])
    finally:
        staging.discard()


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(found=st.lists(rows, min_size=1, max_size=10))
def test_a_record_of_any_values_comes_back(found):
    check(found)


@example(
    [
        ("_x0041_", "0.1", "999999999999999999", "true", "1900-02-28", "1900-02-28T23:59:59.999Z", "23:59:59.999Z"),
        ("\x07\x1f\r\n\t\u2028", "-12345678901234.5678", "-7", "false", "4000-12-31", "2026-03-29T01:30:00.001Z", "00:00:00.000Z"),
        ("=_x005F_ =1", "0.0001", "0", "true", "1900-03-01", "1900-03-01T00:00:00.000Z", "08:30:00.500Z"),
        (" outer ", "1.10", "1000000000000000", "true", "1904-01-01", "2026-01-31T00:00:00.000Z", "00:00:00.001Z"),
    ]
)  # fmt: skip
@settings(max_examples=1, deadline=None)
@given(found=st.lists(rows, min_size=1, max_size=2))
def test_a_record_comes_back(found):
    check(found)


def check(found):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run").mkdir()
        records = folder / "run" / "records.csv"
        with records.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([KINDS, *found])
        wanted = staged(folder / "before", FileSource(records, PLAIN_CSV))
        columns = [QueryColumn(each, kind, 18, 4) for each, kind in KINDS.items()]
        sheet = folder / "a.xlsx"
        deliver(records, FileTarget(sheet, FileShape(FileFormat.EXCEL)), columns, keep_rows=True)
        assert staged(folder / "after", FileSource(sheet, FileShape(FileFormat.EXCEL))) == wanted
