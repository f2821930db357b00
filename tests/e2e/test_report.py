"""`runner report`: a run, and the runs of a job, as a file."""

import json

JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: rows.csv
"""


def test_a_run_and_the_runs_of_its_job_are_written_over_no_other_file(bench, org):
    bench.write("rows.csv", "ERP_Id__c,Name\nerp-1,Ada Lovelace\nerp-2,\n")
    job = bench.job(JOB)
    run_id = json.loads(bench.run("run", job, "-o", "json").out)["run_id"]
    ended = bench.run("report")
    assert ended.code == 0, ended.err
    file = bench.folder / f"report-{run_id}.html"
    assert ended.out == f"report in {file.name}\n"
    page = file.read_text(encoding="utf-8")
    assert "REQUIRED_FIELD_MISSING" in page
    assert "row 2" in page
    assert "erp-2" in page
    assert file.stat().st_mode & 0o777 == 0o600
    masked = bench.run("report", run_id[:15], "--out", "-", "--mask", "erp_id__c")
    assert "erp-2" not in masked.out

    assert bench.run("report", "--job", "test", "--out", file.name).code == 0
    assert run_id in file.read_text(encoding="utf-8")
    for words, said in (
        (["--out", job], "is not a report"),
        (["--mask", "Phone"], "ERP_Id__c, Name"),
        (["gone"], f"The newest are {run_id}"),
        (["--job", "gone"], "Jobs that have run: test."),
        (["last", "--job", "test"], "contradict"),
        (["--out", "none/r.html"], "There is no folder none"),
    ):
        refused = bench.run("report", *words)
        assert refused.code == 2
        assert said in refused.err
    assert job.read_text(encoding="utf-8").startswith("version: 1")
