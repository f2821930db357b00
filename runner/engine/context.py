"""What every task of a run shares.

Knows the collaborators by name. Builds none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from runner.credentials import Secret, SecretReference
from runner.engine.api_reserve import ApiReserve
from runner.engine.deadline import Deadline
from runner.engine.task_end import outcome_of
from runner.engine.task_ledger import TaskLedger
from runner.events import Sink
from runner.job.endpoints import TaskRows, TaskSource
from runner.job.model import AnyTask, Connection, Job, ParamValue, WriteTask
from runner.job.source_query import SourceQuery
from runner.outcome import TaskOutcome, TaskStatus
from runner.salesforce.describe import Describes
from runner.salesforce.identity import Identity
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord
from runner.tables.disk import UNBOUNDED, Disk

if TYPE_CHECKING:
    from runner.engine.known_lookups import KnownLookups
    from runner.engine.rail_guard import RailGuard
    from runner.engine.stage_ahead import StageAhead
    from runner.tables.staging.elsewhere import Stager

STAGING = "staging"
"""Folder of a task's rows while they are read, mapped and sent."""
SNAPSHOT = "rows"
PLANNED = "planned"
"""Folder of the rows of a plan, until the run that applies it has looked at their records."""
PARTS = "parts"
"""Folders of a task that are deleted once its end is final."""
JUDGED = "judged"
"""Folder of rows that are read only to judge their task."""
COMPARING = "comparing"
"""Folder of what an undo compares."""
LOOKUPS = ".lookups"
"""Folder of a run, not of a task, with the records that were looked up."""


class SourceOrg(Struct, frozen=True):
    """Another org that the run is connected to, and reads from."""

    session: Session
    describes: Describes
    identity: Identity
    version: str
    first_poll_seconds: float = 1.0


class SourceOrgs(Struct, frozen=True):
    """The other orgs that a run reads from."""

    by_connection: Mapping[Connection | None, SourceOrg] = field(default_factory=dict)
    mask_keys: Mapping[SecretReference, Secret] = field(default_factory=dict)
    """The keys of masks, by where they are."""


class Context(Struct, frozen=True):
    """One run's collaborators and folders."""

    job: Job
    run_id: str
    folder: Path
    """The run's own folder; each task has one below it."""
    session: Session
    describes: Describes
    version: str
    ledger: Ledger
    sink: Sink
    clock: Callable[[], float]
    """Monotonic seconds."""
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    first_poll_seconds: float = 1.0
    """How soon a Bulk job is polled for the first time."""
    user_id: str = ""
    """Whose token the session has."""
    past: RunRecord | None = None
    """What earlier processes recorded of this run; None for a new run."""
    ends_at: float | None = None
    """When the run's `--timeout` is up, by `clock`."""
    task_began: float | None = None
    """When the current task started, by `clock`; None: it starts now."""
    disk: Disk = UNBOUNDED
    """How much disk space the run's files may use."""
    rails: RailGuard | None = None
    """The job's limits; None: it is not judged, as an undo."""
    reserve: ApiReserve | None = None
    """API calls that the run leaves to others."""
    org_id: str = ""
    """Of the org that the run is connected to."""
    full: bool = False
    """Whether incremental queries extract all records this time."""
    since: datetime | None = None
    """Where incremental queries begin this time; None: at their watermark."""
    reconcile: bool = False
    """Whether incremental queries compare their targets with the org this time."""

    source_orgs: SourceOrgs = SourceOrgs()
    """The other orgs that tasks read from."""

    def of(self, task: AnyTask) -> Context:
        """The run as a task sees it: connected to the org that it reads from, if to another."""
        if not isinstance(task, SourceQuery):
            return self
        org = self.source_orgs.by_connection[task.connection]
        return replace(
            self,
            session=org.session,
            describes=org.describes,
            version=org.version,
            user_id=org.identity.user_id,
            org_id=org.identity.org_id or "",
            first_poll_seconds=org.first_poll_seconds,
            reserve=None,
        )

    lookups: KnownLookups | None = None
    """What its tasks have looked up; None: each asks for itself."""
    ahead: StageAhead | None = None
    """The rows of the next task; None: each reads its rows when it starts."""
    stager: Stager | None = None
    """Others who stage large sources; None: this process does."""

    def deadline(self, task: AnyTask) -> Deadline:
        """When a task must have ended."""
        return Deadline(task, self.clock, self.ends_at, self.task_began, self.reserve)

    def has_begun(self, task: AnyTask) -> bool:
        """Whether an earlier process of this run has decided what the task sends."""
        past = self.past.task(task.name) if self.past else None
        return past is not None and past.plan is not None

    def earlier_outcome(self, task: AnyTask) -> TaskOutcome | None:
        """The final outcome of a task that an earlier process of this run finished."""
        past = self.past.task(task.name) if self.past else None
        if past is None or not past.final or past.outcome is None:
            return None
        return None if past.outcome.status is TaskStatus.SKIPPED else past.outcome

    def known_outcome(self, task: AnyTask) -> TaskOutcome:
        """What is known of a task that ends before it could begin, or begin again."""
        past = self.past.task(task.name) if self.past else None
        known = past.outcome if past else None
        return known or outcome_of(task)

    def record_start(self, task: AnyTask, position: int) -> None:
        """Record that a task starts, before anything that it records; `position` is its place."""
        verb, sobject = task.verb.value, task.sobject
        self.ledger.start_task(
            self.run_id, task.name, position=position, verb=verb, sobject=sobject
        )

    def task_ledger(self, task: AnyTask) -> TaskLedger:
        """A task's lines in the ledger."""
        past = self.past.task(task.name) if self.past else None
        return TaskLedger(self.ledger, self.run_id, task.name, past)

    def task_folder(self, task: AnyTask) -> Path:
        """Where a task's parts and row results are."""
        return self.folder / task.name

    def rows_file(self, source: TaskSource) -> Path:
        """The file with the rows that another task leaves."""
        producer = self.job.task(source.task)
        default = TaskRows.SUCCEEDED if isinstance(producer, WriteTask) else TaskRows.RECORDS
        return self.folder / source.task / f"{source.rows or default}.csv"
