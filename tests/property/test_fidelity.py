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
from hypothesis import strategies as st

ORG_FILE = """\
version: 1
objects:
  Thing__c:
    label: Thing
    plural_label: Things
    fields:
      Key__c: {type: text, label: Key, length: 80, external_id: true, unique: true}
      Batch__c: {type: text, label: Batch, length: 40}
      Text__c: {type: long_text, label: Text, length: 131072}
      Short__c: {type: text, label: Short, length: 255}
      Mail__c: {type: email, label: Mail}
      Call__c: {type: phone, label: Call}
      Site__c: {type: url, label: Site}
      Pick__c: {type: picklist, label: Pick, values: [Hot, "Côté"]}
      Many__c: {type: multi_picklist, label: Many, values: [A, B, C]}
      Flag__c: {type: checkbox, label: Flag}
      Whole__c: {type: number, label: Whole, precision: 18, scale: 0}
      Score__c: {type: number, label: Score, precision: 18, scale: 4}
      Money__c: {type: currency, label: Money, precision: 18, scale: 2}
      Share__c: {type: percent, label: Share, precision: 5, scale: 2}
      Day__c: {type: date, label: Day}
      At__c: {type: datetime, label: At}
      Time__c: {type: time, label: Time}
"""
FIELDS = (
    "Key__c", "Text__c", "Short__c", "Mail__c", "Call__c", "Site__c", "Pick__c", "Many__c",
    "Flag__c", "Whole__c", "Score__c", "Money__c", "Share__c", "Day__c", "At__c", "Time__c",
)  # fmt: skip
NUMBERS = {"Whole__c", "Score__c", "Money__c", "Share__c"}
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
EXCEL_CHARACTERS = 32_767

# What XML 1.0 can hold at all; the texts of the formats that hold more are tested in test_values.
letters = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")
traps = st.sampled_from(
    ['"', '""', "'", "\n", "\u2028", "\u0085", "😀", "שלום", "مرحبا", ",", ";", "|", "\\", "<&>",
     "]]>", "&amp;", "=1+1", "_x0041_", "0123", "NULL", "1e5", "null", "true", "#N/", "{{", "a\tb"]
)  # fmt: skip
texts = (
    st.lists(st.one_of(traps, st.text(letters, max_size=6)), min_size=1, max_size=6)
    .map("".join)
    .map(str.strip)
)


def decimals(digits, places):
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda n: Decimal(n).scaleb(-places))


days = st.one_of(
    st.dates(date(1700, 1, 1), date(4000, 12, 31)),
    st.sampled_from([date(1700, 1, 1), date(4000, 12, 31), date(2000, 2, 29), date(1900, 2, 28)]),
)
moments = st.one_of(
    st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31)),  # noqa: DTZ001 - UTC is put on below
    st.sampled_from([datetime(2026, 3, 29, 1, 30), datetime(2026, 10, 25, 0, 59, 59)]),  # noqa: DTZ001
).map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000, tzinfo=UTC))


def maybe(values):
    return st.one_of(st.none(), values)


rows_of_every_type = st.lists(
    st.fixed_dictionaries(
        {
            "Text__c": maybe(texts.filter(bool)),
            "Short__c": maybe(texts.filter(bool)),
            "Mail__c": maybe(st.sampled_from(["a.b+c@example.org", "o'neil@acme.example"])),
            "Call__c": maybe(st.sampled_from(["+49 (0) 123", "0123"])),
            "Site__c": maybe(st.sampled_from(["https://a.example/?q=1&r=ä", "a.example"])),
            "Pick__c": maybe(st.sampled_from(["Hot", "Côté"])),
            "Many__c": maybe(st.sampled_from(["A", "A;C", "A;B;C"])),
            "Flag__c": st.booleans(),
            "Whole__c": maybe(decimals(18, 0)),
            "Score__c": maybe(decimals(18, 4)),
            "Money__c": maybe(decimals(18, 2)),
            "Share__c": maybe(decimals(5, 2)),
            "Day__c": maybe(days),
            "At__c": maybe(moments),
            "Time__c": maybe(st.times().map(lambda t: t.replace(microsecond=0))),
        }
    ),
    min_size=6,
    max_size=12,
)


