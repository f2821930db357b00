"""What one machine began, another finishes and uses, with nothing of the first one's files."""

import csv
import json

import pytest

LOAD = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  api: {api}
  undo: true
  max_failures: 50%
"""
ROWS = 450


def rows(*, tier="Tin"):
    """A source with nine rows that the org refuses."""
    lines = (f"n {n},E{n:03},{'Gold' if n % 50 else tier}\n" for n in range(ROWS))
    return "Name,ERP_Id__c,Tier__c\n" + "".join(lines)


def accounts(org):
    found = org.rows("SELECT ERP_Id__c FROM Account")
    assert len({each["ERP_Id__c"] for each in found}) == len(found), "each once"
    return len(found)


def killed_midway(machine, *words, points):
    """Kill a run once part of its rows were sent."""
    ended = machine.run(*words, kill_at=points)
    assert ended.code == -9, ended.err
    machine.die()


def read(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return [*csv.DictReader(lines)]


def test_a_run_of_a_state_folder_is_finished_in_the_shared_state(fleet, two, job, org):
    ada, bob = two
    shared, ada.state = ada.state, str(ada.folder / "own")
    ada.write("jobs/a.csv", rows())
    name = job(LOAD.format(api="rest"))
    # Requests are side by side: how many were answered by then differs.
    assert ada.run("run", name, kill_at=45).code == -9
    assert ada.run("state", "export", "state.zip").code == 0
    ada.state = shared
    taken = ada.run("state", "import", "state.zip", "-o", "json")
    assert taken.code == 0, taken.err
    (run_id,) = taken.document["unfinished"]
    ada.die()
    ended = bob.run("resume", "-o", "json")
    assert (ended.code, ended.document["run_id"]) == (3, run_id), ended.err
    assert accounts(org) == ROWS - 9


@pytest.mark.parametrize("api", ["rest", pytest.param("bulk", marks=pytest.mark.slow)])
def test_a_run_is_finished_retried_reported_and_undone_by_other_machines(fleet, two, job, org, api):
    ada, bob = two
    ada.write("jobs/a.csv", rows())  # only there: its rows are in the store once the task has begun
    name = job(LOAD.format(api=api))
    killed_midway(ada, "run", name, points=70)
    held = bob.run("resume", "-o", "json")
    assert (held.code, "nothing to resume" in held.out) == (2, True), "it may be alive"
    fleet.run_out()

    ended = bob.run("resume", "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    (task,) = ended.document["tasks"]
    assert (task["counts"]["read"], task["counts"]["failed"]) == (ROWS, 9)
    assert accounts(org) == ROWS - 9

    cat = fleet.machine("cat")
    cat.write("jobs/job.yaml", (bob.checkout / name).read_text())
    shown = cat.run("show", "last", "-o", "json").document
    results = cat.runs / shown["run_id"] / "load"
    assert shown["tasks"][0]["outcome"]["results"] == str(results)
    failed = read(results / "failed.csv")
    assert len(failed) == 9
    assert {each["sf__Code"] for each in failed} == {"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"}
    assert f"run {shown['run_id']}: exit 3" in cat.run("logs", "last").out
    report = cat.run("report", "last")
    assert report.code == 0, report.err

    (results / "failed.csv").write_text(
        (results / "failed.csv").read_text(encoding="utf-8").replace("Tin", "Gold")
    )
    retried = cat.run("retry", "last", "-o", "json")
    assert retried.code == 0, retried.err + retried.out
    assert accounts(org) == ROWS
    for run_id in (retried.document["run_id"], shown["run_id"]):
        undone = bob.run("undo", run_id, "--yes", "-o", "json")
        assert undone.code == 0, undone.err + undone.out
    assert accounts(org) == 0
    history = json.loads(cat.run("history", "-o", "json").out)["runs"]
    assert len(history) == 4


TWO_TASKS = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  api: rest
- name: people
  create: Contact
  from: b.csv
  api: rest
"""


