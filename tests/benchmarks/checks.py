"""Whether what a contender left is right: a fast wrong answer fails.

    python -m tests.benchmarks.checks WORK CONTENDER OUT FOLDER ROWS

Prints nothing where every row is as it must be, else what is wrong first. A process of its own:
outputs may be large. Values are compared as values where a client spells them in its own way
(`True`, `+0000`); the product's query must be equal to Bulk's form byte for byte.
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import rows
from tests.benchmarks.bench import LIMIT, PRODUCT
from tests.benchmarks.rows import Cells
from tests.benchmarks.shapes import Shape
from tests.benchmarks.works import ALL_ROWS, PLAN, WORKS

if TYPE_CHECKING:
    import duckdb

csv.field_size_limit(10_000_000)


class WrongError(Exception):
    """Something is not as it must be."""


def check(work: str, contender: str, out: Path, folder: Path, count: int) -> None:
    """Hold a contender's output against the rows.

    Raises:
        WrongError: Says what is wrong first.
    """
    if work.endswith("_query"):
        if contender == LIMIT:
            return
        if contender == PRODUCT:
            _same_bytes(out / "rows.csv", count)
        _same_rows(_read(out), count)
        return
    if work in _SPELLED:
        _same_rows(chain([rows.QUERIED], _SPELLED[work](out)), count)
        return
    shape = next(each.shape for each in WORKS if each.name == work)
    if shape is None:
        return  # its exit code says it
    if work == "only_changes" and contender != ALL_ROWS:
        _changed(out, folder, 0 if contender == PLAN else count)
        return
    bulk = work.startswith("bulk_") or contender == ALL_ROWS
    _sent(shape, _uploaded(shape, folder) if bulk else _requested(folder), count)
    if contender in {PRODUCT, ALL_ROWS}:
        _joined(shape, out, count)
    elif bulk and contender not in _WITHOUT_RESULTS:
        _told(out, count)


_WITHOUT_RESULTS = {LIMIT, "Salesforce CLI", "drt"}
_MOMENT = "%Y-%m-%dT%H:%M:%S.%gZ"


def _parquet(out: Path) -> Iterator[Cells]:
    """The rows of a Parquet file of typed columns, as Bulk spells them."""
    import duckdb  # noqa: PLC0415 - only here

    file = out / "rows.parquet"
    read = duckdb.sql(f"FROM read_parquet('{file}')")
    kinds = dict(zip(read.columns, map(str, read.types), strict=True))
    wanted = {"Active__c": "BOOLEAN", "NumberOfEmployees": "BIGINT"}
    if any(kinds[name] != kind for name, kind in wanted.items()):
        raise WrongError(f"{file.name} has columns of the kinds {kinds}")
    spelled = ", ".join(
        f"strftime(timezone('UTC', LastModifiedDate), '{_MOMENT}')"
        if name == "LastModifiedDate"
        else f'CAST("{name}" AS VARCHAR)'
        for name in rows.QUERIED
    )
    return _each(duckdb.execute(f"SELECT {spelled} FROM read_parquet('{file}')"))


def _json_lines(out: Path) -> Iterator[Cells]:
    """Numbers and booleans are no texts."""
    with (out / "rows.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            values = json.loads(line, parse_float=_Number, parse_int=_Number)
            kinds = [type(value) for value in values.values()]
            if tuple(values) != rows.QUERIED or kinds != _JSON_KINDS:
                raise WrongError(f"a line is {line}")
            yield tuple(map(str, values.values()))


class _Number(str):
    """The digits of a number."""

    __slots__ = ()


_JSON_KINDS = [str] * 6 + [_Number, _Number, bool, str]


def _sqlite(out: Path) -> Iterator[Cells]:
    flag = "CASE Active__c WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE Active__c END"
    cells = (flag if name == "Active__c" else f'CAST("{name}" AS TEXT)' for name in rows.QUERIED)
    with closing(sqlite3.connect(out / "rows.db")) as link:
        yield from link.execute(f"SELECT {', '.join(cells)} FROM account ORDER BY rowid")


def _postgresql(_out: Path) -> Iterator[Cells]:
    import sqlalchemy  # noqa: PLC0415 - only here

    engine = sqlalchemy.create_engine(os.environ["BENCH_POSTGRESQL"])
    moment = """to_char("LastModifiedDate" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
    cells = (
        moment if name == "LastModifiedDate" else f'CAST("{name}" AS text)' for name in rows.QUERIED
    )
    sql = f'SELECT {", ".join(cells)} FROM account ORDER BY "Id"'
    with engine.connect() as link:
        yield from map(tuple, link.execution_options(yield_per=10_000).exec_driver_sql(sql))


_SPELLED = {
    "bulk_parquet": _parquet,
    "bulk_jsonl": _json_lines,
    "bulk_sqlite": _sqlite,
    "bulk_postgresql": _postgresql,
}


def _each(cursor: duckdb.DuckDBPyConnection) -> Iterator[Cells]:
    while found := cursor.fetchmany(10_000):
        yield from found


def _same_bytes(file: Path, count: int) -> None:
    with file.open("rb") as stream:
        expected = (rows.quoted(cells) for cells in _expected(count))
        for number, text in enumerate(expected):
            if stream.read(len(text.encode())) != text.encode():
                raise WrongError(f"{file.name}: record {number} is not as Bulk has it")
        if stream.read(1):
            raise WrongError(f"{file.name}: more than was asked for")


def _expected(count: int) -> Iterator[Cells]:
    yield rows.QUERIED
    yield from map(rows.queried, range(count))


def _read(out: Path) -> Iterator[Cells]:
    """The records of every file, in the order of their Ids; one header."""
    files = sorted(out.glob("*.csv"), key=_first_id)
    if not files:
        raise WrongError("no file was written")
    for place, file in enumerate(files):
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            if place == 0:
                yield tuple(header)
            yield from map(tuple, reader)


def _first_id(file: Path) -> str:
    with file.open(encoding="utf-8", newline="") as stream:
        return next(iter(list(zip(range(2), csv.reader(stream), strict=False))[-1][1]), "")


def _same_rows(found: Iterator[Cells], count: int) -> None:
    for number, (has, wants) in enumerate(zip_longest(found, _expected(count))):
        if has is None or wants is None:
            raise WrongError(f"{number} records where {count + 1} were expected, header included")
        if has != wants and tuple(map(_value, has)) != tuple(map(_value, wants)):
            raise WrongError(f"record {number} is {has}, not {wants}")


def _value(text: str) -> str | float:
    if text in {"True", "true", "False", "false"}:
        return text.lower()
    if text.endswith("+0000"):
        return text.removesuffix("+0000") + "Z"
    try:
        return float(text)
    except ValueError:
        return text


def _sent(shape: Shape, records: Iterator[Cells], count: int) -> None:
    """Every row went out once, as it should."""
    times = bytearray(-(-count // shape.copies))
    for record in records:
        n = shape.number_of(record)
        wanted = shape.written(n)
        if record != wanted and tuple(map(_value, record)) != tuple(map(_value, wanted)):
            raise WrongError(f"row {n} was sent as {record}, not as {wanted}")
        times[n] += 1
    missing = count - sum(times)
    if missing or max(times) > shape.copies:
        raise WrongError(f"{missing} rows were not sent, or some more than once")


def _changed(out: Path, folder: Path, count: int) -> None:
    """The rows that differ went out once, with the key and the value that differs; if any."""
    wanted = {rows.written(i)[0]: rows.written(i)[4] for i in range(count) if rows.is_changed(i)}
    files = [json.loads(file.read_bytes())["records"] for file in folder.glob("sent-*")]
    sent = [record for records in files for record in records]
    for record in sent:
        record.pop("attributes", None)
        if record != {"ERP_Id__c": record["ERP_Id__c"], "Phone": wanted[record["ERP_Id__c"]]}:
            raise WrongError(f"{record} was sent")
    if len(sent) != len(wanted):
        raise WrongError(f"{len(sent)} rows were sent, not {len(wanted)}")
    told = 0
    for name in ("succeeded.csv", "failed.csv") if count else ():
        with (out / name).open(encoding="utf-8", newline="") as stream:
            told += sum(1 for _ in csv.DictReader(stream))
    if told != len(wanted):
        raise WrongError(f"{told} row results, not {len(wanted)}")


def _uploaded(shape: Shape, folder: Path) -> Iterator[Cells]:
    for file in folder.glob("upload-*.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            if tuple(next(reader)) != shape.columns:
                raise WrongError(f"{file.name} begins with another header")
            yield from map(tuple, reader)


def _requested(folder: Path) -> Iterator[Cells]:
    for file in folder.glob("sent-*"):
        for record in json.loads(file.read_bytes())["records"]:
            cells = (record.get(name, "") for name in rows.WRITTEN)
            yield tuple(str(cell) for cell in cells)


def _joined(shape: Shape, out: Path, count: int) -> None:
    """The product's result files: the source's own row with what the org said of it."""
    for name, tells in (("succeeded.csv", False), ("failed.csv", True)):
        wanted = (i for i in range(count) if shape.fails(i) is tells)
        with (out / name).open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            header = next(reader)
            own = [header.index(column) for column in shape.source_columns]
            row, record_id = header.index("sf__Row"), header.index("sf__Id")
            for i, found in zip_longest(wanted, reader):
                if i is None or found is None:
                    raise WrongError(f"{name}: {found} where row {i} should be")
                n = i // shape.copies
                # Of rows that are the same, either can have either Id.
                ids = {rows.id_of(n * shape.copies + each) for each in range(shape.copies)}
                fits = tuple(found[each] for each in own) == shape.source(n)
                told = tells or found[record_id] in ids
                if not (fits and told and found[row] == str(i + 1)):
                    raise WrongError(f"{name}: {found} where row {i} should be")


def _told(out: Path, count: int) -> None:
    """As many results as rows."""
    told = 0
    for file in (*out.glob("succeeded-*.csv"), *out.glob("failed-*.csv")):
        with file.open(encoding="utf-8", newline="") as stream:
            told += max(0, sum(1 for _ in csv.reader(stream)) - 1)
    if told != count:
        raise WrongError(f"{told} row results, not {count}")


if __name__ == "__main__":
    work, contender, out, folder, count = sys.argv[1:]
    try:
        check(work, contender, Path(out), Path(folder), int(count))
    except WrongError as error:
        sys.stdout.write(f"{error}\n")
