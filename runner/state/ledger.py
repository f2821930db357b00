"""The ledger: a record of runs, their tasks and parts.

Each write is on the disk when it returns. Threads may share one ledger, and processes one file.
Knows nothing of how a run is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from runner.outcome import RunOutcome, TaskOutcome
from runner.state.ledger_database import Columns, LedgerDatabase
from runner.state.ledger_file import LedgerFile
from runner.state.process import ProcessIdentity
from runner.state.run_files import FolderFiles, RunFiles
from runner.state.run_history import RunHistory
from runner.state.run_records import (
    PartRecord,
    RunRequest,
    RunState,
    end_columns,
    moment_text,
    outcome_columns,
    part_columns,
    path_text,
)

if TYPE_CHECKING:
    from runner.state.managed import ManagedChange, ManagedRecords
    from runner.state.notifications import Notifications
    from runner.state.watermarks import Extracted, Watermarks

PLAIN = RunRequest()
_PART = ("run_id", "task", "part", "attempt")


def _now() -> datetime:
    return datetime.now(UTC)


def _running_here() -> Columns:
    process = ProcessIdentity.current()
    return {
        "pid": process.pid,
        "host": process.host,
        "began": process.started,
        "state": RunState.RUNNING.value,
    }


class Ledger(RunHistory):
    """An open ledger: a SQLite file, or another database that is open.

    Every method raises StateError when the file cannot be read or written; a damaged one is moved
    aside, and the error says where.
    """

    def __init__(
        self,
        place: Path | LedgerDatabase,
        *,
        files: RunFiles | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Use a database, or open a file, which is created when missing.

        Args:
            place: The database, or the file.
            files: The files of its runs; by default in folders beside the file.
            clock: The current time.
        """
        self._clock = clock
        super().__init__(LedgerFile(place) if isinstance(place, Path) else place)
        self.files = files or FolderFiles(self.database, Path(self.database.name).parent / "runs")

    @cached_property
    def watermarks(self) -> Watermarks:
        """How far incremental queries have been extracted."""
        from runner.state.watermarks import Watermarks  # noqa: PLC0415 - not in every run

        return Watermarks(self.database)

    @cached_property
    def managed(self) -> ManagedRecords:
        """Which records each mirror has created."""
        from runner.state.managed import ManagedRecords  # noqa: PLC0415 - not in every run

        return ManagedRecords(self.database)

    @cached_property
    def notifications(self) -> Notifications:
        """The notifications of runs."""
        from runner.state.notifications import Notifications  # noqa: PLC0415 - few runs notify

        return Notifications(self.database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def check(self) -> None:
        """Check that something can be recorded.

        Raises:
            StateError: The database can only be read.
        """
        changes_nothing = "UPDATE runs SET pid = pid WHERE run_id = :none"
        self.database.execute(changes_nothing, {"none": ""})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start_run(  # noqa: PLR0913 - a run has as many facts
        self,
        run_id: str,
        *,
        job: str,
        job_file: Path,
        job_sha256: str,
        started: datetime,
        folder: Path | None = None,
        request: RunRequest = PLAIN,
        after: str | None = None,
    ) -> None:
        """Record that this process starts a run; `after` is the run it retries or undoes.

        Raises:
            StateError: A run of this id exists.
        """
        self.database.insert(
            "runs",
            {
                "run_id": run_id,
                "job": job,
                "job_file": str(job_file),
                "job_sha256": job_sha256,
                "started": moment_text(started),
                "folder": path_text(folder),
                "asked": request.text(),
                "verb": request.verb,
                "target": request.target or "",
                "selective": int(bool(request.only)),
                "after": after,
                **_running_here(),
            },
        )

    def resume_run(self, run_id: str) -> None:
        """Record that this process resumes a run."""
        columns = {**_running_here(), "finished": None, "exit_code": None}
        self.database.update("runs", columns, {"run_id": run_id})

    def close_run(self, run_id: str) -> None:
        """Record that a run is not to be resumed."""
        self.database.update("runs", {"settled": 1}, {"run_id": run_id})

    def connect_run(
        self,
        run_id: str,
        *,
        org_id: str | None,
        instance_url: str,
        username: str | None,
        api_version: str,
    ) -> None:
        """Record which org a run talks to, once it is known."""
        columns: Columns = {
            "org_id": org_id,
            "instance_url": instance_url,
            "username": username,
            "api_version": api_version,
        }
        self.database.update("runs", columns, {"run_id": run_id})

    def start_task(self, run_id: str, name: str, *, position: int, verb: str, sobject: str) -> None:
        """Record that a task starts, or starts again; `position` is its place in the job.

        Of tasks in one place, the one that started first comes first.
        """
        columns: Columns = {
            "run_id": run_id,
            "name": name,
            "position": position,
            "verb": verb,
            "sobject": sobject,
        }
        self.database.execute(
            "INSERT INTO tasks (run_id, name, position, verb, sobject) "
            "VALUES (:run_id, :name, :position, :verb, :sobject) "
            "ON CONFLICT (run_id, name) DO UPDATE SET status = NULL, settled = 0",
            columns,
        )

    def plan_task(self, run_id: str, name: str, plan: str) -> None:
        """Record what a task is going to do, before it does any of it."""
        with self.files.writing(run_id):
            self.database.update("tasks", {"plan": plan}, {"run_id": run_id, "name": name})

    def record_part(self, run_id: str, task: str, part: PartRecord, *, synced: bool = True) -> None:
        """Record a part as it is now, in place of what was recorded of it before.

        Without `synced` the record survives the death of the process, but perhaps not a power cut:
        for what may be done twice.
        """
        columns = {"run_id": run_id, "task": task, **part_columns(part, self._clock())}
        with self.files.writing(run_id, synced=synced, with_log=False):
            self.database.insert("parts", columns, replacing=_PART)

    def finish_task(  # noqa: PLR0913 - all that one transaction has
        self,
        run_id: str,
        outcome: TaskOutcome,
        *,
        final: bool = True,
        position: int | None = None,
        extracted: Extracted | None = None,
        managed: ManagedChange | None = None,
    ) -> None:
        """Record a task's end; a skipped task, which never started, is added.

        Without a `position` it is added after the others. The watermark of what it `extracted`
        moves in the same transaction, and so does the list of `managed` records.

        When its end is final, its row results are in its result files, and of its parts only
        those that are Bulk jobs in the org stay in the ledger.
        """
        with self.files.writing(run_id) as connection:
            key = {"run_id": run_id, "name": outcome.name}
            connection.execute(
                "INSERT INTO tasks (run_id, name, position, verb, sobject) "
                "SELECT :run_id, :name, coalesce(:position, count(*)), :verb, :sobject FROM tasks "
                "WHERE run_id = :run_id ON CONFLICT DO NOTHING",
                {
                    **key,
                    "position": position,
                    "verb": outcome.verb,
                    "sobject": outcome.sobject,
                },
            )
            self.database.update("tasks", {**outcome_columns(outcome), "settled": int(final)}, key)
            if extracted is not None:
                self.watermarks.move(extracted)
            if managed is not None:
                self.managed.note(managed)
            if final:
                connection.execute(
                    "DELETE FROM parts WHERE run_id = :run_id AND task = :name "
                    "AND bulk_job_id IS NULL",
                    key,
                )

    def finish_run(self, outcome: RunOutcome, *, final: bool = True) -> None:
        """Record a run's end; its tasks have been recorded one by one."""
        aborted = outcome.exit_code.is_by_signal
        org: Columns = {
            "org_id": outcome.org_id,
            "instance_url": outcome.instance_url,
            "username": outcome.username,
            "api_version": outcome.api_version,
        }
        columns: Columns = {
            **{name: value for name, value in org.items() if value is not None},
            "finished": moment_text(outcome.finished),
            "exit_code": outcome.exit_code.value,
            "state": (RunState.ABORTED if aborted else RunState.FINISHED).value,
            "settled": int(final),
            **end_columns(outcome),
        }
        with self.files.writing(outcome.run_id):
            self.database.update("runs", columns, {"run_id": outcome.run_id})

    def delete_run(self, run_id: str) -> None:
        """Delete a run, its tasks and its parts from the ledger, then its files."""
        self.database.execute("DELETE FROM runs WHERE run_id = :run_id", {"run_id": run_id})
        self.files.delete(run_id)

    def shrink(self) -> None:
        """Give the space of deleted runs back to the disk."""
        self.database.shrink()
