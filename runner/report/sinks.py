"""Sinks that write a run's events: plain lines, or progress bars on a terminal.

Knows streams and rich. Knows nothing of what the events mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from runner import events
from runner.report.text import line_of, progress_line

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

    def __call__(self, event: events.Event) -> None:
        """Write the event's line, if it is due."""
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
    """Progress bars; for a terminal only."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and only terminals need it
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(file=stream, markup=False, highlight=False),
        transient=True,
    )
    bar_of: dict[str, TaskID] = {}

    def show(event: events.Event) -> None:
        match event:
            case events.Progress(task, done, total, parts_done, parts_total, note):
                if task not in bar_of:
                    bar_of[task] = bars.add_task(task, rate="", note="")
                parts = f"part {parts_done}/{parts_total} " if parts_total else ""
                bar = bar_of[task]
                bars.update(bar, completed=done, total=total, note=printable(parts + note))
                speed = bars.tasks[bars.task_ids.index(bar)].speed
                bars.update(bar, rate=f"{speed:,.0f}/s" if speed else "")
            case events.TaskFinished(outcome):
                if outcome.name in bar_of:
                    bars.refresh()  # so that its last state is drawn
                    bars.remove_task(bar_of.pop(outcome.name))
            case _:
                line = line_of(event)
                if line:
                    bars.console.print(printable(line))

    with bars:
        yield show
