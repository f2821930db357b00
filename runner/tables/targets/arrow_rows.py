"""A query's rows with their types, as the query of DuckDB that a target is made by.

Many rows are parsed by a compiled function into columns of Arrow, which DuckDB reads where they
are. What that function does not know, such as a number for which its column has no room, is left
to SQL. Both give the same values. Knows the form of Bulk API's results. Knows nothing of targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from struct import iter_unpack
from typing import TYPE_CHECKING, Any, TypeVar

from runner.errors import AbortedError
from runner.luajit import address_of, compiled
from runner.tables.database import Database
from runner.tables.field_types import FieldKind
from runner.tables.sql import name
from runner.tables.targets.column_types import TypedColumn, typed_cell, with_query_rows
from runner.tables.window import Window

if TYPE_CHECKING:
    from runner.tables.arrow import ArrowRows, Batch

Result = TypeVar("Result")
_PARSE = Path(__file__).with_suffix(".lua")
_PAYS_FROM = 50_000_000
"""Bytes; for fewer, loading what of DuckDB reads Arrow takes longer than it saves."""
_READ_BYTES = 500_000
"""Each batch costs DuckDB and this module some 0.1 ms."""
_LONGEST_RECORD = 2_000_000
"""Bytes; columns need room for several times what is read, which no limit of DuckDB counts."""
_RELATION = "parsed_rows"
_TEXT = 0, "u"
_TYPES = {
    FieldKind.INTEGER: (1, "l"),
    FieldKind.BOOLEAN: (2, "b"),
    FieldKind.NUMBER: (3, "d:{},{}"),
    FieldKind.DATE: (4, "tdD"),
    FieldKind.TIME: (5, "ttu"),
    FieldKind.DATETIME: (6, "tsu:UTC"),
}
"""What the compiled function and Arrow call a kind; all others are text."""


class _RareError(Exception):
    """The rows have something that is left to SQL."""


def with_typed_query(
    database: Database, rows: Path, columns: Sequence[TypedColumn], use: Callable[[str], Result]
) -> Result:
    """Call `use` with a query of all rows, in their order, in which each column has its type.

    Args:
        database: Runs the query.
        rows: In Bulk API's form: every value in quotes.
        columns: Those of the rows, in their order.
        use: Runs one statement with the query. It is called again if the rows have something rare.

    Raises:
        Exception: Those of `typed_cell` and `with_query_rows`.
    """
    parsed = _parsed(rows, columns)
    if parsed is not None:
        from runner.tables import duckdb

        duckdb.load_relations()

        try:
            database.connection.register(_RELATION, parsed)
            result = use(f"FROM {_RELATION}")
            if parsed.are_all_given and AbortedError.of_signal is None:
                return result
        except duckdb.Error:
            if parsed.failure is None:
                raise
        finally:
            database.connection.unregister(_RELATION)
        if AbortedError.of_signal is not None:
            raise AbortedError(AbortedError.of_signal)
        if not isinstance(parsed.failure, Exception | None):
            raise parsed.failure
    cells = ", ".join(f"{typed_cell(each)} AS {name(each.name)}" for each in columns)
    return with_query_rows(rows, lambda read: use(f"SELECT {cells} FROM {read}"))


def _parsed(rows: Path, columns: Sequence[TypedColumn]) -> ArrowRows | None:
    """The rows as columns of Arrow; None if they are few, or if two columns have one name."""
    size = rows.stat().st_size
    parser = compiled(_PARSE, size) if size >= _PAYS_FROM else None
    if parser is None or not 0 < len(columns) == len({each.name.lower() for each in columns}):
        return None
    from runner.tables.arrow import ArrowRows, Column

    types = [_type_of(each) for each in columns]
    formats = [
        Column(each.name, form.format(each.precision, each.scale))
        for each, (_, form) in zip(columns, types, strict=True)
    ]
    parse = parser(
        bytes(sign for sign, _ in types),
        bytes(each.precision if each.is_decimal else 0 for each in columns),
        bytes(each.scale if each.is_decimal else 0 for each in columns),
    )
    return ArrowRows(formats, lambda: _batches(rows, len(columns), parse))


def _type_of(column: TypedColumn) -> tuple[int, str]:
    if column.kind is FieldKind.NUMBER and not column.is_decimal:
        return _TEXT
    return _TYPES.get(column.kind, _TEXT)


def _batches(rows: Path, columns: int, parse: Callable[..., Any]) -> Iterator[Batch]:
    """Parse all rows, each batch into memory that an earlier one has given back."""
    from runner.tables.arrow import Batch

    free: list[bytearray] = []
    with rows.open("rb") as read:
        if read.readline().count(b'"') != 2 * columns:
            raise _RareError
        window = Window(read, _READ_BYTES)
        while window.read_on():
            content, size, is_last = window.place
            memory = _memory(free, _room(size, columns))
            start = address_of(memory)
            found = parse(content, size, start)
            if found is None or (is_last and not found[1]):
                raise _RareError
            count, used, places = found
            if used:
                yield Batch(count, _columns(places, start), partial(free.append, memory))
            elif size > _LONGEST_RECORD:
                raise _RareError
            else:
                free.append(memory)
                window.widen()
            window.use(used)


def _memory(free: list[bytearray], size: int) -> bytearray:
    """Memory that a batch has given back, or more of it."""
    while free:
        found = free.pop()
        if len(found) >= size:
            return found
    return bytearray(size)


def _columns(places: bytes, start: int) -> list[tuple[int, list[int]]]:
    """The columns of a batch, by what the compiled function says of each."""
    return [
        (nulls, [start + place for place in (valid, values, texts)[: 3 if texts else 2]])
        for nulls, valid, values, texts in iter_unpack("=4q", places)
    ]


def _room(size: int, columns: int) -> int:
    """How many bytes the columns of so many bytes of records take at most."""
    records = size // len('"",' * columns) + 1
    return size + columns * (17 * records + 64)
