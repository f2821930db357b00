"""The ledger: a record of runs, their tasks and parts.

Each write is on the disk when it returns. Threads may share one ledger, and processes one file.
Knows nothing of how a run is executed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runner.errors import ExitCode, UsageError
from runner.outcome import RunOutcome, TaskOutcome
from runner.state.ledger_database import Columns, LedgerDatabase, Row, Statements
from runner.state.ledger_file import LedgerFile
from runner.state.process import ProcessIdentity
from runner.state.run_files import FolderFiles, RunFiles
from runner.state.run_records import (
    UNDO,
    PartRecord,
    RunRecord,
    RunRequest,
    RunState,
    TaskRecord,
    end_columns,
    moment_text,
    outcome_columns,
    part_columns,
    part_of,
    path_text,
    run_of,
    task_of,
)

if TYPE_CHECKING:
    from runner.state.managed import ManagedChange, ManagedRecords
    from runner.state.notifications import Notifications
    from runner.state.watermarks import Extracted, Watermarks

LAST = "last"
PLAIN = RunRequest()
_OF_JOB = f"job_file = :job_file AND target = :of_target AND verb <> '{UNDO}'"
_WHOLE = "selective = 0 AND verb <> 'retry'"
_RETRIED = (
    "EXISTS (WITH RECURSIVE again(id) AS (SELECT own.run_id "
    "UNION SELECT runs.run_id FROM runs JOIN again ON runs.after = again.id "
    "WHERE runs.verb = 'retry') "
    "SELECT 1 FROM runs WHERE run_id IN (SELECT id FROM again) AND exit_code = :done)"
)
_PART = ("run_id", "task", "part", "attempt")
_SIGNALLED = frozenset({ExitCode.INTERRUPTED, ExitCode.TERMINATED})


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


class Ledger:
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
        self.database = LedgerFile(place) if isinstance(place, Path) else place
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
        aborted = outcome.exit_code in _SIGNALLED
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

    def runs(self, limit: int = 20, job: str | None = None) -> tuple[RunRecord, ...]:
        """List runs with their tasks, newest first, without their parts."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE CAST(:job AS TEXT) IS NULL OR job = :job "
                "ORDER BY started DESC, rowid DESC LIMIT :limit",
                {"job": job, "limit": limit},
            ).fetchall()
            return tuple(self._run(row, self._tasks(connection, row["run_id"])) for row in rows)

    def last_run_of(self, job_file: Path, target: str | None) -> RunRecord | None:
        """Find the newest run of a job on a target, without its tasks; an undo is not one."""
        with self.database.reading() as connection:
            row = connection.execute(
                f"SELECT * FROM runs WHERE {_OF_JOB} ORDER BY started DESC, rowid DESC LIMIT 1",  # noqa: S608 - own names
                {"job_file": str(job_file), "of_target": target or ""},
            ).fetchone()
            return None if row is None else self._run(row)

    def last_success_of(self, job_file: Path, target: str | None) -> RunRecord | None:
        """Find the newest run of all tasks of a job that is done, without its tasks.

        A run that was partial counts once a retry of it is done.
        """
        with self.database.reading() as connection:
            row = connection.execute(
                f"SELECT * FROM runs AS own WHERE {_OF_JOB} AND {_WHOLE} AND (exit_code = :done "  # noqa: S608 - own names
                f"OR exit_code = :partial AND {_RETRIED}) "
                "ORDER BY started DESC, rowid DESC LIMIT 1",
                {
                    "job_file": str(job_file),
                    "of_target": target or "",
                    "done": ExitCode.DONE.value,
                    "partial": ExitCode.PARTIAL.value,
                },
            ).fetchone()
            return None if row is None else self._run(row)

    def jobs(self) -> list[tuple[Path, str | None]]:
        """List the job files that have run, and on which target each."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT DISTINCT job_file, target FROM runs ORDER BY job_file, target", {}
            ).fetchall()
            return [(Path(row["job_file"]), row["target"] or None) for row in rows]

    def run(self, wanted: str) -> RunRecord:
        """Find a run, with its tasks and parts.

        Args:
            wanted: Its id, the beginning of its id, or `last`.

        Raises:
            UsageError: There is none, or several ids begin that way.
        """
        with self.database.reading() as connection:
            row = self._find(connection, wanted)
            return self._run(row, self._tasks(connection, row["run_id"], with_parts=True))

    def runs_since(self, moment: datetime) -> tuple[RunRecord, ...]:
        """List the runs that started at a moment or later, with tasks and parts."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE started >= :moment", {"moment": moment_text(moment)}
            ).fetchall()
            return tuple(
                self._run(row, self._tasks(connection, row["run_id"], with_parts=True))
                for row in rows
            )

    def undone_by(self, run_id: str) -> tuple[str, ...]:
        """List the runs that undid a run, or tried to, newest first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT run_id FROM runs WHERE after = :run_id AND verb = :undo "
                "ORDER BY started DESC, rowid DESC",
                {"run_id": run_id, "undo": UNDO},
            ).fetchall()
            return tuple(row["run_id"] for row in rows)

    def unfinished(self, job_file: Path | None = None) -> tuple[RunRecord, ...]:
        """List runs that can be resumed, newest first, with tasks and parts.

        Args:
            job_file: Only runs of this file, as it was recorded.
        """
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE settled = 0 "
                "AND (CAST(:job_file AS TEXT) IS NULL OR job_file = :job_file) "
                "ORDER BY started DESC, rowid DESC",
                {"job_file": path_text(job_file)},
            ).fetchall()
            found = (
                self._run(row, self._tasks(connection, row["run_id"], with_parts=True))
                for row in rows
            )
            return tuple(run for run in found if run.is_unfinished)

    def under_way(self) -> tuple[RunRecord, ...]:
        """List runs that are running, or have died and can be resumed: the oldest first, whole."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE state = :running ORDER BY started, rowid",
                {"running": RunState.RUNNING.value},
            ).fetchall()
            found = (
                self._run(row, self._tasks(connection, row["run_id"], with_parts=True))
                for row in rows
            )
            return tuple(run for run in found if run.state is RunState.RUNNING or run.is_unfinished)

    def knows_job(self, job_id: str) -> bool:
        """Whether a part of any run is recorded as this Bulk job."""
        with self.database.reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM parts WHERE bulk_job_id = :job_id LIMIT 1", {"job_id": job_id}
            ).fetchone()
            return found is not None

    def delete_run(self, run_id: str) -> None:
        """Delete a run, its tasks and its parts from the ledger, then its files."""
        self.database.execute("DELETE FROM runs WHERE run_id = :run_id", {"run_id": run_id})
        self.files.delete(run_id)

    def shrink(self) -> None:
        """Give the space of deleted runs back to the disk."""
        self.database.shrink()

    def _run(self, row: Row, tasks: tuple[TaskRecord, ...] = ()) -> RunRecord:
        return run_of(row, tasks, self.database.has_ended)

    def _find(self, connection: Statements, wanted: str) -> Row:
        rows: list[Row] = connection.execute(
            "SELECT * FROM runs "
            "WHERE :is_last = 1 OR substr(run_id, 1, length(:wanted)) = :wanted "
            "ORDER BY run_id = :wanted DESC, started DESC, rowid DESC LIMIT 6",
            {"wanted": wanted, "is_last": int(wanted == LAST)},
        ).fetchall()
        if not rows or not wanted:
            newest = connection.execute(
                "SELECT run_id FROM runs ORDER BY started DESC, rowid DESC LIMIT 3", {}
            ).fetchall()
            names = ", ".join(row["run_id"] for row in newest)
            raise UsageError(
                f"There is no run {wanted!r}." if newest else "No run has been recorded yet.",
                hint=f"The newest are {names}; `runner history` lists all."
                if newest
                else "`runner history` lists the runs.",
            )
        if wanted not in (LAST, rows[0]["run_id"]) and len(rows) > 1:
            names = ", ".join(row["run_id"] for row in rows)
            raise UsageError(
                f"Several runs begin with {wanted!r}: {names}.", hint="Type more of its id."
            )
        return rows[0]

    def _tasks(
        self, connection: Statements, run_id: str, *, with_parts: bool = False
    ) -> tuple[TaskRecord, ...]:
        rows = connection.execute(
            "SELECT *, rowid AS number FROM tasks WHERE run_id = :run_id ORDER BY position, rowid",
            {"run_id": run_id},
        ).fetchall()
        return tuple(
            task_of(row, self._parts(connection, run_id, row["name"]) if with_parts else ())
            for row in rows
        )

    def _parts(self, connection: Statements, run_id: str, task: str) -> tuple[PartRecord, ...]:
        rows = connection.execute(
            "SELECT * FROM parts WHERE run_id = :run_id AND task = :task ORDER BY part, attempt",
            {"run_id": run_id, "task": task},
        )
        return tuple(part_of(row) for row in rows)
