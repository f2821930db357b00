# ruff: noqa: E501 - a case reads best in one line
"""Values on their way into the org and out of it: cases of tests, and tables of the docs.

Knows what is expected of values. Knows nothing of how they are read, sent or written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

UNCHANGED = "unchanged"
FAILS = "fails its row"
REFUSED = "refused"


@dataclass(frozen=True)
class Fit:
    """Spellings of one value in a field, and what is sent for them."""

    type: str
    kind: str
    written: Sequence[str]
    sent: str

    def sent_for(self, written):
        """The text that is sent for a spelling; None if it fails its row."""
        return {UNCHANGED: written, FAILS: None}.get(self.sent, self.sent)


CHECKBOX = ("checkbox", "boolean")
WHOLE = ("whole number", "integer")
NUMBER = ("number, currency, percent", "number")
DATE = ("date", "date")
DATETIME = ("datetime", "datetime")
TIME = ("time", "time")
ID = ("Id, lookup", "id")
TEXT = ("everything else", "text")
NOON = "2026-01-31T08:00:00.000Z"
FITS = [
    Fit(*CHECKBOX, ("true", "TRUE", "1", "1.0", "yes", "on", "t", "y"), "true"),
    Fit(*CHECKBOX, ("false", "False", "0", "0.0", "no", "off", "f", "n"), "false"),
    Fit(*CHECKBOX, ("maybe", "2"), FAILS),
    Fit(*WHOLE, ("42", "42.0", "4.2e1", "+42"), "42"),
    Fit(*WHOLE, ("5.5", "1,000", "0x10"), FAILS),
    Fit(*NUMBER, ("1234.50",), "1234.50"),
    Fit(*NUMBER, (".5", "0.5", "5e-1"), "0.5"),
    Fit(*NUMBER, ("1200", "1.2E3", "+1200"), "1200"),
    Fit(*NUMBER, ("123456789012345678.90",), UNCHANGED),
    Fit(*NUMBER, ("1,000", "5 €", "(5)", "NaN"), FAILS),
    Fit(*DATE, ("2026-01-31", "2026-01-31 00:00:00", "2026-01-31T00:00:00Z"), "2026-01-31"),
    Fit(*DATE, ("31.01.2026", "2026-02-30", "2026-01-31T08:00:00Z"), FAILS),
    Fit(*DATETIME, ("2026-01-31T08:00:00Z", "2026-01-31 08:00:00 z", "2026-01-31 08:00", "2026-01-31T08:00:00.000+0000"), NOON),
    Fit(*DATETIME, ("2026-01-31T09:00:00+01:00", "2026-01-31 09:00+0100", "2026-01-31T22:00:00+14", "2026-01-31T04:30:00-03:30"), NOON),
    Fit(*DATETIME, ("2026-01-31T08:00:00.123456Z",), "2026-01-31T08:00:00.123Z"),
    Fit(*DATETIME, ("2026-01-31",), "2026-01-31T00:00:00.000Z"),
    Fit(*DATETIME, ("31.01.2026 08:00", "2026-01-31T08:00:00+14:01", "yesterday"), FAILS),
    Fit(*TIME, ("08:00", "08:00:00", "08:00:00Z"), "08:00:00.000Z"),
    Fit(*TIME, ("08:00:00.5",), "08:00:00.500Z"),
    Fit(*TIME, ("24:00", "8 am"), FAILS),
    Fit(*ID, ("001000000000001", "001000000000001AAA"), UNCHANGED),
    Fit(*ID, ("ACME",), FAILS),
    Fit(*TEXT, ("0123", "1e5", "NULL", "=1+1", " a "), UNCHANGED),
    Fit(*TEXT, ("a\r\nb", "a\rb"), "a\nb"),
]  # fmt: skip
"""The task's time zone is UTC."""


