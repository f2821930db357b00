"""How values are printed, as SQL, so that SQLite does the formatting.

Knows the forms of JSON in REST and of CSV in Bulk. Knows nothing of clauses.
"""

from __future__ import annotations

from runner.local_org.soql.expressions import Expression
from runner.local_org.soql.kinds import Kind

_PLAIN = "{0} = 0 OR abs({0}) >= 1e-3 AND abs({0}) < 1e7"
"""Java, SQLite and Python print these without an exponent; of others Java prints one."""


def rest_sql(expression: Expression, version: float) -> str:
    """SQL of the JSON value; booleans are 0 and 1.

    A datetime is in UTC with milliseconds and `+0000`; a blob is the path to fetch it from. Text is
    a number as it is printed.
    """
    sql = expression.sql
    if expression.kind is Kind.DATETIME:
        return f"substr({sql}, 1, 23) || '+0000'"
    if expression.kind is Kind.DOUBLE:
        is_plain = f"typeof({sql}) <> 'text' AND ({_PLAIN.format(sql)})"
        return f"CASE WHEN {sql} IS NULL OR {is_plain} THEN {sql} ELSE sf_number({sql}) END"
    if expression.kind is Kind.BLOB and expression.column is not None:
        place, name = expression.column.place, expression.column.field.name
        path = f"/services/data/v{version}/sobjects/{place.entity}/"
        return f"CASE WHEN {sql} IS NULL THEN NULL ELSE '{path}' || {place.id_sql} || '/{name}' END"
    return sql


def csv_sql(expression: Expression) -> str:
    """SQL of the text in a Bulk result: null is empty, a double always has a decimal point."""
    sql = expression.sql
    if expression.kind is Kind.BOOLEAN:
        shown = f"WHEN {sql} THEN 'true' ELSE 'false' END"
        if expression.column is not None and expression.column.place.relationships:
            return f"CASE WHEN {expression.column.place.id_sql} IS NULL THEN '' {shown}"
        return f"CASE {shown}"
    if expression.kind is Kind.DOUBLE:
        return _double_sql(sql)
    if expression.kind is Kind.INTEGER:
        return f"ifnull(CAST({sql} AS TEXT), '')"
    return f"ifnull({sql}, '')"


def _double_sql(sql: str) -> str:
    """SQLite's own text if it is exact and has no exponent, else a slower function."""
    text = f"CAST({sql} AS TEXT)"
    return (
        f"CASE WHEN {sql} IS NULL THEN '' "
        f"WHEN typeof({sql}) <> 'text' AND ({_PLAIN.format(sql)}) AND CAST({text} AS REAL) = {sql}"
        f" THEN {text} ELSE sf_number({sql}) END"
    )
