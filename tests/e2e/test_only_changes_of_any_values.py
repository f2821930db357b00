"""Whatever a source and the org hold: only the changes are sent, and the org ends up the same."""

import csv
import io
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.short_form import slow

ORG_FILE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 60, external_id: true, unique: true}
  Thing__c:
    label: Thing
    plural_label: Things
    fields:
      Key__c: {type: text, label: Key, length: 60, external_id: true, unique: true}
      Text__c: {type: long_text, label: Text, length: 1000}
      Many__c: {type: multi_picklist, label: Many, values: [A, B, C]}
      Box__c: {type: checkbox, label: Box}
      Whole__c: {type: number, label: Whole, precision: 9, scale: 0}
      Number__c: {type: number, label: Number, precision: 18, scale: 2}
      Money__c: {type: currency, label: Money, precision: 18, scale: 2}
      Day__c: {type: date, label: Day}
      At__c: {type: datetime, label: At}
      Time__c: {type: time, label: Time}
      Parent__c: {type: lookup, label: Parent, to: Account, relationship: Parent__r}
      Other__c: {type: lookup, label: Other, to: Account, relationship: Other__r}
"""
PARENT, OTHER = "Parent__r.ERP_Id__c", "Other__c"
SPELLINGS = {
    # Values, each with the ways in which a source may write it.
    "Text__c": [("a",), ("a", " a\t"), ("A",), ("a\nb", "a\r\nb"), ("\u00a0",), ('"x",;😀',)],
    "Many__c": [("A",), ("A;B", "B;A"), ("A;B;C", "C;A;B")],
    "Box__c": [("true", "TRUE", "1"), ("false", "no", "0")],
    "Whole__c": [("0", "-0"), ("7", "7.0", "+7"), ("-12", "-1.2e1")],
    "Number__c": [("0",), ("1.5", "1.50", "1.495"), ("1.01", "1.005"), ("-1.01", "-1.005")],
    "Money__c": [("1", "1.005"), ("1.02", "1.015"), ("-0.5",), ("1234567890123.45",)],
    "Day__c": [("2026-01-31", "2026-01-31T00:00:00Z"), ("1700-01-01",)],
    "At__c": [("2026-01-31T08:00:00Z", "2026-01-31 09:00:00.750+01:00"), ("1999-12-31T23:59:59Z",)],
    "Time__c": [("08:00:00Z", "08:00"), ("23:59:59.500Z",)],
    PARENT: [("P1", "p1", " P1 "), ("P2",)],
    OTHER: [("P1", "15"), ("P2",)],
}  # fmt: skip
NOTHING = ("", "#N/A")
KINDS = ("plain", "only")


def cells(name):
    """What the org holds of a field, and what the source writes: the same value, or another."""
    held = st.one_of(st.none(), st.sampled_from([ways[0] for ways in SPELLINGS[name]]))
    every = [way for ways in SPELLINGS[name] for way in ways]

    def sources(value):
        same = next((ways for ways in SPELLINGS[name] if ways[0] == value), ("",))
        return st.tuples(st.just(value), st.sampled_from([*same, *same, *every, *NOTHING]))

    return held.flatmap(sources)


rows = st.lists(
    st.tuples(st.booleans(), st.fixed_dictionaries({name: cells(name) for name in SPELLINGS})),
    min_size=1,
    max_size=12,
)


class Things:
    """Rows on their way into the org, once as they are and once compared."""

    def __init__(self, bench, org):
        self._bench, self._org = bench, org
        self._numbers = count(1)
        self._ids = {key: org.create("Account", Name=key, ERP_Id__c=key) for key in ("P1", "P2")}

    def check(self, given_rows, blank, api):
        batch = f"b{next(self._numbers)}"
        for kind in KINDS:
            self._seed(f"{batch}-{kind}", given_rows)
        before = {kind: self._held(f"{batch}-{kind}") for kind in KINDS}
        ended = self._run(batch, given_rows, blank, api)
        after = {kind: self._held(f"{batch}-{kind}") for kind in KINDS}
        values = {kind: [(row[0], *row[2:]) for row in after[kind]] for kind in KINDS}
        assert values["only"] == values["plain"]
        stamps = dict(row[:2] for row in before["only"])
        held = {row[0]: row[2:] for row in before["only"]}
        sent = {key for key, _ in self._succeeded(ended)}
        for key, stamp, *now in after["only"]:
            assert (key in sent) is (held.get(key) != tuple(now)), key
            assert key in sent or stamp == stamps[key]
        counts = ended.task("only")["counts"]
        assert counts["unchanged"] == len(given_rows) - len(sent)

    def _seed(self, prefix, given_rows):
        records = []
        for number, (exists, row) in enumerate(given_rows):
            record = {"attributes": {"type": "Thing__c"}, "Key__c": f"{prefix}-{number:02}"}
            for name, (value, _) in row.items():
                if value is not None:
                    record |= self._as_json(name, value)
            records += [record] if exists else []
        if records:
            body = {"allOrNone": True, "records": records}
            answer = self._org.request("POST", "/services/data/v62.0/composite/sobjects", json=body)
            assert all(each["success"] for each in answer.json()), answer.text

    def _as_json(self, name, value):
        if name == PARENT:
            return {"Parent__c": self._ids[value]}
        if name == OTHER:
            return {name: self._ids[value]}
        return {name: value == "true" if name == "Box__c" else value}

    def _run(self, batch, given_rows, blank, api):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["number", *(name.replace(".", "_") for name in SPELLINGS)])
        for number, (_, row) in enumerate(given_rows):
            writer.writerow([f"{number:02}", *(self._text(n, row[n][1]) for n in SPELLINGS)])
        self._bench.write("a.csv", out.getvalue())
        fields = ", ".join(f"{name}: {name.replace('.', '_')}" for name in SPELLINGS)
        job = self._bench.job(
            "\n".join(
                f"- {{name: {kind}, upsert: Thing__c, key: Key__c, from: a.csv, blank: {blank},"
                f" api: {api}, only_changes: {str(kind == 'only').lower()},"
                f" fields: {{Key__c: \"'{batch}-{kind}-' || number\", {fields}}}}}"
                for kind in KINDS
            )
        )
        ended = self._bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.out + ended.err
        return ended

    def _text(self, name, value):
        if name == OTHER and value not in NOTHING:
            return self._ids["P1"][:15] if value == "15" else self._ids[value]
        return value

    def _held(self, prefix):
        """Number, SystemModstamp and values of each record."""
        names = [name for name in SPELLINGS if name not in {PARENT, OTHER}]
        names = ", ".join([*names, "Parent__c", "Other__c"])
        soql = (
            f"SELECT Key__c, SystemModstamp, {names} FROM Thing__c WHERE Key__c LIKE '{prefix}-%'"
        )
        found = [tuple(row.values()) for row in self._org.rows(f"{soql} ORDER BY Key__c")]
        return [(row[0][-2:], *row[1:]) for row in found]

    @staticmethod
    def _succeeded(ended):
        file = Path(ended.task("only")["results"]) / "succeeded.csv"
        with file.open(encoding="utf-8", newline="") as lines:
            return [(row["number"], row["sf__Id"]) for row in csv.DictReader(lines)]


@pytest.fixture
def things(bench, serve_org):
    return Things(bench, serve_org(org_file=ORG_FILE))


def row_of(spelling, *, held=0):
    """A row of each field's first value, spelled in the n-th way."""
    chosen = {}
    for name, values in SPELLINGS.items():
        ways = next((ways for ways in values if len(ways) > spelling), values[0])
        chosen[name] = (
            values[values.index(ways) + held][0] if held >= 0 else None,
            ways[min(spelling, len(ways) - 1)],
        )
    return chosen