TRAPS = 'a "b" \'c\' ""\n\u2028\u0085😀 שלום مرحبا, ; | \\ <&> ]]> &amp; _x0041_ NULL #N/ {{ a\tb z'
EMPTY = {name: None for name in FIELDS if name != "Key__c"} | {"Flag__c": False}
HARD = [
    EMPTY | {"Text__c": TRAPS, "Short__c": "=1+1", "Site__c": "https://a.example/?q=1&r=ä"},
    EMPTY | {"Text__c": "x😀" * 10_000, "Short__c": "0123", "Pick__c": "Côté", "Many__c": "A;B;C"},
    EMPTY | {"Whole__c": Decimal(123456789012345), "Score__c": Decimal("-99999999999.9999")},
    EMPTY | {"Whole__c": Decimal("9" * 18), "Score__c": Decimal("12345678901234.5678")},
    EMPTY | {"Whole__c": Decimal(-(10**17) - 1), "Money__c": Decimal("-9999999999999999.99")},
    EMPTY | {"Money__c": Decimal("1234567890123.45"), "Share__c": Decimal("-0.01")},
    EMPTY | {"Whole__c": Decimal(0), "Score__c": Decimal("0.0001"), "Money__c": Decimal("0.10")},
    EMPTY | {"Day__c": date(1700, 1, 1), "At__c": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)},
    EMPTY | {"Day__c": date(4000, 12, 31), "At__c": datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)},
    EMPTY | {"Day__c": date(2000, 2, 29), "At__c": datetime(1700, 1, 1, tzinfo=UTC)},
    EMPTY | {"Flag__c": True, "Time__c": time(23, 59, 59), "Mail__c": "o'neil@acme.example"},
    EMPTY,
]


def written(value):
    """A value as a text file has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def as_csv(rows, delimiter=","):
    stream = io.StringIO()
    lines = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    lines.writerow(FIELDS)
    lines.writerows([written(row[name]) for name in FIELDS] for row in rows)
    return stream.getvalue().encode()


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
        self.environ = os.environ | {"SFRUNNER_STATE_DIR": str(folder / "state")}
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

    def there_and_back(self, rows, sources=SOURCES, targets=TARGETS):
        """Send rows in by every way, get them out by every way; gives what came out, by way."""
        folder = self.folder / f"example-{next(self.numbers)}"
        folder.mkdir()
        keyed = [{"Key__c": f"{n:04}"} | row for n, row in enumerate(rows)]
        tasks, ways = [], []
        for at, source in enumerate(sources):
            for shift, api in enumerate(("rest", "bulk")):
                batch = f"{folder.name}-{source}-{api}"
                mine = [row | {"Key__c": f"{batch}-{row['Key__c']}"} for row in keyed]
                place = folder / f"{source}-{api}"
                place.mkdir()
                found = write_source(place, source, mine)
                tasks.append(self._load(batch, place, found, api))
                pair = 2 * ((at + shift) % (len(targets) // 2))  # all targets over both APIs
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


def test_every_hard_value_comes_back_as_it_went(bench):
    check(bench, HARD)


def test_the_longest_text_comes_back_as_it_went(bench):
    """131,072 characters: four times what an Excel cell takes."""
    longest = EMPTY | {"Text__c": '"\n😀\u2028' * (131_072 // 4)}
    ways = {"sources": ("csv", "json"), "targets": ("csv", "jsonl", "parquet", "xml")}
    check(bench, [longest, longest], **ways)


@pytest.mark.slow
@settings(max_examples=25, **CALM)
@given(rows=rows_of_every_type)
def test_every_value_comes_back_as_it_went(bench, rows):
    check(bench, rows)
