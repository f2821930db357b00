"""Where rows come from and where they go, as a job declares it: files, databases, other tasks.

Frozen values. Knows nothing of YAML or of what is at these places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runner.credentials import SecretReference


class FileFormat(StrEnum):
    """How rows stand in a file."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    """One array of objects."""
    PARQUET = "parquet"
    EXCEL = "excel"
    XML = "xml"


class Compression(StrEnum):
    """What a file's bytes are packed with."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class TableMode(StrEnum):
    """What becomes of the rows that a database table has already."""

    REPLACE = "replace"
    APPEND = "append"


class TaskRows(StrEnum):
    """Which rows of another task."""

    RECORDS = "records"
    """What a query found; the default for a query."""
    SUCCEEDED = "succeeded"
    """Rows the org took; the default for a write."""
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


@dataclass(frozen=True, slots=True)
class FileShape:
    """How a file is to be read or written."""

    format: FileFormat
    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'
    compression: Compression = Compression.NONE
    header: tuple[str, ...] = ()
    """Names of the columns of a CSV file whose first line is a row already."""
    sheet: str | None = None
    """Of an Excel file; None: the first."""
    record: str | None = None
    """Path of an XML file's records, `/root/account`."""
    decimal: str = "."
    """Decimal mark of numbers in the texts of columns that are mapped by name alone."""
    dates: str | None = None
    """How dates are written there, in the codes of strptime; ISO 8601 is taken besides."""
    datetimes: str | None = None
    undeclared: frozenset[str] = field(default=frozenset(), compare=False)
    """What the job leaves to a CSV file's first bytes: `delimiter`, `encoding`."""


STANDARD_STREAM = Path("-")
"""Stands for standard input as a source, for standard output as a target."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """Rows from a file, or from all files that a pattern finds; the path is absolute."""

    path: Path
    """The pattern as it is written, where it is one; or STANDARD_STREAM."""
    shape: FileShape
    url: str | None = None
    """Where the file is kept, if not on this machine; then `path` only names it."""


@dataclass(frozen=True, slots=True)
class TaskSource:
    """Rows of an earlier task; None means the default of that task's verb."""

    task: str
    rows: TaskRows | None = None


@dataclass(frozen=True, slots=True)
class DatabaseSource:
    """Rows that a SQL database answers."""

    url: SecretReference
    """Of SQLAlchemy's form, with the password in it."""
    sql: str
    params: Mapping[str, object] = field(default_factory=dict, compare=False)
    """Values of the binds in the SQL, once a run knows them."""


@dataclass(frozen=True, slots=True)
class Table:
    """A name that a SQL source gives to rows."""

    name: str
    source: FileSource | TaskSource


@dataclass(frozen=True, slots=True)
class SqlSource:
    """Rows that SQL makes of other rows, on this machine."""

    sql: str
    tables: tuple[Table, ...]


Source = FileSource | TaskSource | DatabaseSource | SqlSource


def shown_url(url: str) -> str:
    """A URL without what follows `?` or stands before `@`: both may be secret."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def tasks_of(source: Source) -> tuple[TaskSource, ...]:
    """Every other task whose rows a source takes."""
    found = [each.source for each in source.tables] if isinstance(source, SqlSource) else [source]
    return tuple(each for each in found if isinstance(each, TaskSource))


@dataclass(frozen=True, slots=True)
class FileTarget:
    """A file that a query writes; the path is absolute."""

    path: Path
    """Or STANDARD_STREAM."""
    shape: FileShape
    url: str | None = None
    """Where the file goes, if not on this machine; then `path` only names it."""


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A folder of files that a query writes; the path is absolute."""

    path: Path
    shape: FileShape
    partition_by: tuple[str, ...] = ()
    """Columns whose values name folders below: `Status=New`."""
    split_bytes: int | None = None
    """About how large a file may grow before the next is begun."""


@dataclass(frozen=True, slots=True)
class DatabaseTarget:
    """A table of a SQL database."""

    url: SecretReference
    table: str
    """May have its schema before it: `crm.cases`."""
    mode: TableMode = TableMode.REPLACE


Target = FileTarget | FolderTarget | DatabaseTarget
