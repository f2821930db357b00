"""One task's lines in the ledger: what it set out to do, and how far each part of it came.

Knows the words in which facts are written down. Knows nothing of how rows are sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.errors import StateError, UsageError
from runner.outcome import RowResult, RowStatus
from runner.salesforce.bulk.ingest import ResultSet
from runner.salesforce.bulk.job import JobInfo
from runner.state.ledger import Ledger
from runner.state.run_records import PartRecord, TaskRecord
from runner.tables.field_types import MappedColumn

SENT = "sent"
"""A REST batch that is about to be sent, or was; nothing is known of its answer."""
ANSWERED = "answered"
"""A REST batch whose answer is written down."""


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What a write set out to do; a resume that would do anything else is refused."""

    api: str
    key: str | None
    source_sha256: str
    rows: int
    mapping_sha256: str
    batch_rows: int
    hard: bool = False
    """Whether it deletes past the recycle bin."""

    def text(self) -> str:
        """Write it down as JSON."""
        return json.dumps(asdict(self))

    def check_against(self, noted: str | None, task: str, run_id: str) -> None:
        """Refuse to go on with rows that are not those the run began with.

        Raises:
            UsageError: The source, the mapping or the way it is sent has changed since.
        """
        if noted is None:
            return
        before = WritePlan(**json.loads(noted))
        if before == self:
            return
        source = (before.source_sha256, before.rows) != (self.source_sha256, self.rows)
        what = "its source has changed" if source else "what it sends has changed"
        raise UsageError(
            f"Task {task!r} of run {run_id} cannot be gone on with: {what} since it began.",
            hint=f"Put back what was there, then `runner resume {run_id}`. Or give the run up, "
            f"which sends nothing: `runner resume {run_id} --abandon`; its row results are kept.",
        )


def mapping_digest(columns: Sequence[MappedColumn]) -> str:
    """A hash of what is sent, and from which expressions."""
    told = [(c.field, c.expression, c.kind.value, c.required) for c in columns]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class TaskLedger:
    """The ledger's lines of one task in one run. Threads may share it."""

    def __init__(self, ledger: Ledger, run_id: str, task: str, past: TaskRecord | None) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._task = task
        parts = past.parts if past else ()
        self._inherited = {(each.part, each.attempt): each for each in parts}
        self.recorded_plan = past.plan if past else None
        """What an earlier process set out to do; None where none came that far."""

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run_id

    def begin(self, plan: WritePlan) -> None:
        """Write the plan down, or hold it against the one that was.

        Raises:
            UsageError: They differ.
        """
        plan.check_against(self.recorded_plan, self._task, self._run_id)
        if self.recorded_plan is None:
            self._ledger.plan_task(self._run_id, self._task, plan.text())

    def inherited(self, part: int, attempt: int = 0) -> PartRecord | None:
        """What an earlier process wrote down of a part."""
        return self._inherited.get((part, attempt))

    @property
    def inherited_job_ids(self) -> list[str]:
        """Of the jobs that earlier processes made."""
        return [each.bulk_job_id for each in self._inherited.values() if each.bulk_job_id]

    def record(self, part: PartRecord, *, synced: bool = True) -> None:
        """Write a part down as it stands now; it is on the disk when this returns.

        Without `synced` the disk has it a moment later, should the whole machine stop.
        """
        self._ledger.record_part(self._run_id, self._task, part, synced=synced)

    def knows_job(self, job_id: str) -> bool:
        """Whether any run wrote this Bulk job down."""
        return self._ledger.knows_job(job_id)


@dataclass(frozen=True, slots=True)
class Collected:
    """An ended job and the result sets that it left on this machine."""

    info: JobInfo
    files: dict[ResultSet, Path | None]

    @property
    def is_empty(self) -> bool:
        """Whether the job carried nothing out: it ended before it began."""
        return self.info.processed == 0 and not any(self.files.values())

    def text(self) -> str:
        """Write it down as JSON, files by their names."""
        names = {kind.name: file.name if file else None for kind, file in self.files.items()}
        return json.dumps({"info": asdict(self.info), "files": names})

    @classmethod
    def read(cls, text: str, folder: Path) -> Collected | None:
        """Read it back; None where a file is missing."""
        told = json.loads(text)
        files = {ResultSet[kind]: folder / n if n else None for kind, n in told["files"].items()}
        if any(file is not None and not file.exists() for file in files.values()):
            return None
        return cls(JobInfo(**told["info"]), files)


def rows_text(rows: Iterable[RowResult]) -> str:
    """Write row results down as JSON."""
    return json.dumps(
        [(r.row, r.status, r.id, r.created, r.code, r.message, r.fields) for r in rows]
    )


def rows_of(text: str) -> list[RowResult]:
    """Read row results back.

    Raises:
        StateError: They are not what was written.
    """
    try:
        return [
            RowResult(row, RowStatus(status), record_id, created, code, message, tuple(fields))
            for row, status, record_id, created, code, message, fields in json.loads(text)
        ]
    except (ValueError, TypeError) as error:
        raise StateError("The ledger holds row results that cannot be read.") from error
