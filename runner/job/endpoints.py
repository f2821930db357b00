"""Sources and targets as a job declares them: files, databases, other tasks.

Frozen values. Knows nothing of YAML or of what these files contain.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct, field

from runner.credentials import SecretReference

EXPLICIT_NULL = "#N/A"
"""What empties a field, in every source and over Bulk API 2.0."""


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    """One array of objects."""
    PARQUET = "parquet"
    EXCEL = "excel"
    XML = "xml"
    DELTA = "delta"
    """A folder: a Delta table."""


class Compression(StrEnum):
    """The compression of a file."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class TableMode(StrEnum):
    """What happens to the rows that a target already has."""

    REPLACE = "replace"
    APPEND = "append"
    MERGE = "merge"
    """Rows of a known key are updated, others are added."""


class Deletes(StrEnum):
    """What a merge does with rows whose record is deleted."""

    REMOVE = "remove"
    FLAG = "flag"
    """They stay, with `IsDeleted` true."""


class SchemaChanges(StrEnum):
    """Whether the columns of a target that keeps its rows may change."""

    EVOLVE = "evolve"
    """New columns are added, and numbers become wider."""
    FREEZE = "freeze"


class TaskRows(StrEnum):
    """Which rows of another task."""

    RECORDS = "records"
    """Of a query, and its default."""
    SUCCEEDED = "succeeded"
    """Of a write, and its default."""
    FAILED = "failed"
    UNPROCESSED = "unprocessed"


MOST_COLUMNS = 16_384
"""Of a sheet."""


class SheetArea(Struct, frozen=True):
    """The part of a sheet that is a table: rows from 1, columns from 0, ends included."""

    first_row: int = 1
    last_row: int | None = None
    first_column: int = 0
    last_column: int = MOST_COLUMNS - 1

    def has_row(self, number: int) -> bool:
        """Whether a row is in it."""
        return self.first_row <= number and (self.last_row is None or number <= self.last_row)


class FileShape(Struct, frozen=True):
    """How a file is to be read or written."""

    format: FileFormat
    delimiter: str = ","
    encoding: str = "utf-8"
    quote: str = '"'
    compression: Compression = Compression.NONE
    header: tuple[str, ...] = ()
    """Names of the columns of a CSV file that has no header."""
    sheet: str | None = None
    """Of an Excel file; None: the first."""
    area: SheetArea = SheetArea()
    """What of the sheet is read, as `range` says."""
    record: str | None = None
    """Path of the records in an XML file, `/root/account`."""
    decimal: str = "."
    """Decimal mark of numbers in columns that are mapped by name alone."""
    dates: str | None = None
    """Format of dates in the codes of strptime, besides ISO 8601."""
    datetimes: str | None = None
    thousands: str | None = None
    """Between groups of digits; None: a point where `decimal` is a comma, otherwise nothing."""
    strip: str = ""
    """Characters around numbers that are not part of them: `€%`."""
    nulls: tuple[str, ...] = ()
    """Values that mean a blank: `NULL`."""
    skip_rows: int = 0
    """Lines of a CSV file, or rows of a sheet, above the header."""
    skip_last: int = 0
    """Lines of a CSV file, or rows of a sheet, below the last row."""
    undeclared: frozenset[str] = frozenset()
    """What is found out from a text file's first bytes: `delimiter`, `encoding`."""
    has_lists: bool = False
    """Values may be lists, as JSON; only a multi-select picklist takes them."""
    has_objects: bool = False
    """Some rows have a JSON object in its place, whose members are columns of their own."""
    has_nan: bool = False
    """Values are floating point numbers; those that are none, such as NaN, are no texts either."""


Written = Mapping[str, tuple[FileShape, ...]]
"""How the values of columns are written: as one shape says, or several if they are mixed."""


STANDARD_STREAM = Path("-")
"""Standard input as a source, standard output as a target."""


class FileSource(Struct, frozen=True):
    """Rows from a file, or from all files that match a pattern; the path is absolute."""

    path: Path
    """May be a pattern, or STANDARD_STREAM; of a Delta table, its folder."""
    shape: FileShape
    url: str | None = None
    """Of a file that is not on this machine; then `path` only names it."""
    written: Written = field(default_factory=dict)
    """Columns whose values are not written as `shape` says."""

    def __hash__(self) -> int:
        """Of all but the mapping."""
        return hash((self.path, self.shape, self.url))


class TaskSource(Struct, frozen=True):
    """Rows of an earlier task; None: the default of that task's verb."""

    task: str
    rows: TaskRows | None = None


