"""Whatever happens to source and org: an applied plan leaves nothing to plan, and moves no other.

Each record has a twin that a plain run writes: both have to end up the same.
"""

import csv
import io

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.e2e.test_only_changes_of_any_values import NOTHING, ORG_FILE, OTHER, PARENT, SPELLINGS

KEYS = [f"{n:02}" for n in range(6)]
CANONICAL = {name: [ways[0] for ways in values] for name, values in SPELLINGS.items()}
SOURCE = {
    name: [*NOTHING, *(way for ways in values for way in ways)]
    for name, values in SPELLINGS.items()
}
THINGS = "/services/data/v62.0/sobjects/Thing__c"
NAMES = ", ".join(name for name in SPELLINGS if name not in {PARENT, OTHER})
FIELDS = f"Id, Key__c, SystemModstamp, {NAMES}, Parent__c, Other__c"


class World:
    """A source and an org, with twins of everything."""

    def __init__(self, bench, org):
        self._bench, self._org = bench, org
        self.number = 0
        self._ids = {key: org.create("Account", Name=key, ERP_Id__c=key) for key in ("P1", "P2")}
        self.start()

    def start(self):
        """Begin with nothing, beside what was there before."""
        self.number += 1
        self.rows = {}

    def in_source(self, key, **cells):
        """A row of the source; without cells there is none."""
        self.rows.pop(key, None)
        if cells:
            self.rows[key] = dict.fromkeys(SPELLINGS, "") | cells

    def in_org(self, key, **values):
        """Change both records, or create them."""
        fields = {}
        for name, value in values.items():
            if name in {PARENT, OTHER}:
                field = "Parent__c" if name == PARENT else name
                fields[field] = self._ids[value] if value is not None else None
            else:
                fields[name] = (value == "true") if name == "Box__c" else value
        for kind in ("plan", "plain"):
            path = f"{THINGS}/Key__c/{self._key(kind, key)}"
            assert self._org.request("PATCH", path, json=fields).status_code in {200, 201, 204}

    def gone(self, key):
        """Delete both records, if they are there."""
        for kind in ("plan", "plain"):
            self._org.request("DELETE", f"{THINGS}/Key__c/{self._key(kind, key)}")

    def apply(self, api, blank):
        """Plan and apply for one half, run for the other; nothing is left, nothing else moved."""
        if not self.rows:
            return
        self._write_source()
        before = self._held("plan")
        job = self._job("plan", api, blank)
        planned = self._bench.run("plan", job, "--save", "a.plan", "-o", "json")
        assert planned.code == 0, planned.out + planned.err
        ended = self._bench.run("apply", "a.plan", "-o", "json")
        assert ended.code == 0, ended.out + ended.err
        again = self._bench.run("plan", job, "-o", "json", "--detailed-exitcode")
        assert again.code == 0, again.out + again.err
        ran = self._bench.run("run", self._job("plain", api, blank), "-o", "json")
        assert ran.code == 0, ran.out + ran.err

        after, twins = self._held("plan"), self._held("plain")
        assert self._values(after) == self._values(twins)
        (task,), (done,) = planned.document["tasks"], ended.document["tasks"]
        counts = task["counts"]
        assert counts["create"] == done["counts"]["created"]
        assert counts["update"] == done["counts"]["updated"]
        assert (
            counts["unchanged"]
            == done["counts"]["unchanged"]
            == len(self.rows) - (counts["create"] + counts["update"])
        )
        assert counts["create"] == len(after) - len(before)
        moved = {key for key in before if after[key] != before[key]}
        assert moved <= self.rows.keys()
        assert len(moved) == counts["update"], "what is not in the plan has not moved"
        shown = {row["key"][-2:]: row for row in task["rows"] if row["change"] == "update"}
        for key in moved:
            assert {cell["field"] for cell in shown[key]["cells"]} == self._differing(
                before[key], after[key]
            )

    def _differing(self, before, after):
        fields = {name for name in before if before[name] != after[name]} - {"SystemModstamp"}
        columns = {"Parent__c": PARENT}
        return {columns.get(name, name) for name in fields}

    def _values(self, held):
        hidden = {"Id", "Key__c", "SystemModstamp"}
        return {
            key: {name: value for name, value in record.items() if name not in hidden}
            for key, record in held.items()
        }

    def _key(self, kind, key):
        return f"w{self.number}-{kind}-{key}"

    def _held(self, kind):
        like = self._key(kind, "%")
        found = self._org.rows(f"SELECT {FIELDS} FROM Thing__c WHERE Key__c LIKE '{like}'")
        return {record["Key__c"][-2:]: record for record in found}

    def _write_source(self):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["number", *(name.replace(".", "_") for name in SPELLINGS)])
        for key, row in sorted(self.rows.items()):
            writer.writerow([key, *(self._text(name, row[name]) for name in SPELLINGS)])
        self._bench.write("a.csv", out.getvalue())

    def _text(self, name, value):
        if name == OTHER and value not in NOTHING:
            return self._ids["P1"][:15] if value == "15" else self._ids[value]
        return value

    def _job(self, kind, api, blank):
        fields = ", ".join(f"{name}: {name.replace('.', '_')}" for name in SPELLINGS)
        prefix = self._key(kind, "")
        return self._bench.job(
            f"- {{name: load, upsert: Thing__c, key: Key__c, from: a.csv, blank: {blank},"
            f" api: {api}, fields: {{Key__c: \"'{prefix}' || number\", {fields}}}}}",
            name=f"{kind}.yaml",
        )


