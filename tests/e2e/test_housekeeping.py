"""Old runs go when they are told to; what somebody may resume stays."""

import json
import signal

import pytest

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""
SLOW = """
- name: load
  create: Account
  from: a.csv
  api: bulk
"""


def history(bench):
    return json.loads(bench.run("history", "-o", "json").out)["runs"]


def test_prune_keeps_the_newest_and_their_files(bench, org):
    job = bench.job(ONE)
    for _ in range(3):
        assert bench.run("run", job).code == 0
    newest, *older = [run["run_id"] for run in history(bench)]
    assert bench.run("history", "--prune").out == "0 runs deleted\n", "none is 90 days old"
    assert bench.run("history", "--keep", "1").code == 2
    ended = bench.run("history", "--prune", "--keep", "1", "-o", "json")
    assert sorted(ended.document["pruned"]) == sorted(older)
    assert [run["run_id"] for run in history(bench)] == [newest]
    assert {each.name for each in (bench.state / "runs").iterdir()} == {newest}


@pytest.mark.parametrize("damage", [b"no ledger at all" * 300, b""], ids=["scribbled", "emptied"])
def test_a_damaged_ledger_is_never_silently_begun_anew(bench, org, damage):
    job = bench.job(ONE)
    assert bench.run("run", job).code == 0
    for file in bench.state.glob("ledger.sqlite-*"):
        file.unlink()
    (bench.state / "ledger.sqlite").write_bytes(damage)
    if damage:
        refused = bench.run("run", job)
        assert refused.code == 1
        assert "is damaged" in refused.err
    assert "unfinished runs from before are no longer known" in bench.run("history").err
    anew = bench.run("run", job)
    assert anew.code == 0
    assert "unfinished runs from before are no longer known" in anew.err
    assert len(list(bench.state.glob("ledger.sqlite.damaged-*"))) == bool(damage)
    assert "the ledger was recreated" not in bench.run("run", job).err


def test_an_unfinished_run_is_never_pruned_and_its_working_files_go(bench, serve_org):
    org = serve_org()
    org.stall_jobs()
    bench.write("a.csv", "Name\nx\n")
    process = bench.begin("run", bench.job(SLOW), "-v")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    org.go_on()
    (died,) = history(bench)
    folder = bench.state / "runs" / died["run_id"] / "load"
    assert (folder / "staging").exists()
    assert died["unfinished"]
    pruned = bench.run("history", "--prune", "--keep", "0")
    assert f"{died['run_id']} is unfinished and was not deleted" in pruned.out
    assert bench.run("run", bench.job(ONE, name="other.yaml")).code == 0
    assert not (folder / "staging").exists(), "any run sweeps what dead ones left"
    (folder / ".succeeded.csv.part").write_text("half", encoding="utf-8")
    assert bench.run("resume").code == 0
    assert sorted(each.name for each in folder.iterdir()) == [
        "failed.csv",
        "succeeded.csv",
        "undo",
        "unprocessed.csv",
    ]
