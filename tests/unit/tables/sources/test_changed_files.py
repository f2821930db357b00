"""A source that somebody writes to while it is read: an error, never half of it."""

import gzip
import os

import pytest

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileFormat, FileShape
from runner.tables.sources import parquet as parquet_source
from runner.tables.sources.csv import open_csv
from runner.tables.sources.json import json_array, json_lines
from runner.tables.sources.sheets.workbook import opened_workbook
from runner.tables.sources.xml import xml_records
from tests.unit.tables.reading import excel, parquet, zstd

ROWS = 260_000
CSV = b"Id,Name\n" + b"".join(b"%06d,some name of a row\n" % n for n in range(ROWS))
JSON = [b'{"Id":"%06d","Name":"n"}' % n for n in range(4_000)]
XML = b"<r>" + b"".join(b"<a><Id>%06d</Id></a>" % n for n in range(60_000)) + b"</r>"


def shorter(path):
    """As if a new version were being written over it: what there is ends with a record."""
    content = path.read_bytes()[: path.stat().st_size * 4 // 5]
    os.truncate(path, content.rindex(b"\n") + 1 if b"\n" in content else len(content))


def longer(path):
    with path.open("ab") as file:
        file.write(b"\n")


def other(path):
    """As long as before."""
    with path.open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(b"X")
    os.utime(path, ns=(1, 1))  # whatever the clock's steps are


CHANGES = pytest.mark.parametrize(
    "change", [shorter, longer, other], ids=lambda each: each.__name__
)


def csv_chunks(compression=Compression.NONE):
    def read(path):
        shape = FileShape(FileFormat.CSV, compression=compression)
        return open_csv(path, shape).chunks()

    return read


def packed(content):
    """Hardly packed, so that much of it is left after the first rows."""
    return gzip.compress(content, 0)


KINDS = {
    "csv": (CSV, csv_chunks()),
    "csv.gz": (packed(CSV), csv_chunks(Compression.GZIP)),
    "csv.zst": (
        b"".join(zstd(CSV[at : at + 40_000]) for at in range(0, len(CSV), 40_000)),
        csv_chunks(Compression.ZSTD),
    ),
    "jsonl": (b"\n".join(JSON) + b"\n", lambda p: json_lines(p, FileShape(FileFormat.JSONL))),
    "json": (b"[" + b",\n".join(JSON) + b"]", lambda p: json_array(p, FileShape(FileFormat.JSON))),
    "xml": (XML, lambda path: xml_records(path, FileShape(FileFormat.XML, record="/r/a"))),
}


@CHANGES
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, kind, change):
    content, read = KINDS[kind]
    path = tmp_path / "a"
    path.write_bytes(content)
    rows = iter(read(path))
    next(rows)
    change(path)
    with pytest.raises(SourceError, match="has changed while it was being read"):
        list(rows)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xml"])
def test_a_file_that_is_replaced_by_a_rename_is_read_as_it_was(tmp_path, kind):
    content, read = KINDS[kind]
    path, new = tmp_path / "a", tmp_path / "new"
    path.write_bytes(content)
    expected = list(read(path))
    rows = iter(read(path))
    first = next(rows)
    new.write_bytes(b"Id\n")
    new.replace(path)
    assert [first, *rows] == expected


@CHANGES
def test_a_workbook_that_changes_while_it_is_read_is_refused(tmp_path, change):
    path = tmp_path / "a.xlsx"
    path.write_bytes(excel(["Id"], *(["x"] for _ in range(9))))
    told = pytest.raises(SourceError, match="has changed while it was being read")
    with told, opened_workbook(path, tmp_path) as book:
        assert book.sheets
        change(path)


@CHANGES
def test_a_parquet_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, change):
    path = parquet(tmp_path / "a.parquet", "SELECT range AS a FROM range(1000)")
    write_rows = parquet_source.write_rows

    def changed(*given):
        change(path)
        return write_rows(*given)

    monkeypatch.setattr(parquet_source, "write_rows", changed)
    with pytest.raises(SourceError, match="has changed while it was being read"):
        parquet_source.read_parquet(path, tmp_path / "a.csv")
