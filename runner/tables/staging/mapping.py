"""The SELECT that turns a source's records into staged rows.

A staged row holds the cells to send, `c0, c1, …`, in Bulk API 2.0's format, and `problem`: NULL, or
why the row cannot be sent. Knows SQL. Knows nothing of files or of who reads the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.job.model import Blank
from runner.tables.field_types import (
    EXPLICIT_NULL,
    MOST_ROW_CHARACTERS,
    FieldKind,
    MappedColumn,
)
from runner.tables.sources.csv import CODE_COLUMN, MESSAGE_COLUMN, RESULT_PREFIX, UNREADABLE
from runner.tables.sources.value_texts import FLOATS, JSON, NOT_FINITE, is_list, is_nested
from runner.tables.sql import all_blank, literal, name
from runner.tables.staging.canonical_values import (
    EXPECTED,
    MOST_DIGITS,
    SourceFormat,
    canonical,
    is_of_another_form,
    is_skipped,
    is_too_large,
    null_if_blank,
    source_format,
    trimmed,
)
from runner.tables.staging.expressions import parse
from runner.tables.staging.mapping_errors import (
    list_in_field,
    missing_column,
    nested_expression,
    unbound_expression,
)

if TYPE_CHECKING:
    import duckdb


MISFIT = "VALUE_DOES_NOT_FIT"
TOO_LONG = "STRING_TOO_LONG"
"""The org's own code: the reason is the same, on this machine or there."""
ROW_TOO_LONG = "ROW_TOO_LONG"
BLANK_KEY = "KEY_IS_BLANK"
UNCOMPUTABLE = "EXPRESSION_FAILED"
DUPLICATE_KEY = "DUPLICATE_KEY"
SUPERSEDED = "SUPERSEDED"
"""Of a row that does not fail: another one of the same key is sent in its place."""

BETWEEN_PROBLEMS = "\x1e"
BETWEEN_MEMBERS = "\x1f"
"""A problem is code, field and message; a row may have several."""
_SHOWN_CHARACTERS = 80
_KEY_OF_FORM = {
    FieldKind.NUMBER: "decimal",
    FieldKind.INTEGER: "decimal",
    FieldKind.DATE: "dates",
    FieldKind.DATETIME: "datetimes",
}
"""Which key of a source declares how it writes values of a kind."""
_NULL = literal(EXPLICIT_NULL)
_BETWEEN_PROBLEMS = literal(BETWEEN_PROBLEMS)


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How one column to send is computed from the source's columns."""

    column: MappedColumn
    index: int
    source: int | None
    """Index of the source column that is sent unchanged; None for a computed value."""
    is_volatile: bool = False
    """Each evaluation gives another value."""
    is_repeatable: bool = True
    """The same row gives the same value at any time."""
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
    with_nan: tuple[int, ...] = ()
    """Indexes of source columns that an expression names and that may not be numbers."""

    @property
    def cell(self) -> str:
        """Name of its column in staged rows and in rows to send; NULL for blank."""
        return f"c{self.index}"

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

    @property
    def converted(self) -> str:
        """SQL of the canonical text."""
        return canonical(self.column.kind, f"__{'c' if self.format else 't'}{self.index}")


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
        replace(each, with_nan=tuple(nan.intersection(_places(each.column, places))))
        if each.source is None
        else replace(each, format=_format(each, shapes_of(source_columns[each.source])))
        for each in mappings
    )


def _places(column: MappedColumn, places: Mapping[str, int]) -> Iterator[int]:
    """The source columns that an expression names."""
    for named in parse(column.expression or "").columns:
        if named.lower() in places:
            yield places[named.lower()]


def _format(mapping: ColumnMapping, shapes: Sequence[FileShape]) -> SourceFormat | None:
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
        is_repeatable=expression.is_repeatable(source_columns),
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
    import duckdb

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


