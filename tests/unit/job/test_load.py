import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace

from runner.diagnostics import Severity
from runner.errors import JobError
from runner.job.choices import Blank, Concurrency, MaxFailures, OnError, WriteOptions
from runner.job.documents import load_checked
from runner.job.endpoints import (
    FileFormat,
    FileShape,
    FileSource,
    FileTarget,
    SecretReference,
    TaskRows,
    TaskSource,
)
from runner.job.load import Readers, check_job
from runner.job.model import (
    QUERY_BULK_THRESHOLD_ROWS,
    WRITE_BULK_THRESHOLD_ROWS,
    Api,
    Environment,
    FieldMapping,
    RetryPolicy,
    Verb,
)
from tests.short_form import slow

VALID = Path(__file__).parents[2] / "examples" / "valid"
HEAD = "version: 1\nconnection: {environment: local}\n"


@pytest.fixture
def write(tmp_path):
    (tmp_path / "a.csv").write_text("Id,Name\n", encoding="utf-8")

    def place(text, name="job.yaml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return place


@pytest.fixture
def nightly():
    return check_job(VALID / "nightly.yaml")[0]


def test_the_connection_is_typed_and_its_paths_are_absolute(nightly):
    connection = nightly.connection
    assert connection.environment is Environment.SANDBOX
    assert (connection.domain, connection.api_version) == ("acme--uat", "20.0")
    assert connection.token == SecretReference(path=VALID / "tokens" / "acme-uat.json")
    assert connection.org_id == "00D5g00000ABCDE"
    assert (connection.url, connection.source) == (None, None)


def test_params_are_typed_and_required_without_a_default(nightly):
    region, since = nightly.params
    assert (region.name, region.default, region.required) == ("region", "EMEA", False)
    assert (since.type, since.default, since.required) == ("date", None, True)


def test_a_write_says_all_that_it_was_told(nightly):
    task = nightly.task("accounts")
    assert (task.verb, task.sobject, task.key, task.index) == (
        Verb.UPSERT,
        "Account",
        "ERP_Id__c",
        0,
    )
    shape = FileShape(FileFormat.CSV, undeclared=frozenset({"delimiter", "encoding"}))
    assert task.source == FileSource(VALID / "rows" / "accounts.csv", shape)
    assert task.fields[2:] == (
        FieldMapping("Industry", "'Retail'"),
        FieldMapping("Parent.ERP_Id__c", "parent_no"),
    )
    assert task.max_failures == MaxFailures(percent=1.0)
    assert task.options == WriteOptions(assignment_rule=False, duplicate_rule_allow_save=True)
    assert task.results == VALID / "out" / "accounts"
    assert task.on_failure == "note"
    assert task.bulk_threshold == WRITE_BULK_THRESHOLD_ROWS


def test_a_query_says_all_that_it_was_told(nightly):
    task = nightly.task("open_cases")
    assert (task.verb, task.sobject, task.deleted, task.needs) == (Verb.QUERY, "Case", True, ())
    assert task.target == FileTarget(
        VALID / "out" / "cases.txt", FileShape(FileFormat.CSV, "|", "windows-1252")
    )
    assert (task.timeout_seconds, task.api) == (7200.0, Api.BULK)
    assert task.bulk_threshold == QUERY_BULK_THRESHOLD_ROWS


def test_tasks_take_defaults_unless_they_say_otherwise(nightly):
    usual = RetryPolicy(attempts=4, longest_wait_seconds=30.0, total_seconds=3600.0)
    assert {task.retry for task in nightly.tasks} == {usual}
    assert nightly.task("accounts").blank is Blank.KEEP
    assert nightly.task("dead_leads").blank is Blank.CLEAR
    assert nightly.task("dead_leads").source == TaskSource("leads_to_drop", TaskRows.RECORDS)
    assert nightly.task("dead_leads").max_failures == MaxFailures(rows=0)


def test_nested_defaults_are_taken_key_by_key(write):
    file = write(
        f"{HEAD}defaults: {{retry: {{attempts: 9, total_time: 1d}}, on_error: continue}}\n"
        "tasks: [{name: a, query: SELECT Id FROM A, to: b.csv, retry: {total_time: 5m}}]\n"
    )
    task = check_job(file)[0].tasks[0]
    assert task.retry == RetryPolicy(attempts=9, total_seconds=300.0)
    assert task.on_error is OnError.CONTINUE


def test_options_of_a_write_that_says_little(nightly):
    task = nightly.task("new_contacts")
    assert (task.enabled, task.batch_size, task.timezone) == (False, 50, "Europe/Berlin")
    assert task.concurrency is Concurrency.SERIAL
    assert task.all_or_none
    assert task.fields is None
    assert nightly.task("dead_leads").needs is None


def test_a_connection_file_is_read_and_its_paths_are_its_own(write, tmp_path):
    (tmp_path / "shared").mkdir()
    write("environment: live\ntoken: tokens/live.json\n", "shared/acme.yaml")
    file = write(
        "version: 1\nconnection: shared/acme.yaml\n"
        "tasks: [{name: a, query: SELECT Id FROM A, to: b.csv}]\n"
    )
    connection = check_job(file)[0].connection
    assert connection.token == SecretReference(path=tmp_path / "shared" / "tokens" / "live.json")
    assert connection.source == tmp_path / "shared" / "acme.yaml"


def test_a_job_without_a_name_is_called_like_its_file(write):
    file = write(
        f"{HEAD}tasks: [{{name: a, query: SELECT Id FROM A, to: b.csv}}]\n", "nightly.yaml"
    )
    assert check_job(file)[0].name == "nightly"


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("a.tsv", FileShape(FileFormat.CSV, "\t")),
        ("a.TXT", FileShape(FileFormat.CSV)),
        ("a.ndjson", FileShape(FileFormat.JSONL)),
        ("{file: a, format: jsonl}", FileShape(FileFormat.JSONL)),
        ("{file: a.csv, delimiter: semicolon}", FileShape(FileFormat.CSV, ";")),
        ("{file: a.csv, delimiter: '^', quote: \"'\"}", FileShape(FileFormat.CSV, "^", quote="'")),
        ('{file: a.csv, delimiter: "\\t"}', FileShape(FileFormat.CSV, "\t")),
        ("{file: a.tsv, delimiter: comma}", FileShape(FileFormat.CSV, ",")),
    ],
)
def test_the_shape_of_a_file_comes_from_its_ending_and_from_the_job(source, shape, write, tmp_path):
    for name in ("a", "a.tsv", "a.TXT", "a.ndjson"):
        (tmp_path / name).touch()
    file = write(f"{HEAD}tasks: [{{name: a, create: Lead, from: {source}}}]\n")
    assert replace(check_job(file)[0].tasks[0].source.shape, undeclared=frozenset()) == shape


