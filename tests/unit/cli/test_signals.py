"""A signal that comes where Python can raise nothing still ends what it is to end."""

import signal
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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
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
