"""Mirrors beside people who edit, with runs that are killed and plans that are applied.

In the scope it becomes equal, outside all stays as it was, and `managed` never deletes what a
person has made.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.short_form import slow

JOB = """
- name: gold
  mirror: Account
  key: ERP_Id__c
  scope: Tier__c = 'Gold'
  from: gold.csv
  undo: true
  api: {api}
  {managed}
  {missing}
"""
MANAGED = {
    "no": "",
    "ledger": "managed: true",
    "field": "managed: true\n  owner_field: AccountNumber",
}
MISSING = {"delete": "", "set": "missing: {set: {Active__c: false}}"}
OWNER = "test/gold"
FIELDS = ("Id", "ERP_Id__c", "Name", "Tier__c", "Active__c", "AccountNumber", "SystemModstamp")
SOQL = f"SELECT {', '.join(FIELDS)} FROM Account"
KEYS = ("K1", "K2", "K3", "K4")
RECORD = "/services/data/v60.0/sobjects/Account/{}"
UNDELETE = """<?xml version="1.0"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns="urn:partner.soap.sforce.com">
<soapenv:Header><SessionHeader><sessionId>{}</sessionId></SessionHeader></soapenv:Header>
<soapenv:Body><undelete><ids>{}</ids></undelete></soapenv:Body></soapenv:Envelope>"""
STOPPED = -9


class World:
    """One org and one mirror; what people do, and what must be so after each run."""

    def __init__(self, org, bench, killer):
        self._org = org
        self._bench = bench
        self._killer = killer
        self._states = 0

    def start(self, api="rest", managed="no", missing="delete"):
        assert self._org.request("POST", "/__org/reset").status_code == 204
        self._states += 1
        self._state = self._bench.folder / "states" / str(self._states)
        connection = f"{{environment: local, url: '{self._org.url}', token: {{env: T}}}}"
        tasks = JOB.format(api=api, managed=MANAGED[managed], missing=MISSING[missing])
        self._job = self._bench.job(tasks, connection=connection)
        self._managed, self._missing = managed, missing
        self._deleted = []
        self._own = set()
        """What the mirror has created."""
        self._last = None
        """The last run, and what was there before it, if nobody has done anything since."""
        self.source(K1="a")

    # What people do

    def source(self, **names):
        self._names = names
        rows = "".join(f"{key},{name},Gold\n" for key, name in names.items())
        self._bench.write("gold.csv", f"ERP_Id__c,Name,Tier__c\n{rows}")
        self._last = None

    def create(self, tier, key=None):
        if not key or key not in {row["ERP_Id__c"] for row in self._records().values()}:
            more = {"ERP_Id__c": key} if key else {}
            self._org.create("Account", Name="by hand", Tier__c=tier, Active__c=True, **more)
        self._edited()

    def change(self, number, **values):
        record = self._some(self._records(), number)
        if record:
            answer = self._org.request("PATCH", RECORD.format(record), json=values)
            assert answer.status_code == 204, answer.text
        self._edited()

    def delete(self, number):
        record = self._some(self._records(), number)
        if record:
            assert self._org.request("DELETE", RECORD.format(record)).status_code == 204
        self._edited()

    def undelete(self, number):
        """Bring a record back; the org refuses one whose key another has by now."""
        record = self._some(self._gone(), number)
        if record:
            self._org.request(
                "POST",
                "/services/Soap/u/60.0",
                content=UNDELETE.format(self._org.token, record),
                headers={"Content-Type": "text/xml", "SOAPAction": '""'},
            )
        self._edited()

    # What the mirror does

    def run(self, kill_at=None):
        self._check(lambda: self._finished("run", self._job, "-o", "json", kill_at=kill_at))

    def plan_and_apply(self, number, kill_at=None, *, edits=False):
        """Apply a plan; with `edits`, one of the records has changed since it was made."""
        saved = self._bench.folder / "saved.plan"
        planned = self._command("plan", self._job, "--save", saved, "-o", "json")
        assert planned.code == 0, planned.out + planned.err
        edited = self._some(self._records(), number) if edits else None
        if edited:
            self._later()
            self.change(number, Name="edited")
        words = ("apply", saved, "--yes", "-o", "json")
        self._check(lambda: self._finished(*words, kill_at=kill_at), edited)

    def undo(self):
        if self._last is None:
            return
        run_id, before = self._last
        ended = self._command("undo", run_id, "--yes", "-o", "json")
        assert ended.code == 0, ended.out + ended.err
        after = self._records()
        for record in before.keys() | after.keys():
            assert _values(after.get(record)) == _values(before.get(record)), record
        self._own &= after.keys() | self._gone_before
        self._edited()

    def _check(self, act, edited=None):
        self._later()
        before, names = self._records(), self._names
        self._gone_before = self._gone()
        ended = act()
        after = self._records()
        by_key = {row["ERP_Id__c"]: record for record, row in before.items()}
        inside = {record for record, row in before.items() if row["Tier__c"] == "Gold"}
        blocked = {key for key in names if key in by_key and by_key[key] not in inside}
        for record in before.keys() - inside:
            assert after[record] == before[record]
        self._last = None
        if blocked == names.keys():
            assert ended.code == 1, ended.out + ended.err
            assert after == before
            return
        fits = {0, 3} if edited else {3} if blocked else {0}
        assert ended.code in fits, ended.out + ended.err
        new = after.keys() - before.keys()
        self._own |= new
        found = {after[each]["ERP_Id__c"]: each for each in after}
        for key in names.keys() - blocked:
            assert found[key] == by_key.get(key, found[key])
            if found[key] != edited:
                assert (after[found[key]]["Name"], after[found[key]]["Tier__c"]) == (
                    names[key],
                    "Gold",
                )
        assert {after[each]["ERP_Id__c"] for each in new} <= names.keys() - blocked
        for record in inside - {by_key[key] for key in names if key in by_key} - {edited}:
            if not self._may_delete(record, before[record]):
                assert after[record] == before[record]
            elif self._missing == "set":
                assert after[record]["Active__c"] is False
                assert after[record]["Name"] == before[record]["Name"]
            else:
                assert record not in after
        if edited and edited not in {by_key.get(key) for key in names}:
            assert after[edited] == before[edited]
        self._last = (ended.document["run_id"], before)

    def _may_delete(self, record, row):
        if self._managed == "field":
            return row["AccountNumber"] == OWNER
        return self._managed == "no" or record in self._own

    def _finished(self, *words, kill_at):
        """Run a command; if it is killed, resume what it has begun, or run it again."""
        before = self._last_run() if kill_at is not None else None
        ended = self._command(*words, kill_at=kill_at)
        if ended.code != STOPPED:
            return ended
        resumed = self._command("resume", "-o", "json")
        if resumed.code != 2:
            return resumed
        assert "nothing to resume" in resumed.out + resumed.err
        shown = self._command("show", "last", "-o", "json")
        # A run that is killed at its first point is in no ledger.
        if self._last_run() != before and shown.document["exit_code"] is not None:
            shown.code = shown.document["exit_code"]
            return shown
        return self._command(*words)

    def _last_run(self):
        """Its id; None if there is no run yet."""
        shown = self._command("show", "last", "-o", "json")
        return shown.document["run_id"] if shown.code == 0 else None

    def _command(self, *words, kill_at=None):
        return self._killer.run(*words, state=self._state, kill_at=kill_at)

    def _records(self):
        return {row["Id"]: row for row in self._org.rows(SOQL)}

    def _gone(self):
        path = "/services/data/v60.0/queryAll"
        query = {"q": f"{SOQL} WHERE IsDeleted = true"}
        answer = self._org.request("GET", path, params=query)
        return {row["Id"] for row in answer.json()["records"]}

    def _edited(self):
        self._last = None
        self._later()

    def _later(self):
        """The org tells times to the second: what comes later has another one."""
        self._ahead = getattr(self, "_ahead", 0) + 5
        answer = self._org.request("POST", "/__org/clock", json={"ahead": self._ahead})
        assert answer.status_code == 200, answer.text

    @staticmethod
    def _some(records, number):
        return sorted(records)[number % len(records)] if records else None


def _values(row):
    """What an undo puts back: all but the time of the last change."""
    return row and {name: row[name] for name in FIELDS if name != "SystemModstamp"}


@pytest.fixture
def world(org, bench, killer):
    killer.env["T"] = org.token
    return World(org, bench, killer)


@pytest.mark.parametrize(("api", "managed"), [("bulk", "field"), *slow(("rest", "ledger"))])
def test_a_mirror_beside_people_is_killed_and_applied(world, api, managed):
    world.start(api, managed)
    world.create("Gold")
    world.create("Gold", "K1")
    world.create("Silver", "K2")
    world.source(K1="a", K2="b", K3="c", K4="d")
    world.run(kill_at=20)
    world.source(K4="d")
    world.plan_and_apply(0)
    world.undo()
    world.delete(3)
    world.undelete(0)
    world.run()


number = st.integers(0, 20)
tiers = st.sampled_from(["Gold", "Gold", "Silver", None])


class Machine(RuleBasedStateMachine):
    """What people, the source and the mirror do, in any order."""

    world: World

    @initialize(
        api=st.sampled_from(["rest", "bulk"]),
        managed=st.sampled_from([*MANAGED]),
        missing=st.sampled_from([*MISSING]),
    )
    def start(self, api, managed, missing):
        self.world.start(api, managed, missing)

    @rule(names=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a", "b"]), min_size=1))
    def source(self, names):
        self.world.source(**names)

    @rule(tier=tiers, key=st.sampled_from((None, *KEYS)))
    def create(self, tier, key):
        self.world.create(tier, key)

    @rule(number=number, name=st.sampled_from(["a", "b", "other"]))
    def rename(self, number, name):
        self.world.change(number, Name=name)

    @rule(number=number, tier=tiers)
    def move(self, number, tier):
        self.world.change(number, Tier__c=tier)

    @rule(number=number)
    def take_over(self, number):
        self.world.change(number, AccountNumber=None)

    @rule(number=number)
    def delete(self, number):
        self.world.delete(number)

    @rule(number=number)
    def undelete(self, number):
        self.world.undelete(number)

    @rule()
    def run(self):
        self.world.run()

    @rule(kill_at=st.integers(1, 90))
    def run_and_kill(self, kill_at):
        self.world.run(kill_at)

    @rule(number=number, edits=st.booleans(), kill_at=st.none() | st.integers(1, 90))
    def plan_and_apply(self, number, edits, kill_at):
        self.world.plan_and_apply(number, kill_at, edits=edits)

    @rule()
    def undo(self):
        self.world.undo()

    def teardown(self):
        self.world.run()


@pytest.mark.slow
def test_whatever_happens_beside_a_mirror(world):
    class OfThisWorld(Machine):
        pass

    OfThisWorld.world = world
    run_state_machine_as_test(
        OfThisWorld,
        settings=settings(
            max_examples=40,
            stateful_step_count=15,
            phases=[Phase.generate],  # to shrink takes minutes
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
