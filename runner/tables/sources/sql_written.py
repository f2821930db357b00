"""How the values of a SELECT's columns are written: as in the table that they come from unchanged.

DuckDB tells where a value comes from. Its SELECT is bound to tables without rows whose columns are
of an ENUM type for each way of writing: a column of the result that has such a type is passed
through, and one that an expression computes is text, or typed, as SQL writes it. A second binding,
with one ENUM type for all, finds columns that mix several ways. Knows SQL. Knows nothing of values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.job.endpoints import FileShape, Written
from runner.tables.database import first_line
from runner.tables.sources.csv import PLAIN_CSV, Records
from runner.tables.sources.written import value_shape
from runner.tables.sql import literal, name

if TYPE_CHECKING:
    from runner.tables import duckdb

_SCHEMA = "written"
_ENUM = re.compile(r"ENUM\('\d+'\)")
_Shapes = tuple[FileShape, ...]
_PLAIN: _Shapes = (PLAIN_CSV,)


def written_in(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, Records]
) -> Written:
    """Find how the values of a SELECT's columns are written, where not as SQL writes them.

    Raises:
        SourceError: A table's values are not written as SQL would, and the SELECT does not show
            which columns have them.
    """
    ways = {table: _ways(records) for table, records in tables.items()}
    distinct = list(dict.fromkeys(way for each in ways.values() for way in each.values()))
    if all(way == _PLAIN for way in distinct):
        return {}
    by_type = {f"ENUM({literal(str(place))})": way for place, way in enumerate(distinct)}
    types = {way: kind for kind, way in by_type.items()}
    apart = {t: {c: types[way] for c, way in each.items()} for t, each in ways.items()}
    together = {t: dict.fromkeys(each, types[distinct[0]]) for t, each in ways.items()}
    every = tuple(dict.fromkeys(shape for way in distinct for shape in way))
    found = zip(_bound(connection, sql, apart), _bound(connection, sql, together), strict=True)
    written = {
        column: by_type.get(kind, every if mixed in by_type else _PLAIN)
        for (column, kind), (_, mixed) in found
    }
    return {column: way for column, way in written.items() if way != _PLAIN}


def _ways(records: Records) -> dict[str, _Shapes]:
    return {
        column: tuple(map(value_shape, records.shapes_of(column))) for column in records.columns
    }


def _bound(
    connection: duckdb.DuckDBPyConnection, sql: str, tables: Mapping[str, Mapping[str, str]]
) -> list[tuple[str, str]]:
    """The columns of a SELECT over tables of these column types, and their types."""
    from runner.tables import duckdb

    with _tables(connection, tables):
        try:
            described = connection.execute(f"DESCRIBE (\n{sql}\n)").fetchall()
        except duckdb.Error as error:
            reason = _ENUM.sub("VARCHAR", first_line(error))
            raise SourceError(
                f"`sql` does not show how its values are written: {reason}.",
                hint="Say what a column is used as: CAST(amount AS DECIMAL) > 5, or CAST(name AS"
                " VARCHAR)[1:2].",
            ) from error
    return [(str(row[0]), str(row[1])) for row in described]


@contextmanager
def _tables(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, str]]
) -> Iterator[None]:
    """Tables without rows, which hide those of the same names."""
    connection.execute(f"CREATE SCHEMA {_SCHEMA}")
    for table, columns in tables.items():
        typed = ", ".join(f"{name(column)} {kind}" for column, kind in columns.items())
        connection.execute(f"CREATE TABLE {_SCHEMA}.{name(table)} ({typed})")
    try:
        connection.execute(f"SET search_path = '{_SCHEMA},main'")
        yield
    finally:
        connection.execute("SET search_path = 'main'")
        connection.execute(f"DROP SCHEMA {_SCHEMA} CASCADE")
