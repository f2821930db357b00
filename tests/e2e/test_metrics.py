"""Metrics of a run where its job wants them; what keeps them from coming is a warning."""

JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: rows.csv
"""
WANTED = "metrics: {textfile: prom, pushgateway: {env: GATEWAY}}\n"


def test_a_run_writes_its_metrics_and_ends_as_ever_if_it_cannot_push_them(bench, org):
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,A\nE2,\n")
    job = bench.job(JOB, head=WANTED)
    assert bench.run("validate", job).code == 0
    ended = bench.run("run", job)
    assert ended.code == 3
    assert (
        f"metrics were not written to {bench.folder / 'prom'}: there is no such folder" in ended.err
    )
    assert "metrics were not pushed to the URL in variable GATEWAY: The environment" in ended.err

    (bench.folder / "prom").mkdir()
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,A\n")
    bench.env = {"GATEWAY": "http://user:canary-pass-1@127.0.0.1:1/"}
    ended = bench.run("run", job)
    assert ended.code == 0
    assert "metrics were not pushed" in ended.err
    assert "canary-pass-1" not in ended.err
    text = (bench.folder / "prom" / "sfrunner_test.prom").read_text(encoding="utf-8")
    assert 'sfrunner_run_exit_code{job_name="test",target=""} 0.0' in text
    assert 'outcome="updated",target="",task="load"} 1.0' in text
    assert "sfrunner_last_success_timestamp_seconds" in text
    assert "sfrunner_org_api_calls_limit" in text


def test_a_folder_elsewhere_is_allowed_by_the_user_alone(bench, tmp_path_factory):
    bench.write("rows.csv", "ERP_Id__c,Name\n")
    place = tmp_path_factory.mktemp("node_exporter")
    job = bench.job(JOB, head=f"metrics: {{textfile: {place}}}\n")
    refused = bench.run("validate", job)
    assert refused.code == 2
    assert f"run with `--allow-outside {place}`" in refused.out
    assert bench.run("validate", job, "--allow-outside", place).code == 0
