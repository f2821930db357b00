from pathlib import Path

from runner.cli import allowed_places


def test_a_verb_without_the_option_heeds_its_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("SFRUNNER_ALLOW_OUTSIDE", f"{tmp_path}:/srv/sync")
    assert allowed_places.reach().folders == (tmp_path, Path("/srv/sync"))


def test_the_users_own_folders_may_hold_tokens(monkeypatch, tmp_path):
    monkeypatch.setenv("SFRUNNER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = allowed_places.reach()
    assert found.secret_folders == (tmp_path / "state", tmp_path / "config" / "sfrunner")
    assert found.folders == ()
