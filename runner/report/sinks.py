"""Sinks that write a run's events: plain lines, JSON objects, or progress bars on a terminal.

Knows streams, rich, and how often progress is written. Knows nothing of how a run ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import TextIO

from runner import events
from runner.telemetry.document import Members, event_document
from runner.telemetry.lines import line_of, progress_line

PLAIN_EVERY_SECONDS = 30.0


def printable(text: str) -> str:
    """The text without control characters: an org's message must not control a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


class PlainLines:
    """A line for each event; for progress at most every 30 s for each task."""

    def __init__(self, clock: Callable[[], float], *, verbose: bool = False) -> None:
        """Take the time from a clock in seconds; `verbose` has all progress."""
        self._is_due = _Interval(clock, 0.0 if verbose else PLAIN_EVERY_SECONDS)

    def line_of(self, event: events.Event) -> str | None:
        """The event's line, if it has one and it is due."""
        line = self._progress(event) if isinstance(event, events.Progress) else line_of(event)
        return printable(line) if line else None

    def _progress(self, event: events.Progress) -> str | None:
        return progress_line(event) if self._is_due(event.task) else None


class JsonSink:
    """Gives the object of each event to `emit`; progress at most every 30 s for each task."""

    def __init__(
        self,
        emit: Callable[[Members], None],
        clock: Callable[[], float],
        *,
        verbose: bool = False,
    ) -> None:
        self._emit = emit
        self._is_due = _Interval(clock, 0.0 if verbose else PLAIN_EVERY_SECONDS)
        self._run_id: str | None = None
        self._lock = Lock()

    def __call__(self, event: events.Event) -> None:
        """Emit the event's object, if it is due; threads take turns."""
        with self._lock:
            if isinstance(event, events.Progress) and not self._is_due(event.task):
                return
            if isinstance(event, events.RunStarted):
                self._run_id = event.run_id
            self._emit(event_document(event, datetime.now(UTC), self._run_id))
            if isinstance(event, events.RunFinished):
                self._run_id = None


class _Interval:
    """Whether enough time has passed since a task's progress was written, or first known."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._last: dict[str, float] = {}

    def __call__(self, task: str) -> bool:
        now = self._clock()
        if now - self._last.setdefault(task, now) < self._seconds:
            return False
        self._last[task] = now
        return True


class PlainSink:
    """Writes the lines of events to a stream."""

    def __init__(
        self, stream: TextIO, clock: Callable[[], float], *, verbose: bool = False
    ) -> None:
        self._stream = stream
        self._lines = PlainLines(clock, verbose=verbose)
        self._lock = Lock()

    def __call__(self, event: events.Event) -> None:
        """Write the event's line, if it is due; threads take turns."""
        with self._lock:
            if line := self._lines.line_of(event):
                self._stream.write(line + "\n")
                self._stream.flush()


@contextmanager
def live_sink(stream: TextIO) -> Iterator[events.Sink]:
    """Progress bars; for a terminal only. On a narrow one the bar is left out, never the count."""
    from rich.progress import (  # noqa: PLC0415 - slow to import, and only terminals need it
        BarColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    from runner.report.console import console_for  # noqa: PLC0415

    console = console_for(stream)
    line = TextColumn("{task.fields[line]}", markup=False)
    bar_columns = (BarColumn(bar_width=_BAR_CHARACTERS), TimeRemainingColumn())
    beside = _BESIDE_THE_LINE if console.width >= _WIDE else 0
    bars = Progress(line, *(bar_columns if beside else ()), console=console, transient=True)
    bar_of: dict[str, TaskID] = {}

    lock = Lock()

    def show(event: events.Event) -> None:
        with lock:
            draw(event)

    def draw(event: events.Event) -> None:
        match event:
            case events.Progress(task, done, total):
                if task not in bar_of:
                    bar_of[task] = bars.add_task(task, total=total, line="")
                bar = bar_of[task]
                bars.update(bar, completed=done, total=total)
                speed = bars.tasks[bars.task_ids.index(bar)].speed
                bars.update(bar, line=bar_line(event, speed, console.width - beside))
            case events.TaskFinished(outcome):
                if outcome.name in bar_of:
                    bars.refresh()  # so that its last state is drawn
                    bars.remove_task(bar_of.pop(outcome.name))
            case _:
                text = line_of(event)
                if text:
                    bars.console.print(printable(text))

    with bars:
        yield show


_WIDE = 100
_BAR_CHARACTERS = 24
_BESIDE_THE_LINE = _BAR_CHARACTERS + len(" 0:00:00 ")


def bar_line(event: events.Progress, speed: float | None, width: int) -> str:
    """A task's progress on one line of at most `width` characters.

    Args:
        event: How far the task is.
        speed: Rows a second, if known.
        width: What does not fit is cut: first the note, then the task's name, never the count.
    """
    total = f" of {event.rows_total:,}" if event.rows_total is not None else ""
    count = f"{event.rows_done:,}{total} rows"
    name = _cut(printable(event.task), width - len(count) - 1)
    line = f"{name} {count}" if name else count
    rate = f"{speed:,.0f}/s" if speed else ""
    parts = f"part {event.parts_done}/{event.parts_total}" if event.parts_total else ""
    for more in filter(None, (rate, parts, printable(event.note))):
        line += f" {fitting}" if (fitting := _cut(more, width - len(line) - 1)) else ""
    return line


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    return f"{text[: width - 1]}…" if width > 1 else ""
