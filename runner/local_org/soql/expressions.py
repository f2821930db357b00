"""Resolves operands of SOQL to SQL and the kind of their values.

Knows fields and functions. Knows nothing of comparisons and clauses.
"""

from __future__ import annotations

from msgspec import Struct

from runner.local_org.catalog.model import Field
from runner.local_org.records.compounds import compound_parts
from runner.local_org.soql.kinds import DATED, NUMERIC, Kind
from runner.local_org.soql.scope import Column, Scope
from runner.local_org.store import folds
from runner.soql.syntax import Bind, Call, Distance, Operand, Path

AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})
GROUPING = "GROUPING"
CONVERSIONS = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY"})
_EXACTLY = {"SUM": "sf_sum", "MIN": "sf_min", "MAX": "sf_max"}
"""Number aggregates that lose no digits."""
_ZONE = "CONVERTTIMEZONE"
_UNITS = frozenset({"mi", "km"})
_MONTH = "CAST(substr({x}, 6, 2) AS INTEGER)"
_YEAR = "CAST(substr({x}, 1, 4) AS INTEGER)"
_DAY_OF_YEAR = "CAST(strftime('%j', substr({x}, 1, 10)) AS INTEGER)"
_DAY = "CAST(substr({x}, 9, 2) AS INTEGER)"
_DATE_PARTS = {
    "CALENDAR_YEAR": _YEAR,
    "CALENDAR_QUARTER": f"({_MONTH} + 2) / 3",
    "CALENDAR_MONTH": _MONTH,
    "FISCAL_YEAR": _YEAR,
    "FISCAL_QUARTER": f"({_MONTH} + 2) / 3",
    "FISCAL_MONTH": _MONTH,
    "DAY_IN_MONTH": _DAY,
    "DAY_IN_WEEK": "CAST(strftime('%w', substr({x}, 1, 10)) AS INTEGER) + 1",
    "DAY_IN_YEAR": _DAY_OF_YEAR,
    "WEEK_IN_MONTH": f"({_DAY} + 6) / 7",
    "WEEK_IN_YEAR": f"({_DAY_OF_YEAR} + 6) / 7",
}
_MOMENT_PARTS = {
    "HOUR_IN_DAY": "CAST(substr({x}, 12, 2) AS INTEGER)",
    "DAY_ONLY": "substr({x}, 1, 10)",
}


class Expression(Struct, frozen=True):
    """An operand, resolved."""

    sql: str
    kind: Kind
    name: str
    """Name for messages, in the catalog's spelling."""
    column: Column | None = None
    """The field it is or uses."""
    aggregate: bool = False
    plain: bool = False
    """Whether it is the field itself."""

    @property
    def field(self) -> Field | None:
        """The field it uses."""
        return self.column.field if self.column else None

    @property
    def folded(self) -> bool:
        """Whether comparing its text ignores case."""
        return (
            self.kind in {Kind.TEXT, Kind.CHOICES} and self.field is not None and folds(self.field)
        )

    @property
    def key_sql(self) -> str:
        """SQL whose values sort and group as at Salesforce: ignoring case."""
        return f"sf_lower({self.sql})" if self.folded else self.sql

    @property
    def order_sqls(self) -> tuple[str, ...]:
        """SQL of the sort keys, in order.

        A number stored as text sorts beside the nearest double.
        """
        if self.kind is not Kind.DOUBLE:
            return (self.key_sql,)
        is_text = f"CASE WHEN typeof({self.sql}) = 'text' THEN"
        return (
            f"{is_text} sf_near({self.sql}) ELSE {self.sql} END",
            f"{is_text} sf_beyond({self.sql}) ELSE 0 END",
        )