HARD = [
    (True, row_of(0)),
    (True, row_of(1)),
    (True, {name: (value, "") for name, (value, _) in row_of(0).items()}),
    (True, {name: (value, "#N/A") for name, (value, _) in row_of(0).items()}),
    (True, dict.fromkeys(SPELLINGS, (None, "#N/A"))),
    (True, dict.fromkeys(SPELLINGS, (None, ""))),
    (False, row_of(1)),
    (True, row_of(1) | {"Text__c": ("A", "a")}),
    (True, row_of(0) | {"Number__c": ("0", "1.005"), "Money__c": ("1.02", "1.005")}),
]


@pytest.mark.parametrize(
    ("api", "blank"),
    [("rest", "clear"), ("bulk", "keep"), *slow(("rest", "keep"), ("bulk", "clear"))],
)
def test_every_spelling_is_compared_as_it_would_be_stored(things, api, blank):
    things.check(HARD, blank, api)


@pytest.mark.slow
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],  # to shrink takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    given_rows=rows, blank=st.sampled_from(["keep", "clear"]), api=st.sampled_from(["rest", "bulk"])
)
@example(given_rows=HARD, blank="clear", api="bulk")
def test_only_changes_leaves_the_org_as_a_plain_run_does(things, given_rows, blank, api):
    things.check(given_rows, blank, api)
