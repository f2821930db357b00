"""Commands in a CI: GitHub Actions and Azure Pipelines are found by their variables."""

import pytest

from tests.unit.report.junit_rules import checked_junit

TASKS = """
- name: first
  create: Account
  from: a.csv
  max_failures: 1
- name: "load-{tier}"
  for_each: {tier: [Gold]}
  create: Account
  from: b.csv
"""
SECRET = "Grace Hopper"


@pytest.fixture
def job(bench, org):
    bench.write("a.csv", f"Name,Tier__c\nx,Gold\ny,{SECRET}\n")
    bench.write("b.csv", f"Name,Tier__c\nz,{SECRET}\n")
    return bench.job(TASKS)


@pytest.fixture
def github(bench):
    """The files of a step; what is in them."""
    names = {"GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "output"}
    bench.env |= {"GITHUB_ACTIONS": "true"}
    bench.env |= {name: str(bench.write(file, "")) for name, file in names.items()}
    return lambda file: (bench.folder / file).read_text(encoding="utf-8")


def annotations(text):
    return [line for line in text.splitlines() if line.startswith(("::error", "::warning"))]


def test_a_run_on_github_points_at_the_lines_of_tasks(bench, job, github):
    ended = bench.run("run", job, "-q")
    assert ended.code == 1, ended.err
    warning, error = annotations(ended.err)
    code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    assert warning.startswith(f"::warning file=job.yaml,line=5,col=11,endColumn=15,title={code}::")
    assert error.startswith(f"::error file=job.yaml,line=9,col=11,endColumn=23,title={code}::")
    assert "first row 2" in warning
    assert SECRET not in "".join([warning, error, github("summary.md"), github("output")])
    assert annotations(ended.out) == []
    [run] = [line for line in ended.out.splitlines() if line.startswith("run ")]
    run_id = run.split()[1].rstrip(":")
    assert github("output") == f"exit-code=1\nrun-id={run_id}\n"
    assert "| `first` | create `Account` | partial | 2 | 1 | 1 |" in github("summary.md")

    documents = {
        each: bench.run("run", job, "-o", each) for each in ("junit", "gitlab", "markdown", "sarif")
    }
    assert {each.code for each in documents.values()} == {1}
    suite = checked_junit(documents["junit"].out)[0]
    assert [each.get("name") for each in suite] == ["first", "load-Gold"]
    assert "| `first` | create `Account` | partial | 2 | 1 | 1 |" in documents["markdown"].out
    assert suite.get("failures") == "2"
    assert "DUPLICATE" not in documents["junit"].out
    report = documents["gitlab"].document
    assert [each["location"] for each in report] == [
        {"path": "job.yaml", "lines": {"begin": line}} for line in (5, 9)
    ]
    [found] = documents["sarif"].document["runs"]
    assert [each["ruleId"] for each in found["results"]] == [code, code]
    for each in documents.values():
        assert SECRET not in each.out
        assert annotations(each.err) == []
        assert f"rows: {bench.state}" in each.err  # the recap
    assert github("output").count("exit-code=1\n") == 5
    assert github("summary.md").count("###") == 1


def test_a_plan_and_a_check_on_github(bench, job, github):
    planned = bench.run("plan", job, "--mask", "Tier__c", "--detailed-exitcode")
    assert planned.code == 8, planned.err
    assert [line.split(",")[0:2] for line in annotations(planned.err)] == [
        ["::warning file=job.yaml", f"line={line}"] for line in (5, 9)
    ]
    assert "### Plan of `test`" in github("summary.md")
    assert "Tier__c  ***" in github("summary.md")
    assert SECRET not in planned.out + github("summary.md")  # the org's message has the label
    assert SECRET not in "".join(annotations(planned.err))
    assert bench.run("check", job).code == 0
    assert "### `runner check`: no problems\n\n`job.yaml`\n" in github("summary.md")
    assert github("output") == "exit-code=8\nexit-code=0\n"


def test_what_keeps_a_job_from_starting_is_told_too(bench, github):
    job = bench.job("- {name: a, create: Account, from: none.csv}")
    for verb in ("run", "validate"):
        ended = bench.run(verb, job)
        assert ended.code == 2
        assert "error[job/no-source]" in ended.out + ended.err
        [line] = annotations(ended.err)
        assert line.startswith("::error file=job.yaml,line=5,col=38,")
    assert github("output") == "exit-code=2\n" * 2
    assert github("summary.md").count("| error `job/no-source` | `job.yaml:5:38` |") == 2
    root = checked_junit(bench.run("run", job, "-o", "junit").out)
    assert root.find(".//error").get("type") == "run/invalid"
    assert checked_junit(bench.run("validate", job, "-ojunit").out)[0].get("failures") == "1"
    [found] = bench.run("run", job, "--output=gitlab").document
    assert found["check_name"] == "job/no-source"


def test_a_file_of_github_that_cannot_be_written_changes_nothing(bench, github):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job("- {name: a, create: Account, from: a.csv}")
    bench.env |= {"GITHUB_STEP_SUMMARY": str(bench.folder), "GITHUB_OUTPUT": "no/such/file"}
    ended = bench.run("validate", job)
    assert (ended.code, ended.out) == (0, f"{job}: valid\n")
    assert ended.err == (
        f"warning: GITHUB_STEP_SUMMARY: {bench.folder} cannot be written: Is a directory\n"
        "warning: GITHUB_OUTPUT: no/such/file cannot be written: No such file or directory\n"
    )


def test_azure_is_found_too(bench):
    bench.env |= {"TF_BUILD": "True"}
    job = bench.job("- {name: a, create: Account, from: none.csv}")
    start = "##vso[task.logissue type=error;sourcepath=job.yaml;linenumber=5;columnnumber=38;"
    ended = bench.run("validate", job)
    assert ended.err.startswith(start)
    assert "error[job/no-source]" in ended.out
    asked = bench.run("validate", job, "-o", "azure")
    assert asked.out.startswith(start)
    assert asked.err == ""
