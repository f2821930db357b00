"""The ledger: what runs, tasks and parts did, written down before anybody forgets.

Each write is on the disk when it returns. Threads may share one ledger, and processes one file.
Knows nothing of how a run is carried out.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.errors import ExitCode, StateError, UsageError
from runner.outcome import RunOutcome, TaskOutcome
from runner.state.ledger_file import open_ledger, told, transaction
from runner.state.locks import ProcessIdentity
from runner.state.run_records import (
    UNDO,
    Asked,
    Columns,
    PartRecord,
    RunRecord,
    RunState,
    TaskRecord,
    insert_statement,
    moment_text,
    outcome_columns,
    part_columns,
    part_of,
    path_text,
    run_of,
    task_of,
    update_statement,
)

LAST = "last"
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
    """One ledger file, open.

    Every method raises StateError where the file cannot be read or written; a damaged one is kept
    aside under a new name, and the error says which.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = _now) -> None:
        """Open the file, made when missing."""
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._connection = open_ledger(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

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
        asked: Asked | None = None,
        after: str | None = None,
    ) -> None:
        """Record that this process begins a run; `after` is the run it mends or undoes.

        Raises:
            StateError: There is a run of this id already.
        """
        self._insert(
            "runs",
            {
                "run_id": run_id,
                "job": job,
                "job_file": str(job_file),
                "job_sha256": job_sha256,
                "started": moment_text(started),
                "folder": path_text(folder),
                "asked": (asked or Asked()).text(),
                "after": after,
                **_running_here(),
            },
        )

    def resume_run(self, run_id: str) -> None:
        """Record that this process goes on with a run."""
        columns = {**_running_here(), "finished": None, "exit_code": None}
        self._update("runs", columns, {"run_id": run_id})

    def settle_run(self, run_id: str) -> None:
        """Record that nobody is to go on with a run."""
        self._update("runs", {"settled": 1}, {"run_id": run_id})

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
        self._update("runs", columns, {"run_id": run_id})

    def start_task(self, run_id: str, name: str, *, position: int, verb: str, sobject: str) -> None:
        """Record that a task begins, or begins again; `position` is its place, from 0."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO tasks (run_id, name, position, verb, sobject) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET status = NULL, settled = 0",
                (run_id, name, position, verb, sobject),
            )

    def plan_task(self, run_id: str, name: str, plan: str) -> None:
        """Record what a task is about to do, before it does any of it."""
        self._update("tasks", {"plan": plan}, {"run_id": run_id, "name": name})

    def record_part(self, run_id: str, task: str, part: PartRecord, *, synced: bool = True) -> None:
        """Record a part as it stands now, in place of what was recorded of it before.

        Without `synced` it outlives the process at once, and the machine a moment later: for what
        may as well be done again.
        """
        columns = {"run_id": run_id, "task": task, **part_columns(part, self._clock())}
        with nullcontext() if synced else self._unsynced():
            self._insert("parts", columns, replacing=True)

    def finish_task(self, run_id: str, outcome: TaskOutcome, *, settled: bool = True) -> None:
        """Record a task's end; one that never began, a skipped one, is added after the others.

        Once its end is settled, what its rows came to is in its result files, and the ledger
        keeps of its parts those that the org knows as Bulk jobs.
        """
        with self._writing() as connection:
            key = {"run_id": run_id, "name": outcome.name}
            connection.execute(
                "INSERT INTO tasks (run_id, name, position, verb, sobject) "
                "SELECT :run_id, :name, count(*), :verb, :sobject FROM tasks "
                "WHERE run_id = :run_id ON CONFLICT DO NOTHING",
                {**key, "verb": outcome.verb, "sobject": outcome.sobject},
            )
            self._update("tasks", {**outcome_columns(outcome), "settled": int(settled)}, key)
            if settled:
                connection.execute(
                    "DELETE FROM parts WHERE run_id = :run_id AND task = :name "
                    "AND bulk_job_id IS NULL",
                    key,
                )

    def finish_run(self, outcome: RunOutcome, *, settled: bool = True) -> None:
        """Record a run's end; its tasks are recorded one by one before."""
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
            "settled": int(settled),
        }
        self._update("runs", columns, {"run_id": outcome.run_id})

    def runs(self, limit: int = 20, job: str | None = None) -> tuple[RunRecord, ...]:
        """List runs with their tasks, newest first, without their parts."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE :job IS NULL OR job = :job "
                "ORDER BY started DESC, rowid DESC LIMIT :limit",
                {"job": job, "limit": limit},
            ).fetchall()
            return tuple(run_of(row, self._tasks(row["run_id"])) for row in rows)

    def run(self, wanted: str) -> RunRecord:
        """Give a run with its tasks and parts.

        Args:
            wanted: Its id, the beginning of its id, or `last`.

        Raises:
            UsageError: There is none, or several begin that way.
        """
        with self._reading() as connection:
            row = self._find(connection, wanted)
            return run_of(row, self._tasks(row["run_id"], with_parts=True))

    def undone_by(self, run_id: str) -> tuple[str, ...]:
        """List the runs that took a run back, or tried to, newest first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT run_id, asked FROM runs WHERE after = ? ORDER BY started DESC, rowid DESC",
                (run_id,),
            ).fetchall()
            return tuple(row["run_id"] for row in rows if Asked.read(row["asked"]).verb == UNDO)

    def unfinished(self, job_file: Path | None = None) -> tuple[RunRecord, ...]:
        """List runs that can be gone on with, newest first, with tasks and parts.

        Args:
            job_file: Only runs of this file, as it was recorded.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT * FROM runs WHERE settled = 0 AND (:file IS NULL OR job_file = :file) "
                "ORDER BY started DESC, rowid DESC",
                {"file": path_text(job_file)},
            ).fetchall()
            found = (run_of(row, self._tasks(row["run_id"], with_parts=True)) for row in rows)
            return tuple(run for run in found if run.is_unfinished)

    def knows_job(self, job_id: str) -> bool:
        """Whether a part of any run is known to be this Bulk job."""
        with self._reading() as connection:
            found = connection.execute(
                "SELECT 1 FROM parts WHERE bulk_job_id = ? LIMIT 1", (job_id,)
            ).fetchone()
            return found is not None

    def forget(self, run_id: str) -> None:
        """Take a run, its tasks and its parts out of the ledger."""
        with self._writing() as connection:
            connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

    def shrink(self) -> None:
        """Give the room of forgotten runs back to the disk."""
        with self._reading() as connection:
            connection.execute("VACUUM")

    def _find(self, connection: sqlite3.Connection, wanted: str) -> sqlite3.Row:
        rows: list[sqlite3.Row] = connection.execute(
            "SELECT * FROM runs "
            "WHERE :wanted = :last OR substr(run_id, 1, length(:wanted)) = :wanted "
            "ORDER BY run_id = :wanted DESC, started DESC, rowid DESC LIMIT 6",
            {"wanted": wanted, "last": LAST},
        ).fetchall()
        if not rows or not wanted:
            raise UsageError(
                "No run has been recorded yet."
                if wanted == LAST
                else f"There is no run {wanted!r}.",
                hint="`runner history` lists the runs.",
            )
        if wanted not in (LAST, rows[0]["run_id"]) and len(rows) > 1:
            names = ", ".join(row["run_id"] for row in rows)
            raise UsageError(
                f"Several runs begin with {wanted!r}: {names}.", hint="Write more of the one meant."
            )
        return rows[0]

    def _tasks(self, run_id: str, *, with_parts: bool = False) -> tuple[TaskRecord, ...]:
        rows = self._connection.execute(
            "SELECT * FROM tasks WHERE run_id = ? ORDER BY position, rowid", (run_id,)
        ).fetchall()
        return tuple(
            task_of(row, self._parts(run_id, row["name"]) if with_parts else ()) for row in rows
        )

    def _parts(self, run_id: str, task: str) -> tuple[PartRecord, ...]:
        rows = self._connection.execute(
            "SELECT * FROM parts WHERE run_id = ? AND task = ? ORDER BY part, attempt",
            (run_id, task),
        )
        return tuple(part_of(row) for row in rows)

    def _insert(self, table: str, columns: Columns, *, replacing: bool = False) -> None:
        statement = insert_statement(table, columns, replacing=replacing)
        with self._writing() as connection:
            connection.execute(statement, columns)

    def _update(self, table: str, columns: Columns, key: dict[str, str]) -> None:
        statement = update_statement(table, columns, key)
        with self._writing() as connection:
            if connection.execute(statement, {**columns, **key}).rowcount == 0:
                raise StateError(
                    f"The ledger {self.path} knows nothing of {' / '.join(key.values())}."
                )

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        """Transactions that do not wait for the disk; the next that does brings them along."""
        with self._reading() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            try:
                yield
            finally:
                connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; a block within a block is part of it."""
        with self._reading() as connection:
            if connection.in_transaction:
                yield connection
            else:
                with transaction(connection):
                    yield connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, told(self.path):
            yield self._connection
