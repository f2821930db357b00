# ruff: noqa: E501 - a table of types reads best in one line each
"""Random values of every type go through every source format, over both APIs, and back to every
target: equal, digit for digit."""

import csv
import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import duckdb
import pytest
import python_calamine
import xlsxwriter
import zstandard
from hypothesis import HealthCheck, Phase, given, settings

from tests.property.records import (
    EMPTY,
    FIELDS,
    HARD,
    NUMBERS,
    ORG_FILE,
    as_csv,
    rows_of_every_type,
    written,
)
from tests.short_form import slow

SOURCES = (
    "csv",
    "tsv",
    "csv.gz",
    "csv.zst",
    "jsonl",
    "json",
    "parquet",
    "xlsx",
    "xml",
    "db",
    "sql",
)
TARGETS = ("csv", "csv.zst", "jsonl", "json", "parquet", "xlsx", "xml", "db")
EXCEL_DIGITS = 15


def as_json(row):
    return "{" + ",".join(f"{json.dumps(k)}:{json_value(k, v)}" for k, v in row.items()) + "}"


def json_value(name, value):
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if name == "Many__c":
        return json.dumps(value.split(";"))
    return written(value) if name in NUMBERS else json.dumps(written(value))


SQL_TYPES = {
    "Flag__c": "BOOLEAN", "Whole__c": "DECIMAL(18,0)", "Score__c": "DECIMAL(18,4)", "Money__c": "DECIMAL(18,2)",
    "Share__c": "DECIMAL(5,2)", "Day__c": "DATE", "At__c": "TIMESTAMPTZ", "Time__c": "TIME",
}  # fmt: skip


def write_parquet(path, rows):
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f"{name} {SQL_TYPES.get(name, 'VARCHAR')}" for name in FIELDS)
        connection.execute(f"CREATE TABLE t ({columns})")
        values = [[None if row[n] is None else written(row[n]) for n in FIELDS] for row in rows]
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(FIELDS))})", values)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def write_excel(path, rows):
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        forms = {
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"}),
        }
        percent = book.add_format({"num_format": "0.00%"})
        page.write_row(0, 0, FIELDS)
        for line, row in enumerate(rows, start=1):
            for at, (name, value) in enumerate((name, row[name]) for name in FIELDS):
                if isinstance(value, bool):
                    page.write_boolean(line, at, value)
                elif name == "Share__c" and value is not None:
                    page.write_number(line, at, float(value.scaleb(-2)), percent)
                elif isinstance(value, Decimal) and len(value.as_tuple().digits) <= EXCEL_DIGITS:
                    page.write_number(line, at, float(value))
                elif isinstance(value, date) and value.year > 1900:
                    naive = value.replace(tzinfo=None) if isinstance(value, datetime) else value
                    page.write_datetime(line, at, naive, forms[type(value)])
                elif value is not None:
                    page.write_string(line, at, written(value))


def write_sqlite(path, rows):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"CREATE TABLE t ({', '.join(f'{name} TEXT' for name in FIELDS)})")
        values = [[None if row[n] is None else written(row[n]) for n in FIELDS] for row in rows]
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(FIELDS))})", values)
    connection.close()


def write_xml(path, rows):
    records = ("".join(f"<{k}>{escape(written(v))}</{k}>" for k, v in row.items()) for row in rows)
    body = "".join(f"<thing>{record}</thing>" for record in records)
    path.write_text(f"<?xml version='1.0'?><things>{body}</things>", encoding="utf-8")


def write_source(folder, kind, rows):
    """Write rows in a format; gives the job's `from`."""
    path = folder / f"in.{kind}"
    packers = {"csv.gz": gzip.compress, "csv.zst": zstandard.ZstdCompressor().compress}
    if kind in {"csv", "sql"}:
        path.write_bytes(as_csv(rows))
    elif kind == "tsv":
        path.write_bytes(as_csv(rows, "\t"))
    elif kind in packers:
        path.write_bytes(packers[kind](as_csv(rows)))
    elif kind == "jsonl":
        path.write_text("".join(f"{as_json(row)}\n" for row in rows), encoding="utf-8")
    elif kind == "json":
        path.write_text(f"[{', '.join(map(as_json, rows))}]", encoding="utf-8")
    else:
        {"parquet": write_parquet, "xlsx": write_excel, "xml": write_xml, "db": write_sqlite}[kind](
            path, rows
        )
    special = {
        "xml": {"file": path.name, "record": "/things/thing"},
        "db": {"database": {"env": "IN_URL"}, "sql": "SELECT * FROM t"},
        "sql": {"sql": "SELECT * FROM t", "tables": {"t": {"file": path.name, "format": "csv"}}},
    }
    return special.get(kind, path.name)