def staging_query(
    mappings: Sequence[ColumnMapping],
    source_columns: Sequence[str],
    relation: str,
    blank: Blank,
    *,
    has_null: bool = False,
) -> str:
    """Write the SELECT that gives staged rows, in the relation's order.

    Args:
        mappings: How each cell is computed.
        source_columns: The relation's.
        relation: The rows as they were read; blank is NULL.
        blank: What an empty value does to its field.
        has_null: Whether there is a character U+0000 anywhere in the rows.
    """
    renamed = [f"{name(c)} AS s{place}" for place, c in enumerate(source_columns)]
    computed = [f"{m.computed} AS __e{m.index}" for m in mappings if m.computed]
    texts = [f"{m.text} AS __t{m.index}" for m in mappings]
    reformatted = [f"{m.format.sql(f'__t{m.index}')} AS __c{m.index}" for m in mappings if m.format]
    values = [f"{m.converted} AS m{m.index}" for m in mappings]
    cells = [f"{_cell(m, blank, is_only=len(mappings) == 1)} AS {m.cell}" for m in mappings]
    problem = _problem(mappings, has_null=has_null)
    problem = _or_unreadable(problem, mappings, source_columns)
    staged = [*cells, f"{problem} AS problem", f"{_cut(mappings)} AS cut"]
    is_blank = all_blank([f"s{place}" for place in range(len(source_columns))])
    staged.append(f"{is_blank} AS is_blank")
    query = f"SELECT {', '.join([*renamed, *computed])} FROM {relation}"
    levels = [["*", *texts], ["*", *reformatted], ["*", *values], staged]
    for level in (each for each in levels if each != ["*"]):
        query = f"SELECT {', '.join(level)} FROM ({query})"
    return query


def _cell(mapping: ColumnMapping, blank: Blank, *, is_only: bool) -> str:
    """Write the SQL of a cell to send; `is_only` if a record has no other."""
    value = f"m{mapping.index}"
    if mapping.column.is_cut:
        cut = f"left({trimmed(value)}, {mapping.column.max_length})"
        value = f"CASE WHEN {mapping.is_too_long} THEN {cut} ELSE {value} END"
    if blank is Blank.CLEAR and mapping.column.field != "Id":
        cleared = "'false'" if mapping.column.kind is FieldKind.BOOLEAN else _NULL
        return f"coalesce({value}, {cleared})"
    # A record of one blank cell must not be an empty line: '' is written as two quotes.
    return f"coalesce({value}, '')" if is_only else value


def _problem(mappings: Sequence[ColumnMapping], *, has_null: bool) -> str:
    found = [each for mapping in mappings for each in _clauses(mapping, has_null=has_null)]
    found += _row_clause(mappings)
    if not found:
        return "CAST(NULL AS VARCHAR)"
    return f"nullif(concat_ws({_BETWEEN_PROBLEMS}, {', '.join(found)}), '')"


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


def _clauses(mapping: ColumnMapping, *, has_null: bool) -> list[str]:
    column, index, text = mapping.column, mapping.index, f"__t{mapping.index}"
    clauses = []
    if mapping.computed and not mapping.is_volatile:
        expression = " ".join((column.expression or "").split())
        message = literal(f"{column.label}: the expression `{expression}` fails for this row")
        clauses.append(_clause(column.label, f"__e{index} IS NULL", UNCOMPUTABLE, message))
    for place in mapping.with_nan:
        message = literal(f"{_label(column)}: the expression uses '")
        why = literal("', which is not a number; `nulls` in `from` can make it a blank")
        not_finite = f"s{place} IN ({', '.join(map(literal, NOT_FINITE))})"
        clauses.append(_clause(column.label, not_finite, MISFIT, f"{message} || s{place} || {why}"))
    if column.kind is not FieldKind.TEXT or mapping.format:
        before, after = literal(f"{_label(column)}: '"), _why_not(mapping)
        misfit = f"m{index} IS NULL AND {text} IS NOT NULL"
        message = f"{before} || {shown(text)} || {after}"
        clauses.append(_clause(column.label, misfit, MISFIT, message))
    if column.id_prefix:  # the org does not compare: a delete over REST takes any Ids
        other = f"NOT starts_with(m{index}, {literal(column.id_prefix)})"
        before = literal(f"{_label(column)}: '")
        after = literal(f"' is another object's Id; this one's begin with {column.id_prefix}")
        clauses.append(_clause(column.label, other, MISFIT, f"{before} || m{index} || {after}"))
    if mapping.is_too_long and not column.is_cut:
        before = literal(f"{_label(column)}: data value too large: ")
        after = literal(f" (max length={column.max_length})")
        message = f"{before} || {shown(f'm{index}')} || {after}"
        clauses.append(_clause(column.label, mapping.is_too_long, TOO_LONG, message))
    if column.kind is FieldKind.TEXT and has_null:
        message = literal(f"{_label(column)}: contains the character U+0000, which no org stores")
        clauses.append(_clause(column.label, f"contains({text}, chr(0))", MISFIT, message))
    if column.required:
        empty = f"coalesce({text}, '') IN ('', {_NULL})"
        message = literal(f"{column.label}: blank, so the row does not identify a record")
        clauses.append(_clause(column.label, empty, BLANK_KEY, message))
    return clauses


