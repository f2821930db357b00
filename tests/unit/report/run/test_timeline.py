"""When tasks ran and how fast rows went, from the events of a log."""

from datetime import UTC, datetime, timedelta

import pytest

from runner.report.run.timeline import BINS, Span, timeline

BEGAN = datetime(2026, 11, 29, 2, 30, tzinfo=UTC)


def at(seconds, name, **members):
    return {"event": name, "time": (BEGAN + timedelta(seconds=seconds)).isoformat(), **members}


def progress(seconds, task, rows):
    return at(seconds, "task.progress", task=task, rows_done=rows)


def test_tasks_side_by_side_and_rows_over_time():
    line = timeline(
        [
            at(0, "run.started"),
            at(10, "task.started", task="a"),
            at(20, "task.started", task="b"),
            progress(40, "a", 300),
            at(40, "task.finished", task="a"),
            at(60, "task.finished", task="b"),
            at(60, "run.finished"),
        ]
    )
    assert line.spans == (Span("a", 10, 40), Span("b", 20, 60))
    assert line.seconds == 60
    assert line.rates[9] == 0
    assert line.rates[10:40] == pytest.approx([10] * 30)
    assert sum(line.rates) * 60 / BINS == pytest.approx(300)


def test_the_days_between_a_death_and_its_resume_take_no_room():
    day = 86_400
    line = timeline(
        [
            at(0, "run.started"),
            at(1, "task.started", task="a"),
            progress(9, "a", 800),
            at(day, "run.started"),
            at(day + 1, "task.started", task="a"),
            progress(day + 2, "a", 900),
            at(day + 5, "task.finished", task="a"),
        ]
    )
    assert line.spans == (Span("a", 1, 9), Span("a", 10, 14))
    assert line.resumed_at == (9,)
    assert line.seconds == 14


def test_a_run_in_progress_ends_now_and_a_dead_one_at_its_last_event():
    events = [at(0, "run.started"), at(1, "task.started", task="a"), progress(2, "a", 5)]
    assert timeline(events).spans == (Span("a", 1, 2),)
    assert timeline(events, BEGAN + timedelta(seconds=30)).spans == (Span("a", 1, 30),)


def test_a_clock_that_is_set_back_and_lines_of_others_do_no_harm():
    line = timeline(
        [
            {"event": "run.started"},
            {"event": "run.started", "time": "yesterday"},
            at(0, "run.started"),
            at(5, "task.started", task="a"),
            progress(-100, "a", 10),
            at(6, "task.finished", task="a"),
        ]
    )
    assert line.spans == (Span("a", 5, 6),)
    assert timeline([]).rates == ()