class Operands:
    """Resolves the operands of one SELECT."""

    def __init__(self, scope: Scope, zone: str) -> None:
        """`zone` is the user's time zone, for convertTimezone."""
        self.scope = scope
        self._zone = zone

    def resolve(self, operand: Operand) -> Expression:
        """The expression of a field or a call; ApiRefusal if it is unknown."""
        if isinstance(operand, Path):
            column = self.scope.column(operand)
            return Expression(column.sql, column.kind, column.field.name, column, plain=True)
        if isinstance(operand, Distance):
            return self._distance(operand)
        name = operand.name.upper()
        if name in AGGREGATES:
            return self._aggregate(operand, name)
        if name == GROUPING and operand.argument is not None:
            inner = self.resolve(operand.argument)
            sql, spelt = grouping_sql(inner.sql), f"{GROUPING}({inner.name})"
            return Expression(sql, Kind.INTEGER, spelt, inner.column, aggregate=True)
        if name in _DATE_PARTS or name in _MOMENT_PARTS:
            return self._date_part(operand, name)
        if name in CONVERSIONS:
            return self._conversion(operand, name)
        raise self._unknown(operand)

    def _field_of(self, call: Call) -> Column:
        if not isinstance(call.argument, Path):
            raise self._unknown(call)
        return self.scope.column(call.argument)

    def _unknown(self, call: Call) -> Exception:
        return self.scope.statement.malformed(call.at, f"Invalid function: {call}")

    def _aggregate(self, call: Call, name: str) -> Expression:
        column = self._field_of(call)
        spelt = f"{name}({column.path})"
        if not _may_aggregate(name, column):
            raise self.scope.statement.malformed(
                call.at,
                f"field {column.field.name} does not support aggregate operator {name}",
            )
        own = Expression(column.sql, column.kind, column.field.name, column)
        if name == "COUNT":
            return Expression(f"COUNT({column.sql})", Kind.INTEGER, spelt, column, aggregate=True)
        if name == "COUNT_DISTINCT":
            sql = f"COUNT(DISTINCT {own.key_sql})"
            return Expression(sql, Kind.INTEGER, spelt, column, aggregate=True)
        if column.kind is Kind.DOUBLE and name in _EXACTLY:
            sql = f"{_EXACTLY[name]}({column.sql})"
            return Expression(sql, Kind.DOUBLE, spelt, column, aggregate=True)
        collation = " COLLATE SF_NOCASE" if own.folded else ""
        kind = Kind.DOUBLE if name == "AVG" else column.kind
        return Expression(f"{name}({column.sql}{collation})", kind, spelt, column, aggregate=True)

    def _distance(self, distance: Distance) -> Expression:
        statement, other = self.scope.statement, distance.other
        if distance.unit.lower() not in _UNITS:
            raise statement.malformed(distance.at, f"Invalid distance unit: {distance.unit}")
        if isinstance(other, Path):
            there = self._coordinates(other)
        elif isinstance(other.latitude, Bind) or isinstance(other.longitude, Bind):
            raise statement.malformed(distance.at, "Bind variables only allowed in Apex code")
        else:
            there = f"{other.latitude.value}, {other.longitude.value}"
        here = self._coordinates(distance.field)
        sql = f"sf_distance({here}, {there}, '{distance.unit.lower()}')"
        return Expression(sql, Kind.DOUBLE, str(distance))

    def _coordinates(self, path: Path) -> str:
        """SQL of the latitude and longitude of an address or location."""
        column = self.scope.column(path)
        sobject = column.place.variants[0].sobject
        parts = dict(compound_parts(sobject, column.field))
        if not {"latitude", "longitude"} <= parts.keys():
            raise self.scope.statement.refusal(
                "INVALID_FIELD", path.at, f"'{column.path}' is not a location"
            )
        fields = (parts["latitude"], parts["longitude"])
        found = (self.scope.field(column.place, field.name, path.at) for field in fields)
        return ", ".join(each.sql for each in found)

    def _date_part(self, call: Call, name: str) -> Expression:
        column, sql = self._dated(call, name)
        template = _DATE_PARTS.get(name) or _MOMENT_PARTS[name]
        kind = Kind.DATE if name == "DAY_ONLY" else Kind.INTEGER
        return Expression(f"({template.format(x=sql)})", kind, f"{name}({column.path})", column)

    def _dated(self, call: Call, name: str) -> tuple[Column, str]:
        inner = call.argument
        if isinstance(inner, Call) and inner.name.upper() == _ZONE:
            column = self._field_of(inner)
            local = f"sf_local({column.sql}, '{self._zone}')"
            sql = column.sql if self._zone == "UTC" else local
        else:
            column = self._field_of(call)
            sql = column.sql
        wanted = DATED if name in _DATE_PARTS else {Kind.DATETIME}
        if column.kind not in wanted:
            raise self.scope.statement.refusal(
                "INVALID_FIELD", call.at, f"Invalid field type for function {name}: {column.path}"
            )
        return column, sql

    def _conversion(self, call: Call, name: str) -> Expression:
        if name == "FORMAT" and isinstance(call.argument, Call):
            inner = self.resolve(call.argument)
        else:
            column = self._field_of(call)
            inner = Expression(column.sql, column.kind, column.field.name, column)
        if name == "CONVERTCURRENCY" or inner.field is None:
            return inner
        if name == "TOLABEL":
            return Expression(
                _label_sql(inner.sql, inner.field), Kind.TEXT, inner.name, inner.column
            )
        sql = f"sf_format({inner.sql}, '{inner.field.type}')"
        return Expression(sql, Kind.TEXT, inner.name, inner.column, inner.aggregate)


def grouping_sql(group_sql: str) -> str:
    """What stands for GROUPING() of a group, until it is known which groups are in the set."""
    return f"sf_grouping({group_sql})"


def _may_aggregate(name: str, column: Column) -> bool:
    if column.kind in {Kind.COMPOUND, Kind.BLOB, Kind.CHOICES}:
        return False
    if name in {"SUM", "AVG"}:
        return column.kind in NUMERIC
    if name in {"MIN", "MAX"}:
        return column.kind is not Kind.BOOLEAN and column.field.aggregatable
    return column.field.aggregatable or column.kind is Kind.BOOLEAN or column.field.name == "Id"


def _label_sql(sql: str, field: Field) -> str:
    differing = [each for each in field.picklist if each.label != each.value]
    if not differing:
        return sql
    cases = " ".join(f"WHEN {_text(each.value)} THEN {_text(each.label)}" for each in differing)
    return f"CASE {sql} {cases} ELSE {sql} END"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
