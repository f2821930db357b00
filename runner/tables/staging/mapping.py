"""The SELECT that turns a source's records into staged rows.

A staged row holds the cells to send, `c0, c1, …`, as Bulk API 2.0 spells them, and `problem`: NULL,
or why the row cannot be sent. Knows SQL. Knows nothing of files or of who reads the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.errors import SourceError
from runner.job.endpoints import FileShape
from runner.job.model import Blank
from runner.suggest import did_you_mean
from runner.tables.database import first_line
from runner.tables.field_types import EXPLICIT_NULL, FieldKind, MappedColumn
from runner.tables.sql import literal, name
from runner.tables.staging.canonical_values import EXPECTED, canonical, filled
from runner.tables.staging.expressions import columns_of, dissect
from runner.tables.staging.value_formats import Spelling, spelling

if TYPE_CHECKING:
    import duckdb


MISFIT = "VALUE_DOES_NOT_FIT"
BLANK_KEY = "KEY_IS_BLANK"
UNCOMPUTABLE = "EXPRESSION_FAILED"

BETWEEN_PROBLEMS = "\x1e"
BETWEEN_MEMBERS = "\x1f"
"""A problem is code, field and message; a row may have several."""
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Plan:
    """How one mapped column is computed and found again."""

    column: MappedColumn
    index: int
    source: int | None
    """Place of the source column whose text this is; None for a computed value."""
    volatile: bool
    spelling: Spelling | None = None
    """How the source writes values of this kind, where it is not as SQL does."""

    @property
    def cell(self) -> str:
        """Its column in staged rows and in rows to send; NULL for blank."""
        return f"c{self.index}"

    @property
    def computed(self) -> str | None:
        """SQL of the expression's text: '' for blank, NULL only where the expression fails."""
        if self.source is not None:
            return None
        text = f"coalesce(CAST((\n{self.column.expression}\n) AS VARCHAR), '')"
        return text if self.volatile else f"TRY({text})"

    @property
    def text(self) -> str:
        """SQL of the text before its kind is looked at; NULL for blank."""
        raw = f"__e{self.index}" if self.source is None else f"s{self.source}"
        return filled(self.column.kind, raw)

    @property
    def converted(self) -> str:
        """SQL of the canonical text, of the text before its kind is looked at."""
        return canonical(self.column.kind, f"__{'c' if self.spelling else 't'}{self.index}")


def plan(
    columns: Sequence[MappedColumn], source_columns: Sequence[str], shape: FileShape
) -> tuple[Plan, ...]:
    """Settle where each mapped column comes from.

    Raises:
        SourceError: A field without an expression that the header does not name.
    """
    places = {column.lower(): place for place, column in enumerate(source_columns)}
    plans = (_plan_one(c, i, places, source_columns) for i, c in enumerate(columns))
    return tuple(
        replace(each, spelling=spelling(shape, each.column.kind))
        if each.source is not None
        else each
        for each in plans
    )


def _plan_one(
    column: MappedColumn, index: int, places: dict[str, int], source_columns: Sequence[str]
) -> Plan:
    if column.expression is None:
        if column.field.lower() not in places:
            raise _missing(column.field, column.field, source_columns)
        return Plan(column, index, places[column.field.lower()], volatile=False)
    parts = dissect(column.expression)
    source = places.get(parts.column.lower()) if parts.column else None
    return Plan(column, index, source, parts.volatile)


def check(
    connection: duckdb.DuckDBPyConnection, plans: Sequence[Plan], source_columns: Sequence[str]
) -> None:
    """Let DuckDB look up columns and functions of every expression, without a row.

    Raises:
        SourceError: Names the field, the expression and what is wrong with it.
    """
    import duckdb

    nothing = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(c)}" for c in source_columns)
    for each in plans:
        if each.computed is None:
            continue
        try:
            connection.execute(f"EXPLAIN SELECT {each.computed} FROM (SELECT {nothing})")
        except duckdb.Error as error:
            raise _unbound(each.column, error, source_columns) from error


