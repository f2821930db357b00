"""The log of a run: its events as JSON Lines in its folder, bounded in size.

Knows the file, and what is left out of it. A log that cannot be written never changes a run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from msgspec import Struct

from runner import events
from runner.errors import StorageError
from runner.files import PRIVATE_FILE, private_folder
from runner.telemetry.document import Level, Members, document, event_document, line

FILE = "events.jsonl"
MOST_BYTES = 4 * 1024 * 1024
"""Of a run's log; beyond it only starts and ends are added."""
FIRST_INTERVAL_SECONDS = 1.0
"""Between two events of progress of a task; it doubles with every `_BEFORE_DOUBLING` of a run, so
that a run of ten hours has a few thousand."""
_BEFORE_DOUBLING = 200
_ALWAYS = (
    events.RunStarted,
    events.Connected,
    events.ApiCallsCounted,
    events.TaskStarted,
    events.TaskFinished,
    events.RunFinished,
)


def _now() -> datetime:
    return datetime.now(UTC)


class EventLog:
    """A sink that appends each event to a run's log; threads take turns."""

    def __init__(
        self,
        file: Path,
        run_id: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        """Open the log, behind what an earlier process of the run has left in it.

        Raises:
            OSError: It cannot be written.
            StorageError: Its folder cannot be created.
        """
        self._run_id = run_id
        self._clock, self._now = clock, now
        private_folder(file.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(file, flags, PRIVATE_FILE)
        self._bytes = os.fstat(self._descriptor).st_size
        if self._bytes and os.pread(self._descriptor, 1, self._bytes - 1) != b"\n":
            self._append("\n")  # a power cut left half a line
        self._interval = FIRST_INTERVAL_SECONDS
        self._progress_events = 0
        self._due: dict[str, float] = {}
        self._held: dict[str, tuple[events.Progress, datetime]] = {}
        self._is_full = False
        self._lock = Lock()

    def __call__(self, event: events.Event) -> None:
        """Append the event, if it is due.

        Raises:
            OSError: The disk is full, or gone.
        """
        with self._lock:
            if isinstance(event, events.Progress):
                self._hold(event)
                return
            if isinstance(event, events.TaskFinished):
                self._add_held(event.outcome.name)
            self._add(event, self._now())

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _hold(self, event: events.Progress) -> None:
        """Add progress that is due; the last that was not is added when its task ends."""
        self._held[event.task] = event, self._now()
        if self._clock() < self._due.get(event.task, 0.0):
            return
        self._add_held(event.task)
        self._due[event.task] = self._clock() + self._interval
        self._progress_events += 1
        if self._progress_events % _BEFORE_DOUBLING == 0:
            self._interval *= 2

    def _add_held(self, task: str) -> None:
        held = self._held.pop(task, None)
        if held is not None:
            self._add(*held)

    def _add(self, event: events.Event, moment: datetime) -> None:
        if self._bytes < MOST_BYTES or isinstance(event, _ALWAYS):
            self._append(line(event_document(event, moment, self._run_id)))
        elif not self._is_full:
            self._is_full = True
            said = "the log has reached its size: from here on it has starts and ends only"
            members: Members = {"run_id": self._run_id}
            self._append(line(document("log.full", Level.WARNING, said, moment, members)))

    def _append(self, text: str) -> None:
        content = text.encode()
        self._bytes += len(content)
        while content:
            content = content[os.write(self._descriptor, content) :]


@contextmanager
def kept(folder: Path, run_id: str, sink: events.Sink) -> Iterator[events.Sink]:
    """A sink that also keeps events in the log of a run.

    Once the log cannot be written, a warning says so, and the run goes on without it.
    """
    log: EventLog | None = None

    def give_up(error: OSError | StorageError) -> None:
        why = error.strerror if isinstance(error, OSError) else error.message
        sink(events.Warned(f"{folder / FILE} cannot be written ({why}); the run goes on."))

    def keep(event: events.Event) -> None:
        nonlocal log
        if log is not None:
            try:
                log(event)
            except OSError as error:
                log = None
                give_up(error)
        sink(event)

    try:
        opened = log = EventLog(folder / FILE, run_id)
    except (OSError, StorageError) as error:
        give_up(error)
        yield sink
        return
    try:
        yield keep
    finally:
        log = None
        opened.close()


class ReadLog(Struct, frozen=True):
    """What a log has."""

    events: tuple[Members, ...]
    damaged: int = 0
    """Lines that a crash of the machine left behind, and that are not JSON."""


def read_log(file: Path) -> ReadLog:
    """Read a log; the last line of a run in progress may not be whole yet, and is left out.

    Raises:
        OSError: There is none, or it cannot be read.
    """
    *lines, _unfinished = file.read_bytes().split(b"\n")
    found: list[Members] = []
    damaged = 0
    for each in lines:
        try:
            read = json.loads(each)
        except ValueError:
            read = None
        if isinstance(read, dict):
            found.append(read)
        elif each:
            damaged += 1
    return ReadLog(tuple(found), damaged)
