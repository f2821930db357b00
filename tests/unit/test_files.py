import errno
import os
import select
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from runner import files
from runner.errors import StateError
from runner.files import (
    PRIVATE_FILE,
    SyncAhead,
    atomic_write,
    delete_strays,
    private_folder,
    recover,
    sync_all,
    temporary_path,
    unsynced,
    write_private,
)
from runner.folders import exchange


def grow(path, blocks):
    with path.open("wb") as out, SyncAhead(out) as ahead:
        for _ in range(blocks):
            out.write(b"x" * 9_000_000)
            ahead.grown()


def test_a_file_is_synced_while_it_grows(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda of: synced.append(os.fstat(of).st_size))
    grow(tmp_path / "x", 2)
    assert synced == [18_000_000]
    assert (tmp_path / "x").stat().st_size == 18_000_000


def test_nobody_waits_for_the_disk_where_a_file_will_not_be_complete(tmp_path, monkeypatch):
    begun, may_end = threading.Event(), threading.Event()

    def slow(_descriptor):
        begun.set()
        may_end.wait(30)

    monkeypatch.setattr(os, "fsync", slow)
    before = set(threading.enumerate())
    with (tmp_path / "x").open("wb") as out, suppress(ZeroDivisionError), SyncAhead(out) as ahead:
        out.write(b"x" * 18_000_000)
        ahead.grown()
        assert begun.wait(30)
        raise ZeroDivisionError
    (syncing,) = set(threading.enumerate()) - before
    assert syncing.is_alive(), "and nobody waited for it"
    may_end.set()
    syncing.join(30)


