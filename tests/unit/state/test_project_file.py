"""The project's file names the state, if the user does not; and nothing that is the user's."""

from pathlib import Path

import pytest

from runner.errors import JobError, UsageError
from runner.redaction import redacted
from runner.report.diagnostics import render_diagnostic
from runner.state.paths import state_at, user_folders
from runner.state.project_file import problems_of_project

ADDRESS = "postgresql://sync@db.acme.example/crm?files=s3://acme-sync/state"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write the file of a project, and stand in a folder of it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "jobs").mkdir()
    monkeypatch.chdir(tmp_path / "jobs")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def write(text):
        file = tmp_path / "sfrunner.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_a_folder_is_relative_to_the_file(project, tmp_path):
    file = project("state: .sfrunner\n")
    found = state_at(None, {})
    assert found.root == tmp_path / ".sfrunner"
    assert found.project_file == file
    assert found.is_chosen_by_project


def test_the_user_comes_before_the_project(project, tmp_path):
    project("state: .sfrunner\n")
    assert state_at("/given", {"SFRUNNER_STATE": "/srv"}).root == Path("/given")
    of_variable = state_at(None, {"SFRUNNER_STATE": "/srv"})
    assert of_variable.root == Path("/srv")
    assert not of_variable.is_chosen_by_project


def test_an_address_is_that_of_a_shared_state(project):
    project(f"state: {ADDRESS}\n")
    found = state_at(None, {})
    assert found.shared is not None
    assert found.shared.url == ADDRESS
    assert found.is_chosen_by_project


def test_the_user_agrees_by_setting_the_variable_that_the_file_names(project):
    project("state: {env: CRM_STATE}\n")
    found = state_at(None, {"CRM_STATE": ADDRESS.replace("sync@", "sync:s3cret-word@")})
    assert found.shared is not None
    assert not found.is_chosen_by_project
    assert found.variable == "CRM_STATE"
    assert "s3cret-word" not in redacted("s3cret-word")


def test_the_file_does_not_open_a_folder_for_tokens(project, tmp_path):
    project("state: .\n")
    assert tmp_path not in user_folders({})


@pytest.mark.parametrize(
    ("text", "code", "at", "words"),
    [
        ("# later\n", "yaml/empty", None, "state: .sfrunner"),
        ("stat: x\n", "project/unknown-key", (1, 1), "did you mean `state`?"),
        ("state:\n", "project/no-value", (1, 7), ""),
        ("state: [a]\n", "project/wrong-type", (1, 8), ""),
        ("state: {en: A}\n", "project/unknown-key", (1, 9), "did you mean `env`?"),
        ("state: {env: $A}\n", "project/bad-value", (1, 14), "without `$`"),
        ("# ours\nstate: ../elsewhere\n", "project/outside", (2, 8), "SFRUNNER_STATE"),
        ("state: /srv/state\n", "project/outside", (1, 8), "--state"),
        ("state: mysql://db/crm\n", "project/bad-address", (1, 8), "write an address like"),
        ("state: postgresql://db/crm\n", "project/bad-address", (1, 8), "add `files=`"),
        ("state: ${STATE}\n", "job/placeholder", (1, 8), ""),
        ("state: {env: [}\n", "yaml/reserved-character", None, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(project, text, code, at, words):
    file = project(text)
    with pytest.raises(JobError) as caught:
        state_at(None, {})
    assert caught.value.exit_code == 2
    found = caught.value.diagnostics
    assert code in {each.code for each in found}, found
    first = next(each for each in found if each.code == code)
    assert first.file == file
    if at is not None:
        assert (first.position.line, first.position.column) == at
    assert words in (first.help or "")
    assert all(each.help for each in found)


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS.replace("sync@", "sync:hunter-22@"),
        f"{ADDRESS}&password=hunter-22",
        f"{ADDRESS}&sslpassword=hunter-22",
        ADDRESS.replace("s3://", "s3%3A%2F%2Fkey%3Ahunter-22%40"),
    ],
)
def test_a_password_is_refused_and_not_shown(project, address):
    project(f"state: {address}\n")
    with pytest.raises(JobError) as caught:
        state_at(None, {})
    (found,) = caught.value.diagnostics
    assert found.code.endswith("/secret-in-file")
    assert "PGPASSWORD" in found.help
    assert "hunter" not in render_diagnostic(found)


@pytest.mark.parametrize(
    ("value", "words"), [(None, "is not set"), ("/srv/state", "contains no address of a state")]
)
def test_a_variable_without_an_address_is_told(project, value, words):
    file = project("state: {env: CRM_STATE}\n")
    with pytest.raises(JobError) as caught:
        state_at(None, {} if value is None else {"CRM_STATE": value})
    (found,) = caught.value.diagnostics
    assert f"CRM_STATE {words}" in found.message
    assert problems_of_project(file) == (), "the file itself is right"


def test_a_file_that_cannot_be_read_is_not_as_none(project, tmp_path):
    file = project("")
    file.unlink()
    file.symlink_to(tmp_path / "not-mounted")
    with pytest.raises(JobError) as caught:
        state_at(None, {})
    assert [each.file for each in caught.value.diagnostics] == [file]


def test_a_file_by_another_name_is_not_passed_over(project, tmp_path):
    project("").rename(tmp_path / "sfrunner.yml")
    with pytest.raises(UsageError, match=r"sfrunner\.yml is not read"):
        state_at(None, {})
    assert state_at("/given", {}).root == Path("/given")
