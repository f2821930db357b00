"""`runner run --dry-run` is the plan of that run."""

TASKS = """
- name: load
  create: Account
  from: {tables: {t: a.csv}, sql: "SELECT Name || :day AS Name FROM t"}
"""
HEAD = "limits: {max_creates: 1}\nparams: {day: {type: string}}\n"
ASKED = ("--param", "day=x", "--task", "load")
OF_A_RUN = ("--anew", "--fail-fast", "--excel-safe", "--wait-lock", "1s", "--parallel", 2)


def without_time(document):
    return {
        name: each for name, each in document.items() if name not in {"created", "api_calls_used"}
    }


def test_it_prints_what_plan_prints_and_writes_nothing(bench, org):
    bench.write("a.csv", "Name\na\nb\n")
    job = bench.job(TASKS, head=HEAD)
    planned = bench.run("plan", job, *ASKED, "-o", "json")
    dry = bench.run("run", job, *ASKED, "--dry-run", *OF_A_RUN, "-o", "json")
    assert (dry.code, dry.err) == (planned.code, planned.err)
    assert without_time(dry.document) == without_time(planned.document)
    assert [each["rail"] for each in dry.document["trips"]] == ["max_creates"]
    allowed = bench.run("run", job, *ASKED, "--dry-run", "--allow", "max_creates")
    assert allowed.code == 0
    assert "plan: create 2" in allowed.out
    assert "would stop" not in allowed.out
    assert org.rows("SELECT Name FROM Account") == []
    assert bench.run("history").out == f"No runs yet in {bench.state}.\n"


def test_its_errors_are_those_of_a_plan(bench):
    job = bench.job("- {name: a, create: Account, from: none.csv}")
    planned, dry = bench.run("plan", job), bench.run("run", job, "--dry-run")
    assert (dry.code, dry.out, dry.err) == (planned.code, planned.out, planned.err)
    assert dry.code == 2
    wrong = bench.run("run", job, "--dry-run", "--full", "--since", "2026-01-31")
    assert (wrong.code, "contradict each other" in wrong.err) == (2, True)
    refused = bench.run("run", job, "--dry-run", "-o", "github")
    assert refused.code == 2
    assert "--dry-run prints a plan, which has no form `github`" in refused.err


def test_it_says_which_unfinished_run_is_resumed_or_abandoned(bench, org):
    bench.write("a.csv", "Name\na\n")
    org.fault(kind="status", status=503, path="/jobs/ingest", times=1000)
    job = bench.job("- {name: load, create: Account, from: a.csv, api: bulk, retry: {attempts: 1}}")
    assert bench.run("run", job).code == 5
    assert "a run resumes it first" in bench.run("run", job, "--dry-run").out
    assert "the run abandons it" in bench.run("run", job, "--dry-run", "--anew").out
    assert "unfinished" in bench.run("history").out