@dataclass(frozen=True)
class Typed:
    """A value of a type, as Parquet and a database driver have it, and its texts."""

    shown: str
    sql: str
    """DuckDB's, for a Parquet file."""
    value: object
    """As the driver of a database gives it."""
    from_parquet: str
    from_database: str


def same(shown, sql, value, text):
    return Typed(shown, sql, value, text, text)


ZONE = timezone(timedelta(hours=1))
TYPED = [
    same("null", "NULL::INTEGER", None, ""),
    same("boolean", "true", True, "true"),
    same("whole number", "42", 42, "42"),
    same("decimal `1234.50`", "1234.50::DECIMAL(18, 2)", Decimal("1234.50"), "1234.50"),
    same("floating point 0.1", "0.1::DOUBLE", 0.1, "0.1"),
    same("floating point 123.0", "123::DOUBLE", 123.0, "123"),
    same("floating point 1e20", "1e20::DOUBLE", 1e20, "100000000000000000000"),
    same("floating point 1.5e-7", "1.5e-7::DOUBLE", 1.5e-7, "0.00000015"),
    same("NaN", "'nan'::DOUBLE", float("nan"), "NaN"),
    same("infinity", "'inf'::DOUBLE", float("inf"), "Infinity"),
    same("date", "DATE '2026-01-31'", date(2026, 1, 31), "2026-01-31"),
    same("time", "TIME '08:30:00'", time(8, 30), "08:30:00"),
    same("timestamp without a time zone", "TIMESTAMP '2026-01-31 08:30:00'", datetime(2026, 1, 31, 8, 30), "2026-01-31 08:30:00"),  # noqa: DTZ001 - it has none
    Typed("timestamp with a time zone, 09:30 at +01:00", "TIMESTAMPTZ '2026-01-31 09:30:00+01'", datetime(2026, 1, 31, 9, 30, tzinfo=ZONE),
          "2026-01-31T08:30:00.000000Z", "2026-01-31 09:30:00+01:00"),
    same("bytes `ab`: base64", "'ab'::BLOB", b"ab", "YWI="),
    same("duration of 30 hours and a quarter", "INTERVAL '30:15:00'", timedelta(hours=30, minutes=15), "30:15:00"),
    Typed("list", "[1, 2]", [1, 2], REFUSED, "[1, 2]"),
    Typed("structure", "{'a': 1.50}", {"a": Decimal("1.50")}, REFUSED, '{"a": 1.50}'),
]  # fmt: skip


@dataclass(frozen=True)
class Out:
    """A value of a query's column, and what each target has for it."""

    shown: str
    kind: str
    written: str
    """In CSV and XML."""
    json: str
    parquet: str
    """The type of the column."""
    excel: str
    """The kind of the cell."""
    sqlite: object
    postgresql: str
    """The type of the column."""
    precision: int = 0
    scale: int = 0


WIDTH = (18, 2)
DECIMAL = "DECIMAL(18,2)", "NUMERIC(18, 2)"
OUT = [
    Out("null", "number", "", "null", DECIMAL[0], "empty", None, DECIMAL[1], *WIDTH),
    Out("checkbox", "boolean", "true", "true", "BOOLEAN", "boolean", 1, "BOOLEAN"),
    Out("whole number", "integer", "42", "42", "BIGINT", "number", 42, "BIGINT"),
    Out("number, currency, percent", "number", "1234.5", "1234.5", DECIMAL[0], "number", "1234.50", DECIMAL[1], *WIDTH),
    Out("a number of 16 digits and more", "number", "12345678901234.56", "12345678901234.56", DECIMAL[0], "text", "12345678901234.56", DECIMAL[1], *WIDTH),
    Out("a whole value of such a field", "number", "7.0", "7.0", DECIMAL[0], "number", "7.00", DECIMAL[1], *WIDTH),
    Out("more decimals than described", "number", "0.125", "0.125", "DECIMAL(19,3)", "number", "0.125", "NUMERIC(19, 3)", *WIDTH),
    Out("date", "date", "2026-01-31", '"2026-01-31"', "DATE", "date", "2026-01-31", "DATE"),
    Out("a date before March 1900", "date", "1900-02-28", '"1900-02-28"', "DATE", "text", "1900-02-28", "DATE"),
    Out("time", "time", "08:00:00.000Z", '"08:00:00.000Z"', "TIME", "time", "08:00:00.000000", "TIME WITHOUT TIME ZONE"),
    Out("datetime", "datetime", NOON, f'"{NOON}"', "TIMESTAMP WITH TIME ZONE", "date and time", NOON, "TIMESTAMP WITH TIME ZONE"),
    Out("text, also one that looks like a number", "text", "0123", '"0123"', "VARCHAR", "text", "0123", "TEXT"),
    Out("an address, a location, a parent by TYPEOF, a subquery", "json", '{"city":"Ulm"}', '{"city":"Ulm"}', "VARCHAR", "text", '{"city":"Ulm"}', "TEXT"),
]  # fmt: skip