def read_text(name, text):
    if text in {None, ""}:
        return None
    if name in NUMBERS:
        return Decimal(text)
    readers = {
        "Flag__c": lambda t: t == "true",
        "Day__c": date.fromisoformat,
        "At__c": datetime.fromisoformat,
        "Time__c": lambda t: time.fromisoformat(t.removesuffix("Z")),
    }
    return readers.get(name, str)(text)


def read_typed(name, value):
    """A value of Excel, Parquet or a database."""
    if isinstance(value, str) or value is None:
        return read_text(name, value)
    if name == "Flag__c":
        return bool(value)
    if name in NUMBERS:
        return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if name == "At__c":
        at_midnight = not isinstance(value, datetime)
        return (datetime.combine(value, time()) if at_midnight else value).replace(tzinfo=UTC)
    return value.date() if isinstance(value, datetime) else value


def read_target(path, kind):
    """The rows of a target as plain values."""
    if kind in {"csv", "csv.zst"}:
        content = path.read_bytes()
        if kind == "csv.zst":
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
        return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]], read_text
    if kind in {"jsonl", "json"}:
        text = path.read_text(encoding="utf-8")
        parts = [line for line in text.split("\n") if line] if kind == "jsonl" else [text]
        found = [json.loads(part, parse_float=str, parse_int=str) for part in parts]
        return (found if kind == "jsonl" else found[0]), read_typed
    if kind == "xml":
        root = ET.parse(path).getroot()  # noqa: S314 - our own file
        return [{cell.tag: cell.text for cell in record} for record in root], read_text
    if kind == "xlsx":
        sheet = python_calamine.load_workbook(str(path)).get_sheet_by_index(0)
        header, *rest = sheet.to_python()
        return [dict(zip(header, cells, strict=True)) for cells in rest], read_typed
    if kind == "db":
        connection = sqlite3.connect(path)
        asked = connection.execute("SELECT * FROM t")
        names = [each[0] for each in asked.description]
        rows = [dict(zip(names, cells, strict=True)) for cells in asked]
        connection.close()
        return rows, read_typed
    with duckdb.connect() as connection:
        replaced = "SELECT * REPLACE (timezone('UTC', At__c) AS At__c)"
        asked = connection.execute(f"{replaced} FROM '{path}'")
        names = [each[0] for each in asked.description]
        return [dict(zip(names, cells, strict=True)) for cells in asked.fetchall()], read_typed


