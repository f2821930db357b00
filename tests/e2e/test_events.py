"""What a run says of itself: JSON Lines on stderr, and the log in its folder."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "event.schema.json").read_text(encoding="utf-8")
)
JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: rows.csv
"""


def test_a_run_is_logged_as_json_and_its_log_is_printed(bench, org):
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,Ada Lovelace\nE2,\n")
    job = bench.job(JOB)
    ended = bench.run("run", job, "-o", "json", "--log-format", "json")
    assert ended.code == 3, ended.err
    run_id = ended.document["run_id"]
    found = [json.loads(each) for each in ended.err.splitlines()]
    for each in found:
        Draft202012Validator(SCHEMA).validate(each)
    assert [each["event"] for each in found if each["event"] != "notice"] == [
        "run.started",
        "org.connected",
        "org.api_calls",
        "task.started",
        "task.finished",
        "org.api_calls",
        "run.finished",
    ]
    assert {each["run_id"] for each in found} == {run_id}
    assert found[-1]["exit_code"] == 3

    file = bench.state / "runs" / run_id / "events.jsonl"
    assert "Lovelace" not in file.read_text(encoding="utf-8")
    logged = bench.run("logs", "last", "-o", "json")
    assert logged.out == file.read_text(encoding="utf-8")
    events = [json.loads(each)["event"] for each in logged.out.splitlines()]
    assert "task.progress" in events
    assert set(events) >= {each["event"] for each in found}
    text = bench.run("logs", run_id).out.splitlines()
    assert text[-1].endswith(f"run {run_id}: exit 3")

    file.unlink()
    gone = bench.run("logs", run_id)
    assert gone.code == 2
    assert f"Run {run_id} has no log" in gone.err


def test_an_error_before_the_run_is_one_object(bench):
    job = bench.job("\n- {name: load, upsert: Account, frm: rows.csv}\n")
    bench.env = {"SFRUNNER_LOG_FORMAT": "json"}
    ended = bench.run("run", job)
    assert ended.code == 2
    (found,) = map(json.loads, ended.err.splitlines())
    Draft202012Validator(SCHEMA).validate(found)
    assert found["event"] == "error"
    assert found["exit_code"] == 2
    assert "needs `key`" in found["diagnostics"][0]["message"]


def test_the_log_has_the_end_of_a_run_that_an_error_ended(bench, org):
    bench.write("rows.csv", "ERP_Id__c,Name\nE1,A\n")
    job = bench.job(JOB, connection="{environment: sandbox, token: {env: ABSENT}}")
    assert bench.run("run", job).code == 4
    ended = json.loads(bench.run("logs", "last", "-o", "json").out.splitlines()[-1])
    assert (ended["event"], ended["exit_code"], ended["level"]) == ("run.finished", 4, "error")
