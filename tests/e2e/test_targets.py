"""One job, several orgs: state, locks, history and tasks are those of the chosen target."""

import json
import os
from dataclasses import replace

import pytest

from runner.state.locks import target_locks
from tests.short_form import slow

TASKS = """
- name: people
  create: Account
  from: people.csv
- name: only_prod
  query: SELECT Name FROM Account
  to: out/prod.csv
  enabled: {targets: [prod]}
"""


@pytest.fixture
def orgs(serve_org, bench):
    """Three local orgs, one of them in a file of its own."""
    found = {}
    for name in ("dev", "uat", "prod"):
        found[name] = serve_org(place=replace(bench, folder=bench.folder / f"org-{name}"))
        bench.env[f"{name.upper()}_TOKEN"] = found[name].token
    connection = f"environment: local\nurl: {found['prod'].url}\ntoken: {{env: PROD_TOKEN}}\n"
    bench.write("connections/prod.yaml", connection)
    return found


def targets(orgs, default="default: dev, "):
    inline = ", ".join(
        f"{name}: {{environment: local, url: '{orgs[name].url}', token: {{env: {variable}}}}}"
        for name, variable in (("dev", "DEV_TOKEN"), ("uat", "UAT_TOKEN"))
    )
    return f"{{{default}targets: {{{inline}, prod: connections/prod.yaml}}}}"


def job(bench, orgs, **more):
    bench.write("people.csv", "Name\nAda\nGrace\n")
    return bench.job(TASKS, connection=targets(orgs, **more))


