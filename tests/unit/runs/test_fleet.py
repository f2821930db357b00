"""Jobs on a fleet: which may start, which workers are refused, what travels and what does not."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from runner import events
from runner.credentials import Secret, SecretReference
from runner.diagnostics import Diagnostic
from runner.errors import JobError, LockHeldError, RailError, TransientError, UsageError
from runner.job.permissions import NO_PERMISSIONS
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.runs.fleet.checks import check_workers, question_for
from runner.runs.fleet.cluster import LostJobError
from runner.runs.fleet.messages import Answer, Places, Problem, Report
from runner.runs.fleet.own_cluster import scratch_folder
from runner.runs.fleet.run import Fleet, _Driver
from runner.runs.fleet.schedule import Schedule
from runner.runs.fleet.worker import _state
from runner.runs.prepare import RunOptions, prepare
from runner.runs.wiring import UserSettings, load_job
from runner.state.paths import StateFolder, state_at
from runner.state.process import ProcessIdentity
from runner.state.run_records import RunRequest
from runner.state.shared.address import without_password
from runner.version import __version__

HERE = ProcessIdentity.current()
GOOD = Report(__version__, platform.python_version(), HERE, "/project")


def job(folder, name, connection, tasks="create: Account\n    from: a.csv"):
    """A job that is checked."""
    folder.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("Name\nAcme\n")
    file = folder / f"{name}.yaml"
    file.write_text(
        f"version: 1\nname: {name}\nconnection: {connection}\ntasks:\n  - name: t\n    {tasks}\n"
    )
    return load_job(file, NO_PERMISSIONS)


def order_of(jobs, per_org=1, token=None):
    """Jobs in rounds: as many as may start at once, then all of them end."""
    schedule, rounds = Schedule(jobs, per_org, token), []
    while schedule.waiting:
        under_way = []
        while (number := schedule.take(under_way)) is not None:
            under_way.append(number)
        rounds.append(under_way)
    return rounds


def test_jobs_of_one_org_keep_their_order(tmp_path):
    one = "{environment: sandbox, domain: acme--uat, token: {env: A}}"
    same = "{environment: sandbox, token: {env: A}}"
    other = "{environment: sandbox, domain: acme--qa, token: {env: B}}"
    jobs = [job(tmp_path, f"j{at}", each) for at, each in enumerate([one, same, other, one])]
    assert order_of(jobs) == [[0, 2], [1], [3]]
    assert order_of(jobs, per_org=2) == [[0, 1, 2], [3]]
    assert order_of(jobs, token=SecretReference(env="SFRUNNER_TOKEN")) == [[0], [1], [2], [3]]


def test_local_orgs_are_those_of_their_folders(tmp_path):
    jobs = [job(tmp_path / name, "job", "{environment: local}") for name in ("a", "b")]
    assert order_of(jobs) == [[0, 1]]


def test_a_job_waits_for_the_files_that_it_reads(tmp_path):
    def on(number):
        return f"{{environment: sandbox, token: {{env: T{number}}}}}"

    writes = job(tmp_path, "w", on(1), "query: SELECT Id FROM Account\n    to: list.csv")
    (tmp_path / "list.csv").write_text("Name\n")
    reads = job(tmp_path, "r", on(2), "create: Account\n    from: list.csv")
    other = job(tmp_path, "o", on(3))
    assert order_of([writes, reads, other]) == [[0, 2], [1]]
    assert order_of([reads, writes, other]) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (replace(GOOD, version="0.0.9"), f"has runner 0.0.9, and this is {__version__}"),
        (replace(GOOD, python="3.9.1"), "has Python 3.9.1, and this is"),
        (replace(GOOD, extras=("delta",)), "lacks the extra delta"),
        (replace(GOOD, missing=("jobs/a.yaml",)), "does not have jobs/a.yaml (in /project)"),
        (replace(GOOD, different=("a", "b")), "differs in a and 1 more (in /project)"),
        (replace(GOOD, state_error="No."), "cannot use the state: No."),
        (replace(GOOD, process=ProcessIdentity(1, "far")), "is on far, and the state is a folder"),
        (ModuleNotFoundError("runner"), "has no runner"),
        (AttributeError("fleet"), "has another runner (AttributeError)"),
    ],
)
def test_a_worker_that_could_not_run_the_jobs_is_named(tmp_path, report, said):
    state = StateFolder(tmp_path)
    check_workers({"tcp://good:1": GOOD}, state, "The scheduler")
    with pytest.raises(UsageError) as refused:
        check_workers({"tcp://bad:1": report, "tcp://good:1": GOOD}, state, "The scheduler")
    assert f"1 of 2 workers cannot run this: tcp://bad:1 {said}" in refused.value.message
    assert refused.value.hint


def test_other_machines_may_work_with_a_shared_state(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    state = state_at("postgresql://db/crm?files=s3://acme/state", {"XDG_STATE_HOME": "/x"})
    far = replace(GOOD, process=ProcessIdentity(1, "far"))
    check_workers({"tcp://far:1": far}, state, "The scheduler")
    with pytest.raises(TransientError):
        check_workers({}, state, "The scheduler")


def test_the_order_of_a_job_has_no_secret(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SFRUNNER_TOKEN", "canary-token")
    wanted = job(tmp_path, "j", "{environment: sandbox, token: {env: SFRUNNER_TOKEN}}")
    url = "postgresql://sync:canary-password@db/crm?files=s3://acme/state"
    settings = UserSettings(
        state_at(url, {"XDG_STATE_HOME": "/x"}), token=SecretReference(env="SFRUNNER_TOKEN")
    )
    options = RunOptions(settings)
    prepared = prepare([wanted.file], RunRequest(), options)
    places = Places(tmp_path, settings.state.root)
    cluster = SimpleNamespace(threads=2)
    driver = _Driver(
        cluster, prepared, options, Fleet("dask"), places, "me", lambda _: events.ignore
    )
    order = json.loads(driver._order(0))  # noqa: SLF001 - what goes over the wire
    assert "canary" not in json.dumps(order)
    assert order["state"] == "postgresql://sync@db/crm?files=s3://acme/state"
    assert order["job_file"] == "j.yaml"
    assert order["wait_lock_seconds"] == 0, "as on one machine"
    question = question_for(prepared, settings.state, Places(tmp_path))
    assert "canary" not in places.encoded(question, safe=False)
    assert question.files[0][0] == "j.yaml"
    assert ("psycopg", "shared") in question.modules


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("/srv/state", "/srv/state"),
        ("postgresql://db/crm?files=s3://b/a:b@c", "postgresql://db/crm?files=s3://b/a:b@c"),
        ("postgresql://me:p@db:5432/crm?files=s3://b", "postgresql://me@db:5432/crm?files=s3://b"),
        ("postgresql://me@db/crm", "postgresql://me@db/crm"),
        (
            "postgresql://db/crm?password=p&sslmode=require&sslpassword=q&files=s3://b",
            "postgresql://db/crm?sslmode=require&files=s3://b",
        ),
        ("postgresql://db/crm?files=sftp://me:p@h/b", "postgresql://db/crm?files=sftp://me@h/b"),
        ("postgresql://db/crm?files=ftp%3A%2F%2Fme:p@h", "postgresql://db/crm?files=ftp://me@h"),
    ],
)
def test_the_password_of_a_state_does_not_travel(given, sent):
    assert without_password(given) == sent


def test_an_answer_arrives_as_it_was_but_for_secrets_and_folders(tmp_path):
    Secret("canary-secret")
    worker, here = Places(Path("/w/project"), Path("/w/state")), Places(tmp_path, tmp_path / "s")
    task = TaskOutcome(
        "load", "create", "Account", TaskStatus.FAILED, message="no canary-secret",
        results=Path("/w/state/runs/1/load"), top_errors=(("CODE", "why", 3, 1),),
    )  # fmt: skip
    moment = "2026-01-31T06:00:00+00:00"
    outcome = worker.decoded(
        RunOutcome,
        json.dumps(
            {"run_id": "1", "job": "j", "job_file": "project:j.yaml", "started": moment,
             "finished": moment}
        ),
    )  # fmt: skip
    sent = worker.encoded(Answer("a", replace(outcome, tasks=(task,))))
    assert "canary" not in sent
    got = here.decoded(Answer, sent).outcome
    assert got.job_file == tmp_path / "j.yaml"
    assert got.tasks[0].results == tmp_path / "s/runs/1/load"
    assert got.tasks[0].top_errors == task.top_errors
    assert got.started == outcome.started
    event = events.TaskFinished(task)
    assert here.event(worker.event_text(event)).outcome.name == "load"


def test_errors_arrive_with_their_problems_and_codes():
    problem = Diagnostic("job/x", "wrong", Path("/w/job.yaml"))
    places = Places(Path("/w"))
    for error in (
        JobError((problem,)),
        RailError((problem,)),
        UsageError("no", hint="yes"),
        TransientError("later"),
    ):
        sent = places.encoded(Answer("a", problem=Problem.of(error)))
        got = places.decoded(Answer, sent).problem.error
        assert (got.message, got.hint, got.exit_code) == (
            error.message,
            error.hint,
            error.exit_code,
        )
        assert isinstance(got, JobError) == isinstance(error, JobError)


def test_a_worker_completes_the_state_with_its_own_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SFRUNNER_STATE", raising=False)
    address = "postgresql://sync:its-own-word@db/crm?files=s3://acme/state"
    named = without_password(address)
    (tmp_path / "sfrunner.yaml").write_text("state: {env: CRM_STATE}\n")
    monkeypatch.setenv("CRM_STATE", address)
    assert _state(named).shared.url == address
    monkeypatch.delenv("CRM_STATE")
    monkeypatch.setenv("SFRUNNER_STATE", address)
    assert _state(named).shared.url == address
    assert not _state(named).is_chosen_by_project
    assert _state(named, tmp_path / "sfrunner.yaml").is_chosen_by_project, "as for the command"
    assert _state(named.replace("crm", "hr")).shared.url == named.replace("crm", "hr")


class _Cluster:
    """A cluster whose workers do as they are told."""

    name = "The scheduler"
    threads = 1
    is_given_up = is_cut_off = False

    def __init__(self, places, *acts):
        self.places = places
        self.acts = [*acts]
        self.orders = []
        self.events = []

    def take_places(self, _number, _orgs, _most):
        return True

    def leave_places(self, _number):
        pass

    def start(self, _number, order):
        self.orders.append(json.loads(order))
        self.act = self.acts.pop(0)

    def said(self, _seconds):
        said, self.events = self.act.get("says", []), []
        self.act["says"] = []
        for attempt, event in said:
            yield json.dumps([0, attempt, event and self.places.event_text(event)])

    def ended(self):
        if not self.act.get("says") and (end := self.act.pop("end", None)) is not None:
            is_lost = isinstance(end, LostJobError)
            yield 0, end if is_lost else self.places.encoded(Answer("x", problem=Problem.of(end)))


def driven(folder, monkeypatch, state, *acts):
    """How a job ends on a cluster, and the orders that it was given."""
    monkeypatch.chdir(folder)
    wanted = job(folder, "j", "{environment: sandbox, token: {env: T}}")
    options = RunOptions(UserSettings(state))
    prepared = prepare([wanted.file], RunRequest(), options)
    places = Places(folder, state.root)
    cluster = _Cluster(places, *acts)
    fleet = Fleet("tcp://scheduler:8786")
    driver = _Driver(cluster, prepared, options, fleet, places, "me", lambda _: events.ignore)
    return driver.run().ends[0], cluster.orders


HELD = LockHeldError("Run x of j.yaml is in progress: pid 1 on far.")
BEGUN = events.RunStarted("2026-11-29-abc", "j", 1)


def test_a_job_that_another_runs_ends_at_once_as_on_one_machine(monkeypatch, tmp_path):
    shared = state_at("postgresql://db/crm?files=s3://acme/state", {"XDG_STATE_HOME": "/x"})
    held = {"says": [("one", None)], "end": HELD}
    end, orders = driven(tmp_path, monkeypatch, shared, held)
    assert (end.exit_code, end.message) == (11, HELD.message)
    assert [each["wait_lock_seconds"] for each in orders] == [0]


def test_the_lock_of_a_worker_that_has_died_is_waited_for(monkeypatch, tmp_path):
    shared = state_at("postgresql://db/crm?files=s3://acme/state", {"XDG_STATE_HOME": "/x"})
    # The first worker dies, and the scheduler gives the order to another.
    held = {"says": [("one", None), ("one", BEGUN), ("two", None)], "end": HELD}
    end, orders = driven(tmp_path, monkeypatch, shared, held, {"end": UsageError("settled")})
    assert end.message == "settled"
    assert [each["wait_lock_seconds"] for each in orders] == [0, 75]
    folder = StateFolder(tmp_path / "state")
    again = {"says": [("one", None), ("one", BEGUN), ("two", None)], "end": HELD}
    end, _ = driven(tmp_path, monkeypatch, folder, again)
    assert end.exit_code == 11, "a folder's lock ends with its process"


def test_a_job_that_is_lost_names_its_run_and_what_to_do(monkeypatch, tmp_path):
    lost = LostJobError("The scheduler has lost this job.", "Look at the logs.")
    end, _ = driven(tmp_path, monkeypatch, StateFolder(tmp_path), {"end": lost})
    assert end.message == "The scheduler has lost this job."
    assert "Run the job again" in end.hint
    end, _ = driven(
        tmp_path, monkeypatch, StateFolder(tmp_path), {"says": [("one", BEGUN)], "end": lost}
    )
    assert end.message == "The scheduler has lost this job: run 2026-11-29-abc."
    assert "`runner resume 2026-11-29-abc`" in end.hint
    assert "`runner show 2026-11-29-abc`" in end.hint


def test_the_folder_of_a_command_that_was_left_at_once_is_deleted_by_the_next(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with scratch_folder() as mine:
        left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
        left.mkdir()
        (left / "worker").mkdir()
        with scratch_folder() as other:
            assert {*tmp_path.iterdir()} == {mine, other}
            assert mine.stat().st_mode & 0o777 == 0o700
    assert [*tmp_path.iterdir()] == []