@pytest.fixture
def world(bench, serve_org):
    return World(bench, serve_org(org_file=ORG_FILE))


@pytest.mark.parametrize("api", ["rest", "bulk"])
def test_a_plan_applied_leaves_nothing_to_plan(world, api):
    world.in_org("00", Text__c="a", Number__c="1.5", **{PARENT: "P1"})
    world.in_org("01", Text__c="a", Box__c="true", Many__c="A;B")
    world.in_org("02", Text__c="left alone")
    world.in_source("00", Text__c=" a\t", Number__c="1.495", **{PARENT: "p2"})
    world.in_source("01", Text__c="a", Box__c="1", Many__c="B;A")
    world.in_source("03", Text__c="new", Day__c="2026-01-31", **{OTHER: "15"})
    world.apply(api, "keep")
    world.in_org("00", Text__c="by hand")
    world.gone("03")
    world.in_source("01", Text__c="#N/A", Money__c="1.015")
    world.apply(api, "clear")


class Machine(RuleBasedStateMachine):
    """Source and org, edited at random; every now and then a plan is applied."""

    world: World

    def __init__(self):
        super().__init__()
        self.world.start()

    @rule(
        key=st.sampled_from(KEYS),
        cells=st.fixed_dictionaries(
            {}, optional={n: st.sampled_from(w) for n, w in SOURCE.items()}
        ),
    )
    def edit_source(self, key, cells):
        self.world.in_source(key, **cells)

    @rule(
        key=st.sampled_from(KEYS),
        values=st.fixed_dictionaries(
            {},
            optional={
                name: st.sampled_from([*ways] if name == "Box__c" else [None, *ways])
                for name, ways in CANONICAL.items()
            },
        ),
    )
    def edit_org(self, key, values):
        if values:
            self.world.in_org(key, **values)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key):
        self.world.gone(key)

    @rule(api=st.sampled_from(["rest", "bulk"]), blank=st.sampled_from(["keep", "clear"]))
    def plan_and_apply(self, api, blank):
        self.world.apply(api, blank)

    def teardown(self):
        self.world.apply("rest", "keep")


@pytest.mark.slow
def test_whatever_happens_in_between(world):
    class OfThisWorld(Machine):
        pass

    OfThisWorld.world = world
    run_state_machine_as_test(
        OfThisWorld,
        settings=settings(
            max_examples=20,
            stateful_step_count=12,
            phases=[Phase.generate],  # to shrink takes minutes
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
