"""Several jobs in one command: all are checked before the first starts; one document is printed."""

import json
import re
import signal

import pytest

from tests.short_form import slow

CREATE = "- name: load\n  create: Account\n  from: a.csv\n"
PARAM = "params:\n  day: {type: date}\n"


def accounts(org):
    return org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"]


def make(bench):
    bench.write("a.csv", "Name\nAcme\n")
    return bench.job(CREATE, name="a.yaml")


def test_a_broken_job_keeps_the_others_from_starting(bench, org):
    good = make(bench)
    broken = bench.job("- name: load\n  craete: Account\n  from: a.csv\n", name="broken.yaml")
    gone = bench.job(CREATE.replace("a.csv", "gone.csv"), name="gone.yaml")
    before = accounts(org)
    ended = bench.run("run", good, broken, gone)
    assert ended.code == 2
    assert "2 problems; nothing was attempted" in ended.err
    assert "broken.yaml:6:" in ended.err
    assert "there is no file gone.csv" in ended.err
    assert ended.out == ""
    ended = bench.run("run", good, broken, gone, "-o", "json")
    assert ended.code == 2
    assert len(ended.document["diagnostics"]) == 2
    assert accounts(org) == before
    assert bench.run("history", "-o", "json").document["runs"] == []


def test_a_param_that_one_job_lacks_keeps_the_others_from_starting(bench, org):
    good, before = make(bench), accounts(org)
    needs = bench.job(CREATE, name="needs.yaml", head=PARAM)
    ended = bench.run("run", good, needs)
    assert ended.code == 2
    assert "needs.yaml" in ended.err
    assert "day" in ended.err
    ended = bench.run("run", good, needs, "-t", "nix")
    assert ended.code == 2
    assert accounts(org) == before