def test_what_of_a_very_large_file_is_on_the_disk_leaves_the_cache(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(os, "fsync", lambda _of: done.append("synced"))
    monkeypatch.setattr(os, "POSIX_FADV_DONTNEED", "left", raising=False)
    monkeypatch.setattr(os, "posix_fadvise", lambda _of, *said: done.append(said), raising=False)
    grow(tmp_path / "x", 2)
    assert done == ["synced"], "of a file of usual size nothing does"
    monkeypatch.setattr(files, "_CACHED_BYTES", 0)
    grow(tmp_path / "x", 2)
    assert done[1:] == ["synced", (0, 18_000_000, "left")]


def test_files_of_a_run_that_a_signal_ended_wait_for_no_disk(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with unsynced():
        grow(tmp_path / "x", 4)
        with atomic_write(tmp_path / "a" / "y") as beside:
            beside.write_text("done")
    assert synced == []
    assert (tmp_path / "a" / "y").read_text() == "done"
    sync_all(tmp_path)
    assert len(synced) == len(["x", "a", "a/y", "."])


@pytest.mark.parametrize("blocks", [2, 4])
def test_a_sync_that_fails_meanwhile_is_not_lost(tmp_path, monkeypatch, blocks):
    def fail(_descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        grow(tmp_path / "x", blocks)


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "x.csv"
    with atomic_write(path) as beside:
        beside.write_text("done")
        assert not path.exists()
    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def raised_while_writing(path, error):
    with atomic_write(path) as beside:
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
    with pytest.raises(StateError, match="cannot be written"), atomic_write(tmp_path / "file/x"):
        pass


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_the_mode_follows_the_umask(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "a.csv") as beside:
            beside.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == mode


def stray(path, pid, ending="tmp"):
    ours = temporary_path(path, ending)
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
    with atomic_write(path) as beside:
        beside.write_text("whole")
    assert set(tmp_path.iterdir()) == {path, living, of_another, elsewhere, someones}
    old = stray(path, ended.pid, "old")
    old.mkdir()
    delete_strays(path, "old")
    assert not old.exists()


def test_two_folders_change_names_in_one_step_or_not_at_all(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    assert not exchange(one, other)
    other.mkdir()
    (one / "a").touch()
    if not exchange(one, other):
        pytest.skip("this system cannot")
    assert [*one.iterdir()] == []
    assert [*other.iterdir()] == [other / "a"]


def test_what_a_process_that_died_had_renamed_gets_its_name_back(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "out"
    old = stray(path, ended.pid, "old")
    old.mkdir()
    recover(path, "old")
    assert path.is_dir()
    assert not old.exists()
    stray(path, ended.pid, "old").mkdir()
    recover(path, "old")
    assert len([*tmp_path.iterdir()]) == 2


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_private_and_holds_what_was_written(tmp_path):
    write_private(tmp_path / "a", "å")
    assert (tmp_path / "a").read_bytes() == "å".encode()
    assert mode(tmp_path / "a") == 0o600


def test_the_temporary_file_is_private_from_its_first_byte(tmp_path):
    with atomic_write(tmp_path / "a", PRIVATE_FILE) as temporary:
        assert mode(temporary) == 0o600
        assert temporary.parent == tmp_path


def test_the_mode_asked_for_wins_over_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        write_private(tmp_path / "a", "", mode=0o644)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o644


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a"
    target.write_text("old")

    def half_written():
        with atomic_write(target, PRIVATE_FILE) as temporary:
            temporary.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        half_written()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "token", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    write_private(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_what_a_link_leads_to_is_replaced(tmp_path):
    real, link, loose = tmp_path / "real.csv", tmp_path / "out" / "link.csv", tmp_path / "loose"
    real.write_text("old")
    link.parent.mkdir()
    link.symlink_to("../real.csv")
    loose.symlink_to("made/later.csv")
    for path in (link, loose):
        with atomic_write(path) as temporary:
            temporary.write_text("new")
        assert path.is_symlink()
    assert real.read_text() == (tmp_path / "made" / "later.csv").read_text() == "new"
    assert {each.name for each in tmp_path.iterdir()} == {"real.csv", "out", "loose", "made"}
    assert [each.name for each in link.parent.iterdir()] == ["link.csv"]


@contextmanager
def reader_of(pipe):
    """A thread that has opened a pipe, and reads it to its end."""
    opened = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(opened, True)
    with ThreadPoolExecutor(1) as readers, os.fdopen(opened, "rb") as stream:
        first = readers.submit(lambda: select.select([stream], [], []) and stream.read())
        yield first.result


def test_a_pipe_gets_the_content_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with reader_of(pipe) as read:
        with atomic_write(pipe) as temporary:
            temporary.write_bytes(b"x" * 200_000)
        assert read() == b"x" * 200_000
    assert pipe.is_fifo()
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_a_pipe_that_nobody_reads_is_named(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with (
        pytest.raises(StateError, match="pipe cannot be written: no program reads it"),
        atomic_write(pipe) as temporary,
    ):
        temporary.write_bytes(b"x")


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StateError, match="No such file or directory") as caught:
        write_private(tmp_path / "missing" / "a", "x")
    assert caught.value.hint


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    def fill():
        with atomic_write(tmp_path / "a", PRIVATE_FILE):
            raise OSError(28, "No space left on device")

    with pytest.raises(StateError, match="No space left on device"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_another_files_trouble_is_not_taken_for_this_ones(tmp_path):
    def read_another():
        with atomic_write(tmp_path / "a", PRIVATE_FILE):
            (tmp_path / "source").read_text()

    with pytest.raises(FileNotFoundError):
        read_another()


def test_folders_are_made_private_and_existing_ones_are_left_alone(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    made = private_folder(shared / "a" / "b")
    assert (mode(made), mode(made.parent), mode(shared)) == (0o700, 0o700, 0o755)
    assert private_folder(made) == made


def test_a_file_in_a_folders_place_is_told(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StateError, match="cannot be created: a file of that name exists"):
        private_folder(tmp_path / "a")


def test_a_file_is_synced_before_it_is_renamed_and_its_folder_after(tmp_path, disk_log):
    with atomic_write(tmp_path / "a") as temporary:
        temporary.write_text("whole")
    disk_log.assert_durable(tmp_path / "a")


def test_a_folder_that_cannot_be_synced_is_no_obstacle_but_a_failing_disk_is(tmp_path, monkeypatch):
    refusal = OSError(errno.EINVAL, "Invalid argument")
    fsync = os.fsync

    def refuse_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise refusal
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    write_private(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
    refusal.errno = errno.EIO
    with pytest.raises(StateError, match="cannot be written"):
        write_private(tmp_path / "a", "y")
