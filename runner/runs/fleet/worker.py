"""What happens on a worker: it says what it has, runs a job, and stops it.

A job runs as `runner run` does it here, so an unfinished run of it is resumed first: that is what
makes it safe to run a job again whose worker has died. Knows nothing of who asks.
"""

from __future__ import annotations

import json
import os
import platform
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec.structs import replace

from runner import events
from runner.errors import ExitCode, RunnerError, UsageError
from runner.job.permissions import Permissions
from runner.job.rails import Rail
from runner.lanes import Background
from runner.outcome import RunOutcome
from runner.redaction import redacted
from runner.runs.fleet.crew import Crew
from runner.runs.fleet.messages import Answer, Order, Places, Problem, Question, Report
from runner.runs.prepare import RunOptions
from runner.runs.wiring import UserSettings
from runner.state.paths import (
    VARIABLE,
    StateFolder,
    project_folder,
    state_at,
    user_folders,
    user_state_at,
)
from runner.state.process import ProcessIdentity
from runner.state.run_records import RunRequest
from runner.state.shared.address import without_password
from runner.state.store import open_ledger
from runner.tables.extras import is_installed
from runner.version import __version__

if TYPE_CHECKING:
    from runner.state.run_files import RunFiles
    from runner.tables.staging.elsewhere import Stager

PROGRESS_SECONDS = 0.5
"""Between two events about the progress of a task."""
Send = Callable[[str], None]


class _Executing:
    """The jobs that this process runs, and the commands that have asked to stop theirs."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.work: dict[tuple[str, int], tuple[str, Background[RunOutcome]]] = {}
        self.stopped: dict[str, ExitCode] = {}


_executing = _Executing()


def report(question: str) -> str:
    """Answer what a command wants to know, as JSON."""
    project = project_folder()
    here = Places(project)
    asked = here.decoded(Question, question)
    missing, different = [], []
    for name, digest in asked.files:
        try:
            same = sha256((project / name).read_bytes()).hexdigest() == digest
        except OSError:
            missing.append(name)
        else:
            different += [] if same else [name]
    found = Report(
        version=__version__,
        python=platform.python_version(),
        process=ProcessIdentity.current(),
        project=str(project),
        missing=tuple(missing),
        different=tuple(different),
        extras=tuple(
            sorted({extra for module, extra in asked.modules if not is_installed(module)})
        ),
        state_error=_state_error(asked.state),
        jobs=tuple(name for name, _ in list(_executing.work.values())),
    )
    return here.encoded(found)


def _state_error(state: str) -> str | None:
    if not state:
        return None
    try:
        with open_ledger(_state(state)):
            return None
    except RunnerError as error:
        return error.message


def _state(named: str, chosen_in: Path | None = None) -> StateFolder:
    """The state that is named; its password, if it has one, is this process's own.

    Args:
        named: A folder, or an address without its password.
        chosen_in: The project's file, if only that says where the state is.
    """
    own = os.environ.get(VARIABLE) or _named_by_project()
    state = user_state_at(own if without_password(own) == named else named, os.environ)
    return state if chosen_in is None else replace(state, project_file=chosen_in)


def _named_by_project() -> str:
    """The address in a variable that the project's file names; empty if there is none."""
    try:
        shared = state_at(None, os.environ).shared
    except RunnerError:
        return ""
    return shared.url if shared is not None else ""


def run_job(order: str, send: Send, crew: Crew) -> str:
    """Run a job to its end, whatever that is.

    Args:
        order: What to run, as JSON.
        send: Called with each event, as JSON.
        crew: The other workers.

    Returns:
        The answer, as JSON.
    """
    places = Places(project_folder())
    asked = places.decoded(Order, order)
    sink = _Sending(asked.number, places, send)
    sink.begin()
    try:
        state = _state(asked.state, places.path(asked.state_of) if asked.state_of else None)
        sink.places = places = Places(places.project, state.root)
        outcome = _stoppable(asked, lambda: _run(asked, state, places, sink, crew), crew)
        answer = Answer(sink.attempt, outcome)
    except RunnerError as error:
        answer = Answer(sink.attempt, problem=Problem.of(error))
    except Exception as error:  # noqa: BLE001 - a crash here is reported where the command is
        trace = redacted("".join(traceback.format_exception(error)), shapes=True)
        answer = Answer(sink.attempt, crash=trace)
    return places.encoded(answer)


