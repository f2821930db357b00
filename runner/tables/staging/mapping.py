"""The SELECT that turns a source's records into staged rows.

A staged row holds the cells to send, `c0, c1, …`, in Bulk API 2.0's format, and `problem`: NULL, or
why the row cannot be sent. Knows SQL. Knows nothing of files or of who reads the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.choices import Blank
from runner.job.endpoints import EXPLICIT_NULL, FileShape
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.csv import CODE_COLUMN, MESSAGE_COLUMN, RESULT_PREFIX, UNREADABLE
from runner.tables.sources.value_texts import FLOATS, JSON, is_list, is_nested
from runner.tables.sql import all_blank, literal, name
from runner.tables.staging.as_is import may_change
from runner.tables.staging.canonical_values import (
    SourceFormat,
    canonical,
    null_if_blank,
    source_format,
    trimmed,
)
from runner.tables.staging.expressions import is_plain, parse
from runner.tables.staging.mapping_errors import (
    list_in_field,
    missing_column,
    nested_expression,
    object_in_field,
    unbound_expression,
)
from runner.tables.staging.problems import BETWEEN_MEMBERS, problem_of

if TYPE_CHECKING:
    from runner.tables import duckdb


_NULL = literal(EXPLICIT_NULL)


class Pass(Struct, frozen=True):
    """What one pass over the rows of a chunk has to look for."""

    has_null: bool = True
    """The character U+0000 occurs in them."""
    has_return: bool = True
    """CR occurs in them, which may be only a part of line ends."""
    explains: bool = True
    """`problem` says what is wrong. If not, it is '' of rows that may have a problem."""
    passed: Mapping[int, str] = {}
    """Columns whose values are taken as they are read, and SQL of whether one may not be."""


class ColumnMapping(Struct, frozen=True):
    """How one column to send is computed from the source's columns."""

    column: MappedColumn
    index: int
    source: int | None
    """Index of the source column that is sent unchanged; None for a computed value."""
    is_volatile: bool = False
    """Each evaluation gives another value."""
    format: SourceFormat | None = None
    """How the source writes values of this kind, where SQL would write them otherwise."""
    is_reference: bool = False
    """A value may name a record that an earlier task has created: `@AccountRef1`."""
    is_float: bool = False
    """The expression gives a floating point number."""
    gives_list: bool = False
    """The expression gives a list, which becomes a JSON list."""
    gives_json: bool = False
    """The expression gives a part of JSON; if that is a text, it has no quotes."""
    named: tuple[int, ...] = ()
    """Indexes of source columns that an expression names."""
    with_nan: tuple[int, ...] = ()
    """Those of them that may not be numbers."""

    @property
    def cell(self) -> str:
        """Name of its column in staged rows and in rows to send; NULL for blank."""
        return f"c{self.index}"

    @property
    def places(self) -> tuple[int, ...]:
        """Indexes of source columns that its values come from."""
        return self.named if self.source is None else (self.source,)

    @property
    def computed(self) -> str | None:
        """SQL of the expression's text: '' for blank, NULL only if the expression fails."""
        if self.source is not None:
            return None
        value = f"(\n{self.column.expression}\n)"
        value = f"to_json({value})" if self.gives_list else value
        value = f"({value} ->> '$')" if self.gives_json else value
        text = f"coalesce(CAST({value} AS VARCHAR), '')"
        return text if self.is_volatile else f"TRY({text})"

    @property
    def text(self) -> str:
        """SQL of the text before it is converted; NULL for blank."""
        raw = f"__e{self.index}" if self.source is None else f"s{self.source}"
        raw = f"float_text({raw})" if self.is_float else raw
        if self.is_reference:
            raw = f"CASE WHEN {raw}[1] = '@' THEN coalesce(referenced({raw}), {raw}) ELSE {raw} END"
        raw = f"nullif({raw}, '[]')" if self.column.is_list else raw
        text = null_if_blank(self.column.kind, raw, is_key=self.column.identifies)
        # No record has a null Id: a row without one is refused, or created.
        return f"nullif({text}, {_NULL})" if self.column.field == "Id" else text

    @property
    def is_too_long(self) -> str | None:
        """SQL of whether the canonical text is longer than its field; None if it cannot be."""
        most, value = self.column.max_length, f"m{self.index}"
        if self.column.kind is not FieldKind.TEXT or most is None:
            return None
        # Counting characters, and what is left of them, takes longer than comparing bytes.
        return f"strlen({value}) > {most} AND length({trimmed(value)}) > {most}"

    def converted(self, goal: Pass) -> str:
        """SQL of the canonical text."""
        text = f"__{'c' if self.format else 't'}{self.index}"
        if self.column.kind is FieldKind.TEXT and not (goal.has_return or self._adds_return):
            return text
        return canonical(self.column.kind, text)

    @property
    def _adds_return(self) -> bool:
        """Whether a text may have a CR although no value of the source has one."""
        if self.source is not None:
            return self.format is not None
        expression = self.column.expression or ""
        return self.format is not None or "\r" in expression or not is_plain(expression)

    def value(self, passed: Container[int]) -> str:
        """Name of its canonical text in a query, given the columns that are taken as read."""
        return f"s{self.source}" if self.index in passed else f"m{self.index}"