def test_a_file_that_only_the_dead_machine_had_is_needed_by_tasks_that_had_not_begun(
    fleet, two, job, org
):
    ada, bob = two
    ada.write("jobs/a.csv", rows(tier="Gold"))
    ada.write("jobs/b.csv", "LastName\nx\n")
    name = job(TWO_TASKS)
    killed_midway(ada, "run", name, points=50)
    fleet.run_out()
    # Counting records would miss this: requests of the dead run may still be under way.
    org.fault(kind="status", method="POST", status=503)
    refused = bob.run("resume")
    assert refused.code == 2, refused.err
    assert "there is no file b.csv" in refused.err
    assert "began on ada; the file may be there" in refused.err
    assert "a.csv" not in refused.err, "its rows are stored"
    assert "503" not in refused.err, "nothing was sent"
    org.go_on()
    bob.write("jobs/b.csv", "LastName\nx\n")
    ended = bob.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert accounts(org) == ROWS
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 1}]


def test_a_run_is_abandoned_elsewhere_and_the_state_is_not_exported(fleet, two, job):
    ada, bob = two
    ada.write("jobs/a.csv", rows())
    killed_midway(ada, "run", job(LOAD.format(api="rest")), points=50)
    fleet.run_out()
    abandoned = bob.run("resume", "--abandon")
    assert abandoned.code == 0, abandoned.err
    assert "may have reached the org" in abandoned.out
    refused = bob.run("state", "export", "x")
    assert refused.code == 2
    assert "is shared, so it cannot be exported" in refused.err


def test_doctor_looks_at_the_database_and_the_store(fleet, two):
    ada, _ = two
    found = {each["about"]: each for each in ada.run("doctor", "-o", "json").document["findings"]}
    assert found["shared state"]["text"].endswith(f"schema {fleet.schema}")
    assert found["files of runs"]["text"].endswith("can be written")
    (fleet.root / "store").rename(fleet.root / "gone")
    (fleet.root / "store").write_text("in the way")
    told = ada.run("doctor")
    assert "error    shared state: file:///" in told.out
    assert "cannot be written" in told.out


KNOWN = """
- name: gold
  mirror: Account
  key: ERP_Id__c
  scope: Tier__c = 'Gold'
  managed: true
  from: gold.csv
  api: rest
- name: changed
  query: SELECT Id, Name, SystemModstamp FROM Account
  since: SystemModstamp
  lag: 0s
  overlap: 0s
  to: {file: changed.csv, mode: append}
"""


def done(machine, *words):
    ended = machine.run(*words, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    return ended.document


def test_what_runs_on_one_machine_have_found_out_holds_on_all(fleet, two, job, org):
    ada, bob = two
    name = job(KNOWN)
    fleet.write("jobs/gold.csv", "ERP_Id__c,Name,Tier__c\nE1,one,Gold\nE2,two,Gold\n")
    by_hand = org.create("Account", Name="by hand", Tier__c="Gold")
    org.later()
    first = done(ada, "run", name)["run_id"]
    extracted = (ada.checkout / "jobs" / "changed.csv").read_text(encoding="utf-8")
    assert "by hand" in extracted
    org.later()
    bob.write("jobs/gold.csv", "ERP_Id__c,Name,Tier__c\nE1,one,Gold\nE3,three,Gold\n")
    assert bob.run("plan", name).code == 0
    done(bob, "run", name)
    last = done(bob, "run", name)["run_id"]
    left = org.rows("SELECT Id, Name FROM Account ORDER BY Name")
    assert [each["Name"] for each in left] == ["by hand", "one", "three"]
    assert by_hand in {each["Id"] for each in left}
    extracted = (bob.checkout / "jobs" / "changed.csv").read_text(encoding="utf-8")
    assert "by hand" in extracted, "its file was not there: all records, once"
    assert extracted.count("by hand") == 1

    assert (ada.runs / first).is_dir()
    assert done(bob, "history", "--prune", "--keep", "1")["pruned"][-1] == first
    assert not any(first in str(each) for each in (fleet.root / "store").rglob("*.csv*"))
    done(ada, "run", name)
    assert not (ada.runs / first).exists()
    assert (bob.runs / last).is_dir()