def _row_clause(mappings: Sequence[ColumnMapping]) -> list[str]:
    """Rows that are too long for Bulk; none if the fields are too short for that."""
    texts = [mapping for mapping in mappings if mapping.column.kind is FieldKind.TEXT]
    longest = [mapping.column.max_length for mapping in texts]
    if None in longest or sum(filter(None, longest)) <= MOST_ROW_CHARACTERS:
        return []

    def total(of: str) -> str:
        return " + ".join(f"coalesce({of}(m{mapping.index}), 0)" for mapping in texts)

    is_too_long = f"{total('strlen')} > {MOST_ROW_CHARACTERS}"
    is_too_long += f" AND {total('length')} > {MOST_ROW_CHARACTERS}"
    most = f" characters; a row may have {MOST_ROW_CHARACTERS:,}"
    message = f"'the row has ' || format('{{:,}}', {total('length')}) || {literal(most)}"
    return [_clause("", is_too_long, ROW_TOO_LONG, message)]


def _cut(mappings: Sequence[ColumnMapping]) -> str:
    """How many values of a row are cut."""
    cut = [f"CAST(coalesce({m.is_too_long}, false) AS INT)" for m in mappings if m.column.is_cut]
    return " + ".join(cut) or "0"


def shown(text: str) -> str:
    """SQL of a text as messages show it."""
    return (
        f"CASE WHEN length({text}) > {_SHOWN_CHARACTERS}"
        f" THEN left({text}, {_SHOWN_CHARACTERS}) || '…' ELSE {text} END"
    )


def _label(column: MappedColumn) -> str:
    """The field, and the expression that fills it unless that is a column of its name."""
    shown = " ".join((column.expression or "").split())
    if shown.lower() in {"", column.label.lower()}:
        return column.label
    return f"{column.label} (`{shown if len(shown) <= _SHOWN_CHARACTERS else '…'}`)"


def _why_not(mapping: ColumnMapping) -> str:
    """SQL of what is wrong with a value, to follow the value."""
    kind, text = mapping.column.kind, f"__{'c' if mapping.format else 't'}{mapping.index}"
    cases = ""
    if kind in {FieldKind.NUMBER, FieldKind.INTEGER}:
        said = literal(f"' has more than {MOST_DIGITS} digits before the decimal point")
        cases += f" WHEN {is_too_large(text)} THEN {said}"
    if kind is FieldKind.DATETIME:
        offset = literal("' does not exist in {}: clocks skip it; write the offset, such as +02:00")
        said = f"replace({offset}, '{{}}', current_setting('TimeZone'))"
        cases += f" WHEN {is_skipped(text)} THEN {said}"
    after = f"' is not {_expected(mapping)}"
    other = is_of_another_form(kind, text)
    if other and mapping.format is None and mapping.source is not None:
        key = _KEY_OF_FORM[kind]
        how = f"; declare this form with `{key}` in `from`, or convert it in `fields`"
        cases += f" WHEN {other} THEN {literal(after + how)}"
    return f"CASE{cases} ELSE {literal(after)} END" if cases else literal(after)


def _expected(mapping: ColumnMapping) -> str:
    return mapping.format.example if mapping.format else EXPECTED[mapping.column.kind]


def problem(field: str, code: str, message: str) -> str:
    """SQL of one problem of a row; the message is SQL, too."""
    return f"{literal(f'{code}{BETWEEN_MEMBERS}{field}{BETWEEN_MEMBERS}')} || {message}"


def _clause(field: str, condition: str, code: str, message: str) -> str:
    return f"CASE WHEN {condition} THEN {problem(field, code, message)} END"
