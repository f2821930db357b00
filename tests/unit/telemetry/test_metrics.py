"""Metrics as Prometheus reads them: names, units, labels; a file and a Pushgateway."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from runner.errors import ExitCode
from runner.events import ApiCallsCounted
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.telemetry.metrics import RunMetrics, file_name, push, write_textfile

BEGAN = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)
COUNTS = Counts(read=12, created=8, updated=1, failed=3)
TASK = TaskOutcome(
    "load", "upsert", "Account", TaskStatus.PARTIAL, COUNTS, api_calls=4, seconds=2.5
)
RUN = RunMetrics(
    RunOutcome(
        "r1",
        'night "ly"\n',
        Path("nightly.yaml"),
        BEGAN,
        BEGAN + timedelta(seconds=90),
        (TASK,),
        exit_code=ExitCode.PARTIAL,
    ),
    "prod",
    BEGAN - timedelta(days=1),
    ApiCallsCounted(120, 15_000),
)


def samples(text):
    found = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {(each.name, each.labels.get("outcome")): each for each in found}


def test_the_file_of_node_exporter_has_the_run_its_tasks_and_rows_by_outcome(tmp_path):
    write_textfile(RUN, tmp_path)
    (file,) = tmp_path.iterdir()
    found = samples(file.read_text(encoding="utf-8"))
    values = {name: each.value for (name, outcome), each in found.items() if outcome is None}
    assert values == {
        "sfrunner_run_start_timestamp_seconds": BEGAN.timestamp(),
        "sfrunner_run_end_timestamp_seconds": BEGAN.timestamp() + 90,
        "sfrunner_run_duration_seconds": 90,
        "sfrunner_run_exit_code": 3,
        "sfrunner_last_success_timestamp_seconds": BEGAN.timestamp() - 86_400,
        "sfrunner_org_api_calls_used": 120,
        "sfrunner_org_api_calls_limit": 15_000,
        "sfrunner_task_duration_seconds": 2.5,
        "sfrunner_task_exit_code": 0,
        "sfrunner_task_api_calls": 4,
        "sfrunner_task_rows_read": 12,
    }
    rows = {o: each.value for (name, o), each in found.items() if name == "sfrunner_task_rows"}
    assert {each: number for each, number in rows.items() if number} == {
        "created": 8,
        "updated": 1,
        "failed": 3,
    }
    assert rows["in_doubt"] == 0, "a series that is not there cannot be zero"
    assert found["sfrunner_task_rows", "failed"].labels == {
        "job_name": 'night "ly"\n',
        "target": "prod",
        "task": "load",
        "object": "Account",
        "outcome": "failed",
    }


def test_a_run_that_never_succeeded_on_an_org_that_counts_nothing(tmp_path):
    write_textfile(replace(RUN, last_success=None, api_calls=None), tmp_path)
    (file,) = tmp_path.iterdir()
    text = file.read_text(encoding="utf-8")
    assert "last_success" not in text
    assert "org_api" not in text


def test_each_job_and_target_has_a_file_of_its_own():
    def named(job, target):
        return file_name(replace(RUN, outcome=replace(RUN.outcome, job=job), target=target))

    names = [named("a", None), named("a", "b"), named("a@b", None), named("a/../b", None)]
    assert names == [
        "sfrunner_a.prom",
        "sfrunner_a@b.prom",
        "sfrunner_a%40b.prom",
        "sfrunner_a%2F..%2Fb.prom",
    ]


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_textfile(RUN, tmp_path / "gone")


def test_a_pushgateway_gets_the_group_of_the_job_with_the_password_of_the_url(gateway):
    address = gateway.url.replace("http://", "http://me:p%40ss@") + "/prefix"
    run = replace(RUN, outcome=replace(RUN.outcome, job="nightly"))
    push(run, address, 5.0)
    ((path, authorization, body),) = gateway.got
    assert path == "/prefix/metrics/job/sfrunner/job_name/nightly/target/prod"
    assert authorization == f"Basic {b64encode(b'me:p@ss').decode()}"
    assert samples(body)["sfrunner_run_exit_code", None].value == 3


def test_a_pushgateway_that_refuses_is_an_error_and_so_is_a_url_of_something_else(gateway):
    gateway.status = 500
    with pytest.raises(OSError, match="500"):
        push(RUN, gateway.url, 5.0)
    with pytest.raises(ValueError, match="http"):
        push(RUN, "file:///etc/passwd", 5.0)