def stage_piece(order: str) -> str:
    """Stage a part of a source for a job that another worker runs; the answer as JSON."""
    from runner.runs.fleet.staging import stage_piece as staged

    return staged(order, Places(project_folder()), _open_files)


@contextmanager
def _open_files(named: str) -> Iterator[tuple[StateFolder, RunFiles]]:
    state = _state(named)
    with open_ledger(state) as ledger:
        yield state, ledger.files


def stop(fleet: str, code: int) -> None:
    """Let the runs of a command end in order, and start no more of them; does not wait."""
    with _executing.lock:
        _executing.stopped[fleet] = ExitCode(code)
        for (whose, _), (_, work) in _executing.work.items():
            if whose == fleet:
                work.stop(ExitCode(code))


def stop_all() -> None:
    """Let all runs end in order, and wait for them: this worker is being shut down."""
    with _executing.lock:
        under_way = [work for _, work in _executing.work.values()]
        for work in under_way:
            work.stop(ExitCode.TERMINATED)
    for work in under_way:
        work.wait()


def _stoppable(order: Order, work: Callable[[], RunOutcome], crew: Crew) -> RunOutcome:
    def until_end() -> RunOutcome:
        try:
            return work()
        finally:
            crew.end()

    with _executing.lock:
        running = Background(until_end)
        key = (order.fleet, order.number)
        _executing.work[key] = (order.job_file, running)
        code = _executing.stopped.get(order.fleet)
        if code is not None:
            running.stop(code)
    try:
        crew.serve()
        return running.result()
    finally:
        with _executing.lock:
            del _executing.work[key]


def _run(
    order: Order, state: StateFolder, places: Places, sink: events.Sink, crew: Crew
) -> RunOutcome:
    from runner.runs import execute

    settings = UserSettings(
        state,
        Permissions(
            frozenset(order.hosts),
            tuple(map(places.path, order.folders)),
            user_folders(os.environ),
        ),
        order.token,
        _keyring_locks(),
    )
    options = RunOptions(
        settings,
        sink,
        wait_lock_seconds=order.wait_lock_seconds,
        ends_at=None if order.ends_at is None else time.monotonic() + order.ends_at - time.time(),
        max_disk_bytes=order.max_disk_bytes,
        parallel=order.parallel,
        allowed=frozenset(map(Rail, order.allowed)),
        confirmed=frozenset(order.confirmed),
        stager=_stager_of(order, state, places, crew) if order.threads > 1 else None,
    )
    file = places.project / order.job_file
    request = RunRequest.read(order.request)
    prepared = execute.prepare_runs([file], request, options)[0]
    if prepared.job_sha256 != order.sha256:
        raise UsageError(
            f"{file} differs from the one that was checked, so it was not started.",
            hint="Bring the project of the workers to the version of the command, and run again.",
        )
    outcome = execute.run(prepared, options)
    if order.excel_safe:
        from runner.tables.results.excel_safe import copies_of_run

        copies_of_run(outcome)
    return outcome


def _stager_of(
    order: Order, state: StateFolder, places: Places, crew: Crew
) -> Callable[[RunFiles, str], Stager]:
    def stager(files: RunFiles, run_id: str) -> Stager:
        from runner.runs.fleet.staging import FleetStager

        return FleetStager(order, crew, state.run(run_id), files, places)

    return stager


def _keyring_locks() -> Path | None:
    try:
        return user_state_at(None, os.environ).locks
    except RunnerError:
        return None


class _Sending:
    """A sink that sends events, progress at most every half second for each task."""

    def __init__(self, number: int, places: Places, send: Send) -> None:
        self.attempt = uuid4().hex
        self.places = places
        self._number = number
        self._send = send
        self._last: dict[str, float] = {}
        self._lock = Lock()

    def begin(self) -> None:
        """Tell the command that a worker has the order."""
        self._send(json.dumps([self._number, self.attempt, None]))

    def __call__(self, event: events.Event) -> None:
        """Send an event; threads take turns."""
        with self._lock:
            if isinstance(event, events.Progress):
                now = time.monotonic()
                if now - self._last.get(event.task, -PROGRESS_SECONDS) < PROGRESS_SECONDS:
                    return
                self._last[event.task] = now
            text = self.places.event_text(event)
            self._send(json.dumps([self._number, self.attempt, text]))
