import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from runner.errors import ExitCode, LockHeldError, StateError
from runner.state.locks import (
    file_lock,
    is_free,
    lock_until_exit,
    run_lock,
    target_locks,
)
from runner.state.process import ProcessIdentity, _start_time

SINCE = datetime(2026, 11, 23, 13, 5, 1, tzinfo=UTC)
HOLD_UNTIL_KILLED = """
import sys
from pathlib import Path
from runner.state.locks import run_lock
with run_lock(Path(sys.argv[1]), Path(sys.argv[2]), "00D1", run_id="run-of-child"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path):
    file = tmp_path / "accounts.yaml"
    file.write_text("")
    return file


def take(folder, job, org="00D1", run_id="run-2"):
    with run_lock(folder, job, org, run_id=run_id):
        pass


def in_thread(work):
    """Run in a thread of its own and give what it raised."""
    raised = []

    def run():
        try:
            work()
        except LockHeldError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return raised


def test_a_second_run_is_told_who_holds_the_lock(tmp_path, job):
    with run_lock(tmp_path / "locks", job, "00D1", run_id="run-1", since=SINCE):
        with pytest.raises(LockHeldError) as caught:
            take(tmp_path / "locks", job)
        assert in_thread(lambda: take(tmp_path / "locks", job))
    message = str(caught.value)
    assert "run-1" in message
    assert f"pid {os.getpid()}" in message
    assert os.uname().nodename in message
    assert "2026-11-23 13:05:01 UTC" in message
    assert "runner show run-1" in caught.value.hint
    assert caught.value.exit_code is ExitCode.LOCKED


def test_the_lock_is_free_after_the_run_and_after_one_that_raised(tmp_path, job):
    with pytest.raises(KeyError), run_lock(tmp_path, job, "00D1", run_id="run-1"):
        raise KeyError
    take(tmp_path, job)
    assert not list(tmp_path.glob("*-*.json"))


def test_another_job_or_org_has_a_lock_of_its_own(tmp_path, job):
    other = job.with_name("other.yaml")
    with run_lock(tmp_path, job, "00D1", run_id="run-1"):
        take(tmp_path, job, org="00D2")
        take(tmp_path, job, org=None)
        take(tmp_path, other)


def test_two_names_of_one_file_are_one_job(tmp_path, job):
    link = tmp_path / "link.yaml"
    link.symlink_to(job)
    with run_lock(tmp_path, job, "00D1", run_id="run-1"), pytest.raises(LockHeldError):
        take(tmp_path, link)


def test_a_target_is_added_to_by_one_run_whatever_its_job(tmp_path):
    locks, rows, link = tmp_path / "locks", tmp_path / "rows.csv", tmp_path / "link.csv"
    link.symlink_to(rows)
    with target_locks(locks, [rows, rows, tmp_path / "other"], run_id="run-1"):
        with pytest.raises(LockHeldError) as raised, target_locks(locks, [link], run_id="run-2"):
            pass
        with target_locks(locks, [tmp_path / "third.csv"], run_id="run-2"):
            pass
    assert f"{rows} at this moment: pid {os.getpid()} on" in raised.value.message
    with target_locks(locks, [link], run_id="run-2"):
        pass


def test_a_killed_holders_lock_is_free_at_once(tmp_path, job):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_UNTIL_KILLED, tmp_path / "locks", job],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError, match=f"run-of-child .* pid {holder.pid}"):
            take(tmp_path / "locks", job)
        holder.kill()
    take(tmp_path / "locks", job)


@pytest.mark.parametrize("note", [None, "", "{", "[]", '{"pid": 1}'])
def test_a_holder_that_has_not_said_who_it_is_is_told_too(tmp_path, job, note):
    with run_lock(tmp_path, job, "00D1", run_id="run-1"):
        (written,) = tmp_path.glob("accounts-*.json")
        written.unlink() if note is None else written.write_text(note)
        with pytest.raises(LockHeldError, match="has just started"):
            take(tmp_path, job)


def test_a_file_in_the_folders_place_is_told(job):
    with pytest.raises(StateError):
        take(job, job)


def test_many_hold_it_together_and_one_alone(tmp_path):
    lock = tmp_path / "locks" / "a"
    with file_lock(lock, shared=True), file_lock(lock, shared=True):
        assert is_free(lock, shared=True)
        assert not is_free(lock, shared=False)
    with file_lock(lock, shared=False):
        assert not is_free(lock, shared=True)
    assert is_free(lock, shared=False)


def test_who_waits_for_all_goes_on_after_the_last_and_keeps_others_off(tmp_path):
    lock = tmp_path / "a"
    waiting = threading.Thread(target=lock_until_exit, args=(lock,))
    with file_lock(lock, shared=True):
        with file_lock(lock, shared=True):
            waiting.start()
        assert waiting.is_alive()
    waiting.join(30)
    assert not waiting.is_alive()
    assert not is_free(lock, shared=True)


def test_this_process_is_here():
    here = ProcessIdentity.current()
    assert here.pid == os.getpid()
    assert not here.has_ended()


def test_a_process_that_ended_is_gone():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert replace(ProcessIdentity.current(), pid=child.pid, started=None).has_ended()


def test_another_process_that_took_the_pid_is_not_the_one():
    assert replace(ProcessIdentity.current(), started="boot/1").has_ended()


def test_of_another_machine_nothing_is_sure():
    assert not ProcessIdentity(999_999_999, "elsewhere.example").has_ended()


def test_a_process_that_ended_and_was_not_asked_how_is_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = _start_time(child.pid)
    there = ProcessIdentity(child.pid, socket.gethostname(), began)
    assert not there.has_ended()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert there.has_ended() == (began is not None)
    child.communicate()
