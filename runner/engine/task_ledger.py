"""One task's lines in the ledger: its plan, and how far each part has come.

Knows the form in which facts are recorded. Knows nothing of how rows are sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from runner.errors import StateError, UsageError
from runner.files import checksum_of
from runner.outcome import RowResult, RowStatus
from runner.salesforce.bulk.ingest import ResultSet
from runner.salesforce.bulk.job import JobInfo
from runner.state.ledger import Ledger
from runner.state.run_records import PartRecord, TaskRecord
from runner.tables.field_types import MappedColumn

SENT = "sent"
"""A REST batch that was sent or is about to be; its answer is unknown."""
ANSWERED = "answered"
"""A REST batch whose answer is recorded."""


class WritePlan(Struct, frozen=True):
    """What a write is going to do; a resume that would do anything else is refused."""

    api: str
    key: str | None
    source_sha256: str
    rows: int
    mapping_sha256: str
    batch_rows: int
    hard: bool = False
    """Whether it deletes past the recycle bin."""
    rows_sha256: str = ""
    """Of the staged rows and their numbers; blank in a plan of an older release."""

    def text(self) -> str:
        """The plan as JSON."""
        return json.dumps(asdict(self))

    def check_against(
        self, recorded: str | None, task: str, run_id: str, start_over: str, lost: str | None = None
    ) -> None:
        """Refuse to resume with rows that are not those the run started with.

        Args:
            recorded: The plan that an earlier process recorded; None if there is none.
            task: Its name.
            run_id: The run.
            start_over: How to start over with the rows as they are now.
            lost: Why the rows that the run had kept are not used.

        Raises:
            UsageError: The source, the mapping or the way it is sent has changed since.
        """
        if recorded is None:
            return
        before = WritePlan(**json.loads(recorded))
        if before == self or (not before.rows_sha256 and before == replace(self, rows_sha256="")):
            return
        source = (before.source_sha256, before.rows) != (self.source_sha256, self.rows)
        what = "its source has changed" if source else "what it sends has changed"
        if lost is not None:
            what = f"{what}, and the rows that the run had kept are lost. {lost.removesuffix('.')}"
        raise UsageError(
            f"Task {task!r} of run {run_id} cannot be resumed: {what}.",
            hint=f"Restore what was there, then `runner resume {run_id}`. {start_over}",
        )


def recorded_rows(plan: str | None) -> str | None:
    """The digest of the staged rows in a recorded plan; blank where an older release made it."""
    return None if plan is None else str(json.loads(plan).get("rows_sha256", ""))


def recorded_source(plan: str) -> str:
    """The digest of the source in a recorded plan."""
    return str(json.loads(plan)["source_sha256"])


def mapping_digest(columns: Sequence[MappedColumn]) -> str:
    """A hash of what is sent, and from which expressions.

    A changed job file is refused before this is compared; what is left to catch is a field whose
    type the org has changed since, and with it the text of its values.
    """
    sent = [
        (c.field, c.expression, c.kind.value, c.required, *([c.max_length] if c.is_cut else []))
        for c in columns
    ]
    return hashlib.sha256(json.dumps(sent).encode()).hexdigest()


class TaskLedger:
    """The ledger's lines of one task in one run. Threads may share it."""

    def __init__(self, ledger: Ledger, run_id: str, task: str, past: TaskRecord | None) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._task = task
        parts = past.parts if past else ()
        self._inherited = {
            (each.part, each.attempt): each
            for each in sorted(parts, key=lambda each: (each.part, each.attempt))
        }
        self.recorded_plan = past.plan if past else None
        """The plan that an earlier process recorded; None if there is none."""

    def within(self, numbers: range) -> TaskLedger:
        """The same lines, as far as parts with these numbers are concerned."""
        view = copy(self)
        own = {at: each for at, each in self._inherited.items() if at[0] in numbers}
        view._inherited = own  # noqa: SLF001 - of the same class
        return view

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run_id

    def check(self, plan: WritePlan, start_over: str, lost: str | None = None) -> None:
        """Compare a plan with the one that an earlier process recorded, if any.

        Args:
            plan: The plan.
            start_over: How to start over if they differ; for the error.
            lost: Why the rows that the run had kept are not used; for the error.

        Raises:
            UsageError: They differ.
        """
        plan.check_against(self.recorded_plan, self._task, self._run_id, start_over, lost)

    def begin(self, plan: WritePlan) -> None:
        """Record the plan, unless an earlier process did."""
        if self.recorded_plan is None:
            self._ledger.plan_task(self._run_id, self._task, plan.text())

    def inherited(self, part: int, attempt: int = 0) -> PartRecord | None:
        """What an earlier process recorded of a part."""
        return self._inherited.get((part, attempt))

    @property
    def inherited_parts(self) -> list[PartRecord]:
        """What earlier processes recorded, in the order of the parts and of their attempts."""
        return list(self._inherited.values())

    @property
    def inherited_job_ids(self) -> list[str]:
        """Ids of the Bulk jobs that earlier processes made."""
        return [each.bulk_job_id for each in self._inherited.values() if each.bulk_job_id]

    def record(self, part: PartRecord, *, synced: bool = True) -> None:
        """Record the state of a part; it is on disk when this returns.

        Without `synced` a power cut a moment later may lose it.
        """
        self._ledger.record_part(self._run_id, self._task, part, synced=synced)

    def knows_job(self, job_id: str) -> bool:
        """Whether any run recorded this Bulk job."""
        return self._ledger.knows_job(job_id)