class DatabaseSource(Struct, frozen=True):
    """Rows of a SELECT in a SQL database."""

    url: SecretReference
    """In SQLAlchemy's form, password included."""
    sql: str
    params: Mapping[str, object] = field(default_factory=dict)
    """Values of the binds in the SQL; set by a run."""
    nulls: tuple[str, ...] = ()
    """Values that mean a blank, besides NULL."""

    def __hash__(self) -> int:
        """Of all but the mapping."""
        return hash((self.url, self.sql, self.nulls))


class Table(Struct, frozen=True):
    """Rows under a name that the SQL of a source can use."""

    name: str
    source: FileSource | TaskSource


class SqlSource(Struct, frozen=True):
    """Rows of a SELECT over other rows, run on this machine."""

    sql: str
    tables: tuple[Table, ...]


class ListColumn(Struct, frozen=True):
    """A column whose values a query looks for: `IN :name`."""

    name: str
    source: FileSource | TaskSource
    column: str
    type: str = "string"
    """As of a param."""


class MissingSource(Struct, frozen=True):
    """Records in the scope of a mirror that its source does not have."""

    task: str
    """The mirror."""


Source = FileSource | TaskSource | DatabaseSource | SqlSource | MissingSource


def folder_of(path: Path) -> Path | None:
    """The folder of a file, or of all files that match a pattern; None for a standard stream."""
    if path == STANDARD_STREAM:
        return None
    return next(each for each in path.parents if not set("*?[") & set(str(each)))


OBJECT_STORES = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "tos", "hf"}
)
"""Schemes of addresses whose first name is a bucket or a container: when fsspec creates the
folders of a file, it creates a missing one of these, too."""


def shown_url(url: str) -> str:
    """A URL without its query and user, which may be secret."""
    scheme, _, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def tasks_of(source: Source) -> tuple[TaskSource, ...]:
    """Every other task whose rows a source reads."""
    found = [each.source for each in source.tables] if isinstance(source, SqlSource) else [source]
    return tuple(each for each in found if isinstance(each, TaskSource))


class Keeping(Struct, frozen=True):
    """How rows come together with those that a target already has."""

    key: str | None = None
    """The column that says which row is which; None: they are not merged."""
    deletes: Deletes | None = None
    """None: deleted records are rows like others."""
    schema: SchemaChanges = SchemaChanges.EVOLVE
    gone: Path | None = None
    """Keys of rows that a merge removes besides, as CSV without a header; set by a run."""


class FileTarget(Struct, frozen=True):
    """A file that a query writes; the path is absolute."""

    path: Path
    """Or STANDARD_STREAM."""
    shape: FileShape
    url: str | None = None
    """Of a file that is not on this machine; then `path` only names it."""
    mode: TableMode = TableMode.REPLACE
    keeping: Keeping = Keeping()


class FolderTarget(Struct, frozen=True):
    """A folder of files that a query writes; the path is absolute."""

    path: Path
    shape: FileShape
    partition_by: tuple[str, ...] = ()
    """Columns whose values name subfolders: `Status=New`."""
    split_bytes: int | None = None
    """Size of a file after which the next is started, about."""
    mode: TableMode = TableMode.REPLACE
    keeping: Keeping = Keeping()


STATE_TABLE = "_sfrunner_state"
"""Where a database keeps what a target's next run has to know."""
STAGED = "sfrunner_rows"
"""A temporary table, with the rows that are on their way into a target."""


class DatabaseTarget(Struct, frozen=True):
    """A table of a SQL database."""

    url: SecretReference
    table: str
    """May include its schema: `crm.cases`."""
    mode: TableMode = TableMode.REPLACE
    keeping: Keeping = Keeping()


Target = FileTarget | FolderTarget | DatabaseTarget


def readable_path(target: Target) -> Path | None:
    """The path by which a source can read what a target has; None if none can, or by a URL."""
    if isinstance(target, FolderTarget):
        return target.path if target.shape.format is FileFormat.DELTA else None
    return target.path if isinstance(target, FileTarget) else None


def why_not_compared(target: Target) -> str:
    """Why a target cannot be compared with the org by Id; empty if it can."""
    if target.mode is TableMode.APPEND:
        return "it has every version of a record, and none may be removed"
    if target.mode is TableMode.REPLACE:
        return "it keeps no rows of earlier runs"
    key = target.keeping.key or "Id"
    return "" if key.lower() == "id" else f"its `key` is {key}, not Id"
