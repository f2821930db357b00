"""Records of every type: the object that has them, values at random, and the hardest ones."""

import csv
import io
from datetime import UTC, date, datetime, time
from decimal import Decimal

from hypothesis import strategies as st

ORG_FILE = """\
version: 1
objects:
  Thing__c:
    label: Thing
    plural_label: Things
    fields:
      Key__c: {type: text, label: Key, length: 80, external_id: true, unique: true}
      Batch__c: {type: text, label: Batch, length: 40}
      Text__c: {type: long_text, label: Text, length: 131072}
      Short__c: {type: text, label: Short, length: 255}
      Mail__c: {type: email, label: Mail}
      Call__c: {type: phone, label: Call}
      Site__c: {type: url, label: Site}
      Pick__c: {type: picklist, label: Pick, values: [Hot, "Côté"]}
      Many__c: {type: multi_picklist, label: Many, values: [A, B, C]}
      Flag__c: {type: checkbox, label: Flag}
      Whole__c: {type: number, label: Whole, precision: 18, scale: 0}
      Score__c: {type: number, label: Score, precision: 18, scale: 4}
      Money__c: {type: currency, label: Money, precision: 18, scale: 2}
      Share__c: {type: percent, label: Share, precision: 5, scale: 2}
      Day__c: {type: date, label: Day}
      At__c: {type: datetime, label: At}
      Time__c: {type: time, label: Time}
"""
FIELDS = (
    "Key__c", "Text__c", "Short__c", "Mail__c", "Call__c", "Site__c", "Pick__c", "Many__c",
    "Flag__c", "Whole__c", "Score__c", "Money__c", "Share__c", "Day__c", "At__c", "Time__c",
)  # fmt: skip
NUMBERS = {"Whole__c", "Score__c", "Money__c", "Share__c"}
# What XML 1.0 can hold at all; the texts of the formats that hold more are tested in test_values.
letters = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff")
traps = st.sampled_from(
    ['"', '""', "'", "\n", "\u2028", "\u0085", "😀", "שלום", "مرحبا", ",", ";", "|", "\\", "<&>",
     "]]>", "&amp;", "=1+1", "_x0041_", "0123", "NULL", "1e5", "null", "true", "#N/", "{{", "a\tb"]
)  # fmt: skip
texts = (
    st.lists(st.one_of(traps, st.text(letters, max_size=6)), min_size=1, max_size=6)
    .map("".join)
    .map(str.strip)
)


def decimals(digits, places):
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda n: Decimal(n).scaleb(-places))


days = st.one_of(
    st.dates(date(1700, 1, 1), date(4000, 12, 31)),
    st.sampled_from([date(1700, 1, 1), date(4000, 12, 31), date(2000, 2, 29), date(1900, 2, 28)]),
)
moments = st.one_of(
    st.datetimes(datetime(1700, 1, 1), datetime(4000, 12, 31)),  # noqa: DTZ001 - UTC is put on below
    st.sampled_from([datetime(2026, 3, 29, 1, 30), datetime(2026, 10, 25, 0, 59, 59)]),  # noqa: DTZ001
).map(lambda t: t.replace(microsecond=0, tzinfo=UTC))


def maybe(values):
    return st.one_of(st.none(), values)


rows_of_every_type = st.lists(
    st.fixed_dictionaries(
        {
            "Text__c": maybe(texts.filter(bool)),
            "Short__c": maybe(texts.filter(bool)),
            "Mail__c": maybe(st.sampled_from(["a.b+c@example.org", "o'neil@acme.example"])),
            "Call__c": maybe(st.sampled_from(["+49 (0) 123", "0123"])),
            "Site__c": maybe(st.sampled_from(["https://a.example/?q=1&r=ä", "a.example"])),
            "Pick__c": maybe(st.sampled_from(["Hot", "Côté"])),
            "Many__c": maybe(st.sampled_from(["A", "A;C", "A;B;C"])),
            "Flag__c": st.booleans(),
            "Whole__c": maybe(decimals(18, 0)),
            "Score__c": maybe(decimals(18, 4)),
            "Money__c": maybe(decimals(18, 2)),
            "Share__c": maybe(decimals(5, 2)),
            "Day__c": maybe(days),
            "At__c": maybe(moments),
            "Time__c": maybe(st.times().map(lambda t: t.replace(microsecond=0))),
        }
    ),
    min_size=6,
    max_size=12,
)


TRAPS = 'a "b" \'c\' ""\n\u2028\u0085😀 שלום مرحبا, ; | \\ <&> ]]> &amp; _x0041_ NULL #N/ {{ a\tb z'
EMPTY = {name: None for name in FIELDS if name != "Key__c"} | {"Flag__c": False}
FULL = {
    "Text__c": "text",
    "Short__c": "short",
    "Mail__c": "a@acme.example",
    "Call__c": "+49 (0) 123",
    "Site__c": "a.example",
    "Pick__c": "Hot",
    "Many__c": "A;B",
    "Flag__c": True,
    "Whole__c": Decimal(7),
    "Score__c": Decimal("0.5"),
    "Money__c": Decimal("1.25"),
    "Share__c": Decimal("12.5"),
    "Day__c": date(2026, 1, 31),
    "At__c": datetime(2026, 1, 31, 8, tzinfo=UTC),
    "Time__c": time(8, 30),
}
HARD = [
    EMPTY | {"Text__c": TRAPS, "Short__c": "=1+1", "Site__c": "https://a.example/?q=1&r=ä"},
    EMPTY | {"Text__c": "x😀" * 10_000, "Short__c": "0123", "Pick__c": "Côté", "Many__c": "A;B;C"},
    EMPTY | {"Whole__c": Decimal(123456789012345), "Score__c": Decimal("-99999999999.9999")},
    EMPTY | {"Whole__c": Decimal("9" * 18), "Score__c": Decimal("12345678901234.5678")},
    EMPTY | {"Whole__c": Decimal(-(10**17) - 1), "Money__c": Decimal("-9999999999999999.99")},
    EMPTY | {"Money__c": Decimal("1234567890123.45"), "Share__c": Decimal("-0.01")},
    EMPTY | {"Whole__c": Decimal(0), "Score__c": Decimal("0.0001"), "Money__c": Decimal("0.10")},
    EMPTY | {"Day__c": date(1700, 1, 1), "At__c": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)},
    EMPTY | {"Day__c": date(4000, 12, 31), "At__c": datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)},
    EMPTY | {"Day__c": date(2000, 2, 29), "At__c": datetime(1700, 1, 1, tzinfo=UTC)},
    EMPTY | {"Flag__c": True, "Time__c": time(23, 59, 59), "Mail__c": "o'neil@acme.example"},
    EMPTY,
]


def written(value):
    """A value as a text file has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def as_csv(rows, delimiter=","):
    stream = io.StringIO()
    lines = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    lines.writerow(FIELDS)
    lines.writerows([written(row[name]) for name in FIELDS] for row in rows)
    return stream.getvalue().encode()
