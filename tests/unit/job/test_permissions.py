"""What a job may reach beyond its own folder is the word of who runs it, not of who writes it."""

import pytest

from runner.errors import JobError
from runner.job.connections import load_connection
from runner.job.load import check_job
from runner.job.permissions import Permissions

CONNECTION = "{environment: sandbox, domain: acme--uat, client_id: 3MVG9abc, token: t.json}"
QUERY = "  - {name: a, query: SELECT Id FROM Account, to: TARGET}\n"


@pytest.fixture
def write(tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    (tmp_path / "rows.csv").write_text("Name\nx\n", encoding="utf-8")

    def place(tasks, connection=CONNECTION):
        file = folder / "job.yaml"
        file.write_text(f"version: 1\nconnection: {connection}\ntasks:\n{tasks}", encoding="utf-8")
        return file

    return place


def codes(file, permissions=None):
    return [each.code for each in check_job(file, permissions=permissions or Permissions())[1]]


REFUSED = ["job/outside-folder"]


@pytest.mark.parametrize(
    "target",
    [
        "../a.csv",
        "/var/a.csv",
        "~/a.csv",
        "out/../../a.csv",
        "{folder: ../rows, format: csv}",
        "file:///var/a.csv",
        "local:///var/a.csv",
        "FILE:///var/a.csv",
        "file://~/a.csv",
        "file://HOME/x?/../../a.csv",
        "file://HOME/x#/../../a.csv",
        "file://HOME/li%6Ek/a.csv",
        "dir://../a.csv::file://HOME",
        "zip://a.csv::/var/a.zip",
        "zip://a.csv::simplecache::local://HOME/a.zip",
        "link/a.csv",
        "linked.csv",
    ],
)
def test_a_target_elsewhere_is_refused(write, tmp_path, target):
    named = target.replace("HOME", str(tmp_path / "jobs"))
    place = named if "{" in named else f"{{file: '{named}', format: csv}}"
    file = write(QUERY.replace("TARGET", place))
    (file.parent / "link").symlink_to(tmp_path)
    (file.parent / "li%6Ek").symlink_to(tmp_path)
    (file.parent / "linked.csv").symlink_to(tmp_path / "rows.csv")
    assert codes(file) == REFUSED


@pytest.mark.parametrize(
    "target",
    [
        "a.csv",
        "out/x/../a.csv",
        "-",
        "s3://bucket/a.csv",
        "file://HOME/a%20b?.csv",
        "zip://a.csv::s3://bucket/a.zip",
    ],
)
def test_a_target_within_the_folder_or_no_file_of_this_machine_is_not(write, tmp_path, target):
    named = target.replace("HOME", str(tmp_path / "jobs"))
    file = write(QUERY.replace("TARGET", f"{{file: '{named}', format: csv}}"))
    assert codes(file) == []


def test_results_elsewhere_are_refused_and_told_at_their_place(write, tmp_path):
    task = "  - {name: a, create: Account, from: ../rows.csv, results: ../out}\n"
    (found,) = check_job(write(task))[1]
    assert found.code == "job/outside-folder"
    assert (found.position.line, found.path) == (4, ("tasks", 0, "results"))
    assert f"`--allow-outside {tmp_path}`" in found.help


def test_rows_are_read_from_anywhere(write):
    assert codes(write("  - {name: a, create: Account, from: ../rows.csv}\n")) == []


@pytest.mark.parametrize(
    "named",
    [
        "token: ../t.json",
        "token: /etc/t.json",
        "token: {file: ../t.json, key: {env: K}}",
        "auth: {jwt: {username: a@b.example, key: ../key.pem}}",
    ],
)
def test_a_secret_elsewhere_is_refused_and_for_a_sign_in_too(write, named):
    connection = f"{{environment: sandbox, domain: acme--uat, client_id: 3MVG9abc, {named}}}"
    file = write(QUERY.replace("TARGET", "a.csv"), connection)
    assert codes(file) == REFUSED
    with pytest.raises(JobError) as refused:
        load_connection(file)
    assert [each.code for each in refused.value.diagnostics] == REFUSED


def test_a_shared_connection_reaches_no_further_than_the_job_that_names_it(write, tmp_path):
    shared = tmp_path / "elsewhere" / "acme.yaml"
    shared.parent.mkdir()
    shared.write_text(CONNECTION.strip("{}").replace(", ", "\n"), encoding="utf-8")
    file = write(QUERY.replace("TARGET", "a.csv"), "../elsewhere/acme.yaml")
    (found,) = check_job(file)[1]
    assert (found.code, found.file.name) == ("job/outside-folder", "acme.yaml")


def test_who_runs_the_job_may_open_more(write, tmp_path):
    file = write(QUERY.replace("TARGET", "../out/a.csv"), CONNECTION.replace("t.json", "../t.json"))
    assert codes(file, Permissions(folders=(tmp_path / "out",))) == REFUSED, (
        "the token's place is not open"
    )
    assert codes(file, Permissions(folders=(tmp_path,))) == []


def test_a_folder_for_secrets_takes_no_rows(write, tmp_path):
    permissions = Permissions(secret_folders=(tmp_path,))
    inside = QUERY.replace("TARGET", "a.csv")
    assert codes(write(inside, CONNECTION.replace("t.json", "../t.json")), permissions) == []
    assert codes(write(QUERY.replace("TARGET", "../a.csv")), permissions) == REFUSED


def test_a_job_in_a_folder_that_is_a_link_is_at_home_there(write, tmp_path):
    file = write(QUERY.replace("TARGET", "out/a.csv"))
    (tmp_path / "here").symlink_to(file.parent)
    assert codes(tmp_path / "here" / "job.yaml") == []