class Collected(Struct, frozen=True):
    """A finished job and its downloaded result sets."""

    info: JobInfo
    files: dict[ResultSet, Path | None]

    @property
    def is_empty(self) -> bool:
        """Whether the job processed nothing, and lists no rows either.

        Raises:
            StateError: A file cannot be read.
        """
        return self.info.processed == 0 and not any(map(has_rows, self.files.values()))

    def text(self) -> str:
        """The job and its files as JSON, files by name, with what each contains.

        Raises:
            StateError: A file cannot be read.
        """
        names = {kind.name: file.name if file else None for kind, file in self.files.items()}
        checksums = {file.name: _checksum(file) for file in self.files.values() if file}
        document = {"info": asdict(self.info), "files": names, "checksums": checksums}
        return json.dumps(document)

    @classmethod
    def read(cls, text: str, folder: Path) -> Collected | None:
        """Read it back; None where a file is missing, or not as it was downloaded."""
        document = json.loads(text)
        files = {
            ResultSet[kind]: folder / n if n else None for kind, n in document["files"].items()
        }
        known = document.get("checksums", {})  # an older release recorded none
        for file in filter(None, files.values()):
            if not file.exists() or known.get(file.name) not in {None, _checksum(file)}:
                return None
        return cls(JobInfo(**document["info"]), files)


def _checksum(file: Path) -> str:
    try:
        return checksum_of(file)
    except OSError as error:
        raise _unreadable(file, error) from error


def has_rows(file: Path | None) -> bool:
    """Whether a result set is more than a header."""
    if file is None:
        return False
    try:
        with file.open("rb") as lines:
            lines.readline()
            return bool(lines.read(1))
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: Path, error: OSError) -> StateError:
    return StateError(f"{file} cannot be read: {error.strerror or error}.")


def rows_text(rows: Iterable[RowResult]) -> str:
    """Row results as JSON."""
    cells = [(r.row, r.status, r.id, r.created, r.code, r.message, r.fields) for r in rows]
    try:
        return msgspec.json.encode(cells).decode()
    except UnicodeEncodeError:  # half a surrogate pair in a message of the org
        return json.dumps(cells)


def rows_of(text: str) -> list[RowResult]:
    """Read row results back.

    Raises:
        StateError: The text is not what `rows_text` writes.
    """
    try:
        return [
            RowResult(row, RowStatus(status), record_id, created, code, message, tuple(fields))
            for row, status, record_id, created, code, message, fields in json.loads(text)
        ]
    except (ValueError, TypeError) as error:
        raise StateError("Row results in the ledger cannot be read.") from error


def known_results(part: PartRecord) -> tuple[int, int] | None:
    """How many rows of a part succeeded and failed; None where that is not recorded for all."""
    if part.results is None or part.state == SENT:
        return None
    found = json.loads(part.results)
    if isinstance(found, dict):
        info = JobInfo(**found["info"])
        return info.processed - info.failed, info.failed
    statuses = [row.status for row in rows_of(part.results)]
    return statuses.count(RowStatus.SUCCEEDED), statuses.count(RowStatus.FAILED)
