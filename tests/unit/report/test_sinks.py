"""Events become lines; progress is told sparingly; what an org says cannot steer a terminal."""

import io

import pytest

from runner.events import Progress, TaskFinished, TaskStarted, Warned
from runner.outcome import TaskOutcome, TaskStatus
from runner.report.sinks import PlainSink, live_sink, printable


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_progress_is_told_every_thirty_seconds(clock):
    stream = io.StringIO()
    sink = PlainSink(stream, clock)
    for seconds in (0, 10, 29, 30, 45, 61):
        clock.now = float(seconds)
        sink(Progress("a", seconds))
    assert stream.getvalue() == "a: 30 rows\na: 61 rows\n"


def test_each_task_has_its_own_interval(clock):
    stream = io.StringIO()
    sink = PlainSink(stream, clock)
    sink(Progress("a", 0))
    clock.now = 20.0
    sink(Progress("b", 0))
    clock.now = 35.0
    sink(Progress("a", 1))
    sink(Progress("b", 1))
    assert stream.getvalue() == "a: 1 rows\n"


def test_verbose_tells_every_step(clock):
    stream = io.StringIO()
    sink = PlainSink(stream, clock, verbose=True)
    sink(Progress("a", 1))
    sink(Progress("a", 2))
    assert stream.getvalue() == "a: 1 rows\na: 2 rows\n"


def test_control_characters_never_reach_the_stream(clock):
    stream = io.StringIO()
    PlainSink(stream, clock)(Warned("\x1b[2Jgone\x07"))
    assert stream.getvalue() == "warning: \ufffd[2Jgone\ufffd\n"
    assert printable("tab\tand\nline") == "tab\tand\nline"


def test_bars_move_and_go_while_lines_stay():
    stream = io.StringIO()
    with live_sink(stream) as sink:
        sink(TaskStarted("a", "upsert", "Account"))
        sink(Progress("a", 10, 100, 1, 2, "InProgress"))
        sink(Progress("a", 20, 100, 1, 2, "InProgress"))
        sink(TaskFinished(TaskOutcome("a", "upsert", "Account", TaskStatus.DONE)))
    assert "a: upsert Account" in stream.getvalue()
