"""Jobs from Python: what the command line does, as functions that return values and print nothing.

`load` and `validate` read a job, `plan` says what a run would do, `run` and `resume` do it,
`history` reads what runs have done. A run happens in a thread of its own: iterate over it for its
events, ask for its `outcome`, or `stop` it. No signal is handled and no stream is touched. Of the
`SFRUNNER_` variables only those of the state folder and of the job's mail server are read. Errors
are those of `runner.errors`, with the exit codes of the command.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self, TypeVar

from runner.errors import ExitCode
from runner.lanes import Background

if TYPE_CHECKING:
    from runner.diagnostics import Diagnostic
    from runner.events import Event
    from runner.job.model import Job
    from runner.job.rails import Rail
    from runner.outcome import RunOutcome
    from runner.plan import RunPlan
    from runner.runs.wiring import UserSettings
    from runner.state.run_records import RunRecord

__all__ = ["Run", "history", "load", "plan", "resume", "run", "validate"]

Value = str | int | float | bool | date | None
"""Of a param; a `datetime` is a date, too."""
Params = Mapping[str, Value | Sequence[Value]]
Names = str | Iterable[str]
"""One or several."""
Folders = str | Path | Iterable[str | Path]
Item = TypeVar("Item")


class Run(Iterator["Event"]):
    """A run in progress.

    Iterating gives its events (`runner.events`) as they happen and ends with the run. In a `with`
    statement it is stopped when the block ends early; left alone, it goes on to its end.
    """

    def __init__(self, execute: Callable[[Callable[[Event], None]], RunOutcome]) -> None:
        """Start it; `execute` gets what to call with each event."""
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._work = Background(self._executing(execute))

    def _executing(
        self, execute: Callable[[Callable[[Event], None]], RunOutcome]
    ) -> Callable[[], RunOutcome]:
        def work() -> RunOutcome:
            try:
                return execute(self._events.put)
            finally:
                self._events.put(None)

        return work

    def __next__(self) -> Event:
        """The next event.

        Raises:
            StopIteration: The run has ended.
            RunnerError: It could not start; nothing was sent.
        """
        event = self._events.get()
        if event is not None:
            return event
        self._events.put(None)  # for whoever asks again
        self._work.result()
        raise StopIteration

    def lines(self) -> Iterator[str]:
        """The events as lines for a log: progress at most every 30 s for each task, then the recap.

        Raises:
            RunnerError: It could not start; nothing was sent.
        """
        from runner.events import RunFinished  # noqa: PLC0415
        from runner.report.sinks import PlainLines, printable  # noqa: PLC0415
        from runner.report.text import recap  # noqa: PLC0415

        plain = PlainLines(time.monotonic)
        for event in self:
            if isinstance(event, RunFinished):
                yield from filter(None, printable(recap(event.outcome)).splitlines())
            elif line := plain.line_of(event):
                yield line

    @property
    def outcome(self) -> RunOutcome:
        """How the run and each of its tasks ended; waits for that.

        Tasks and rows that failed are in there, not raised.

        Raises:
            RunnerError: It could not start; nothing was sent. `exit_code` and `hint` say more.
        """
        return self._work.result()

    def stop(self) -> None:
        """Let it end in order, as after Ctrl-C: it can be resumed. Does not wait for the end."""
        self._work.stop(ExitCode.INTERRUPTED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._work.wait()


def load(
    job: str | Path,
    *,
    target: str | None = None,
    state_dir: str | Path | None = None,
    allow_hosts: Names = (),
    allow_outside: Folders = (),
) -> Job:
    """Read and check a job file.

    Args:
        job: The file.
        target: Which of its targets; None: its default, if it has targets.
        state_dir: The state folder, where tokens may be; None: as on the command line.
        allow_hosts: Hosts that tokens may be sent to, besides Salesforce's.
        allow_outside: Folders outside the job's own that it may write to, or read tokens from.

    Raises:
        JobError: It has problems; `diagnostics` has all of them, with their positions.
        UsageError: It has no such target.
    """
    from runner.runs.wiring import load_job  # noqa: PLC0415 - programs may import much at once

    settings = _settings(state_dir, allow_hosts, allow_outside)
    return load_job(Path(job), settings.permissions, target=target)


def validate(
    job: str | Path,
    *,
    target: str | None = None,
    state_dir: str | Path | None = None,
    allow_hosts: Names = (),
    allow_outside: Folders = (),
) -> tuple[Diagnostic, ...]:
    """Find the problems of a job, warnings too, in the order of the file; none if it is good.

    The arguments are those of `load`.

    Raises:
        UsageError: It has no such target.
    """
    from runner.runs.wiring import check_job  # noqa: PLC0415

    settings = _settings(state_dir, allow_hosts, allow_outside)
    return check_job(Path(job), settings.permissions, target=target, thorough=True)[1]


def plan(  # noqa: PLR0913 - the options of `runner plan`
    job: str | Path | Job,
    *,
    tasks: Names = (),
    params: Params | None = None,
    target: str | None = None,
    rows: int = 10,
    timeout_seconds: float | None = None,
    state_dir: str | Path | None = None,
    allow_hosts: Names = (),
    allow_outside: Folders = (),
) -> RunPlan:
    """Say what a run would do, without writing anything.

    Args:
        job: The file, or what `load` gave.
        tasks: Names of the tasks; all when empty.
        params: Values of the job's params.
        target: Which of the job's targets; None: its default.
        rows: How many rows of each kind to show of a task.
        timeout_seconds: Stop after this long; None: no limit.
        state_dir: The state folder; None: as on the command line.
        allow_hosts: Hosts that tokens may be sent to, besides Salesforce's.
        allow_outside: Folders outside the job's own that it may use.

    Raises:
        RunnerError: It cannot be planned.
    """
    from runner.runs.plan import made_plans  # noqa: PLC0415
    from runner.runs.prepare import RunOptions, prepare  # noqa: PLC0415
    from runner.state.run_records import RunRequest  # noqa: PLC0415

    file, of_job = _file_of(job, target)
    options = RunOptions(
        _settings(state_dir, allow_hosts, allow_outside), ends_at=_ends_at(timeout_seconds)
    )
    request = RunRequest(only=_each(tasks), params=_texts(params or {}), target=of_job)
    with made_plans(prepare([file], request, options), options, most_rows=rows) as made:
        return made[0].plan


def run(  # noqa: PLR0913 - the options of `runner run`
    job: str | Path | Job,
    *,
    tasks: Names = (),
    params: Params | None = None,
    target: str | None = None,
    start_over: bool = False,
    full: bool = False,
    timeout_seconds: float | None = None,
    wait_lock_seconds: float = 0.0,
    parallel: int = 4,
    allow: Names = (),
    confirm: Names = (),
    state_dir: str | Path | None = None,
    allow_hosts: Names = (),
    allow_outside: Folders = (),
) -> Run:
    """Start a job; an unfinished run of it is resumed first.

    Args:
        job: The file, or what `load` gave.
        tasks: Names of the tasks to run; all when empty.
        params: Values of the job's params.
        target: Which of the job's targets; None: its default.
        start_over: Abandon an unfinished run, as `--anew` does.
        full: Extract all records of incremental queries.
        timeout_seconds: Stop in order after this long; None: no limit.
        wait_lock_seconds: How long to wait for another run of the job.
        parallel: How many tasks may run at once, where `needs` allows it.
        allow: Limits of the job that do not count this time, as for `--allow`.
        confirm: Names of protected connections that may be written to.
        state_dir: The state folder: ledger, locks, files of runs; None: as on the command line.
        allow_hosts: Hosts that tokens may be sent to, besides Salesforce's.
        allow_outside: Folders outside the job's own that it may use.

    Returns:
        The run. That it cannot start is an error of its `outcome` and of its iteration.
    """
    from runner.runs import execute  # noqa: PLC0415
    from runner.runs.prepare import RunOptions  # noqa: PLC0415
    from runner.state.run_records import RunRequest  # noqa: PLC0415

    file, of_job = _file_of(job, target)
    request = RunRequest(only=_each(tasks), params=_texts(params or {}), full=full, target=of_job)
    settings = _settings(state_dir, allow_hosts, allow_outside)
    rails, ends_at = _rails(allow), _ends_at(timeout_seconds)

    def work(sink: Callable[[Event], None]) -> RunOutcome:
        options = RunOptions(
            settings,
            sink,
            wait_lock_seconds=wait_lock_seconds,
            ends_at=ends_at,
            parallel=parallel,
            allowed=rails,
            confirmed=frozenset(_each(confirm)),
        )
        (prepared,) = execute.prepare_runs([file], request, options)
        return execute.run(prepared, options, start_over=start_over)

    return Run(work)


def resume(  # noqa: PLR0913 - the options of `runner resume`
    run_id: str | None = None,
    *,
    timeout_seconds: float | None = None,
    parallel: int = 4,
    confirm: Names = (),
    state_dir: str | Path | None = None,
    allow_hosts: Names = (),
    allow_outside: Folders = (),
) -> Run:
    """Finish an unfinished run.

    Args:
        run_id: Its id or the beginning of it; None: the newest one.
        timeout_seconds: Stop in order after this long; None: no limit.
        parallel: How many tasks may run at once.
        confirm: Names of protected connections that may be written to.
        state_dir: The state folder of the run; None: as on the command line.
        allow_hosts: Hosts that tokens may be sent to, besides Salesforce's.
        allow_outside: Folders outside the job's own that it may use.
    """
    from runner.runs.prepare import RunOptions  # noqa: PLC0415
    from runner.runs.resume import resume  # noqa: PLC0415

    settings, ends_at = _settings(state_dir, allow_hosts, allow_outside), _ends_at(timeout_seconds)

    def work(sink: Callable[[Event], None]) -> RunOutcome:
        options = RunOptions(
            settings, sink, ends_at=ends_at, parallel=parallel, confirmed=frozenset(_each(confirm))
        )
        return resume(run_id, options)

    return Run(work)


def history(
    job: str | Job | None = None, *, limit: int = 20, state_dir: str | Path | None = None
) -> tuple[RunRecord, ...]:
    """List runs, newest first: where each is, and the `outcome` of those that have ended.

    Args:
        job: The name of the job, or what `load` gave; None: all jobs.
        limit: How many.
        state_dir: The state folder; None: as on the command line.

    Raises:
        StateError: The ledger cannot be read.
    """
    from runner.state.store import open_ledger  # noqa: PLC0415

    with open_ledger(_settings(state_dir, (), ()).state) as ledger:
        name = job if job is None or isinstance(job, str) else job.name
        return ledger.runs(limit=limit, job=name)


def _settings(state_dir: str | Path | None, hosts: Names, outside: Folders) -> UserSettings:
    from runner.job.permissions import Permissions  # noqa: PLC0415
    from runner.runs.wiring import UserSettings  # noqa: PLC0415
    from runner.state.paths import state_at, user_state_at  # noqa: PLC0415

    state = state_at(state_dir, os.environ)
    own = user_state_at(state_dir, os.environ) if state.project_file is not None else state
    permissions = Permissions(
        frozenset(host.lower() for host in _each(hosts)),
        tuple(Path(folder).expanduser().absolute() for folder in _each(outside)),
        (own.root,),
    )
    return UserSettings(state, permissions, keyring_locks=own.locks)


def _each(given: str | Path | Iterable[Item]) -> tuple[Item, ...]:
    """Several as they are, and one as the only one: a text would be taken for its letters."""
    found: Iterable[Any] = (given,) if isinstance(given, (str, Path)) else given
    return tuple(found)


def _file_of(job: str | Path | Job, target: str | None) -> tuple[Path, str | None]:
    """A job's file, and its target: of a loaded job the one that it was loaded for."""
    if isinstance(job, (str, Path)):
        return Path(job), target
    return job.file, target or job.connection.target


def _texts(params: Params) -> tuple[str, ...]:
    """Params as on the command line."""
    return tuple(f"{name}={_text(value)}" for name, value in params.items())


def _text(value: Value | Sequence[Value]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return json.dumps([_text(each) for each in value])
    return "" if value is None else str(value)


def _rails(names: Names) -> frozenset[Rail]:
    from runner.errors import UsageError  # noqa: PLC0415
    from runner.job import rails  # noqa: PLC0415

    try:
        return frozenset(map(rails.Rail, _each(names)))
    except ValueError as error:
        known = ", ".join(rails.Rail)
        raise UsageError(f"{error}.", hint=f"The limits are {known}.") from None


def _ends_at(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds
