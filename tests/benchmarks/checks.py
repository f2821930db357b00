"""Whether what a contender left is right: a fast wrong answer fails.

    python -m tests.benchmarks.checks WORK CONTENDER OUT FOLDER ROWS

Prints nothing where every row is as it must be, else what is wrong first. A process of its own:
outputs may be large. Values are compared as values where a client spells them in its own way
(`True`, `+0000`); the product's query must be equal to Bulk's form byte for byte.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import rows
from tests.benchmarks.works import LIMIT, PRODUCT

if TYPE_CHECKING:
    import duckdb

csv.field_size_limit(10_000_000)
Cells = tuple[str, ...]


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
    if work == "bulk_parquet":
        _typed(out / "rows.parquet", count)
        return
    if work == "validate":
        return  # its exit code says it
    _sent(work, folder, count)
    if contender == PRODUCT:
        _joined(out, folder, count, "source.csv" if work == "bulk_upsert" else "source-rest.csv")
    elif work == "bulk_upsert" and contender not in {LIMIT, "Salesforce CLI"}:
        _told(out, count)


def _typed(file: Path, count: int) -> None:
    """A Parquet file of typed columns that hold the rows' values."""
    import duckdb  # noqa: PLC0415 - only here

    read = duckdb.sql(f"FROM read_parquet('{file}')")
    kinds = dict(zip(read.columns, map(str, read.types), strict=True))
    wanted = {"Active__c": "BOOLEAN", "NumberOfEmployees": "BIGINT"}
    if any(kinds[name] != kind for name, kind in wanted.items()):
        raise WrongError(f"{file.name} has columns of the kinds {kinds}")
    spelled = ", ".join(
        "strftime(timezone('UTC', LastModifiedDate), '%Y-%m-%dT%H:%M:%S.%gZ')"
        if name == "LastModifiedDate"
        else f'CAST("{name}" AS VARCHAR)'
        for name in rows.QUERIED
    )
    cursor = duckdb.execute(f"SELECT {spelled} FROM read_parquet('{file}')")
    _same_rows(chain([rows.QUERIED], _each(cursor)), count)


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


def _sent(work: str, folder: Path, count: int) -> None:
    """Every row went out once, as it should."""
    times = bytearray(count)
    for record in _uploaded(folder) if work == "bulk_upsert" else _requested(folder):
        i = rows.number_of(record[0])
        if tuple(map(_value, record)) != tuple(map(_value, rows.written(i))):
            raise WrongError(f"row {i} was sent as {record}, not as {rows.written(i)}")
        times[i] += 1
    if times.count(1) != count:
        raise WrongError(f"{count - times.count(1)} rows were not sent exactly once")


def _uploaded(folder: Path) -> Iterator[Cells]:
    for file in folder.glob("upload-*.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            if tuple(next(reader)) != rows.WRITTEN:
                raise WrongError(f"{file.name} begins with another header")
            yield from map(tuple, reader)


def _requested(folder: Path) -> Iterator[Cells]:
    for file in folder.glob("sent-*"):
        for record in json.loads(file.read_bytes())["records"]:
            cells = (record.get(name, "") for name in rows.WRITTEN)
            yield tuple(str(cell) for cell in cells)


def _joined(out: Path, folder: Path, count: int, source: str) -> None:
    """The product's result files: the source's own row with what the org said of it."""
    for name, tells in (("succeeded.csv", False), ("failed.csv", True)):
        wanted = [i for i in range(count) if rows.fails(i) is tells]
        with (out / name).open(encoding="utf-8", newline="") as stream:
            found = csv.DictReader(stream)
            for i, row in zip_longest(wanted, found):
                if i is None or row is None or not _fits(row, i):
                    raise WrongError(f"{name}: {row} where row {i} should be")


def _fits(row: dict[str, str], i: int) -> bool:
    own = tuple(row[name] for name in rows.SOURCE) == rows.source(i)
    said = rows.fails(i) or row["sf__Id"] == rows.id_of(i)
    return own and said and row["sf__Row"] == str(i + 1)


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
