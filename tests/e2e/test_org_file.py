"""The local org of a folder: seeded once, found by all who use it, or refused with the reason."""

import sqlite3
from contextlib import closing

import pytest

CONNECTION = "{environment: local, org_file: org.yaml}"
QUERY = "- {name: all, query: SELECT Name FROM Account, to: out.csv}"
SEEDED = "version: 1\nseed: {Account: seed.csv}\n"


def test_an_empty_org_starts_with_its_seeds_and_is_not_seeded_again(bench):
    bench.write("org.yaml", SEEDED)
    bench.write("seed.csv", "Name\nAcme\n")
    job = bench.job(QUERY, connection=CONNECTION)
    for _ in range(2):
        ended = bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.err
        assert ended.task("all")["counts"]["read"] == 1


def test_a_seed_that_the_org_refuses_ends_the_run_with_its_line(bench):
    bench.write("org.yaml", SEEDED)
    bench.write("seed.csv", "Name,Nam\nAcme,x\n")
    ended = bench.run("run", bench.job(QUERY, connection=CONNECTION))
    assert ended.code == 1
    assert "seed.csv:1: Account has no field 'Nam'" in ended.err


def test_an_org_that_cannot_be_ends_the_command_with_where_and_why(bench):
    field = "{type: lookup, to: Nix__c}"
    text = f"version: 1\nobjects: {{Account: {{fields: {{To__c: {field}}}}}}}\n"
    ended = bench.run("org", "serve", "--port", "0", "--org-file", bench.write("org.yaml", text))
    of_run = bench.run("run", bench.job(QUERY, connection=CONNECTION))
    for each in (ended, of_run):
        assert each.code == 2
        assert "org.yaml:2:" in each.err
        assert "no sObject Nix__c in this org" in each.err


def names(bench, job, file):
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    return (file.parent / "out.csv").read_text().split()[1:]


def project(bench, name, *, seed="Seeded", seeds="Account: seed.csv"):
    """A folder with a job, an org file and its seed."""
    bench.write(f"{name}/org.yaml", f"version: 1\nseed: {{{seeds}}}\n")
    bench.write(f"{name}/seed.csv", f"Name\n{seed}\n")
    return bench.job(QUERY, name=f"{name}/job.yaml", connection=CONNECTION)


def test_each_folder_has_an_org_with_its_own_records_and_seeds(bench):
    first, second = project(bench, "first", seed="One"), project(bench, "second", seed="Two")
    for _ in range(2):
        assert names(bench, first, first) == ['"One"']
        assert names(bench, second, second) == ['"Two"']


def test_jobs_of_a_folder_share_its_org_wherever_they_are_run_from(bench):
    job = project(bench, "project")
    assert names(bench, job, job) == ['"Seeded"']
    above = "{environment: local, org_file: ../org.yaml}"
    nested = bench.job(QUERY, name="project/jobs/nested.yaml", connection=above)
    assert names(bench, nested, nested) == ['"Seeded"']
    bench.write("project/connection.yaml", "environment: local\n")
    shared = bench.job(QUERY, name="other/shared.yaml", connection="../project/connection.yaml")
    assert names(bench, shared, shared) == ['"Seeded"']


def test_serve_reset_and_runs_agree_on_the_org_of_a_folder(bench, serve_org):
    job = project(bench, "project")
    org_file = bench.folder / "project/org.yaml"
    assert names(bench, job, job) == ['"Seeded"']
    org = serve_org(org_file=org_file.read_text(), place=Inside(bench, "project"))
    assert org.rows("SELECT Name FROM Account") == [{"Name": "Seeded"}]
    org.create("Account", Name="Added")
    assert sorted(names(bench, job, job)) == ['"Added"', '"Seeded"']
    refused = bench.run("org", "reset", "--org-file", org_file)
    assert refused.code == 1
    assert f"is running at {org.url}" in refused.err
    org.process.terminate()
    org.process.wait()
    elsewhere = bench.run("org", "reset")
    assert elsewhere.out == f"There is no local org of {bench.folder} yet.\n"
    mistyped = bench.run("org", "reset", "--org-file", org_file.with_name("orgg.yaml"))
    assert (mistyped.code, mistyped.out) == (2, "")
    assert f"did you mean `{org_file}`?" in mistyped.err
    ended = bench.run("org", "reset", "--org-file", org_file)
    assert ended.out == f"The local org of {org_file.parent} is empty.\n"
    assert names(bench, job, job) == ['"Seeded"']


class Inside:
    """A bench whose commands run in one of its folders."""

    def __init__(self, bench, name):
        self._bench, self._folder = bench, bench.folder / name
        self.client = bench.client

    def write(self, name, text):
        return self._bench.write(self._folder / name, text)

    def serve(self, *words):
        return self._bench.serve(*words)


def test_a_seed_that_is_added_is_loaded_and_a_changed_one_is_reported(bench):
    job = project(bench, "project")
    assert names(bench, job, job) == ['"Seeded"']
    project(bench, "project", seeds="Account: seed.csv, Contact: contacts.csv")
    bench.write("project/contacts.csv", "LastName\nAda\n")
    bench.write("project/seed.csv", "Name\nChanged\n")
    contacts = "- {name: all, query: SELECT Name FROM Contact, to: out.csv}"
    job = bench.job(contacts, name="project/job.yaml", connection=CONNECTION)
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err
    assert "warning: the seed seed.csv has changed since it was loaded" in ended.err
    assert (job.parent / "out.csv").read_text().split() == ['"Name"', '"Ada"']


def test_a_run_refuses_an_org_that_was_started_without_its_org_file(bench):
    job = project(bench, "project")
    bench.write("project/empty.yaml", "version: 1\n")
    words = ("org", "serve", "--port", "0", "--org-file", bench.folder / "project/empty.yaml")
    served = bench.start(*words)
    assert "is running at" in served.stdout.readline()
    ended = bench.run("run", job)
    assert ended.code == 1
    assert "was started with another version of the org file, not with" in ended.err
    assert "runner org serve --org-file" in ended.err


@pytest.mark.parametrize(("api", "code"), [("rest", 5), ("bulk", 1)])
def test_a_defect_of_the_org_is_one_line_in_the_terminal(bench, api, code):
    task = f"{{name: all, create: Account, from: new.csv, api: {api}, retry: {{attempts: 1}}}}"
    job = bench.job(f"- {task}")
    bench.write("new.csv", "Name\nAcme\n")
    assert bench.run("run", job).code == 0
    (store,) = (bench.state / "local_org").glob("*/org.sqlite3")
    with closing(sqlite3.connect(store)) as conn, conn:
        conn.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON Account BEGIN SELECT RAISE(ABORT, 'x'); END"
        )
    conn.close()
    ended = bench.run("run", job)
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    assert f"failed: IntegrityError; details in {store.parent / 'errors.log'}" in ended.err
    assert "status.salesforce.com" not in ended.err + ended.out
