"""Every exit code, as the shell sees it, with a text that says what to do."""

import json
import signal

import pytest

ONE = """
- name: list
  query: SELECT Id FROM Account
  to: out/list.csv
"""


def test_done(bench, org):
    ended = bench.run("run", bench.job(ONE))
    assert ended.code == 0, ended.err
    assert "list  query Account  DONE" in ended.out
    assert "exit 0" in ended.out


def test_a_task_that_the_org_refuses_fails_with_its_code_and_text(bench, org):
    job = bench.job("""
- name: bad
  query: SELECT Id FROM ContentDocumentLink
  to: out/bad.csv
- name: later
  query: SELECT Id FROM Account
  to: out/later.csv
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 1
    task = ended.task("bad")
    assert task["code"] == "MALFORMED_QUERY"
    assert "ContentDocumentLink requires a filter" in task["message"]
    assert ended.task("later")["status"] == "skipped"
    assert not (bench.folder / "out/bad.csv").exists(), "a target appears whole or not at all"


def test_on_error_continue_lets_the_rest_run(bench, org):
    job = bench.job("""
- name: bad
  query: SELECT Id FROM ContentDocumentLink
  to: out/bad.csv
  on_error: continue
- name: later
  query: SELECT Id FROM Account
  to: out/later.csv
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 1
    assert ended.task("later")["status"] == "done"


def test_on_failure_runs_only_after_a_failure(bench, org):
    tasks = """
- name: first
  query: SELECT Id FROM {sobject}
  to: out/first.csv
  on_failure: rescue
- name: rescue
  query: SELECT Id FROM Contact
  to: out/rescue.csv
"""
    ended = bench.run("run", bench.job(tasks.format(sobject="ContentDocumentLink")), "-o", "json")
    assert ended.code == 1
    assert ended.task("rescue")["status"] == "done"
    ended = bench.run("run", bench.job(tasks.format(sobject="Account")), "-o", "json")
    assert ended.code == 0
    assert [task["name"] for task in ended.document["tasks"]] == ["first"]


def test_an_invalid_job_is_not_attempted(bench, org):
    job = bench.job("""
- name: list
  qury: SELECT Id FROM Account
""")
    ended = bench.run("run", job)
    assert ended.code == 2
    assert f"{job}:6:" in ended.err
    assert "query" in ended.err
    assert ended.out == ""


def test_a_field_that_the_org_does_not_have_is_found_before_anything_is_sent(bench, org):
    bench.write("a.csv", "name\nx\n")
    job = bench.job("""
- name: first
  create: Account
  from: a.csv
  fields: {Name: name}
- name: second
  create: Account
  from: a.csv
  fields:
    Nmae: name
    Name: name
    CreatedDate: name
""")
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "job.yaml:13:" in ended.err
    assert "Nmae" in ended.err
    assert "did you mean `Name`?" in ended.err
    assert "job.yaml:15:" in ended.err, "every problem at once"
    assert org.rows("SELECT Id FROM Account") == []


def test_max_failures_turns_partial_into_failed(bench, org):
    bench.write("a.csv", "Name,Phone\nx,1\ny,2\n,3\n")
    tasks = """
- name: load
  create: Account
  from: a.csv
  max_failures: {allowed}
"""
    assert bench.run("run", bench.job(tasks.format(allowed=1))).code == 3
    ended = bench.run("run", bench.job(tasks.format(allowed=0)))
    assert ended.code == 1
    assert "max_failures" in ended.out


def test_a_missing_token_needs_a_sign_in(bench):
    connection = "{environment: sandbox, client_id: app, token: tokens/x.json}"
    job = bench.job(ONE, connection=connection)
    ended = bench.run("run", job)
    assert ended.code == 4
    assert "runner login" in ended.err
    assert "job.yaml" in ended.err


def test_a_token_that_others_can_read_is_refused_with_the_command_that_mends_it(bench, org):
    token = bench.write("tokens/x.json", "{}")
    token.chmod(0o644)
    connection = f"{{environment: local, url: '{org.url}', token: tokens/x.json}}"
    ended = bench.run("run", bench.job(ONE, connection=connection))
    assert ended.code == 4
    assert "chmod 600" in ended.err


def test_a_revoked_token_needs_a_sign_in(bench, org):
    document = {"version": 1, "access_token": "00D000000000001!dead", "instance_url": org.url}
    bench.write("tokens/x.json", json.dumps(document)).chmod(0o600)
    connection = f"{{environment: local, url: '{org.url}', token: tokens/x.json}}"
    ended = bench.run("run", bench.job(ONE, connection=connection))
    assert ended.code == 4, ended.err
    assert "runner login" in ended.err


def test_another_org_than_the_pinned_one_is_refused(bench, org):
    connection = (
        f"{{environment: local, url: '{org.url}', token: {{env: T}}, org_id: 00D000000000XXX}}"
    )
    bench.env["T"] = org.token
    ended = bench.run("run", bench.job(ONE, connection=connection))
    assert ended.code == 4
    assert "pinned to 00D000000000XXX" in ended.err


def test_a_version_written_is_never_moved(bench, org):
    connection = '{environment: local, api_version: "20.0"}'
    ended = bench.run("run", bench.job(ONE, connection=connection))
    assert ended.code == 2
    assert "31.0 to 68.0" in ended.err


def test_a_version_left_out_is_the_newest_and_is_said(bench, org):
    ended = bench.run("run", bench.job(ONE))
    assert ended.code == 0
    assert "API version 68.0\n" in ended.err


def test_the_default_version_is_taken_where_it_is_served(bench, serve_org):
    serve_org("--serve-retired")
    bench.write("a.csv", "Name\nx\ny\n")
    job = bench.job("""
- name: load
  create: Account
  from: a.csv
- name: list
  query: SELECT Name FROM Account ORDER BY Name
  to: out/list.csv
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["api_version"] == "20.0"
    assert ended.task("load")["counts"]["created"] == 2
    assert (bench.folder / "out/list.csv").read_text() == '"Name"\n"x"\n"y"\n'


def test_unknown_tasks_and_params_are_refused(bench, org):
    job = bench.job(ONE)
    assert bench.run("run", job, "--task", "lst").code == 2
    assert bench.run("run", job, "--param", "a=b").code == 2
    assert bench.run("run", job, "--param", "a").code == 2
    assert bench.run("run", "nowhere.yaml").code == 2
    assert bench.run("rnu").code == 2


def test_a_second_run_of_the_same_job_is_locked_out(bench, serve_org):
    serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nx\n")
    job = bench.job("""
- name: load
  create: Account
  from: a.csv
  api: bulk
""")
    first = bench.begin("run", job)
    try:
        for line in first.stderr:
            if line.startswith("load:"):
                break
        second = bench.run("run", job)
        assert second.code == 11
        assert f"pid {first.pid}" in second.err
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_the_ledger_is_true(bench, serve_org, number, code):
    serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nx\n")
    job = bench.job("""
- name: load
  create: Account
  from: a.csv
  api: bulk
- name: later
  query: SELECT Id FROM Account
  to: out/later.csv
""")
    process = bench.start("run", job, "-v")
    for line in process.stderr:
        if "part 0 of 1" in line or "UploadComplete" in line or "InProgress" in line:
            break
    process.send_signal(number)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    (run,) = json.loads(bench.run("history", "-o", "json").out)["runs"]
    assert (run["state"], run["exit_code"]) == ("aborted", code)
    shown = json.loads(bench.run("show", "last", "-o", "json").out)
    assert shown["tasks"][0]["name"] == "load"
    assert shown["tasks"][0]["outcome"]["status"] == "aborted"
    assert shown["tasks"][0]["parts"][0]["bulk_job_id"].startswith("750")


def test_a_killed_run_is_known_to_have_died_and_its_lock_is_free(bench, serve_org):
    serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nx\n")
    job = bench.job("""
- name: load
  create: Account
  from: a.csv
  api: bulk
""")
    process = bench.begin("run", job)
    for line in process.stderr:
        if line.startswith("load:"):
            break
    process.kill()
    process.communicate()
    assert "died" in bench.run("history").out
    ended = bench.run("run", bench.job(ONE), "--anew")
    assert ended.code == 0, ended.err


def test_errors_are_documents_where_json_is_asked_for(bench, org):
    ended = bench.run("run", bench.job("- name: x\n  qury: y\n"), "-o", "json")
    assert ended.code == 2
    assert ended.document["exit_code"] == 2
    assert ended.document["diagnostics"][0]["line"] == 6
