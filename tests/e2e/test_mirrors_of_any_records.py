"""Mirrors beside people who edit: in the scope equal, outside untouched."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

JOB = """
- name: gold
  mirror: Account
  key: ERP_Id__c
  scope: Tier__c = 'Gold'
  from: gold.csv
  api: {api}
- name: people
  update: Account
  from: people.csv
  needs: [gold]
"""
SOQL = "SELECT Id, ERP_Id__c, Name, Tier__c, SystemModstamp FROM Account"
KEYS = ("K1", "K2", "K3", "K4")

tiers = st.sampled_from(["Gold", "Gold", "Silver", None])
records = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), tiers, tiers, st.booleans()), min_size=6, max_size=6
)
"""Of each record: name, tier, tier that somebody gives it during the run, whether they do."""
rows = st.dictionaries(st.sampled_from((*KEYS, "K9")), st.sampled_from(["a", "b"]), min_size=1)


class Mirrored:
    """One org, mirrored again and again."""

    def __init__(self, bench, org):
        self._bench = bench
        self._org = org

    def check(self, given_records, given_rows, api):
        assert self._org.request("POST", "/__org/reset").status_code == 204
        keys = [*KEYS, None, None]
        made = []
        for key, (name, tier, later, moves) in zip(keys, given_records, strict=True):
            values = {"Name": name, "Tier__c": tier, **({"ERP_Id__c": key} if key else {})}
            made.append((self._org.create("Account", **values), key, tier, later, moves))
        before = {row["Id"]: row for row in self._org.rows(SOQL)}
        outside = {key for _, key, tier, *_ in made if key and tier != "Gold"}
        # Only what the source does not have is moved: the others may be written before or after.
        edits = {
            record: later
            for record, key, _, later, moves in made
            if moves and key not in given_rows
        }
        self._bench.write("people.csv", "".join(self._lines("Id,Tier__c", edits)))
        given = {key: f"{name},Gold" for key, name in given_rows.items()}
        self._bench.write("gold.csv", "".join(self._lines("ERP_Id__c,Name,Tier__c", given)))
        job = self._bench.job(JOB.format(api=api))
        ended = self._bench.run("run", job, "-o", "json")
        assert ended.code in {0, 1, 3}, ended.err
        refused = ended.task("gold")["counts"]["failed"]
        assert refused == len(outside & given_rows.keys())
        after = {row["Id"]: row for row in self._org.rows(SOQL)}
        for record, key, tier, later, _ in made:
            moved = record in edits and (later or tier) != tier
            ends = (later or tier) if record in edits else tier
            if tier != "Gold" and not moved:
                assert after[record]["Name"] == before[record]["Name"]
                assert after[record]["Tier__c"] == tier
                if record not in edits:
                    assert after[record] == before[record]
            elif ends != "Gold" or tier != "Gold":
                assert record in after  # it was outside before the run, or is by the deletes
            elif refused < len(given_rows):
                assert (record in after) == (key in given_rows)
        wanted = {key: name for key, name in given_rows.items() if key not in outside}
        found = {
            row["ERP_Id__c"]: row["Name"]
            for row in after.values()
            if row["Tier__c"] == "Gold" and row["Id"] not in edits
        }
        if refused < len(given_rows):
            assert found == wanted

    @staticmethod
    def _lines(header, values):
        return [f"{header}\n", *(f"{key},{value or ''}\n" for key, value in values.items())]


@pytest.fixture
def mirrored(bench, org):
    return Mirrored(bench, org)


HARD = [
    ("a", "Gold", "Silver", True),
    ("a", "Gold", None, False),
    ("a", "Silver", "Gold", True),
    ("b", None, None, False),
    ("a", "Gold", "Silver", True),
    ("b", "Gold", None, False),
]


@pytest.mark.parametrize("api", ["rest", "bulk"])
def test_a_mirror_beside_people_who_edit(mirrored, api):
    mirrored.check(HARD, {"K2": "b", "K4": "a", "K9": "a"}, api)


@pytest.mark.slow
@settings(
    max_examples=40,
    phases=[Phase.generate],  # to shrink takes minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(given_records=records, given_rows=rows, api=st.sampled_from(["rest", "bulk"]))
def test_any_mirror_beside_people_who_edit(mirrored, given_records, given_rows, api):
    mirrored.check(given_records, given_rows, api)
