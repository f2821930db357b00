"""The declared job, typed: what a valid job file says.

Frozen values. Knows nothing of YAML, files on disk or the org.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from runner.credentials import Grant, SecretReference
from runner.diagnostics import Location
from runner.job.choices import (
    Blank,
    Concurrency,
    Duplicates,
    Headers,
    Match,
    MaxFailures,
    OnError,
    UnknownColumns,
    WriteOptions,
)
from runner.job.endpoints import (
    FileSource,
    FileTarget,
    ListColumn,
    MissingSource,
    Source,
    Target,
    TaskSource,
    folder_of,
)
from runner.job.lookups import Lookup
from runner.job.merges import Merge
from runner.job.origin import Origin
from runner.job.rails import Limits

if TYPE_CHECKING:
    from runner.job.metrics import Metrics
    from runner.job.notices import Notice

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
    MIRROR = "mirror"
    """Only in a job file: becomes an upsert, and a delete or update (`mirrors`)."""
    MERGE = "merge"
    QUERY = "query"
    UNDELETE = "undelete"
    """Only `runner undo` does this; a job cannot declare it."""


DECLARED_VERBS = tuple(verb for verb in Verb if verb is not Verb.UNDELETE)
"""Those that a job may declare."""


CREATING_VERBS = frozenset({Verb.CREATE, Verb.UPSERT})
"""Those that may create records."""


COMPARED_VERBS = frozenset({Verb.UPDATE, Verb.UPSERT})
"""Those that change records, so that what a record holds already can be left out."""


class Api(StrEnum):
    """Which API a task uses."""

    AUTO = "auto"
    REST = "rest"
    BULK = "bulk"


class Connection(Struct, frozen=True):
    """The org that a job connects to."""

    environment: Environment
    domain: str | None = None
    url: str | None = None
    """A server on this machine; local only."""
    api_version: str | None = None
    """As written, `"60.0"`; None if not given."""
    client_id: str | None = None
    token: SecretReference | None = None
    auth: Grant | None = None
    """How a run signs in without a person; None if somebody runs `runner login`."""
    org_id: str | None = None
    org_file: Path | None = None
    """Declares objects of the local org besides the standard ones; local only, absolute."""
    source: Path | None = None
    """The file of this connection, if it is not the job file."""
    name: str | None = None
    """As written; None if not given."""
    protect: bool = False
    """Whether a run that writes has to be confirmed."""
    target: str | None = None
    """Which of the job's targets it is; None if the job has one connection."""
    notify: tuple[Notice, ...] = ()
    """Who is notified of the runs of every job on it."""
    metrics: Metrics | None = None
    """Where metrics of the runs of every job on it go."""

    @property
    def called(self) -> str:
        """What `--confirm` calls it: its name, its file without extension, or its environment."""
        own = self.source.stem if self.source else self.target or self.environment.value
        return self.name or own


class FieldMapping(Struct, frozen=True):
    """One Salesforce field and the SQL expression that fills it."""

    field: str
    expression: str
    is_file: bool = False
    """Whether the expression gives the paths of files, whose contents fill the field."""
    folder: Path | None = None
    """What these paths are relative to; None: as `Job.files_folder` says."""
    lookup: Lookup | None = None
    """How the records are found whose Ids fill the field; the expression is its first value."""

    @property
    def location(self) -> Location:
        """Where its expression is, from `fields` on."""
        if self.is_file:
            return ("fields", self.field, "file")
        return self.expressions[0][0] if self.lookup else ("fields", self.field)

    @property
    def expressions(self) -> tuple[tuple[Location, str], ...]:
        """Every expression, and where it is, from `fields` on."""
        if self.lookup is None:
            return ((self.location, self.expression),)
        here: Location = ("fields", self.field)
        if self.lookup.word != "lookup":
            return (((*here, self.lookup.word), self.expression),)
        if len(self.lookup.values) == 1:
            return (((*here, "value"), self.expression),)
        values = enumerate(self.lookup.values)
        return tuple(((*here, "value", at), value) for at, value in values)


