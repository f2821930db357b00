"""The values of a query's lists: columns of files and of other tasks' rows.

Knows where the rows are. Knows nothing of SOQL.
"""

from __future__ import annotations

from pathlib import Path

from runner.engine.context import Context
from runner.errors import SourceError, StateError
from runner.job.endpoints import FileSource, ListColumn
from runner.job.model import OneValue, ParamValue, QueryTask
from runner.job.params import parse_one
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv import RowsSource
from runner.tables.sources.written import read_written

_KINDS = {
    "integer": FieldKind.INTEGER,
    "number": FieldKind.NUMBER,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
}


def values_of_lists(task: QueryTask, context: Context, folder: Path) -> dict[str, ParamValue]:
    """The values of each list, each once; files that this takes are left in `folder`.

    Raises:
        SourceError: A source cannot be read, lacks the column, or a value does not fit its type.
        StateError: A task whose rows are wanted has left none.
    """
    return {each.name: _values(each, task, context, folder) for each in task.lists}


def _values(
    column: ListColumn, task: QueryTask, context: Context, folder: Path
) -> tuple[OneValue, ...]:
    from runner.tables.staging.column_values import column_values  # noqa: PLC0415 - lists are rare

    source: FileSource | RowsSource
    if isinstance(column.source, FileSource):
        source = column.source
    else:
        file = context.rows_file(column.source)
        if not file.exists():
            raise StateError(
                f"Task {column.source.task!r} left no rows for {task.name!r}: it did not finish.",
                hint="Run the whole job, or add `needs` so that both run.",
            )
        source = RowsSource(file, read_written(file.parent))
    own = folder / f"list-{column.name}"
    own.mkdir(exist_ok=True)
    kind = _KINDS.get(column.type, FieldKind.TEXT)
    texts = column_values(source, column.column, own, kind=kind, disk=context.disk)
    try:
        return tuple(parse_one(text, column.type, column.name) for text in texts)
    except ValueError as error:
        message = str(error).replace("the param", "Each value of the list", 1)
        raise SourceError(f"{message}.", hint="Correct the column or `type`.") from error