AGGREGATED = {
    "COUNT(Id)": ("whole number", "BIGINT"),
    "COUNT_DISTINCT(Id)": ("whole number", "BIGINT"),
    "CALENDAR_YEAR(CreatedDate)": ("whole number", "BIGINT"),
    "DAY_ONLY(CreatedDate)": ("date", "DATE"),
    "AVG(NumberOfEmployees)": ("number", "DECIMAL"),
    "SUM(AnnualRevenue)": ("as the field", "DECIMAL"),
    "MAX(Since__c)": ("as the field", "DATE"),
    "MIN(CreatedDate)": ("as the field", "TIMESTAMP WITH TIME ZONE"),
}
"""Functions of a query that groups: what each gives, and its column in Parquet."""
PLAIN = {
    "DISTANCE(At__c, GEOLOCATION(48, 9), 'km')": ("number", "DECIMAL"),
    "convertCurrency(AnnualRevenue)": ("as the field", "DECIMAL"),
    "toLabel(Tier__c)": ("text, even if it looks like a number", "VARCHAR"),
    "FORMAT(AnnualRevenue)": ("text, even if it looks like a number", "VARCHAR"),
}
"""Functions of a query that does not group."""


def fits_table():
    """What fits, as a table of the docs."""
    rows = [(each.type, _codes(each.written), _sent(each.sent)) for each in FITS]
    return _table(("type of the field", "in the source", "sent as"), rows)


def typed_table():
    """What typed sources give, as a table of the docs."""
    rows = [(each.shown, *map(_text, (each.from_parquet, each.from_database))) for each in TYPED]
    return _table(("value", "from Parquet", "from a database"), rows)


def out_table():
    """What a query writes, as a table of the docs."""
    rows = [
        (
            each.shown,
            _code(each.written) if each.written else "empty cell; no element",
            _code(each.json),
            each.parquet,
            each.excel,
            "NULL" if each.sqlite is None else _code(each.sqlite),
            each.postgresql,
        )
        for each in OUT
    ]
    heads = ("in the org", "CSV, XML", "JSON", "Parquet", "Excel", "SQLite", "PostgreSQL")
    return _table(heads, rows)


def functions_table():
    """What functions of SOQL give, as a table of the docs."""
    given = {}
    for function, (words, _) in (AGGREGATED | PLAIN).items():
        given.setdefault(words, []).append(function)
    rows = [(_codes(functions), words) for words, functions in given.items()]
    return _table(("in the query", "written as"), rows)


def _sent(sent):
    return sent if sent in {UNCHANGED, FAILS} else _code(sent)


def _text(text):
    return text if text == REFUSED else _code(text) if text else "blank"


def _codes(texts):
    return ", ".join(map(_code, texts))


def _code(value):
    text = str(value).replace("\r", "\\r").replace("\n", "\\n").replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _table(heads, rows):
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
