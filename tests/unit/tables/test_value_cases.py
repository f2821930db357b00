"""The values of docs/reference/values.md: into a field, from text and types, and out of the org."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import duckdb
import openpyxl
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import to_instance

from runner.credentials import SecretReference
from runner.errors import SourceError
from runner.job.endpoints import DatabaseTarget, FileFormat, FileShape, FileSource, FileTarget
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.database import text_of
from runner.tables.sources.open import open_source
from runner.tables.targets.column_types import typed_table
from runner.tables.targets.deliver import deliver
from runner.tables.targets.rest_rows import QueryColumn
from runner.tables.targets.sql_tables import type_of
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
    sent = io.StringIO(b"".join(part.content.pieces()).decode(), newline="")
    assert {row["n"]: row["v"] for row in csv.DictReader(sent)} == wanted


def _as_json(kind, text):
    if kind == "boolean":
        return text == "true"
    if kind in {"integer", "number"}:
        return json.loads(text) if len(text) < 17 else text
    return text


def test_a_typed_value_is_the_text_that_fields_read(tmp_path):
    assert [text_of(each.value) for each in TYPED] == [each.from_database for each in TYPED]
    readable = [each for each in TYPED if each.from_parquet != REFUSED]
    (records,) = open_source(parquet(tmp_path / "a.parquet", readable), tmp_path)
    (texts,) = csv.reader(b"".join(records.blocks).decode().splitlines())
    assert texts == [each.from_parquet for each in readable]


@pytest.mark.parametrize("refused", [each for each in TYPED if each.from_parquet == REFUSED])
def test_a_nested_value_of_parquet_is_refused(refused, tmp_path):
    with pytest.raises(SourceError, match="more than one value per row"):
        open_source(parquet(tmp_path / "a.parquet", [refused]), tmp_path)


def parquet(path, cases):
    cells = ", ".join(f"{each.sql} AS c{at}" for at, each in enumerate(cases))
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {cells}) TO '{path}' (FORMAT parquet)")
    return FileSource(path, FileShape(FileFormat.PARQUET))


def test_a_value_of_the_org_is_typed_as_described_in_every_target(tmp_path, monkeypatch):
    columns = [
        QueryColumn(each.shown, FieldKind[each.kind.upper()], each.precision, each.scale)
        for each in OUT
    ]
    rows = tmp_path / "run" / "records.csv"
    rows.parent.mkdir()
    with rows.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        lines.writerows([[each.name for each in columns], [each.written for each in OUT]])

    def delivered(form):
        to = tmp_path / ("a.xlsx" if form is FileFormat.EXCEL else f"a.{form}")
        deliver(rows, FileTarget(to, FileShape(form)), columns, keep_rows=True)
        return to

    text = delivered(FileFormat.CSV).read_text(encoding="utf-8")
    assert list(csv.reader(text.splitlines()))[1] == [each.written for each in OUT]
    line = delivered(FileFormat.JSONL).read_text(encoding="utf-8")
    members = (f"{json.dumps(each.shown)}:{each.json}" for each in OUT)
    assert line == f"{{{','.join(members)}}}\n"
    described = f"SELECT column_type FROM (DESCRIBE FROM '{delivered(FileFormat.PARQUET)}')"
    assert duckdb.sql(described).fetchall() == [(each.parquet,) for each in OUT]
    (cells,) = openpyxl.load_workbook(delivered(FileFormat.EXCEL)).active.iter_rows(2)
    assert [_excel_type(cell) for cell in cells] == [each.excel for each in OUT]

    monkeypatch.setenv("A_DATABASE", f"sqlite:///{tmp_path / 'a.db'}")
    deliver(rows, DatabaseTarget(SecretReference(env="A_DATABASE"), "t"), columns, keep_rows=True)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == [
            tuple(each.sqlite for each in OUT)
        ]
    with typed_table(rows, columns) as (_, typed):
        types = [to_instance(type_of(each, "postgresql")) for each in typed]
    assert [each.compile(postgresql.dialect()) for each in types] == [e.postgresql for e in OUT]


def test_a_value_in_xml_is_as_in_csv_and_null_has_no_element(tmp_path):
    rows = tmp_path / "run" / "records.csv"
    rows.parent.mkdir()
    with rows.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
        names = [f"c{at}" for at in range(len(OUT))]
        lines.writerows([names, [each.written for each in OUT]])
    to = tmp_path / "a.xml"
    deliver(rows, FileTarget(to, FileShape(FileFormat.XML)), [], keep_rows=True)
    (record,) = ET.parse(to).getroot()  # noqa: S314 - our own file
    found = {element.tag: element.text for element in record}
    wanted = {name: each.written for name, each in zip(names, OUT, strict=True)}
    assert found == {name: text for name, text in wanted.items() if text}


def _excel_type(cell):
    if cell.value is None:
        return "empty"
    if cell.data_type == "d":
        return {"datetime": "date and time", "time": "time"}.get(_parts(cell.number_format), "date")
    return EXCEL_TYPES[cell.data_type]


def _parts(form):
    has_day, has_hour = "y" in form, "h" in form
    return "datetime" if has_day and has_hour else "time" if has_hour else "date"
