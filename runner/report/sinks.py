"""Sinks that write a run's events: plain lines, or progress bars on a terminal.

Knows the line of each event, streams and rich. Knows nothing of how a run ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TextIO

from runner import events

PLAIN_EVERY_SECONDS = 30.0


def printable(text: str) -> str:
    """The text without control characters: an org's message must not control a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


class PlainSink:
    """Writes a line for each event; progress at most every 30 s for each task."""

    def __init__(
        self, stream: TextIO, clock: Callable[[], float], *, verbose: bool = False
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._every_seconds = 0.0 if verbose else PLAIN_EVERY_SECONDS
        self._last_written: dict[str, float] = {}
        self._lock = Lock()

    def __call__(self, event: events.Event) -> None:
        """Write the event's line, if it is due; threads take turns."""
        with self._lock:
            line = self._progress(event) if isinstance(event, events.Progress) else line_of(event)
            if line:
                self._stream.write(printable(line) + "\n")
                self._stream.flush()

    def _progress(self, event: events.Progress) -> str | None:
        now = self._clock()
        last = self._last_written.setdefault(event.task, now)
        if now - last < self._every_seconds:
            return None
        self._last_written[event.task] = now
        return progress_line(event)


@contextmanager
def live_sink(stream: TextIO) -> Iterator[events.Sink]:
    """Progress bars; for a terminal only. On a narrow one the bar is left out, never the count."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only terminals need it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(file=stream, markup=False, highlight=False)
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


def line_of(event: events.Event) -> str | None:
    """The log line of an event; None for those that only move a progress bar."""
    match event:
        case events.RunStarted(run_id, job, tasks):
            return f"run {run_id}: {job}, {_count(tasks, 'task')}"
        case events.Connected():
            who = f" as {event.username}" if event.username else ""
            version = f"API version {event.api_version}"
            return f"connected to {event.instance_url}{who}, {version}"
        case events.TaskStarted(task, verb, sobject):
            return f"{task}: {verb} {sobject}"
        case events.Retrying(reason, wait_seconds, attempt):
            return f"retrying in {wait_seconds:.1f} s (attempt {attempt}): {reason}"
        case events.Warned(message, task) | events.Noticed(message, task):
            warning = "warning: " if isinstance(event, events.Warned) else ""
            return f"{warning}{task + ': ' if task else ''}{message}"
        case _:
            return None


def progress_line(event: events.Progress) -> str:
    """Progress of a task, on one line."""
    total = f" of {event.rows_total:,}" if event.rows_total is not None else ""
    parts = f", part {event.parts_done} of {event.parts_total}" if event.parts_total else ""
    note = f", {event.note}" if event.note else ""
    return f"{event.task}: {event.rows_done:,}{total} rows{parts}{note}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