def select(
    plans: Sequence[Plan], source_columns: Sequence[str], relation: str, blank: Blank
) -> str:
    """Write the SELECT that gives staged rows, in the relation's order.

    Args:
        plans: How each cell is computed.
        source_columns: The relation's.
        relation: The rows as they were read, blank being NULL.
        blank: What an empty value does to its field.
    """
    renamed = [f"{name(c)} AS s{place}" for place, c in enumerate(source_columns)]
    boxes = [f"{p.computed} AS __e{p.index}" for p in plans if p.computed]
    texts = [f"{p.text} AS __t{p.index}" for p in plans]
    respelled = [f"{p.spelling.sql(f'__t{p.index}')} AS __c{p.index}" for p in plans if p.spelling]
    values = [f"{p.converted} AS m{p.index}" for p in plans]
    cells = [f"{_cell(p, blank, alone=len(plans) == 1)} AS {p.cell}" for p in plans]
    staged = [*cells, f"{_problem(plans)} AS problem"]
    query = f"SELECT {', '.join([*renamed, *boxes])} FROM {relation}"
    levels = [["*", *texts], ["*", *respelled], ["*", *values], staged]
    for level in (each for each in levels if each != ["*"]):
        query = f"SELECT {', '.join(level)} FROM ({query})"
    return query


def _cell(plan: Plan, blank: Blank, *, alone: bool) -> str:
    """Write the SQL of a cell to send; `alone` where a record has no other."""
    value = f"m{plan.index}"
    if blank is Blank.CLEAR:
        return f"coalesce({value}, {literal(EXPLICIT_NULL)})"
    # A record of one blank cell must not be an empty line: '' is written as two quotes.
    return f"coalesce({value}, '')" if alone else value


def _problem(plans: Sequence[Plan]) -> str:
    found = [clause for p in plans for clause in _clauses(p)]
    if not found:
        return "CAST(NULL AS VARCHAR)"
    return f"nullif(concat_ws({literal(BETWEEN_PROBLEMS)}, {', '.join(found)}), '')"


def _clauses(plan: Plan) -> list[str]:
    column, text = plan.column, f"__t{plan.index}"
    clauses = []
    if plan.computed and not plan.volatile:
        shown = " ".join((column.expression or "").split())
        told = literal(f"{column.field}: the expression `{shown}` fails for this row")
        clauses.append(_clause(plan, f"__e{plan.index} IS NULL", UNCOMPUTABLE, told))
    if column.kind is not FieldKind.TEXT:
        before, after = literal(f"{_called(column)}: '"), literal(f"' is not {_expected(plan)}")
        shown = (
            f"CASE WHEN length({text}) > {_SHOWN_CHARACTERS}"
            f" THEN left({text}, {_SHOWN_CHARACTERS}) || '…' ELSE {text} END"
        )
        told = f"{before} || {shown} || {after}"
        misfit = f"m{plan.index} IS NULL AND {text} IS NOT NULL"
        clauses.append(_clause(plan, misfit, MISFIT, told))
    if column.required:
        empty = f"coalesce({text}, '') IN ('', {literal(EXPLICIT_NULL)})"
        told = literal(f"{column.field}: the row has no value for it, so no record can be named")
        clauses.append(_clause(plan, empty, BLANK_KEY, told))
    return clauses


def _called(column: MappedColumn) -> str:
    """The field, and what fills it where that is not a column of its name."""
    shown = " ".join((column.expression or "").split())
    if shown.lower() in {"", column.field.lower()}:
        return column.field
    return f"{column.field} (`{shown if len(shown) <= _SHOWN_CHARACTERS else '…'}`)"


def _expected(plan: Plan) -> str:
    return plan.spelling.example if plan.spelling else EXPECTED[plan.column.kind]


def _clause(plan: Plan, condition: str, code: str, message: str) -> str:
    head = literal(f"{code}{BETWEEN_MEMBERS}{plan.column.field}{BETWEEN_MEMBERS}")
    return f"CASE WHEN {condition} THEN {head} || {message} END"


def _unbound(
    column: MappedColumn, error: duckdb.Error, source_columns: Sequence[str]
) -> SourceError:
    known = {c.lower() for c in source_columns}
    expression = column.expression or ""
    for used in columns_of(expression):
        if used.lower() not in known and used.lower() in str(error).lower():
            return _missing(column.field, used, source_columns)
    return SourceError(
        f"`fields`: {column.field}: {first_line(error)}.",
        hint="Every source column is text: CAST(amount AS DECIMAL(18,2)) makes a number of one.",
    )


def _missing(field: str, column: str, source_columns: Sequence[str]) -> SourceError:
    guess = did_you_mean(column, source_columns)
    return SourceError(
        f"{field}: the source has no column {column!r}.",
        hint=f"{guess + ' ' if guess else ''}It has: {', '.join(source_columns) or 'no columns'}.",
    )
