from pathlib import Path

import pytest

from runner.state import paths
from runner.state.paths import StateFolder, state_at


def test_the_option_beats_the_variable_beats_xdg_beats_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    environ = {"SFRUNNER_STATE": "/srv/state", "XDG_STATE_HOME": "/xdg"}
    assert state_at(Path("/given"), environ) == StateFolder(Path("/given"))
    assert state_at(None, environ).root == Path("/srv/state")
    assert state_at(None, {"XDG_STATE_HOME": "/xdg"}).root == Path("/xdg/sfrunner")
    assert state_at(None, {}).root == Path("/home/ada/.local/state/sfrunner")


@pytest.mark.parametrize("xdg", ["", "relative/state"])
def test_an_xdg_folder_that_is_empty_or_relative_counts_for_nothing(monkeypatch, xdg):
    monkeypatch.setenv("HOME", "/home/ada")
    assert state_at(None, {"XDG_STATE_HOME": xdg}).root == Path("/home/ada/.local/state/sfrunner")


def test_blanks_around_a_name_are_not_part_of_it(monkeypatch):
    """A secret of a CI often ends with a line break."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert state_at(None, {"SFRUNNER_STATE": "/srv/state\n"}).root == Path("/srv/state")
    assert state_at(None, {"SFRUNNER_STATE": " "}).root == Path("/home/ada/.local/state/sfrunner")


def test_a_relative_option_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert state_at(Path("state"), {}).root == tmp_path / "state"


def test_no_home_folder_is_told(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(paths.Path, "home", homeless)
    with pytest.raises(paths.StateError, match="no home folder") as caught:
        state_at(None, {})
    assert "--state" in caught.value.hint


def test_the_folder_is_made_private(tmp_path):
    folder = StateFolder(tmp_path / "a" / "state").create()
    assert folder.root.stat().st_mode & 0o777 == 0o700


def test_the_runs_are_private_also_in_a_folder_that_others_may_enter(tmp_path):
    tmp_path.chmod(0o755)
    folder = StateFolder(tmp_path).create()
    assert folder.runs.stat().st_mode & 0o777 == 0o700
    assert tmp_path.stat().st_mode & 0o777 == 0o755, "a shared folder stays one"


def test_each_folder_has_a_local_org_and_a_link_to_it_the_same(tmp_path):
    state = StateFolder(tmp_path / "state")
    one, other = tmp_path / "one/jobs", tmp_path / "other/jobs"
    one.mkdir(parents=True)
    other.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(one)
    assert state.local_org(one) != state.local_org(other)
    assert state.local_org(one).name.startswith("jobs-")
    for place in (state.local_org, state.local_org_users, state.local_org_start):
        assert place(link) == place(one)
    assert state.local_org(tmp_path / "Ünï cödé/..").parent == state.root / "local_org"


def test_a_folder_that_cannot_be_made_says_how_to_name_another(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises(paths.StateError, match="cannot be created") as caught:
        StateFolder(tmp_path / "home" / "sfrunner").create()
    assert "`--state` or SFRUNNER_STATE" in caught.value.hint
    assert "resume" not in caught.value.hint
