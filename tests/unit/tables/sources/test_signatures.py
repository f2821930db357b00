"""A file that is no text is called what it is; its bytes are never taken for another encoding."""

import gzip
import sqlite3
from contextlib import closing

import duckdb
import pytest
import xlsxwriter
import zstandard

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileFormat, FileShape
from runner.tables.sources.csv import open_csv
from runner.tables.sources.json import json_array, json_lines
from runner.tables.sources.xml import xml_records

TEXT = b"name,n\nAcme,1\n"
READERS = {
    FileFormat.CSV: lambda path, shape: open_csv(path, shape).columns,
    FileFormat.JSONL: lambda path, shape: list(json_lines(path, shape)),
    FileFormat.JSON: lambda path, shape: list(json_array(path, shape)),
    FileFormat.XML: lambda path, shape: list(xml_records(path, shape)),
}


def excel(path):
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["name", "n"])


def parquet(path):
    duckdb.sql("SELECT 'Acme' AS name").write_parquet(str(path))


def sqlite(path):
    with closing(sqlite3.connect(path)) as link, link:
        link.execute("CREATE TABLE t (name)")


MADE = {
    "a gzip file": lambda path: path.write_bytes(gzip.compress(TEXT)),
    "a Zstandard file": lambda path: path.write_bytes(zstandard.compress(TEXT)),
    "a ZIP archive, as Excel files are": excel,
    "an Excel file of an old version": lambda path: path.write_bytes(
        bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
    ),
    "a Parquet file": parquet,
    "a SQLite database": sqlite,
    "a web page": lambda path: path.write_bytes(b"\n<!DOCTYPE HTML>\n<html><body>Sign in"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
@pytest.mark.parametrize("form", READERS)
@pytest.mark.parametrize("what", MADE)
def test_a_file_in_another_format_is_called_what_it_is(tmp_path, what, form, encoding):
    path = tmp_path / "rows.txt"
    MADE[what](path)
    if what == "a web page" and form is FileFormat.XML:
        pytest.skip("it may be XML")
    with pytest.raises(SourceError) as refused:
        READERS[form](path, FileShape(form, encoding=encoding, record="/a/b"))
    assert refused.value.message == f"{path} is {what}, not {form}."
    assert "encoding" not in (refused.value.hint or "encoding")


@pytest.mark.parametrize("start", ["PAR1,n", "PK,n", "SQLite format 3,n", "<htmlx>,n", "html,n"])
def test_a_column_may_be_called_as_a_format_begins(tmp_path, start):
    path = tmp_path / "rows.csv"
    path.write_text(f"{start}\nAcme,1\n", encoding="utf-8")
    assert READERS[FileFormat.CSV](path, FileShape(FileFormat.CSV)) == tuple(start.split(","))


def test_what_was_compressed_is_looked_at_too(tmp_path):
    path = tmp_path / "rows.csv.gz"
    excel(tmp_path / "rows.xlsx")
    path.write_bytes(gzip.compress((tmp_path / "rows.xlsx").read_bytes()))
    shape = FileShape(FileFormat.CSV, compression=Compression.GZIP)
    with pytest.raises(SourceError, match="is a ZIP archive"):
        READERS[FileFormat.CSV](path, shape)
