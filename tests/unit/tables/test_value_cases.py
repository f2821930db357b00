"""The values of docs/reference/values.md: into a field, from text and types, and out of the org."""

import csv
import json
import sqlite3
from xml.etree import ElementTree as ET

import duckdb
import openpyxl
import pytest
import sqlalchemy
from sqlalchemy.dialects import postgresql

from runner.credentials import SecretReference
from runner.errors import SourceError
from runner.job.endpoints import DatabaseTarget, FileFormat, FileShape, FileSource, FileTarget
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.database import text_of
from runner.tables.sources.open import open_source
from runner.tables.targets.column_types import typed_table
from runner.tables.targets.database import _type
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from tests.unit.tables.value_cases import FITS, OUT, REFUSED, TYPED

KINDS = sorted({each.kind for each in FITS})
EXCEL_TYPES = {"n": "number", "b": "boolean", "s": "text"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_that_fits_is_sent_and_one_that_does_not_fails_its_row(stage, kind, tmp_path):
    cases = [
        (text, each.sent_for(text)) for each in FITS if each.kind == kind for text in each.written
    ]
    lines = "".join(f'{n},"{text}"\n' for n, (text, _) in enumerate(cases))
    columns = [MappedColumn("n", None), MappedColumn("v", None, FieldKind[kind.upper()])]
    wanted = {str(n): sent for n, (_, sent) in enumerate(cases) if sent is not None}

    staged = stage(f"n,v\n{lines}".encode(), columns)
    over_rest = {record["n"]: record["v"] for _, record in next(staged.batches(1_000))}
    assert over_rest.keys() == wanted.keys()
    for n, value in over_rest.items():
        assert (_as_json(kind, wanted[n]), type(value)) == (value, type(_as_json(kind, wanted[n])))
    (part,) = staged.parts(tmp_path / "parts", 1_000_000)
    with part.file.open(encoding="utf-8", newline="") as stream:
        assert {row["n"]: row["v"] for row in csv.DictReader(stream)} == wanted


def _as_json(kind, text):
    if kind == "boolean":
        return text == "true"
    if kind in {"integer", "number"}:
        return json.loads(text) if len(text) < 17 else text
    return text


@pytest.mark.parametrize("case", TYPED, ids=lambda each: each.shown)
def test_a_typed_value_is_the_text_that_fields_read(case, tmp_path):
    assert text_of(case.value) == case.from_database
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'x' AS x, {case.sql} AS v) TO '{path}' (FORMAT parquet)")
    source = FileSource(path, FileShape(FileFormat.PARQUET))
    if case.from_parquet == REFUSED:
        with pytest.raises(SourceError, match="more than one value per row"):
            open_source(source, tmp_path)
        return
    (records,) = open_source(source, tmp_path)
    ((_, text),) = csv.reader(b"".join(records.blocks).decode().splitlines())
    assert text == case.from_parquet


@pytest.mark.parametrize("case", OUT, ids=lambda each: each.shown)
def test_a_value_of_the_org_is_typed_as_described_in_every_target(case, tmp_path, monkeypatch):
    rows = tmp_path / "run" / "records.csv"
    rows.parent.mkdir()
    with rows.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        lines.writerows([("x", "v"), ("x", case.written)])
    known = QueryColumn("v", FieldKind[case.kind.upper()], case.precision, case.scale)
    columns = [QueryColumn("x", FieldKind.TEXT), known]

    def delivered(form):
        to = tmp_path / ("a.xlsx" if form is FileFormat.EXCEL else f"a.{form}")
        deliver(rows, FileTarget(to, FileShape(form)), columns, keep_rows=True)
        return to

    text = delivered(FileFormat.CSV).read_text(encoding="utf-8")
    assert list(csv.reader(text.splitlines()))[1] == ["x", case.written]
    (record,) = ET.parse(delivered(FileFormat.XML)).getroot()  # noqa: S314 - our own file
    assert (record.findtext("v") or "") == case.written
    line = delivered(FileFormat.JSONL).read_text(encoding="utf-8")
    assert line == f'{{"x":"x","v":{case.json}}}\n'
    described = f"SELECT column_type FROM (DESCRIBE FROM '{delivered(FileFormat.PARQUET)}')"
    assert duckdb.sql(described).fetchall()[1] == (case.parquet,)
    sheet = openpyxl.load_workbook(delivered(FileFormat.EXCEL)).active
    assert _excel_type(sheet["B2"]) == case.excel

    monkeypatch.setenv("A_DATABASE", f"sqlite:///{tmp_path / 'a.db'}")
    deliver(rows, DatabaseTarget(SecretReference(env="A_DATABASE"), "t"), columns, keep_rows=True)
    with sqlite3.connect(tmp_path / "a.db") as connection:
        assert connection.execute("SELECT v FROM t").fetchall() == [(case.sqlite,)]
    connection.close()
    with typed_table(rows, columns) as (_, (_, typed)):
        of_it = _type(sqlalchemy, typed, "postgresql")
    assert sqlalchemy.types.to_instance(of_it).compile(postgresql.dialect()) == case.postgresql


def _excel_type(cell):
    if cell.value is None:
        return "empty"
    if cell.data_type == "d":
        return {"datetime": "date and time", "time": "time"}.get(_parts(cell.number_format), "date")
    return EXCEL_TYPES[cell.data_type]


def _parts(form):
    has_day, has_hour = "y" in form, "h" in form
    return "datetime" if has_day and has_hour else "time" if has_hour else "date"
