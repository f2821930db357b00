"""A state folder that was replaced by an older copy of itself in the middle of a run's life."""

import shutil

JOB = """
- name: load
  create: Account
  from: a.csv
  {more}
"""
REST = "batch_size: 10\n  concurrency: serial"
LEDGER = "ledger.sqlite"


def stopped_after_20_rows(bench, org, header, row):
    """A run of 50 rows that the daily limit stops, and a copy of the ledger at that moment."""
    bench.write("a.csv", header + "".join(row(n) for n in range(50)))
    job = bench.job(JOB.format(more=REST))
    org.fault(kind="daily_limit", method="POST", path="/composite/sobjects", after=2)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    copy_ledger(bench, org)


def copy_ledger(bench, org):
    assert org.request("DELETE", "/__org/faults").status_code < 300
    for file in bench.state.glob(f"{LEDGER}*"):
        shutil.copy(file, bench.folder / file.name)


def put_back(bench):
    for file in bench.state.glob(f"{LEDGER}*"):
        file.unlink()
    for file in bench.folder.glob(f"{LEDGER}*"):
        shutil.copy(file, bench.state / file.name)


def total(org):
    return org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"]


def test_rows_that_nothing_identifies_are_in_doubt_and_not_sent_twice(bench, org):
    stopped_after_20_rows(bench, org, "Name\n", "n {}\n".format)
    assert bench.run("resume").code == 0
    assert total(org) == 50
    put_back(bench)
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert total(org) == 50
    counts = ended.task("load")["counts"]
    assert (counts["created"], counts["in_doubt"]) == (20, 30)
    told = ended.task("load")["top_errors"][0]["message"]
    assert "30 more records of Account than the ledger has" in told
    assert "older copy" in told


def test_rows_with_a_unique_field_are_found(bench, org):
    stopped_after_20_rows(bench, org, "Name,ERP_Id__c\n", "n {0},E{0}\n".format)
    assert bench.run("resume").code == 0
    put_back(bench)
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 50
    assert total(org) == 50


def test_records_of_another_run_are_not_taken_for_rows_of_this_one(bench, org):
    stopped_after_20_rows(bench, org, "Name\n", "n {}\n".format)
    bench.write("b.csv", "Name\nother\n")
    other = "- name: load\n  create: Account\n  from: b.csv\n  api: {api}\n"
    for api in ("rest", "bulk"):
        assert bench.run("run", bench.job(other.format(api=api), name=f"{api}.yaml")).code == 0
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 50
    assert total(org) == 52


def test_a_part_that_an_unknown_bulk_job_has_processed_is_in_doubt(bench, org):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(50)))
    job = bench.job(JOB.format(more="api: bulk"))
    org.fault(kind="daily_limit", method="POST", path="/jobs/ingest")
    assert bench.run("run", job).code == 5
    copy_ledger(bench, org)
    assert bench.run("resume").code == 0
    put_back(bench)
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    assert total(org) == 50
    assert ended.task("load")["counts"]["in_doubt"] == 50
    assert "older copy" in ended.task("load")["message"]
