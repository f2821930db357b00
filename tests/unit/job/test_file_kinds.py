"""A file of another kind than is wanted is called what it is, whoever reads it."""

import pytest

from runner.errors import JobError
from runner.job.connections import load_connection
from runner.job.documents import load_checked
from runner.job.watched_files import watched_file

JOB = "version: 1\nconnection: {environment: local}\ntasks: [{name: a, query: SELECT Id FROM A}]\n"
TEST = "version: 1\ntests: [{name: a}]\n"
ORG = "version: 1\nusers: [{name: a}]\n"
CONNECTION = "environment: local\n"


@pytest.fixture
def refused(tmp_path):
    def refuse(read, content):
        file = tmp_path / "named.yaml"
        file.write_text(content, encoding="utf-8")
        with pytest.raises(JobError) as caught:
            read(file)
        return [each.message.removeprefix("named.yaml is ") for each in caught.value.diagnostics]

    return refuse


@pytest.mark.parametrize(("content", "kind"), [(TEST, "a test file"), (ORG, "an org file")])
def test_no_connection_is_looked_for_in_another_kind_of_file(refused, content, kind):
    assert refused(load_connection, content) == [f"{kind}, not a job"]


@pytest.mark.parametrize(
    ("content", "wanted", "message"),
    [
        (JOB, "test", "a job, not a test file"),
        (ORG, "test", "an org file, not a test file"),
        (CONNECTION, "test", "a connection file, not a test file"),
        (TEST, "org", "a test file, not an org file"),
        (CONNECTION, "org", "a connection file, not an org file"),
    ],
)
def test_nothing_else_is_said_of_such_a_file(refused, content, wanted, message):
    assert refused(lambda file: load_checked(file, wanted), content) == [message]


def test_a_file_with_keys_of_the_wanted_kind_is_judged_as_one(refused):
    found = refused(lambda file: load_checked(file, "test"), f"{TEST}tasks: []\n")
    assert "`tasks` is not a key of a test file" in found


def test_a_file_with_a_connection_alone_is_enough_to_sign_in(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(CONNECTION, encoding="utf-8")
    assert load_connection(file).environment.value == "local"


def test_what_watches_jobs_finds_nothing_to_watch_in_a_test_file(tmp_path):
    file = tmp_path / "a.test.yaml"
    file.write_text(TEST, encoding="utf-8")
    assert watched_file(file).expected_seconds is None


def test_a_command_in_a_hint_can_be_pasted_into_a_shell(tmp_path):
    file = tmp_path / "all accounts.yaml"
    file.write_text(TEST, encoding="utf-8")
    with pytest.raises(JobError) as caught:
        load_connection(file)
    assert caught.value.diagnostics[0].help == f"`runner test '{file}'` runs it"