class RetryPolicy(Struct, frozen=True):
    """How often and how long to retry."""

    attempts: int = 6
    longest_wait_seconds: float = 60.0
    total_seconds: float = 900.0
    add: tuple[str, ...] = ()
    """Error codes of rows to retry, besides the usual ones."""
    ignore: tuple[str, ...] = ()
    """Error codes of rows not to retry."""


class Task(Struct, frozen=True, kw_only=True):
    """What every task has."""

    name: str
    verb: Verb
    sobject: str
    """For a query, the object after FROM."""
    index: int
    """Position among the job's tasks, from 0."""
    needs: tuple[str, ...] | None = None
    """None: every task above it."""
    enabled: bool = True
    on_error: OnError = OnError.STOP
    on_failure: str | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_seconds: float | None = None
    api: Api = Api.AUTO
    bulk_threshold: int = WRITE_BULK_THRESHOLD_ROWS


class Mirror(Struct, frozen=True):
    """What happens to records in a task's scope that are not in its source."""

    sets: tuple[FieldMapping, ...] | None = None
    """They get these values; None: they are deleted."""
    managed: bool = False
    """Whether only records are deleted or changed that this mirror has created."""
    owner_field: str | None = None
    """The field that says which records those are; None: the ledger does."""

    @property
    def needs_list(self) -> bool:
        """Whether it has to be looked up which records it has created."""
        return self.managed and self.owner_field is None


class WriteTask(Task, frozen=True, kw_only=True):
    """Rows into the org."""

    source: Source
    key: str | None = None
    """The field that identifies records: an external Id, or Id by default."""
    duplicates: Duplicates = Duplicates.FAIL
    """What happens to rows with the same key."""
    on_create: tuple[str, ...] = ()
    """Fields of an upsert that are sent only for rows without a record."""
    match: Match | None = None
    """Which rows of an upsert are sent; None: all."""
    only_changes: bool = False
    """Whether an update or upsert sends only values that differ from the record's."""
    passes_unchanged: bool = False
    """Whether the rows that it therefore leaves out are among those that other tasks take from it:
    the job itself does not say `only_changes`, and a plan does."""
    scope: str | None = None
    """SOQL condition of the records that `only_changes` compares with, with its binds."""
    merge: Merge | None = None
    """Of a merge: which records."""
    mirror: Mirror | None = None
    """Of an upsert that writes only records in its scope and finds out which are missing."""
    in_scope: bool = False
    """Whether a row is skipped whose record is not in the scope when it is read."""
    fields: tuple[FieldMapping, ...] | None = None
    """None: the source's header names the fields."""
    headers: Headers = Headers.NAMES
    unknown_columns: UnknownColumns = UnknownColumns.ERROR
    blank: Blank = Blank.KEEP
    truncate: bool = False
    """Whether texts that are longer than their field are cut."""
    max_failures: MaxFailures | None = None
    """None: any number, ending as PARTIAL."""
    all_or_none: bool = False
    concurrency: Concurrency = Concurrency.PARALLEL
    batch_size: int | None = None
    """Rows per REST request; the maximum of the API when None."""
    results: Path | None = None
    """Folder for a copy of the row results."""
    hard: bool = False
    undo: bool = False
    """Whether to save the values from before the write, so that it can be undone."""
    options: WriteOptions = field(default_factory=WriteOptions)
    timezone: str = "UTC"
    """Time zone of datetimes that have none."""
    limits: Limits = field(default_factory=dict)
    """What the task must not do."""

    @property
    def expressions(self) -> Iterator[tuple[Location, str, FieldMapping]]:
        """Every expression over the columns of its source: where it is, the SQL, what it fills."""
        if self.merge is not None:
            losers = [("losers", at) for at in range(len(self.merge.losers))]
            places: tuple[Location, ...] = (("master",), *losers)
            for place, (name, sql) in zip(places, self.merge.expressions.items(), strict=True):
                yield place, sql, FieldMapping(name, sql)
        for mapping in self.fields or ():
            for place, sql in mapping.expressions:
                yield place, sql, mapping


