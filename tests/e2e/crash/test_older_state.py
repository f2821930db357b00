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


def stopped_before_the_first_job(bench, org, rows=50):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(rows)))
    job = bench.job(JOB.format(more="api: bulk"))
    org.fault(kind="daily_limit", method="POST", path="/jobs/ingest")
    assert bench.run("run", job).code == 5
    org.go_on()


def run_elsewhere(bench, org, source):
    """A run with a state of its own, of the same user, on the same object, with as many rows."""
    bench.write("b.csv", source)
    bench.env["TOKEN"] = org.token
    task = "{name: load, create: Account, from: b.csv, api: bulk, retry: {attempts: 1}}"
    connection = f"{{environment: local, url: '{org.url}', token: {{env: TOKEN}}}}"
    job = bench.job(f"- {task}\n", name="other.yaml", connection=connection)
    return bench.run("run", job, "--state", "elsewhere")


def test_a_job_of_other_rows_is_not_taken_for_one_of_the_run(bench, org):
    stopped_before_the_first_job(bench, org)
    others = "Name\n" + "".join(f"other {n}\n" for n in range(50))
    assert run_elsewhere(bench, org, others).code == 0
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 50
    assert total(org) == 100


def test_an_unknown_job_that_failed_half_way_has_the_rows_all_the_same(bench, org):
    stopped_before_the_first_job(bench, org, rows=3_000)
    org.fault(kind="job_fails", rows=500)
    assert run_elsewhere(bench, org, (bench.folder / "a.csv").read_text()).code != 0
    org.go_on()
    made = total(org)
    assert 0 < made < 3_000
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    assert ended.task("load")["counts"]["in_doubt"] == 3_000
    assert total(org) == made


def test_a_job_that_could_not_be_closed_has_not_processed_its_rows(bench, org):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(50)))
    org.fault(
        kind="status",
        status=403,
        code="API_DISABLED_FOR_ORG",
        method="PATCH",
        path="/jobs/",
        times=1,
    )
    ended = bench.run("run", bench.job(JOB.format(more="api: bulk")), "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    counts = ended.task("load")["counts"]
    assert (counts["in_doubt"], counts["unprocessed"]) == (0, 50)
    [job] = org.request("GET", "/services/data/v68.0/jobs/ingest").json()["records"]
    assert job["state"] == "Aborted"
    assert total(org) == 0
