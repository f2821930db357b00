"""What a ledger says of its runs.

Knows the statements that find them. Knows nothing of how they are recorded.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from runner.errors import ExitCode, UsageError
from runner.state.ledger_database import LedgerDatabase, Row, Statements
from runner.state.run_records import (
    UNDO,
    PartRecord,
    RunRecord,
    RunState,
    TaskRecord,
    moment_text,
    part_of,
    path_text,
    run_of,
    task_of,
)

LAST = "last"
_MOST_RUNS = 1_000_000_000
"""A database takes no larger limit."""
_SETTLED_RUNS = 100
_OF_JOB = f"job_file = :job_file AND target = :of_target AND verb <> '{UNDO}'"
_WHOLE = "selective = 0 AND verb <> 'retry'"
_RETRIED = (
    "EXISTS (WITH RECURSIVE again(id) AS (SELECT own.run_id "
    "UNION SELECT runs.run_id FROM runs JOIN again ON runs.after = again.id "
    "WHERE runs.verb = 'retry') "
    "SELECT 1 FROM runs WHERE run_id IN (SELECT id FROM again) AND exit_code = :done)"
)


class RunHistory:
    """The runs of a ledger; every method raises StateError when that cannot be read."""

    def __init__(self, database: LedgerDatabase) -> None:
        """Use an open database."""
        self.database = database

    def runs(self, limit: int = 20, job: str | None = None) -> tuple[RunRecord, ...]:
        """List runs with their tasks, newest first, without their parts."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE CAST(:job AS TEXT) IS NULL OR job = :job "
                "ORDER BY started DESC, rowid DESC LIMIT :limit",
                {"job": job, "limit": min(limit, _MOST_RUNS)},
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

    def settled(self, job_file: Path) -> tuple[str, ...]:
        """List Ids of the latest runs of a job that cannot be resumed."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT run_id FROM runs WHERE settled = 1 AND job_file = :job_file"
                " ORDER BY started DESC LIMIT :limit",
                {"job_file": str(job_file), "limit": _SETTLED_RUNS},
            ).fetchall()
            return tuple(row["run_id"] for row in rows)

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

    def with_open_jobs(self, job_file: Path, org_id: str) -> tuple[RunRecord, ...]:
        """List runs of a job on an org that are not resumed, but whose Bulk jobs may be under way.

        With tasks and parts, without runs that are running.
        """
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE settled = 1 AND job_file = :job_file AND org_id = :org_id"
                " AND run_id IN (SELECT parts.run_id FROM parts JOIN tasks"
                " ON tasks.run_id = parts.run_id AND tasks.name = parts.task"
                " WHERE parts.state IN ('intended', 'Open')"
                " OR tasks.verb = 'query' AND parts.state IN ('UploadComplete', 'InProgress'))",
                {"job_file": str(job_file), "org_id": org_id},
            ).fetchall()
            found = (
                self._run(row, self._tasks(connection, row["run_id"], with_parts=True))
                for row in rows
            )
            return tuple(run for run in found if run.state is not RunState.RUNNING)

    def knows_job(self, job_id: str) -> bool:
        """Whether a part of any run is recorded as this Bulk job."""
        with self.database.reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM parts WHERE bulk_job_id = :job_id LIMIT 1", {"job_id": job_id}
            ).fetchone()
            return found is not None

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
