"""A query's columns as a table of a SQL database, and the columns that a table has.

Knows SQLAlchemy's types. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.tables.field_types import FieldKind
from runner.tables.sql_connection import import_sqlalchemy
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import KeptColumn, is_text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_DATETIME = FieldKind.DATETIME


def table_of(
    target: DatabaseTarget, columns: Sequence[TypedColumn], dialect: str, key: str | None = None
) -> Table:
    """The table of a target, or with a key the one that rows are merged into, which has it."""
    sqlalchemy = import_sqlalchemy(StateError)
    schema, _, name = target.table.rpartition(".")
    made: Table = sqlalchemy.Table(
        name,
        sqlalchemy.MetaData(),
        *(
            sqlalchemy.Column(
                each.name,
                type_of(each, dialect),
                key=f"c{at}",
                primary_key=each.name == key,
                autoincrement=False,
            )
            for at, each in enumerate(columns)
        ),
        schema=schema or None,
    )
    return made


def type_of(column: TypedColumn, dialect: str) -> Any:  # noqa: ANN401
    """SQLAlchemy's type of a column."""
    sqlalchemy = import_sqlalchemy(StateError)
    stored = as_stored(column, dialect)
    if stored.is_decimal:
        return sqlalchemy.Numeric(stored.precision, stored.scale)
    makers = {
        FieldKind.BOOLEAN: sqlalchemy.Boolean,
        FieldKind.INTEGER: sqlalchemy.BigInteger,
        FieldKind.DATE: sqlalchemy.Date,
        # BigQuery's type for an instant is this one; its DATETIME has no zone.
        _DATETIME: lambda: (
            sqlalchemy.TIMESTAMP() if dialect == "bigquery" else sqlalchemy.DateTime(timezone=True)
        ),
        FieldKind.TIME: sqlalchemy.Time,
    }
    return makers.get(stored.kind, sqlalchemy.Text)()


def as_stored(column: TypedColumn, dialect: str) -> TypedColumn:
    """A column as a database stores it.

    SQLite would store a decimal as a double, losing digits, and a datetime without its zone.
    """
    if dialect == "sqlite" and (column.is_decimal or column.kind is _DATETIME):
        return TypedColumn(column.name, FieldKind.TEXT)
    return column


def kept_columns(
    link: Connection, table: Table, wanted: Sequence[TypedColumn]
) -> list[KeptColumn] | None:
    """The columns that a table has in the database; None if there is no such table.

    A type that no field has is left to the database: it takes the query's values, or refuses them.
    Not so text in a column of numbers: it would become one, `00123` would be 123.

    Args:
        link: To the database.
        table: Its name.
        wanted: The query's columns.
    """
    sqlalchemy = import_sqlalchemy(StateError)
    inspector = sqlalchemy.inspect(link)
    if not inspector.has_table(table.name, schema=table.schema):
        return None
    dialect = link.dialect.name
    known = {each.name.lower(): each for each in wanted}
    found: list[KeptColumn] = []
    for each in inspector.get_columns(table.name, schema=table.schema):
        name, kind = each["name"], each["type"]
        typed, own = _typed(name, kind, dialect), known.get(name.lower())
        takes_numbers = isinstance(kind, _number_types(dialect))
        if typed is None and own is not None and not (takes_numbers and is_text(own)):
            typed = replace(as_stored(own, dialect), name=name)
        is_named = typed is not None or takes_numbers
        shown = str(kind.compile(dialect=link.dialect)).lower() if is_named else "unknown"
        found.append(KeptColumn(name, typed, shown))
    return found


def _number_types(dialect: str) -> tuple[type, ...]:
    """Types whose columns make a number of a text that looks like one; in SQLite, datetimes too."""
    types = import_sqlalchemy(StateError).types
    numbers = (types.Numeric, types.Float, types.Integer)
    return (*numbers, types.DateTime) if dialect == "sqlite" else numbers


def is_unique(link: Connection, table: Table, column: str) -> bool:
    """Whether the database itself lets no two rows of a table share a value of a column."""
    inspector = import_sqlalchemy(StateError).inspect(link)
    primary = inspector.get_pk_constraint(table.name, schema=table.schema)
    others = inspector.get_unique_constraints(table.name, schema=table.schema)
    columns = [primary["constrained_columns"], *(each["column_names"] for each in others)]
    return [column] in columns


def _typed(name: str, kind: Any, dialect: str) -> TypedColumn | None:  # noqa: ANN401
    """The column of a reflected type; None if no field has that type."""
    types = import_sqlalchemy(StateError).types
    if isinstance(kind, types.Integer) and dialect == "postgresql":  # one that may become wider
        return TypedColumn(name, FieldKind.INTEGER)
    if isinstance(kind, types.Float):
        return None
    if isinstance(kind, types.Numeric):
        if kind.precision is None:
            return None
        return TypedColumn(name, FieldKind.NUMBER, kind.precision, kind.scale or 0)
    if isinstance(kind, types.DateTime):
        return TypedColumn(name, _DATETIME) if kind.timezone else None
    kinds = {
        types.Boolean: FieldKind.BOOLEAN,
        types.BigInteger: FieldKind.INTEGER,
        types.Date: FieldKind.DATE,
        types.Time: FieldKind.TIME,
        types.String: FieldKind.TEXT,
    }
    found = next((own for each, own in kinds.items() if isinstance(kind, each)), None)
    return TypedColumn(name, found) if found else None
