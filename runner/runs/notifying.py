"""Notifies people of how runs ended, and pings a heartbeat; neither changes how a run ends.

Knows which ends there are, also that of a run that never began. Knows nothing of how a message is
sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from runner import events
from runner.credentials import SecretReference
from runner.errors import AbortedError, ExitCode, JobError, RunnerError, StateError
from runner.job.model import Job
from runner.job.notices import Notice, NoticeEvent
from runner.job.watched_files import watched_file
from runner.outcome import RunOutcome
from runner.runs.next_command import command_after
from runner.runs.prepare import RunOptions
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord, RunRequest, RunState
from runner.state.store import open_ledger
from runner.telemetry.log import FILE

if TYPE_CHECKING:
    from runner.notify.heartbeat import Heartbeat
    from runner.state.notifications import Notification

_RETRY = "retry"
_DIED = "Its process ended without recording an end: it was killed, or the machine stopped."


class Watched(Struct, frozen=True):
    """Who is notified of the runs of one job on one target."""

    job: str
    file: Path
    target: str | None = None
    notices: tuple[Notice, ...] = ()
    heartbeat: SecretReference | None = None
    lines: Sequence[str] = ()
    needs_login: bool = True
    """Whether somebody signs in for it."""


def notified(
    job: Job, request: RunRequest, options: RunOptions, run: Callable[[RunOptions], RunOutcome]
) -> RunOutcome:
    """Run, then notify of the end; that is returned or raised, whatever becomes of the messages.

    Args:
        job: The job.
        request: What is asked of it.
        options: How it runs.
        run: Runs it, with the options that it gets.
    """
    connection = job.connection
    notices = (*job.notify, *connection.notify)
    of_job = Watched(
        job.name,
        job.file,
        connection.target,
        notices,
        job.heartbeat,
        job.origin.lines,
        connection.auth is None,
    )
    watch = _Watch(of_job, request, options)
    try:
        watch.begin()
        outcome = run(replace(options, sink=watch.note))
    except Exception as error:
        watch.failed(error)
        raise
    watch.ended([*([outcome.resumed] if outcome.resumed else []), outcome])
    return outcome


def notify_of_not_started(
    error: RunnerError, files: Sequence[Path], request: RunRequest, options: RunOptions
) -> None:
    """Notify of jobs that an error keeps from starting, as far as their files can be read."""
    for file in files:
        found = watched_file(file, request.target)
        if found.notify or found.heartbeat:
            of_job = Watched(
                found.name,
                file.absolute(),
                found.target,
                found.notify,
                found.heartbeat,
                found.lines,
            )
            watch = _Watch(of_job, request, options)
            watch.begin()
            watch.failed(_of_file(error, file))


def _of_file(error: RunnerError, file: Path) -> RunnerError:
    """An error of several jobs, as far as it concerns one of them."""
    if not isinstance(error, JobError):
        return error
    own = tuple(each for each in error.diagnostics if each.file.absolute() == file.absolute())
    if own:
        found: RunnerError = JobError(own)
        found.message = error.message
    else:
        others = ", ".join(sorted({str(each.file) for each in error.diagnostics}))
        found = RunnerError(f"It was not started: there are problems in {others}.")
    found.exit_code = error.exit_code
    return found


class _Watch(Struct):
    """One run of a job, watched until its end."""

    job: Watched
    request: RunRequest
    options: RunOptions
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    run_ids: list[str] = field(default_factory=list)
    before: RunRecord | None = None
    """The newest run before it."""
    heartbeat: Heartbeat | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all tasks of the job are asked for."""
        return not self.request.only and self.request.verb != _RETRY

    def begin(self) -> None:
        """Look at the run before, and notify of it if its process died."""
        if self.job.heartbeat is not None and self.is_whole:
            from runner.notify.heartbeat import Heartbeat

            self.heartbeat = Heartbeat(self.job.heartbeat, self.warn)
        if self.job.notices:
            with self._harmlessly(is_over=False), self._ledger() as ledger:
                before = self.before = ledger.last_run_of(self.job.file, self.job.target)
                if before is not None and _died_unnoticed(ledger, before):
                    end = self._end(ExitCode.FAILED, _DIED)
                    of_it = replace(end, run_id=before.run_id, started=before.started)
                    self._notify(ledger, [of_it])

    def note(self, event: events.Event) -> None:
        """Pass an event on; at the first run that starts, ping the heartbeat."""
        if isinstance(event, events.RunStarted):
            self.run_ids.append(event.run_id)
            if self.heartbeat is not None:
                self.heartbeat.start()
        self.options.sink(event)

    def failed(self, error: Exception) -> None:
        """Notify of a run that an error ended, whether it had begun or not."""
        if isinstance(error, RunnerError):
            end = replace(self._end(error.exit_code, error.message), hint=error.hint)
            if isinstance(error, JobError):
                end = replace(end, problems=error.diagnostics)
            earlier = [error.resumed] if error.resumed else []
            self.ended([*earlier, end])
        elif isinstance(error, OSError):
            self.ended([self._end(ExitCode.FAILED, f"{error.filename or ''}: {error.strerror}.")])
        else:
            self.ended([self._end(ExitCode.DEFECT, f"Internal error ({type(error).__name__}).")])

    def ended(self, outcomes: Sequence[RunOutcome]) -> None:
        """Notify of ends that are in the ledger, if the runs began."""
        with self._harmlessly():
            if self.heartbeat is not None:
                is_done = all(each.exit_code is ExitCode.DONE for each in outcomes)
                self.heartbeat.end(self._log(outcomes[-1]), is_done=is_done)
            if self.job.notices:
                self._notify_recorded(outcomes)
        with self._harmlessly():
            if self.heartbeat is not None:
                self.heartbeat.finish()

    def _log(self, outcome: RunOutcome) -> str:
        """What a heartbeat says, without values of rows."""
        from runner.notify.message import Happening, document_of

        happening = Happening(None, outcome, self.job.target, None, self.job.lines)
        return str(document_of(happening, Notice(()))["text"])

    def warn(self, message: str) -> None:
        """Say what could not be sent."""
        self.options.sink(events.Warned(message))

    @contextmanager
    def _harmlessly(self, *, is_over: bool = True) -> Iterator[None]:
        """Report whatever goes wrong: it is not the run's. A signal still ends one to come."""
        try:
            yield
        except AbortedError:
            if not is_over:
                raise
            self.warn("a signal ended the sending of notifications. The next run tries again.")
        except RunnerError as error:
            if is_over:
                self.warn(f"notifications were not sent: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has ended as it has
            self.warn(f"notifications were not sent: internal error ({type(error).__name__}).")

    def _ledger(self) -> AbstractContextManager[Ledger]:
        return open_ledger(self.options.settings.state)

    def _end(self, code: ExitCode, message: str) -> RunOutcome:
        """The end of a run that has none in the ledger, or not this one."""
        run_id = self.run_ids[-1] if self.run_ids else ""
        now, job = datetime.now(UTC), self.job
        return RunOutcome(
            run_id, job.job, job.file, self.started, now, exit_code=code, message=message
        )

    def _notify_recorded(self, outcomes: Sequence[RunOutcome]) -> None:
        """Notify, also if the ledger cannot be used: that may be why the run failed."""
        try:
            with self._ledger() as ledger:
                self._notify(ledger, outcomes)
        except StateError:
            self._notify(None, outcomes)

    def _notify(self, ledger: Ledger | None, outcomes: Sequence[RunOutcome]) -> None:
        from runner.notify.outbox import deliver

        made: list[Notification] = []
        follows_failure = ledger is not None and self._follows_failure(ledger)
        for each in outcomes:
            record = None if ledger is None else _record(ledger, each.run_id)
            outcome = record.outcome or each if record is not None else each
            made += self._made(outcome, record, follows_failure=follows_failure)
            follows_failure = outcome.exit_code is not ExitCode.DONE
        deliver(None if ledger is None else ledger.notifications, made, warn=self.warn)

    def _follows_failure(self, ledger: Ledger) -> bool:
        """Whether the run before, or an attempt to start one since then, was not done."""
        before = self.before
        tried = ledger.notifications.last_of(self.job.file, self.job.target)
        if (
            tried is not None
            and tried.run_id is None
            and tried.event in _BAD
            and (before is None or tried.created > before.started)
        ):
            return True
        if before is None:
            return False
        return before.state is RunState.DIED or before.exit_code not in {None, ExitCode.DONE}

    def _made(
        self, outcome: RunOutcome, record: RunRecord | None, *, follows_failure: bool
    ) -> list[Notification]:
        """The messages of one end, to all who want to know of it."""
        from runner.notify.events import event_of
        from runner.notify.message import Happening, document_of
        from runner.notify.outbox import notification_of

        seconds = (outcome.finished - outcome.started).total_seconds()
        before = self.before
        was_partial = before is not None and before.exit_code is ExitCode.PARTIAL
        recovers = self.is_whole or (self.request.verb == _RETRY and was_partial)
        is_unfinished = record is not None and record.has_begun and not record.final
        made: dict[str, Notification] = {}
        for notice in self.job.notices:
            event = event_of(
                outcome.exit_code,
                notice.on,
                seconds=seconds,
                slower_than_seconds=notice.slower_than_seconds,
                follows_failure=follows_failure and recovers,
            )
            if event is None:
                continue
            command = command_after(
                outcome, self.job.target, self.options.settings.state,
                is_unfinished=is_unfinished, needs_login=self.job.needs_login,
            )  # fmt: skip
            of_before = None
            if event is NoticeEvent.RECOVERED and before is not None:
                ended = "died" if before.exit_code is None else f"exit {int(before.exit_code)}"
                of_before = f"run {before.run_id} ({ended})"
            happening = Happening(
                event, outcome, self.job.target, command, self.job.lines, of_before
            )
            document = document_of(happening, notice)
            for recipient in notice.to:
                one = notification_of(recipient, document, self.job.file)
                made.setdefault(one.recipient, one)
        return list(made.values())


_BAD = frozenset({NoticeEvent.FAILED.value, NoticeEvent.PARTIAL.value, NoticeEvent.TRIPPED.value})


def _died_unnoticed(ledger: Ledger, run: RunRecord) -> bool:
    """Whether a run's process died, and nobody was notified since it did anything."""
    if run.state is not RunState.DIED:
        return False
    failed = NoticeEvent.FAILED.value
    told = [each for each in ledger.notifications.of_runs([run.run_id]) if each.event == failed]
    try:
        last_event = ((run.folder or Path()) / FILE).stat().st_mtime
    except OSError:
        last_event = 0.0
    return not any(each.created.timestamp() > last_event for each in told)


def _record(ledger: Ledger, run_id: str) -> RunRecord | None:
    """What the ledger knows of a run; None if it never began."""
    return ledger.run(run_id) if run_id else None
