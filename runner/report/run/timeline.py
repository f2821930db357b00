"""When the tasks of a run ran, and how fast rows went, from its events.

Pure. Knows the events of a log. Time in which no process worked on the run takes no room: a run
that died on Monday and was resumed on Tuesday has two processes, one beside the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

BINS = 60
"""Of the rows per second over time."""


class Span(Struct, frozen=True):
    """A stretch of time in which a task ran, in seconds of work since the run's start."""

    task: str
    start: float
    end: float


class Timeline(Struct, frozen=True):
    """A run over its time."""

    seconds: float
    """Of all processes together."""
    spans: tuple[Span, ...]
    resumed_at: tuple[float, ...]
    """Where further processes of the run begin."""
    rates: tuple[float, ...]
    """Rows a second in each of `BINS` equal stretches; empty if no progress is known."""
    retries: tuple[float, ...]
    """When a request was sent again."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names in the order in which the tasks began."""
        return tuple(dict.fromkeys(span.task for span in self.spans))


class _Step(Struct, frozen=True):
    """Rows that a task did between two moments of its progress."""

    start: float
    end: float
    rows: int


def timeline(events: Sequence[Mapping[str, object]], now: datetime | None = None) -> Timeline:
    """Put a run's events on one line of time.

    Args:
        events: As a log has them.
        now: The current time, if the run is in progress; None: it has ended or died.
    """
    found = _Reader()
    for event in events:
        found.read(event)
    if now is not None and found.began is not None:
        found.at(now)
    found.close_all()
    return Timeline(
        seconds=found.seconds,
        spans=tuple(sorted(found.spans, key=lambda span: (span.start, span.end))),
        resumed_at=tuple(found.resumed_at),
        rates=_rates(found.steps, found.seconds),
        retries=tuple(found.retries),
    )


class _Reader:
    """The events so far."""

    def __init__(self) -> None:
        self.began: datetime | None = None
        """The current process."""
        self.seconds = 0.0
        self.spans: list[Span] = []
        self.steps: list[_Step] = []
        self.resumed_at: list[float] = []
        self.retries: list[float] = []
        self._before = 0.0
        """Seconds of the processes before."""
        self._open: dict[str, float] = {}
        self._rows: dict[str, tuple[float, int]] = {}

    def read(self, event: Mapping[str, object]) -> None:
        name, time = event.get("event"), event.get("time")
        moment = _moment(time)
        if moment is None:
            return
        if name == "run.started":
            self._start(moment)
        at = self.at(moment)
        task = str(event.get("task", ""))
        if name == "task.started":
            self._open[task] = at
            self._rows[task] = at, 0
        elif name == "task.progress":
            self._progress(task, at, event.get("rows_done"))
        elif name == "task.finished":
            self._close(task)
        elif name == "request.retrying":
            self.retries.append(at)

    def at(self, moment: datetime) -> float:
        """The place of a moment; a clock that is set back does not lead back."""
        self.began = self.began or moment
        self.seconds = max(self.seconds, self._before + (moment - self.began).total_seconds())
        return self.seconds

    def close_all(self) -> None:
        for task in tuple(self._open):
            self._close(task)

    def _start(self, moment: datetime) -> None:
        if self.began is not None:
            self.close_all()
            self.resumed_at.append(self.seconds)
        self._before, self.began = self.seconds, moment

    def _close(self, task: str) -> None:
        start = self._open.pop(task, None)
        if start is not None:
            self.spans.append(Span(task, start, self.seconds))

    def _progress(self, task: str, at: float, rows: object) -> None:
        since, before = self._rows.get(task, (at, 0))
        if isinstance(rows, int):
            if rows > before:
                self.steps.append(_Step(since, at, rows - before))
            self._rows[task] = at, rows


def _moment(time: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(time))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _rates(steps: Iterable[_Step], seconds: float) -> tuple[float, ...]:
    """Rows a second; the rows of a step are spread evenly over its time."""
    steps = tuple(steps)
    if not steps or seconds <= 0:
        return ()
    width = seconds / BINS
    rows = [0.0] * BINS
    for step in steps:
        first, last = (min(BINS - 1, int(each / width)) for each in (step.start, step.end))
        length = step.end - step.start
        for each in range(first, last + 1):
            common = min(step.end, (each + 1) * width) - max(step.start, each * width)
            rows[each] += step.rows * (common / length if length > 0 else 1 / (last + 1 - first))
    return tuple(each / width for each in rows)
