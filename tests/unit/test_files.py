import errno
import os
import subprocess
import sys

import pytest

from runner.errors import StateError
from runner.files import beside_of, sweep, written_whole


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "x.csv"
    with written_whole(path) as beside:
        beside.write_text("done")
        assert not path.exists()
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def raised_while_writing(path, error):
    with written_whole(path) as beside:
        beside.write_text("half")
        raise error


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("before")
    with pytest.raises(ConnectionError):
        raised_while_writing(path, ConnectionError())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_and_a_file_in_the_way_are_told(tmp_path):
    with pytest.raises(StateError, match="cannot be written: No space"):
        raised_while_writing(tmp_path / "x.csv", OSError(errno.ENOSPC, "No space left"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"), written_whole(tmp_path / "file/x"):
        pass


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_mode_follows_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with written_whole(tmp_path / "a.csv") as beside:
            beside.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == mode


def stray(path, pid, ending="tmp"):
    ours = beside_of(path, ending)
    return ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{pid}-"))


def test_what_a_process_that_died_left_beside_goes_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "a[1].csv"
    dead, dead_folder = stray(path, ended.pid), stray(path, ended.pid)
    living, of_another = stray(path, os.getppid()), stray(tmp_path / "b.csv", ended.pid)
    elsewhere = tmp_path / f".a[1].csv.00000000-{ended.pid}-aa.tmp"
    someones = tmp_path / ".a[1].csv.tmp"
    for each in (dead, living, of_another, elsewhere, someones):
        each.write_text("x")
    dead_folder.mkdir()
    (dead_folder / "x.csv").write_text("x")
    with written_whole(path) as beside:
        beside.write_text("whole")
    assert set(tmp_path.iterdir()) == {path, living, of_another, elsewhere, someones}
    old = stray(path, ended.pid, "old")
    old.mkdir()
    sweep(path, "old")
    assert not old.exists()
