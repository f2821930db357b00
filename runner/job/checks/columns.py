"""Columns of sources: they can be read, rows find their records, expressions name what is there.

Knows which columns a source has, as far as that is known before the job runs. Knows nothing of how
a file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from runner.diagnostics import Diagnostic, Location
from runner.errors import SourceError
from runner.job.checks.endpoints import is_here, is_readable
from runner.job.choices import Headers
from runner.job.endpoints import FileSource, TaskSource
from runner.job.lookups import is_word
from runner.job.model import Verb, WriteTask
from runner.job.origin import Origin
from runner.job.partial_job import PartialJob, file_path, files_to_read, task_path, written_files
from runner.job.soql import columns_of_query
from runner.suggest import did_you_mean, in_words, members_hint

HeaderReader = Callable[[FileSource], tuple[str, ...] | None]
"""Column names of a source; None if there are none, or only a run can know them.

May raise SourceError, which is a problem of the job then.
"""
ColumnFinder = Callable[[str], Sequence[str]]
"""The columns that an expression names; none if it does not parse."""

_BY_ID = {Verb.UPDATE, Verb.DELETE}


class KnownColumns:
    """The columns of every source of a job, each file read once."""

    def __init__(self, job: PartialJob, header: HeaderReader | None) -> None:
        self.problems: list[Diagnostic] = []
        """Of sources that cannot be read."""
        self._of_file: dict[FileSource, tuple[str, ...] | None] = {}
        self._of_query = {query.name: columns_of_query(query.soql) for query in job.queries}
        written = written_files(job)
        for task in job.writes if header else ():
            for path, source in files_to_read(job, task):
                is_new = source not in self._of_file and source.path not in written
                if is_new and is_here(source) and is_readable(source.shape):
                    self._of_file[source] = self._read(source, path, job, header)

    def of(self, task: WriteTask) -> tuple[str, ...] | None:
        """The columns of a task's source; None if they are not known."""
        if isinstance(task.source, FileSource):
            return self._of_file.get(task.source)
        if isinstance(task.source, TaskSource):
            return self._of_query.get(task.source.task)
        return None

    def _read(
        self, source: FileSource, path: Location, job: PartialJob, header: HeaderReader | None
    ) -> tuple[str, ...] | None:
        try:
            return header(source) if header else None
        except SourceError as error:
            at = file_path(path, job)
            found = job.origin.diagnose(at, "job/bad-source", error.message, help=error.hint)
            self.problems.append(found)
            return None


FUNCTIONS_WITHOUT_PARENTHESES = frozenset({"current_date", "current_timestamp"})
"""What SQL also understands without them; here a name without them is a column."""


def unknown_columns(
    job: PartialJob, known: KnownColumns, columns_in: ColumnFinder | None
) -> Iterator[Diagnostic]:
    """Expressions over columns that the source does not have."""
    if columns_in is None:
        return
    for task in job.writes:
        columns = known.of(task)
        if columns is None:
            continue
        for location, expression, mapping in task.expressions:
            if mapping.lookup and mapping.lookup.allows_words and is_word(expression):
                continue  # a word that is no column is a text
            path = task_path(task, *location)
            yield from not_in_source(job.origin, path, columns_in(expression), columns)


def not_in_source(
    origin: Origin, path: Location, named: Sequence[str], columns: Sequence[str]
) -> Iterator[Diagnostic]:
    """A problem for each column that an expression names and the source lacks.

    Args:
        origin: The job's text.
        path: Where the expression is.
        named: The columns that it names.
        columns: The source's.
    """
    present = {each.lower() for each in columns}
    for column in named:
        if column.lower() not in present:
            has = f"the source has {in_words(tuple(columns), 'and')}{_unless_title(columns)}"
            otherwise = f"write fixed text as \"'{column}'\"; {has}"
            if column.lower() in FUNCTIONS_WITHOUT_PARENTHESES:
                otherwise = f"write the function with parentheses: {column}()"
            hint = members_hint(column, columns) or did_you_mean(column, columns, otherwise)
            message = f"the source has no column {column}"
            yield origin.diagnose(path, "job/unknown-column", message, help=hint)


def _unless_title(columns: Sequence[str]) -> str:
    """What to do if a source's only column is a title above its header."""
    is_title = len(columns) == 1 and " " in columns[0].strip()
    return "; if that is a title, `skip_rows: 1` in `from` skips it" if is_title else ""


def identity(job: PartialJob, known: KnownColumns) -> Iterator[Diagnostic]:
    """Writes without a value for their key; that of an update or delete is Id by default."""
    for task in job.writes:
        fields = task.fields
        if fields is None and task.headers is Headers.LABELS:
            continue  # only the org knows its labels
        columns = known.of(task) if fields is None else tuple(each.field for each in fields)
        wanted = task.key or ("Id" if task.verb in _BY_ID else None)
        if wanted and columns and wanted.casefold() not in {each.casefold() for each in columns}:
            yield _missing(task, wanted, columns, job)


def _missing(task: WriteTask, wanted: str, columns: tuple[str, ...], job: PartialJob) -> Diagnostic:
    what = f"the key `{wanted}`" if task.key else f"`Id`, which finds the record to {task.verb},"
    if task.fields is not None:
        message = f"{what} is missing from `fields`"
        path = task_path(task, "key" if task.key else "fields")
        hint = did_you_mean(wanted, columns, f"add `{wanted}: <column>` to `fields`")
        return job.origin.diagnose(
            path, "job/key-not-mapped", message, help=hint, at_key=task.key is None
        )
    message = f"{what} is not a column of the source"
    has = f"the source has {in_words(columns, 'and')}; map one with `fields`"
    hint = did_you_mean(wanted, columns, has + _unless_title(columns))
    return job.origin.diagnose(task_path(task, "from"), "job/key-not-in-header", message, help=hint)
