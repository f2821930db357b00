import os
import shlex
import sys

import pytest

from runner.login import browser
from runner.login.browser import open_browser

URL = "https://login.salesforce.com/services/oauth2/authorize?a=b&c=d e"


@pytest.fixture
def note(tmp_path):
    """A pipe that a pretended browser writes its arguments into; reading it waits for them."""
    path = tmp_path / "note"
    os.mkfifo(path)
    return path


def writer(note):
    program = "import sys; open(sys.argv[1], 'w').write('|'.join(sys.argv[2:]))"
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} {shlex.quote(str(note))}"


@pytest.mark.parametrize("variable", ["SFRUNNER_BROWSER", "BROWSER"])
def test_the_persons_own_command_gets_the_address_last(note, variable):
    assert open_browser(URL, {variable: f"{writer(note)} --new"})
    assert note.read_text() == f"--new|{URL}"


def test_a_place_for_the_address_is_filled(note):
    assert open_browser(URL, {"SFRUNNER_BROWSER": f"{writer(note)} --app=%s --new"})
    assert note.read_text() == f"--app={URL}|--new"


def test_our_own_variable_wins(note):
    assert open_browser(URL, {"SFRUNNER_BROWSER": writer(note), "BROWSER": "/does/not/exist"})
    assert note.read_text() == URL


@pytest.mark.parametrize("command", ["/does/not/exist", "unclosed 'quote", "  "])
def test_a_command_that_cannot_be_started_is_told(command):
    assert not open_browser(URL, {"SFRUNNER_BROWSER": command})


def test_without_a_screen_none_is_opened():
    assert not open_browser(URL, {}, "linux")


def test_the_system_opens_it_where_there_is_a_screen(note, tmp_path, monkeypatch):
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\nexec {writer(note)} "$@"\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert open_browser(URL, {"DISPLAY": ":0"}, "linux")
    assert note.read_text() == URL


def test_a_screen_without_an_opener_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not open_browser(URL, {"WAYLAND_DISPLAY": "wayland-0"}, "linux")


def test_macos_has_its_own_command():
    assert browser._command({}, "darwin") == ["open"]  # noqa: SLF001
