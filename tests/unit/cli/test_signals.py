"""A signal that comes where Python can raise nothing still ends what it is to end."""

import signal
import subprocess
import sys
from threading import Event

import pytest

from runner.cli.signals import signals_end_the_wait, signals_stop_the_run
from runner.cli.terminal import Exit
from runner.errors import AbortedError

LONG_SECONDS = 5
"""How long a run would go on if the signal was lost."""


class Late:
    """Gets a signal in its finalizer, where exceptions are lost."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        signal.raise_signal(self.number)


@pytest.fixture(autouse=True)
def _no_signal_of_other_tests(monkeypatch):
    monkeypatch.setattr(AbortedError, "of_signal", None)
    hangs_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may be run by nohup
    yield
    signal.signal(signal.SIGHUP, hangs_up)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_run_ends_though_the_signal_came_in_a_finalizer(number, code, capfd):
    before = signal.getsignal(number)

    def run():
        Late(number)
        Event().wait(LONG_SECONDS)

    with pytest.raises(AbortedError) as ended, signals_stop_the_run():
        run()
    assert ended.value.exit_code == code
    assert signal.getsignal(number) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert capfd.readouterr().err.startswith("stopping: ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_wait_ends_though_the_signal_came_in_a_finalizer(number, code):
    before = signal.getsignal(number)
    with signals_end_the_wait() as check:
        check()
        Late(number)
        with pytest.raises(Exit) as ended:
            check()
    assert ended.value.code == code
    assert signal.getsignal(number) == before


def test_what_else_is_lost_goes_where_it_went(monkeypatch):
    lost = []
    monkeypatch.setattr("sys.unraisablehook", lost.append)

    class Broken:
        def __del__(self):
            raise ValueError

    with signals_stop_the_run():
        Broken()
    assert [each.exc_type for each in lost] == [ValueError]


def test_a_command_that_nohup_has_started_goes_on():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_stop_the_run(), signals_end_the_wait() as check:
            signal.raise_signal(signal.SIGHUP)
            check()
    finally:
        signal.signal(signal.SIGHUP, before)


STUCK = """
import ctypes
from runner.cli.signals import signals_stop_the_run
from runner.errors import AbortedError
system, lock = ctypes.CDLL(None), ctypes.create_string_buffer(256)
with signals_stop_the_run():
    system.pthread_mutex_lock(lock)
    told = []
    while True:
        try:
            if not told:
                told.append("stuck")
                print("stuck", flush=True)
            system.pthread_mutex_lock(lock)  # no signal ends this
        except AbortedError:  # the signal came just before it
            pass
"""
INTERRUPTED_EARLY = """
import signal, sys
class Finder:
    def find_spec(self, name, *_):
        if name == "runner.cli.log_format":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv = ["runner", "history"]
from runner.cli.main import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a lock is known for Linux")
def test_the_second_signal_ends_what_no_signal_can_interrupt():
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("stopping: ")
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline() == "quit; `runner resume` continues where it stopped\n"
        assert process.wait(60) == 143


def test_a_signal_at_the_very_start_shows_no_traceback():
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_EARLY], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
