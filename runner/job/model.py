"""The declared job, typed: what a job file says once it is known to be right.

Frozen values. Knows nothing of YAML, files on disk or the org.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from runner.credentials import Grant, SecretReference
from runner.diagnostics import Diagnostic, Location, Position, Severity
from runner.job.endpoints import Source, Target

DEFAULT_API_VERSION = "20.0"
WRITE_BULK_THRESHOLD_ROWS = 2_000
QUERY_BULK_THRESHOLD_ROWS = 10_000


class Environment(StrEnum):
    """Which kind of org."""

    LIVE = "live"
    SANDBOX = "sandbox"
    LOCAL = "local"


class Verb(StrEnum):
    """What a task does."""

    CREATE = "create"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    QUERY = "query"
    UNDELETE = "undelete"
    """Only an undo does this: a job cannot ask for it."""


DECLARED_VERBS = tuple(verb for verb in Verb if verb is not Verb.UNDELETE)
"""Those a job may have."""


class Api(StrEnum):
    """Which API carries a task."""

    AUTO = "auto"
    REST = "rest"
    BULK = "bulk"


class OnError(StrEnum):
    """What a failed task does to the tasks after it."""

    STOP = "stop"
    CONTINUE = "continue"


class Blank(StrEnum):
    """What an empty source value does to a field."""

    KEEP = "keep"
    CLEAR = "clear"


class Concurrency(StrEnum):
    """Whether a task sends several requests at once."""

    PARALLEL = "parallel"
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class Connection:
    """The one org a job talks to."""

    environment: Environment
    domain: str | None = None
    url: str | None = None
    """Loopback server; local only."""
    api_version: str | None = None
    """As written, `"60.0"`; None when left out."""
    client_id: str | None = None
    token: SecretReference | None = None
    auth: Grant | None = None
    """How a run signs in by itself; None where somebody signs in first."""
    org_id: str | None = None
    org_file: Path | None = None
    """What the local org has besides the standard objects; local only, absolute."""
    source: Path | None = None
    """The file that holds this block, where it is not the job itself."""


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """One Salesforce field and the SQL expression that fills it."""

    field: str
    expression: str


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """How many rows may fail before the task counts as failed; exactly one member is set."""

    rows: int | None = None
    percent: float | None = None

    def allows(self, failed: int, read: int) -> bool:
        """Whether this many failures still count as PARTIAL."""
        if self.rows is not None:
            return failed <= self.rows
        return read == 0 or failed * 100 <= (self.percent or 0.0) * read


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How hard to try; seconds."""

    attempts: int = 6
    longest_wait_seconds: float = 60.0
    total_seconds: float = 900.0
    add: tuple[str, ...] = ()
    """Error codes of rows that are worth another try besides those that always are."""
    ignore: tuple[str, ...] = ()
    """Error codes of rows that are not."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Headers that steer a write."""

    assignment_rule: str | bool | None = None
    """False: none runs; True: the default; a rule's Id."""
    duplicate_rule_allow_save: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every task has."""

    name: str
    verb: Verb
    sobject: str
    """For a query, the object after FROM."""
    index: int
    """Position among the job's tasks, from 0."""
    needs: tuple[str, ...] | None = None
    """None: the task before it."""
    enabled: bool = True
    on_error: OnError = OnError.STOP
    on_failure: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: float | None = None
    api: Api = Api.AUTO
    bulk_threshold: int = WRITE_BULK_THRESHOLD_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTask(Task):
    """Rows into the org."""

    source: Source
    key: str | None = None
    """The external Id field of an upsert."""
    fields: tuple[FieldMapping, ...] | None = None
    """None: the source's header names the fields."""
    blank: Blank = Blank.KEEP
    max_failures: MaxFailures | None = None
    """None: any number, ending as PARTIAL."""
    all_or_none: bool = False
    concurrency: Concurrency = Concurrency.PARALLEL
    batch_size: int | None = None
    """Rows a REST request; the API's own most when None."""
    results: Path | None = None
    """Folder to leave the row results in, besides the run's."""
    hard: bool = False
    undo: bool = False
    """Whether what the fields held before is kept, so that it can be put back."""
    options: WriteOptions = field(default_factory=WriteOptions)
    timezone: str = "UTC"
    """Zone of datetimes that have none."""


PARENT_COLUMN = "sf__ParentId"
"""Of a table of children, unless the job names it."""


@dataclass(frozen=True, slots=True)
class ChildTable:
    """Where the children go that a query selects beside its records."""

    relationship: str
    target: Target
    parent_column: str = PARENT_COLUMN


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTask(Task):
    """Rows out of the org."""

    soql: str
    """As written, binds and all."""
    target: Target | None = None
    """None: the rows are only for other tasks."""
    children: tuple[ChildTable, ...] = ()
    deleted: bool = False

    @property
    def targets(self) -> tuple[Target, ...]:
        """Everything that it writes."""
        own = (self.target,) if self.target is not None else ()
        return (*own, *(each.target for each in self.children))


AnyTask = WriteTask | QueryTask
ParamValue = str | int | float | bool | date | datetime | None


@dataclass(frozen=True, slots=True)
class Param:
    """A typed parameter and its default."""

    name: str
    type: str
    """string, integer, number, boolean, date or datetime."""
    default: ParamValue = None
    required: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a job came from, so that a later finding can still point at its line."""

    file: Path
    lines: tuple[str, ...] = ()
    positions: Mapping[Location, Position] = field(default_factory=dict)
    """Where each value stands; a key's own position is at `(*path, "key()")`."""

    def diagnose(  # noqa: PLR0913 - a diagnostic has as many parts
        self,
        path: Location,
        code: str,
        message: str,
        *,
        help: str | None = None,  # noqa: A002 - the word users see
        at_key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """Make a diagnostic that points at a value, or at the nearest one around it."""
        position = self._locate((*path, "key()") if at_key else path)
        line = (
            self.lines[position.line - 1] if position and position.line <= len(self.lines) else None
        )
        return Diagnostic(code, message, self.file, position, line, help, severity, path)

    def _locate(self, path: Location) -> Position | None:
        while path not in self.positions and path:
            path = path[:-1]
        return self.positions.get(path)


@dataclass(frozen=True, slots=True)
class Job:
    """One job file, ready to be carried out."""

    name: str
    file: Path
    """Absolute."""
    connection: Connection
    tasks: tuple[AnyTask, ...]
    description: str = ""
    params: tuple[Param, ...] = ()
    max_disk_bytes: int | None = None
    """How much the files of a run may take; None for as much as there is room."""
    origin: Origin = field(default_factory=lambda: Origin(Path()))

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.file.parent

    def task(self, name: str) -> AnyTask | None:
        """Find a task by name."""
        return next((task for task in self.tasks if task.name == name), None)