def test_a_job_may_read_what_a_job_before_it_writes(bench, org):
    make(bench)
    first = bench.job(
        "- name: list\n  query: SELECT Name FROM Account LIMIT 1\n  to: out/list.csv\n"
        + CREATE.replace("load", "more")
        + "  results: results\n",
        name="first.yaml",
    )
    second = bench.job(
        CREATE.replace("a.csv", "out/list.csv")
        + "- name: from_results\n  create: Account\n  from: results/succeeded.csv\n"
        + "  fields: {Name: Name}\n",
        name="second.yaml",
    )
    org.create("Account", Name="seed")
    ended = bench.run("run", first, second, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    alone = bench.run("run", bench.job(CREATE.replace("a.csv", "none.csv"), name="x.yaml"), first)
    assert alone.code == 2


def test_a_job_that_cannot_start_is_in_the_one_document(bench, org):
    good = make(bench)
    token = bench.job(
        CREATE, name="token.yaml", connection="{environment: sandbox, token: tokens/none.json}"
    )
    ended = bench.run("run", good, token, "-o", "json")
    assert ended.code == 4
    done, failed = json.loads(ended.out)
    assert done["exit_code"] == 0
    assert failed["exit_code"] == 4
    assert "runner login" in failed["hint"]
    ended = bench.run("run", good, token)
    assert ended.code == 4
    assert "(exit 0)" in ended.out
    assert "runner login" in ended.err


def test_a_job_that_does_not_fit_the_org_says_that_it_alone_was_not_started(bench, org):
    good = make(bench)
    bench.write("b.csv", "Nmae\nAcme\n")
    misspelt = bench.job(CREATE.replace("a.csv", "b.csv"), name="b.yaml")
    before = accounts(org)
    ended = bench.run("run", good, misspelt)
    assert ended.code == 2
    assert accounts(org) == before + 1
    assert "nothing was attempted" not in ended.err + ended.out
    ended = bench.run("run", good, misspelt, "-o", "json")
    assert len(json.loads(ended.out)) == 2
    assert "nothing was attempted" not in ended.out


def test_a_job_that_changes_before_its_turn_is_not_started(bench, org):
    make(bench)
    second = bench.job(CREATE, name="b.yaml")
    writes_over = bench.job(
        "- name: list\n  query: SELECT Name FROM Account\n  to: {file: b.yaml, format: csv}\n",
        name="first.yaml",
    )
    ended = bench.run("run", writes_over, second)
    assert ended.code == 2, ended.err + ended.out
    assert "b.yaml has changed since it was read" in ended.err


SLOW = CREATE + "  api: bulk\n"


def started(bench, job, *more):
    """A command whose first job waits for Bulk."""
    process = bench.begin("run", job, *more, "-v")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("output", ["text", "json"])
def test_after_a_signal_no_further_job_starts(bench, serve_org, number, code, output):
    serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nAcme\n")
    slow = bench.job(SLOW, name="a.yaml")
    others = [bench.job(CREATE, name=f"{name}.yaml") for name in "bc"]
    process = started(bench, slow, *others, "-o", output)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    (run,) = bench.run("history", "-o", "json").document["runs"]
    assert run["exit_code"] == code
    named = json.loads(out)["not_started"] if output == "json" else out
    assert f"Not started: {others[0]}, {others[1]}." in named


@pytest.mark.parametrize("output", ["json", *slow("text")])
def test_the_timeout_counts_for_all_jobs(bench, serve_org, output):
    org = serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nAcme\n")
    slow = bench.job(SLOW, name="a.yaml")
    others = [bench.job(CREATE + "  api: rest\n", name=f"{name}.yaml") for name in "bc"]
    ended = bench.run("run", slow, *others, "--timeout", "2s", "-o", output)
    assert ended.code == 5, ended.err + ended.out
    assert len(bench.run("history", "-o", "json").document["runs"]) == 1
    assert accounts(org) == 0
    named = ended.document["not_started"] if output == "json" else ended.out
    assert f"Not started: {others[0]}, {others[1]}." in named


def test_a_signal_while_a_job_waits_for_its_lock_names_it(bench, serve_org):
    serve_org("--bulk-pace-seconds", "60")
    bench.write("a.csv", "Name\nAcme\n")
    slow = bench.job(SLOW, name="a.yaml")
    other = bench.job("- name: list\n  query: SELECT Id FROM Account\n  to: l.csv\n", name="b.yaml")
    started(bench, slow)
    for verb in ("retry", "undo"):
        assert "help: It is in progress: wait until it is done" in bench.run(verb, "last").err
    waiting = bench.begin("run", other, slow, "--wait-lock", "1m", "-v")
    said = ""
    for line in waiting.stderr:
        said += line
        if "Waiting for it" in line:
            break
    assert re.search(
        rf"warning: Run \S+ of {slow} is in progress: pid \d+ on .* Waiting for it", said
    )
    waiting.send_signal(signal.SIGTERM)
    out, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 143, err
    assert "(exit 0)" in out
    assert f"Not started: {slow}." in err


def test_a_folder_of_jobs_is_run_in_order_and_summed_up_until_one_fails(bench, org):
    bench.write("a.csv", "Name\nAcme\n")
    bench.job(CREATE, name="1-good.yaml", head="tags: [nightly]\n")
    bad = CREATE.replace("create: Account", "create: Nothing__c")
    bench.job(bad, name="2-bad.yaml", head="tags: [nightly]\n")
    bench.job(CREATE, name="3-last.yaml", head="tags: [hourly]\n")
    bench.write("connections/acme.yaml", "environment: sandbox\n")
    ended = bench.run("run", ".")
    assert ended.code == 2, ended.err
    assert "no object Nothing__c" in ended.err
    assert "Not started" not in ended.out + ended.err
    lines = ended.out.split("3 jobs:\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["1-good.yaml", "2-bad.yaml", "3-last.yaml"]
    assert ["exit 0" in line for line in lines] == [True, False, True]
    assert accounts(org) == 2
    ended = bench.run("run", "[0-9]*.yaml", "--fail-fast")
    assert ended.code == 2
    assert "Not started: 3-last.yaml." in ended.err
    documents = bench.run("run", ".", "-o", "json").document
    assert [each["exit_code"] for each in documents] == [0, 2, 0]
    assert documents[1]["job_file"].endswith("2-bad.yaml")
    assert accounts(org) == 5
    assert bench.run("run", ".", "--tag", "hourly", "-o", "json").document["exit_code"] == 0
    assert accounts(org) == 6
    assert bench.run("validate", ".", "--tag", "weekly").code == 2