def test_errors_keep_a_job_from_being_built_and_warnings_do_not(write):
    unused = "params: {p: {type: string, default: x}}\n"
    good = "tasks: [{name: a, query: SELECT Id FROM A, to: b.csv}]\n"
    job, found = check_job(write(HEAD + unused + good))
    assert job is not None
    assert [each.severity for each in found] == [Severity.WARNING]
    job, found = check_job(write(f"{HEAD}tasks: [{{name: 2, query: SELECT, too: x}}]\n"))
    assert job is None
    assert [each.severity for each in found] == [Severity.ERROR, Severity.ERROR]


def test_findings_can_be_pointed_at_later(write):
    file = write(f"{HEAD}tasks:\n  - name: a\n    query: SELECT Id FROM A\n    to: b.csv\n")
    found = check_job(file)[0].origin.diagnose(("tasks", 0, "query", "nothing"), "job/x", "no")
    assert (found.position.line, found.line_text) == (5, "    query: SELECT Id FROM A")


def test_a_task_with_a_faulty_key_is_still_looked_at(write):
    """All problems come at once, whatever their sort."""
    file = write(
        f"{HEAD}tasks:\n  - name: a\n    upsert: Account\n    key: X__c\n    from: none.csv\n"
        "    blanc: keep\n    batch_size: 0\n    fields: {Name: x}\n"
    )
    assert [each.code for each in check_job(file)[1]] == [
        "job/key-not-mapped",
        "job/no-source",
        "job/unknown-key",
        "job/out-of-range",
    ]


