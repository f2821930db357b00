"""Events become lines; progress is told sparingly; what an org says cannot steer a terminal."""

import io

import pytest

from runner.events import Progress, TaskFinished, TaskStarted, Warned
from runner.outcome import TaskOutcome, TaskStatus
from runner.report.sinks import PlainSink, bar_line, live_sink, printable


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


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("name", ["a", "a_very_long_name_of_a_task_that_nobody_would_write_" * 2])
def test_the_count_is_never_cut(width, name, monkeypatch):
    event = Progress(name, 5_000, 10_000, 3, 7, "JobComplete 750LO0000000001YAA")
    line = bar_line(event, 1234.5, width)
    assert "5,000 of 10,000 rows" in line
    assert len(line) <= width
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with live_sink(stream) as sink:
        sink(event)
        sink(TaskFinished(TaskOutcome(name, "upsert", "Account", TaskStatus.DONE)))
    assert "5,000 of 10,000 rows" in stream.getvalue()


def test_a_total_that_nobody_gave_is_not_shown():
    assert bar_line(Progress("a", 5, None), None, 60) == "a 5 rows"
    stream = io.StringIO()
    with live_sink(stream) as sink:
        sink(Progress("a", 5, None))
        sink(TaskFinished(TaskOutcome("a", "query", "Account", TaskStatus.DONE)))
    assert "100" not in stream.getvalue()