def map_columns(
    columns: Sequence[MappedColumn],
    source_columns: Sequence[str],
    shapes_of: Callable[[str], tuple[FileShape, ...]],
) -> tuple[ColumnMapping, ...]:
    """Find where each column to send comes from.

    Args:
        columns: What to send.
        source_columns: The source's, in order.
        shapes_of: How the values of one of them may be written.

    Raises:
        SourceError: The header lacks a field that has no expression, or a column's values are
            written in several ways.
    """
    places = {column.lower(): place for place, column in enumerate(source_columns)}
    mappings = (_map_column(c, i, places, source_columns) for i, c in enumerate(columns))
    nan = {place for place, c in enumerate(source_columns) if any(s.has_nan for s in shapes_of(c))}
    return tuple(
        replace(each, with_nan=tuple(nan.intersection(each.named)))
        if each.source is None
        else replace(each, format=_format(each, shapes_of(source_columns[each.source])))
        for each in mappings
    )


def _format(mapping: ColumnMapping, shapes: Sequence[FileShape]) -> SourceFormat | None:
    if any(shape.has_objects for shape in shapes):
        raise object_in_field(mapping.column)
    if mapping.column.is_list:
        return SourceFormat(FieldKind.TEXT, is_list=True)
    if any(shape.has_lists for shape in shapes):
        raise list_in_field(mapping.column)
    found = {source_format(shape, mapping.column.kind) for shape in shapes}
    if mapping.column.kind is FieldKind.TEXT:
        return next(filter(None, found), None)  # a text that looks like NaN may be one
    if len(found) > 1:
        raise SourceError(
            f"{mapping.column.field}: `sql` mixes values of tables that write them differently.",
            hint="Convert them in `sql`: CAST(replace(amount, ',', '.') AS DECIMAL(18, 2)).",
        )
    return found.pop()


def _map_column(
    column: MappedColumn, index: int, places: dict[str, int], source_columns: Sequence[str]
) -> ColumnMapping:
    if column.expression is None:
        if column.field.lower() not in places:
            raise missing_column(column, column.field, source_columns)
        return ColumnMapping(column, index, places[column.field.lower()])
    expression = parse(column.expression)
    if expression.column is not None and expression.column.lower() in places:
        return ColumnMapping(column, index, places[expression.column.lower()])
    return ColumnMapping(
        column,
        index,
        None,
        is_volatile=expression.is_volatile,
        named=tuple(places[c.lower()] for c in expression.columns if c.lower() in places),
    )


def check_expressions(
    connection: duckdb.DuckDBPyConnection,
    mappings: Sequence[ColumnMapping],
    source_columns: Sequence[str],
) -> tuple[ColumnMapping, ...]:
    """Let DuckDB look up columns, functions and type of every expression, without a row.

    Returns:
        The mappings, with the types.

    Raises:
        SourceError: Names the field, the expression and what is wrong with it.
    """
    from runner.tables import duckdb

    computed = [each for each in mappings if each.computed is not None]
    nothing = computed and ", ".join(f"CAST(NULL AS VARCHAR) AS {name(c)}" for c in source_columns)
    nothing = nothing or "NULL AS __nothing"
    typed = []
    for each in mappings:
        if each.computed is None:
            typed.append(each)
            continue
        try:
            connection.execute(f"EXPLAIN SELECT {each.computed} FROM (SELECT {nothing})")
            value = f"DESCRIBE SELECT (\n{each.column.expression}\n) FROM (SELECT {nothing})"
            kind = str(connection.execute(value).fetchall()[0][1])
        except duckdb.Error as error:
            raise unbound_expression(each.column, error, source_columns) from error
        if is_nested(kind) and not (is_list(kind) and each.column.is_list):
            raise nested_expression(each.column, kind)
        is_text = kind in FLOATS and each.column.kind is FieldKind.TEXT
        written = SourceFormat(FieldKind.TEXT, is_float=True) if is_text else None
        if each.column.is_list:
            written = SourceFormat(FieldKind.TEXT, is_list=True)
        known = replace(each, is_float=kind in FLOATS, format=written)
        typed.append(replace(known, gives_list=is_list(kind), gives_json=kind == JSON))
    return tuple(typed)