class Bench:
    """A local org, and jobs that run on it."""

    def __init__(self, folder):
        self.folder = folder
        self.numbers = count(1)
        (folder / "org.yaml").write_text(ORG_FILE, encoding="utf-8")
        self.environ = os.environ | {"SFRUNNER_STATE": str(folder / "state")}
        words = ("org", "serve", "--port", "0", "-o", "json", "--org-file", "org.yaml")
        self.org = subprocess.Popen(
            [sys.executable, "-m", "runner", *words],
            cwd=folder,
            env=self.environ,
            stdout=subprocess.PIPE,
        )
        assert b"access_token" in self.org.stdout.readline()

    def end(self):
        self.org.terminate()
        self.org.wait(30)
        self.org.stdout.close()

    def there_and_back(self, rows, sources=SOURCES, targets=TARGETS, *, with_both=True):
        """Send rows in by every way, get them out by every way; gives what came out, by way.

        `with_both`: each source goes over both APIs, not over one of them in turn.
        """
        folder = self.folder / f"example-{next(self.numbers)}"
        folder.mkdir()
        keyed = [{"Key__c": f"{n:04}"} | row for n, row in enumerate(rows)]
        tasks, ways = [], []
        for at, source in enumerate(sources):
            for shift, api in enumerate(("rest", "bulk")):
                if not with_both and shift != at % 2:
                    continue
                batch = f"{folder.name}-{source}-{api}"
                mine = [row | {"Key__c": f"{batch}-{row['Key__c']}"} for row in keyed]
                place = folder / f"{source}-{api}"
                place.mkdir()
                found = write_source(place, source, mine)
                tasks.append(self._load(batch, place, found, api))
                turn = at + shift if with_both else at // 2  # all targets over both APIs
                pair = 2 * (turn % (len(targets) // 2))
                for target in targets[pair : pair + 2]:
                    tasks.append(self._query(batch, place, target, api))
                    ways.append((f"{source}, {api}, {target}", place, target, mine))
        self._run(folder, tasks)
        return [(name, want, *self._read(place, kind)) for name, place, kind, want in ways]

    def _load(self, batch, place, found, api):
        text = json.dumps(found)
        for name in [found] if isinstance(found, str) else _files(found):
            text = text.replace(json.dumps(name), json.dumps(str(place / name)))
        fields = {name: name for name in FIELDS} | {"Batch__c": f"'{batch}'"}
        self.environ[_variable(batch)] = f"sqlite:///{place / 'in.db'}"
        text = text.replace("IN_URL", _variable(batch))
        return (
            f"  - {{name: in_{_word(batch)}, upsert: Thing__c, key: Key__c, api: {api},"
            f" from: {text}, fields: {json.dumps(fields)}}}\n"
        )

    def _query(self, batch, place, target, api):
        to = json.dumps(str(place / f"out.{target}"))
        if target == "db":
            variable = _variable(f"{batch}-out")
            self.environ[variable] = f"sqlite:///{place / 'out.db'}"
            to = f"{{database: {{env: {variable}}}, table: t}}"
        soql = (
            f"SELECT {', '.join(FIELDS)} FROM Thing__c WHERE Batch__c = '{batch}' ORDER BY Key__c"
        )
        name = f"out_{_word(batch)}_{_word(target)}"
        return f'  - {{name: {name}, api: {api}, query: "{soql}", to: {to}}}\n'

    def _run(self, folder, tasks):
        head = "version: 1\nconnection: {environment: local, org_file: ../org.yaml}\ntasks:\n"
        (folder / "job.yaml").write_text(head + "".join(tasks), encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-m", "runner", "run", folder / "job.yaml"],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def _read(self, place, kind):
        rows, reader = read_target(place / f"out.{kind}", kind)
        return [{name: reader(name, row.get(name)) for name in FIELDS} for row in rows]


def _files(found):
    return (
        [found["file"]]
        if "file" in found
        else [t["file"] for t in found.get("tables", {}).values()]
    )


def _word(text):
    return "".join(each if each.isalnum() else "_" for each in text)


def _variable(batch):
    return f"URL_{_word(batch).upper()}"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("fidelity"))
    yield made
    made.end()


CALM = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    # An example takes seconds: what fails is told as it is.
    "phases": (Phase.explicit, Phase.reuse, Phase.generate),
}


def check(bench, rows, **ways):
    for way, wanted, *found in bench.there_and_back(rows, **ways):
        assert found == wanted, way


@pytest.mark.parametrize("with_both", [False, *slow(True)])
def test_every_hard_value_comes_back_as_it_went(bench, with_both):
    check(bench, HARD, with_both=with_both)


@pytest.mark.parametrize("source", ["csv", *slow("json")])
def test_the_longest_text_comes_back_as_it_went(bench, source):
    """131,072 characters: four times what an Excel cell takes."""
    longest = EMPTY | {"Text__c": '"\n😀\u2028' * (131_072 // 4)}
    ways = {"sources": (source,), "targets": ("csv", "jsonl", "parquet", "xml")}
    check(bench, [longest, longest], **ways)


@pytest.mark.slow
@settings(max_examples=25, **CALM)
@given(rows=rows_of_every_type)
def test_every_value_comes_back_as_it_went(bench, rows):
    check(bench, rows)