def test_a_source_that_a_query_of_the_job_writes_may_come_later(write):
    file = write(
        f"{HEAD}tasks:\n  - {{name: a, query: SELECT Id FROM A, to: out/b.csv}}\n"
        "  - {name: b, delete: A, from: out/b.csv}\n"
    )
    assert check_job(file)[1] == ()


def test_a_default_is_dated_like_a_given_value(write):
    file = write(
        f"{HEAD}params:\n"
        "  d: {type: date, default: 2024-01-31}\n"
        "  n: {type: string, default: null}\n"
        "tasks: [{name: a, query: 'SELECT Id FROM A WHERE B = :d AND C = :n', to: b.csv}]\n"
    )
    first, second = check_job(file)[0].params
    assert first.default == date(2024, 1, 31)
    assert (second.default, second.required) == (None, False)


def test_an_expression_is_judged_by_whoever_knows_sql(write):
    file = write(
        f"{HEAD}tasks: [{{name: a, create: A, from: a.csv, fields: {{B: bad, C: good}}}}]\n"
    )
    _, found = check_job(file, Readers(expressions=lambda text: "no" if text == "bad" else None))
    assert [(each.code, each.path) for each in found] == [
        ("job/bad-expression", ("tasks", 0, "fields", "B"))
    ]


def test_an_org_file_is_held_against_its_schema(write):
    good = "version: 1\nobjects:\n  Account: {fields: {A__c: {type: text, length: 20}}}\n"
    assert load_checked(write(good, "org.yaml"), "org").values["objects"]
    with pytest.raises(JobError) as raised:
        load_checked(write("version: 1\nobjekts: {}\n", "org.yaml"), "org")
    assert [each.code for each in raised.value.diagnostics] == ["org/unknown-key"]
    with pytest.raises(JobError):
        load_checked(Path("none.yaml"), "org")


def test_a_long_job_is_checked_quickly_enough_to_be_typed_against(write):
    """A thousand tasks in order, and a circle at the end of them."""
    lines = [f"  - {{name: t{n}, query: SELECT Id FROM A, to: o{n}.csv}}" for n in range(999)]
    first = "  - {name: first, query: SELECT Id FROM A, to: f.csv, needs: [t998]}"
    _, found = check_job(write(f"{HEAD}tasks:\n" + "\n".join([first, *lines]) + "\n"))
    assert [each.message for each in found] == [
        "these tasks wait for each other: first → t998 → first"
    ]


@pytest.mark.parametrize(
    "tasks",
    [
        "".join(f"  - k{n}\n" for n in range(3_000)),
        *slow("  - {name: a}\n" * 2_000, f"  - [{'*a, ' * 5_000}]\n"),
    ],
)
def test_very_many_problems_are_told_up_to_a_number(tasks, write):
    _, found = check_job(write(f"{HEAD}tasks:\n{tasks}"))
    assert 200 <= len(found) <= 201


def test_how_many_more_there_are_is_told_last(write):
    keys = "".join(f"k{n}: 1\n" for n in range(300))
    _, found = check_job(write(f"{HEAD}tasks: [{{name: a, query: SELECT Id FROM A}}]\n{keys}"))
    assert found[-1].code == "job/more-problems"
    assert found[-1].message.startswith("and at least 10")


def test_no_job_pulls_in_what_only_a_run_needs():
    heavy = "{'duckdb', 'httpx', 'typer'}"
    code = f"import sys, runner.job.load; print({heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