def passed_on(mappings: Sequence[ColumnMapping], blank: Blank) -> dict[int, str]:
    """The columns whose values may be sent as they are read, and SQL of whether one may not."""
    is_only = len(mappings) == 1
    found = {each.index: may_change(each, blank, is_only=is_only) for each in mappings}
    return {index: reason for index, reason in found.items() if reason}


def staging_query(  # noqa: PLR0913 - what is read, how, and what is wanted of it
    mappings: Sequence[ColumnMapping],
    source_columns: Sequence[str],
    relation: str,
    blank: Blank,
    goal: Pass,
    *,
    wanted: Sequence[ColumnMapping] | None = None,
    carried: Sequence[str] = (),
) -> str:
    """Write the SELECT that gives staged rows, in the relation's order.

    Args:
        mappings: How each cell is computed.
        source_columns: The relation's.
        relation: The rows as they were read; blank is NULL.
        blank: What an empty value does to its field.
        goal: What to look for.
        wanted: Whose cells are given; None: all.
        carried: Further columns of the relation that are given.
    """
    passed = goal.passed
    mapped = [each for each in mappings if each.index not in passed]
    renamed = [f"{name(c)} AS s{place}" for place, c in enumerate(source_columns)]
    computed = [f"{m.computed} AS __e{m.index}" for m in mapped if m.computed]
    texts = [f"{m.text} AS __t{m.index}" for m in mapped]
    reformatted = [f"{m.format.sql(f'__t{m.index}')} AS __c{m.index}" for m in mapped if m.format]
    values = [f"{m.converted(goal)} AS m{m.index}" for m in mapped]
    wanted = mappings if wanted is None else wanted
    is_only = len(mappings) == 1
    cells = [f"{_cell(m, passed, blank, is_only=is_only)} AS {m.cell}" for m in wanted]
    problem = problem_of(mappings, has_null=goal.has_null, explains=goal.explains, passed=passed)
    problem = _or_unreadable(problem, mappings, source_columns)
    staged = [*carried, *cells, f"{problem} AS problem", f"{_cut(mapped)} AS cut"]
    is_blank = all_blank([f"s{place}" for place in range(len(source_columns))])
    staged.append(f"{is_blank} AS is_blank")
    query = f"SELECT {', '.join([*carried, *renamed, *computed])} FROM {relation}"
    levels = [["*", *texts], ["*", *reformatted], ["*", *values], staged]
    for level in (each for each in levels if each != ["*"]):
        query = f"SELECT {', '.join(level)} FROM ({query})"
    return query


def _cell(mapping: ColumnMapping, passed: Container[int], blank: Blank, *, is_only: bool) -> str:
    """Write the SQL of a cell to send; `is_only` if a record has no other."""
    value = mapping.value(passed)
    if mapping.column.is_cut and mapping.index not in passed:
        cut = f"left({trimmed(value)}, {mapping.column.max_length})"
        value = f"CASE WHEN {mapping.is_too_long} THEN {cut} ELSE {value} END"
    if blank is Blank.CLEAR and mapping.column.field != "Id":
        cleared = "'false'" if mapping.column.kind is FieldKind.BOOLEAN else _NULL
        return f"coalesce({value}, {cleared})"
    # A record of one blank cell must not be an empty line: '' is written as two quotes.
    return f"coalesce({value}, '')" if is_only else value


def _or_unreadable(
    problem: str, mappings: Sequence[ColumnMapping], source_columns: Sequence[str]
) -> str:
    """SQL of a row's problem; the only one of a row that could not be read is that."""
    if not {CODE_COLUMN, MESSAGE_COLUMN} <= set(source_columns) or reads_results(mappings):
        return problem
    code, message = map(source_columns.index, (CODE_COLUMN, MESSAGE_COLUMN))
    head = literal(f"{UNREADABLE}{BETWEEN_MEMBERS * 2}")
    unreadable = f"s{code} = {literal(UNREADABLE)}"
    return f"CASE WHEN {unreadable} THEN {head} || coalesce(s{message}, '') ELSE {problem} END"


def reads_results(mappings: Sequence[ColumnMapping]) -> bool:
    """Whether the job uses what is said of failed rows, such as to log them, not their values."""
    named = (parse(m.column.expression).columns for m in mappings if m.column.expression)
    return any(c.lower().startswith(RESULT_PREFIX) for columns in named for c in columns)


def _cut(mappings: Sequence[ColumnMapping]) -> str:
    """How many values of a row are cut."""
    cut = [f"CAST(coalesce({m.is_too_long}, false) AS INT)" for m in mappings if m.column.is_cut]
    return " + ".join(cut) or "0"
