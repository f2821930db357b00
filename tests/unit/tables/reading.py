"""Reads files of any format as sources; makes such files."""

import io
from datetime import date
from pathlib import Path

import duckdb
import xlsxwriter
import zstandard

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import MappedColumn
from runner.tables.staging.rows import StagedRows

ROWS = [{"a": "1", "b": 'Ä "x"'}, {"a": "2", "b": "y\nz"}]
CSV = b'a,b\n1,"\xc3\x84 ""x"""\n2,"y\nz"\n'
XML = (
    "<?xml version='1.0'?><x:root xmlns:x='u'><skip>1</skip>"
    "<account a='1'><b>Ä &quot;x&quot;</b></account>"
    "<account><a>2</a><b>y&#10;z</b></account></x:root>"
).encode()


class Reading:
    """Reads files as sources; every staging is given back at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stagings: list[StagedRows] = []

    def file(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def staging(self, source, columns=None) -> StagedRows:
        staging = StagedRows(self.folder / f"staging{len(self.stagings)}")
        self.stagings.append(staging)
        staging.load(source)
        named = [MappedColumn(name, None) for name in staging.columns]
        staging.map(named if columns is None else columns)
        return staging

    def rows(self, path, form=FileFormat.CSV, **shape):
        return self.of(FileSource(Path(path), FileShape(form, **shape)))

    def of(self, source):
        return [record for _, record in next(self.staging(source).batches(1_000), [])]


def zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def excel(*rows, sheet="Sheet1") -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        form = book.add_format({"num_format": "yyyy-mm-dd"})
        page = book.add_worksheet(sheet)
        for line, row in enumerate(rows):
            for at, value in enumerate(row):
                if isinstance(value, date):
                    page.write_datetime(line, at, value, form)
                elif isinstance(value, str) and value.startswith("="):
                    page.write_formula(line, at, value, None, "#DIV/0!")
                else:
                    page.write(line, at, value)
    return stream.getvalue()


def shown(value: object) -> str | None:
    """A test's id without bytes: workbooks hold the second they were made in."""
    return "content" if isinstance(value, bytes) else None


def parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path
