import subprocess

import pytest

from runner.state.tokens.git_guard import exposing_work_tree


@pytest.fixture
def tree(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def test_a_file_in_no_work_tree_is_exposed_to_nobody(tmp_path):
    assert exposing_work_tree(tmp_path / "tokens" / "acme.json") is None


def test_a_file_that_git_would_take_along_is_exposed(tree):
    assert exposing_work_tree(tree / "tokens" / "acme.json") == tree


def test_a_file_that_git_ignores_is_not(tree):
    (tree / ".gitignore").write_text("tokens/\n")
    assert exposing_work_tree(tree / "tokens" / "acme.json") is None


def test_a_file_that_is_committed_is_exposed_whatever_is_ignored(tree):
    file = tree / "tokens" / "acme.json"
    file.parent.mkdir()
    file.write_text("{}")
    subprocess.run(["git", "-C", tree, "add", "tokens"], check=True)
    (tree / ".gitignore").write_text("tokens/\n")
    assert exposing_work_tree(file) == tree


def test_the_environment_of_a_hook_leads_nowhere_else(tree, tmp_path_factory, monkeypatch):
    (tree / ".gitignore").write_text("tokens/\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("other")))
    assert exposing_work_tree(tree / "tokens" / "acme.json") is None


def test_without_git_nobody_commits(tree, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert exposing_work_tree(tree / "tokens" / "acme.json") is None