PARENT_COLUMN = "sf__ParentId"
"""First column of a child table, unless the job names another."""


class ChildTable(Struct, frozen=True):
    """Target of the children that a query selects in a subquery."""

    relationship: str
    target: Target
    parent_column: str = PARENT_COLUMN


class Since(Struct, frozen=True):
    """How a query extracts only what has changed since its last extract."""

    field: str
    """The datetime that moves with every change, as written: `SystemModstamp`."""
    overlap_seconds: float = 600.0
    """How far before the watermark the next extract begins."""
    lag_seconds: float = 300.0
    """How far before the org's own time an extract ends."""
    refresh_seconds: float | None = None
    """Time after which an extract is full again; None: never."""
    reconcile: bool = False
    """Whether each extract compares its target with the org, and repairs it."""


class QueryTask(Task, frozen=True, kw_only=True):
    """Rows out of the org."""

    soql: str
    """As written, with its binds."""
    target: Target | None = None
    """None: the rows are only for other tasks."""
    children: tuple[ChildTable, ...] = ()
    lists: tuple[ListColumn, ...] = ()
    deleted: bool = False
    since: Since | None = None
    """None: each run extracts all records."""
    files: Path | None = None
    """Folder for the files that the query selects; None: they are not fetched."""

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of the query."""
        own = (self.target,) if self.target is not None else ()
        return (*own, *(each.target for each in self.children))


AnyTask = WriteTask | QueryTask
OneValue = str | int | float | bool | date | datetime | None
ParamValue = OneValue | tuple[OneValue, ...]


class Param(Struct, frozen=True):
    """A typed parameter and its default."""

    name: str
    type: str
    """string, integer, number, boolean, date or datetime, or `list of` one of them."""
    default: ParamValue = None
    required: bool = False
    description: str = ""


class Job(Struct, frozen=True):
    """One job file, ready to run."""

    name: str
    file: Path
    """Absolute."""
    connection: Connection
    tasks: tuple[AnyTask, ...]
    description: str = ""
    params: tuple[Param, ...] = ()
    max_disk_bytes: int | None = None
    """Disk space that a run may use; None: no limit."""
    limits: Limits = field(default_factory=dict)
    """Limits for all tasks together."""
    notify: tuple[Notice, ...] = ()
    """Who is notified of its runs, besides those of its connection."""
    heartbeat: SecretReference | None = None
    """Where the URL is that each run pings; None: none is."""
    expected_seconds: float | None = None
    """The longest time between two runs that succeed; None: any."""
    metrics: Metrics | None = None
    """Where metrics of its runs go, besides the place of its connection."""
    origin: Origin = field(default_factory=lambda: Origin(Path()))

    @property
    def folder(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent

    def limits_of(self, task: WriteTask) -> Limits:
        """A task's limits: its own, or those of the mirror whose missing records it is for."""
        source = task.source
        mirror = self.task(source.task) if isinstance(source, MissingSource) else task
        return mirror.limits if isinstance(mirror, WriteTask) else task.limits

    def task(self, name: str) -> AnyTask | None:
        """Find a task by name."""
        return next((task for task in self.tasks if task.name == name), None)

    def files_folder(self, source: Source) -> Path:
        """What paths in the rows of a source are relative to: its file's folder, or the job's."""
        if isinstance(source, TaskSource):
            producer = self.task(source.task)
            if isinstance(producer, QueryTask):
                return self.table_folder(producer)
            return self.files_folder(producer.source) if producer else self.folder
        if isinstance(source, FileSource) and source.url is None:
            return folder_of(source.path) or self.folder
        return self.folder

    def table_folder(self, query: QueryTask) -> Path:
        """What the paths of a query's files are relative to: its table's folder, or the job's."""
        target = query.target
        if isinstance(target, FileTarget) and target.url is None:
            return folder_of(target.path) or self.folder
        return self.folder
