"""People are notified of how runs end; what cannot be sent waits, and changes no run."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "notification.schema.json").read_text("utf-8")
)
TASK = """
- name: load
  create: Account
  api: rest
  from: rows.csv
  fields: {Name: Name, NumberOfEmployees: n}
"""
HEAD = "notify: {to: [{webhook: {env: HOOK}, secret: {env: KEY}}]}\n"
GOOD, BAD = "Name,n\nAda,1\n", "Name,n\nAda,1\nGrace Hopper,many\n"


@pytest.fixture
def hook(bench):
    """What a webhook and a heartbeat get, and the status that they answer with."""

    class Handler(BaseHTTPRequestHandler):
        got, status = [], 200

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            Handler.got.append((self.path, body.decode()))
            self.send_response(Handler.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    bench.env |= {"HOOK": f"{address}/hook", "HEART": f"{address}/beat?a=1", "KEY": "pa55phrase"}
    yield Handler
    server.shutdown()
    server.server_close()
    thread.join()


def messages(hook):
    """The notifications so far, each as its schema says."""
    found = [json.loads(body) for path, body in hook.got if path == "/hook"]
    for each in found:
        jsonschema.validate(each, SCHEMA)
    return found


def test_a_night_is_told_from_its_failure_to_its_recovery(bench, org, hook):
    heartbeat = "heartbeat: {url: {env: HEART}}\n"
    job = bench.job(TASK, head=HEAD + heartbeat)
    bench.write("rows.csv", BAD)
    assert bench.run("run", job).code == 3
    (partial,) = messages(hook)
    run_id = partial["run_id"]
    assert (partial["event"], partial["exit_code"]) == ("partial", 3)
    assert partial["command"] == f"runner retry {run_id} --state {bench.state}"
    assert partial["tasks"][0]["results"] == str(bench.state / "runs" / run_id / "load")
    assert f"Next: {partial['command']}" in partial["text"]
    assert all("Grace" not in body and "many" not in body for _, body in hook.got)
    beats = [path for path, _ in hook.got if "beat" in path]
    assert beats == ["/beat/start?a=1", "/beat/fail?a=1"]

    bench.write("rows.csv", GOOD)
    hook.got.clear()
    assert bench.run("run", job).code == 0
    assert bench.run("run", job).code == 0
    (recovered,) = messages(hook)
    assert (recovered["event"], recovered["before"]) == ("recovered", f"run {run_id} (exit 3)")
    assert [path for path, _ in hook.got if "beat" in path] == ["/beat/start?a=1", "/beat?a=1"] * 2


def test_what_could_not_be_sent_waits_for_the_next_run(bench, org, hook):
    job = bench.job(TASK, head=HEAD)
    bench.write("rows.csv", BAD)
    hook.status = 500
    ended = bench.run("run", job)
    assert ended.code == 3
    assert "to webhook of variable HOOK was not sent: it answered 500." in ended.err
    assert "/hook" not in ended.out + ended.err
    history = bench.run("history")
    assert "partial waiting for webhook of variable HOOK" in history.out
    listed = bench.run("history", "-o", "json").document["runs"][0]["notifications"]
    assert [(each["state"], each["error"]) for each in listed] == [("waiting", "it answered 500")]
    secret = bench.env["HOOK"].encode()
    assert not any(secret in each.read_bytes() for each in bench.state.rglob("*") if each.is_file())

    hook.status = 200
    hook.got.clear()
    bench.write("rows.csv", GOOD)
    assert bench.run("run", job).code == 0
    late, recovered = messages(hook)
    assert (late["event"], late["delayed"]) == ("partial", True)
    assert "could not be sent earlier (it answered 500)" in late["text"]
    assert recovered["event"] == "recovered"
    assert "waiting" not in bench.run("history").out


def test_runs_that_never_begin_are_told_too(bench, hook):
    job = bench.job(TASK, head=HEAD + "heartbeat: {url: {env: HEART}}\n")
    ended = bench.run("run", job)  # there is no rows.csv
    assert ended.code == 2
    (invalid,) = messages(hook)
    assert (invalid["event"], invalid["run_id"]) == ("failed", None)
    assert invalid["command"] == f"runner validate {job}"
    assert "rows.csv" in invalid["problems"][0]
    assert [path for path, _ in hook.got if "beat" in path] == ["/beat/fail?a=1"]

    hook.got.clear()
    protected = "{environment: local, name: prod, protect: true, notify: {to: [{env: HOOK}]}}"
    bench.write("rows.csv", GOOD)
    assert bench.run("run", bench.job(TASK, connection=protected)).code == 6
    assert [each["event"] for each in messages(hook)] == ["tripped"]

    hook.got.clear()
    bench.env["TOKEN"] = ""
    no_token = "{environment: sandbox, domain: acme--uat, token: {env: TOKEN}}"
    assert bench.run("run", bench.job(TASK, head=HEAD, connection=no_token)).code == 4
    (refused,) = messages(hook)
    assert refused["command"].startswith("runner login ")
    assert refused["run_id"] is not None


def test_a_signal_and_a_kill_are_told_by_the_run_or_the_next(bench, org, hook):
    org.stall_jobs()
    bench.write("rows.csv", GOOD)
    job = bench.job(TASK.replace("rest", "bulk"), head=HEAD)
    stopped = bench.begin("run", job, "-v")
    until_sent(stopped)
    stopped.terminate()
    assert stopped.wait() == 143
    (terminated,) = messages(hook)
    assert (terminated["event"], terminated["exit_code"]) == ("failed", 143)
    assert terminated["command"].startswith(f"runner resume {terminated['run_id']}")

    killed = bench.begin("run", job, "-v")
    until_sent(killed)
    locked = bench.run("run", job)
    assert locked.code == 11
    killed.kill()
    killed.wait()
    org.go_on()
    hook.got.clear()
    assert bench.run("run", job).code == 0
    died, recovered = messages(hook)
    assert (died["event"], died["run_id"]) == ("failed", terminated["run_id"])
    assert "killed" in died["message"]
    assert recovered["event"] == "recovered"


def until_sent(process):
    """Wait until a run polls its Bulk job."""
    for line in process.stderr:
        if "InProgress" in line or "UploadComplete" in line:
            return


def test_all_jobs_of_a_command_that_starts_none_are_told(bench, hook):
    (bench.folder / "jobs").mkdir()
    bench.write("jobs/rows.csv", GOOD)
    bench.job(TASK, name="jobs/a.yaml", head=HEAD)
    bench.job("- {name: broken}", name="jobs/b.yaml", head=HEAD)
    assert bench.run("run", "jobs").code == 2
    good, broken = messages(hook)
    assert "there are problems in jobs/b.yaml" in good["message"]
    assert broken["job_file"].endswith("jobs/b.yaml")
    assert broken["problems"]


def test_a_state_folder_that_cannot_be_used_is_told(bench, hook):
    bench.write("rows.csv", GOOD)
    bench.write("state", "a file, not a folder")
    ended = bench.run("run", bench.job(TASK, head=HEAD))
    assert ended.code == 1
    (found,) = messages(hook)
    assert found["event"] == "failed"
    assert "state" in found["message"]


def test_a_missing_extra_is_an_error_before_the_night_and_none_of_a_run(bench, org):
    bench.write("rows.csv", BAD)
    bench.env |= {"OPS": "slack://a/b/c", "PYTHONPATH": str(bench.folder / "none")}
    job = bench.job(TASK, head="notify: {to: [{env: OPS}]}\n")
    hidden = "import sys; sys.modules['apprise'] = None\n"
    bench.write("none/sitecustomize.py", hidden)
    found = bench.run("validate", job)
    assert found.code == 2
    assert "pip install 'sfrunner[notify]'" in found.out
    ended = bench.run("run", job)
    assert ended.code == 3
    assert "pip install 'sfrunner[notify]'" in ended.err


def test_overdue_exits_with_12_and_names_the_jobs(bench, org):
    bench.write("rows.csv", GOOD)
    job = bench.job(TASK, head="expect: every 1d\n")
    never = bench.run("overdue", job)
    assert never.code == 12
    assert f"{job}: OVERDUE; never done; expected every 1 d" in never.out
    assert bench.run("overdue").code == 2  # nothing has run: there is nothing to judge
    assert bench.run("run", job).code == 0
    for words in (["overdue"], ["overdue", job], ["overdue", ".", "-q"]):
        assert bench.run(*words).code == 0
    (listed,) = bench.run("overdue", "-o", "json").document["jobs"]
    assert (listed["overdue"], listed["expected_seconds"]) == (False, 86400)


def test_a_test_message_shows_by_day_who_would_be_notified(bench, org, hook):
    bench.write("rows.csv", GOOD)
    job = bench.job(TASK, head="notify: {to: [{webhook: {env: HOOK}}, {webhook: {env: NONE}}]}\n")
    ended = bench.run("check", job, "--notify")
    assert ended.code == 1
    assert f"{job}: test message sent to webhook of variable HOOK" in ended.err
    assert "to webhook of variable NONE was not sent: The environment variable NONE" in ended.err
    (found,) = messages(hook)
    assert (found["event"], found["run_id"]) == ("test", None)
    bench.env["NONE"] = bench.env["HOOK"]
    assert bench.run("check", job, "--notify").code == 0