def counts(orgs):
    return [org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"] for org in orgs.values()]


def test_a_job_runs_on_the_target_that_is_chosen_or_on_its_default(bench, orgs):
    file = job(bench, orgs)
    ended = bench.run("run", file)
    assert ended.code == 0, ended.err
    assert counts(orgs) == [2, 0, 0]
    assert not (bench.folder / "out").exists()
    assert bench.run("run", file, "--target", "prod").code == 0
    assert counts(orgs) == [2, 0, 2]
    assert (bench.folder / "out/prod.csv").exists()
    bench.env["SFRUNNER_TARGET"] = "uat"
    assert bench.run("run", file).code == 0
    assert counts(orgs) == [2, 2, 2]
    runs = bench.run("history", "-o", "json").document["runs"]
    assert [run["target"] for run in runs] == ["uat", "prod", "dev"]
    assert "test on prod" in bench.run("history").out


def test_what_is_left_of_one_target_is_not_resumed_by_another(bench, orgs):
    file = job(bench, orgs)
    text = file.read_text()
    file.write_text(text.replace("from: people.csv", "from: people.csv\n    api: bulk"))
    orgs["dev"].stall_jobs()
    assert bench.run("run", file, "--timeout", "2s").code == 5
    before = bench.run("history", "-o", "json").document["runs"]
    assert [run["target"] for run in before] == ["dev"]
    ended = bench.run("run", file, "--target", "prod", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["resumed"] is None
    assert counts(orgs) == [0, 0, 2]
    orgs["dev"].go_on()
    assert bench.run("resume").code == 0
    assert counts(orgs) == [2, 0, 2]


@pytest.mark.parametrize(
    "verb", ["run", "login", *slow("plan", "check", "validate", "whoami", "logout")]
)
def test_an_unknown_target_is_an_error_with_those_there_are(bench, orgs, verb):
    ended = bench.run(verb, job(bench, orgs), "--target", "prd")
    assert ended.code == 2, ended.err
    assert "has no target 'prd'" in ended.err + ended.out
    assert "did you mean `prod`?" in ended.err + ended.out


def test_a_job_without_a_default_must_be_told_its_target(bench, orgs):
    file = job(bench, orgs, default="")
    ended = bench.run("run", file)
    assert ended.code == 2
    assert "none of them is the default" in ended.err
    assert "Its targets are dev, uat, prod." in ended.err
    assert bench.run("validate", file).code == 0  # each of them is checked
    plain = bench.job(TASKS, connection="{environment: local}", name="plain.yaml")
    ended = bench.run("validate", plain)
    assert "list `targets` in `connection`" in ended.out
    ended = bench.run("run", plain, "--target", "prod")
    assert ended.code == 2


def test_every_target_is_validated_and_asked_who_it_is(bench, orgs):
    file = job(bench, orgs)
    bench.env.pop("UAT_TOKEN")
    bench.env["SFRUNNER_TARGET"] = "dev"
    ended = bench.run("whoami", file, "--all-targets", "-o", "json")
    del bench.env["SFRUNNER_TARGET"]
    assert ended.code == 4, ended.err
    assert [each["target"] for each in ended.document] == ["dev", "uat", "prod"]
    assert ["error" in each for each in ended.document] == [False, True, False]
    assert ended.document[1]["mend"] == f"runner login {file} --target uat"
    bench.write("connections/prod.yaml", "environment: sandbx\n")
    ended = bench.run("validate", file)
    assert ended.code == 2
    assert "connections/prod.yaml:1:14" in ended.out
    assert bench.run("validate", file, "--target", "dev").code == 0


def test_a_file_of_targets_is_shared_by_jobs(bench, orgs):
    bench.write("people.csv", "Name\nAda\n")
    bench.write("connections/all.yaml", targets(orgs).replace("connections/prod", "prod") + "\n")
    file = bench.job(TASKS, connection="connections/all.yaml")
    assert bench.run("run", file, "--target", "prod").code == 0
    assert counts(orgs) == [0, 0, 1]
    planned = bench.run("plan", file, "--target", "uat", "--save", "uat.plan")
    assert planned.code == 0, planned.err
    assert bench.run("apply", "uat.plan").code == 0
    assert counts(orgs) == [0, 1, 1]
    assert json.loads(bench.run("history", "-o", "json").out)["runs"][0]["target"] == "uat"


def test_a_default_that_is_no_target_is_a_problem_whichever_is_chosen(bench, orgs):
    file = job(bench, orgs, default="default: pord, ")
    for words in (("validate",), ("validate", "--target", "dev"), ("run", "--target", "dev")):
        ended = bench.run(words[0], file, *words[1:])
        assert ended.code == 2, words
        assert "`default` names `pord`, which is not a target" in ended.out + ended.err
    assert counts(orgs) == [0, 0, 0]


def test_a_target_that_is_a_file_of_targets_is_refused(bench, orgs):
    bench.write("connections/all.yaml", "targets: {x: prod.yaml, y: prod.yaml}\ndefault: x\n")
    file = job(bench, orgs)
    file.write_text(file.read_text().replace("connections/prod.yaml", "connections/all.yaml"))
    ended = bench.run("run", file, "--target", "prod")
    assert ended.code == 2
    assert "error[job/many-targets]: all.yaml has several targets" in ended.err
    assert counts(orgs) == [0, 0, 0]


def test_what_needs_a_task_of_another_target_is_left_out_by_run_and_plan(bench, orgs):
    more = """
- name: change
  update: Account
  from: {task: only_prod}
  fields: {Id: Id, Name: Name}
  on_error: continue
- {name: last, query: SELECT Id FROM Account, to: out/last.csv, needs: [change]}
"""
    bench.write("people.csv", "Name\nAda\n")
    tasks = TASKS.replace("SELECT Name", "SELECT Id, Name")
    file = bench.job(tasks + more, connection=targets(orgs))
    planned = bench.run("plan", file, "-o", "json")
    assert [task["name"] for task in planned.document["tasks"]] == ["people"]
    ended = bench.run("run", file)
    assert ended.code == 0, ended.err + ended.out
    assert ended.out.count("not run: it needs only_prod, which is disabled") == 2
    assert bench.run("run", file, "--target", "prod").code == 0


def test_two_targets_never_add_to_one_file_at_once(bench, orgs):
    query = """
- name: every
  query: SELECT Id, Name FROM Account
  to: {file: a.csv, mode: append}
"""
    file = bench.job(query, connection=targets(orgs))
    with target_locks(bench.state / "locks", [bench.folder / "a.csv"], run_id="of-dev"):
        ended = bench.run("run", file, "--target", "uat")
        assert ended.code == 11, ended.err
        assert f"Another run may add rows to {bench.folder / 'a.csv'}" in ended.err
    assert not (bench.folder / "a.csv").exists()
    assert bench.run("run", file, "--target", "uat").code == 0


def test_each_local_org_has_its_own_watermark_and_the_way_out_names_the_target(bench, orgs):
    query = """
- name: changes
  query: SELECT Id, Name, SystemModstamp FROM Account
  since: SystemModstamp
  to: {file: a.csv, mode: merge, key: Id}
"""
    file = bench.job(query, connection=targets(orgs))
    assert bench.run("run", file).code == 0
    ended = bench.run("run", file, "--target", "uat")
    assert ended.code == 2
    again = f"runner run {file} --target uat --task changes --full"
    assert again in ended.out
    assert bench.run(*again.split()[1:]).code == 0
    ended = bench.run("run", file)
    assert ended.code == 2
    assert "error[org/other-org]" in ended.out


def test_a_target_that_is_cut_off_is_refused_before_the_query_is_run(bench, org):
    bench.write("a.csv", '"Id","Name"\n"001","cut')
    job = bench.job("- {name: a, query: SELECT Id FROM Account, to: {file: a.csv, mode: append}}")
    ended = bench.run("run", job)
    assert ended.code == 1
    assert (
        "a.csv may be cut off: its last line has no end. The query was not run"
        in ended.err + ended.out
    )
    assert (bench.folder / "a.csv").read_text() == '"Id","Name"\n"001","cut'


def test_a_link_stays_one_and_a_pipe_gets_the_rows(bench, org):
    org.create("Account", Name="Acme")
    real, link = bench.write("real.csv", "old"), bench.folder / "link.csv"
    link.symlink_to("real.csv")
    (bench.folder / "parts").mkdir()
    (bench.folder / "folder").symlink_to("parts")
    os.mkfifo(bench.folder / "pipe.csv")
    query = "query: SELECT Name FROM Account"
    job = bench.job(f"""
- {{name: a, {query}, to: link.csv}}
- {{name: b, {query}, to: {{folder: folder, format: csv}}}}
- {{name: c, {query}, to: pipe.csv}}
""")
    reader = os.open(bench.folder / "pipe.csv", os.O_RDONLY | os.O_NONBLOCK)
    assert bench.run("run", job).code == 0
    read = os.read(reader, 1_000)
    os.close(reader)
    rows = b'"Name"\n"Acme"\n'
    assert real.read_bytes() == link.read_bytes() == read == rows
    assert link.is_symlink()
    assert (bench.folder / "folder").is_symlink()
    assert [each.name for each in bench.folder.glob("parts/*")] != []
    assert (bench.folder / "pipe.csv").is_fifo()


def test_no_rows_are_added_to_a_pipe(bench, org):
    os.mkfifo(bench.folder / "pipe.csv")
    job = bench.job(
        "- {name: a, query: SELECT Id FROM Account, to: {file: pipe.csv, mode: append}}"
    )
    ended = bench.run("run", job)
    assert ended.code == 1
    assert "pipe.csv is not a file, so it has no rows to keep." in ended.err + ended.out
