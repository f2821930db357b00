import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from runner.state.exclusive import held_alone

HOLD = """
import sys
from pathlib import Path
from runner.state.exclusive import held_alone
with held_alone(Path(sys.argv[1]), 0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path) -> Path:
    return tmp_path / "a.lock"


def is_free(lock):
    try:
        with held_alone(lock, 0):
            return True
    except TimeoutError:
        return False


def test_one_thread_holds_it_at_a_time_and_its_file_is_private(lock):
    with held_alone(lock, 0):
        assert not is_free(lock)
        assert lock.stat().st_mode & 0o777 == 0o600
    assert is_free(lock)


def test_a_process_that_dies_releases_it(lock):
    words = [sys.executable, "-c", HOLD, str(lock)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert not is_free(lock)
        holder.kill()
        holder.wait()
    assert is_free(lock)


def test_who_waits_gets_it_once_it_is_free(lock):
    taken = []

    def take():
        with held_alone(lock, 60):
            taken.append(True)

    with held_alone(lock, 0):
        waiting = Thread(target=take)
        waiting.start()
        assert not taken
    waiting.join()
    assert taken


def test_a_fork_that_goes_on_does_not_hold_it(lock):
    read, write = os.pipe()
    with held_alone(lock, 0):
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    try:
        assert is_free(lock)
    finally:
        os.close(write)
        os.waitpid(child, 0)
        os.close(read)


def test_a_file_that_is_deleted_while_another_waits_is_not_the_lock_any_more(lock):
    with held_alone(lock, 0):
        lock.unlink()
        with held_alone(lock, 0):
            assert not is_free(lock)


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), held_alone(tmp_path / "no" / "a.lock", 0):
        pass
