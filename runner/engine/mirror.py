"""Which records in the scope of a mirror its source does not have.

They are found out when the mirror's rows are compared with their records, and kept in a file until
it is their turn. Knows where that file is and what may be read from it. Knows nothing of SQL over
staged rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner.engine.context import Context
from runner.errors import JobError, SourceError
from runner.job.binds import bind
from runner.job.endpoints import MissingSource, TaskRows, TaskSource
from runner.job.mirrors import owner_of
from runner.job.model import Mirror, WriteTask
from runner.job.soql import parsed
from runner.soql.syntax import (
    Boolean,
    Comparator,
    Comparison,
    Condition,
    Junction,
    Literal,
    Membership,
    Number,
    Operand,
    Text,
)
from runner.soql.syntax import (
    Path as FieldPath,
)
from runner.tables.sources.csv import RowsSource
from runner.tables.sources.sql_join import JoinedSource
from runner.tables.staging.record_lookup import skip_unmanaged, unmanaged_file
from runner.tables.staging.required_values import Required, rows_ruled_out

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

UNCERTAIN = (
    "`{}` has rows whose record is not known, so it is not certain which records are missing"
)
_MOST_SHOWN = 10
"""Rows outside of the scope that an error lists."""
_FILE = Path("mirror") / "missing.csv"
_LEFT = "SELECT m.Id FROM missing m ANTI JOIN sent s ON left(m.Id, 15) = left(s.sf__Id, 15)"


def missing_file(context: Context, source: MissingSource) -> Path:
    """The file of their Ids; it is absent if they are not known."""
    return context.folder / source.task / _FILE


def missing_rows(context: Context, source: MissingSource) -> RowsSource | JoinedSource:
    """Their rows, without the records that the mirror itself has written meanwhile.

    Raises:
        SourceError: They are not known.
    """
    file = missing_file(context, source)
    if not file.exists():
        raise SourceError(
            f"{UNCERTAIN.format(source.task)}. Nothing was deleted or changed.",
            hint="`failed.csv` and `skipped.csv` list them; correct them and run the job again.",
        )
    sent = context.rows_file(TaskSource(source.task, TaskRows.SUCCEEDED))
    if not sent.exists():
        return RowsSource(file)
    return JoinedSource(_LEFT, {"missing": RowsSource(file), "sent": RowsSource(sent)})


def leave_out_unmanaged(task: WriteTask, context: Context, staging: StagedRows) -> None:
    """Skip missing records that the mirror has not created, if it is `managed`.

    Raises:
        StateError: The rows cannot be stored.
    """
    source = task.source
    mirror = context.job.task(source.task) if isinstance(source, MissingSource) else None
    if not isinstance(source, MissingSource) or not isinstance(mirror, WriteTask):
        return
    how = mirror.mirror or Mirror()
    if not how.managed or staging.rows_total == staging.rejected_total:
        return
    text = "Id: this mirror is not known to have created the record"
    if how.owner_field:
        text = f"Id: {how.owner_field} is not '{owner_of(context.job, source.task)}'"
    skip_unmanaged(staging, unmanaged_file(missing_file(context, source)), text)


def refuse_empty(name: str, rows: int) -> None:
    """Refuse a source without rows: every record in the scope would be missing.

    Raises:
        SourceError: There are none.
    """
    if not rows:
        raise SourceError(
            f"The source of `{name}` has no rows, and a mirror never empties its scope.",
            hint="Check the source; a `delete` task deletes records on purpose.",
        )


def refuse_rows_outside(task: WriteTask, context: Context, staging: StagedRows) -> None:
    """Refuse rows that would take a record out of the scope, or create it there.

    That can be judged of parts of the scope that compare a field that the task fills with texts,
    numbers, true or false.

    Raises:
        JobError: There are such rows; it names the first of them.
        StateError: They cannot be read.
    """
    where = bind(task.scope or "", context.params)
    query = parsed(f"SELECT Id FROM {task.sobject} WHERE {where}")  # noqa: S608 - only parsed
    condition = query.where if query is not None else None
    required = list(_required(condition)) if condition is not None else []
    origin, path = context.job.origin, ("tasks", task.index, "scope")
    problems = [
        origin.diagnose(
            path,
            "job/row-outside-scope",
            f"row {row:,} of `{task.name}` sets {field} to '{value}', outside of the scope",
            help="correct the row or the scope; nothing was written",
        )
        for row, field, value in rows_ruled_out(staging, required, _MOST_SHOWN)
    ]
    if problems:
        raise JobError(tuple(problems))


def _required(condition: Condition) -> Iterator[Required]:
    """What a condition says of fields, as far as each part of it must be true."""
    match condition:
        case Junction(word, parts) if word.upper() == "AND":
            for part in parts:
                yield from _required(part)
        case Comparison(left, Comparator.EQUAL | Comparator.UNEQUAL as comparator, right):
            yield from _of_field(left, (right,), negated=comparator is Comparator.UNEQUAL)
        case Membership(left, members, negated):
            yield from _of_field(left, members, negated=negated)
        case _:
            return


def _of_field(left: Operand, values: tuple[Literal, ...], *, negated: bool) -> Iterator[Required]:
    texts = [_text(value) for value in values]
    known = tuple(text for text in texts if text is not None)
    if isinstance(left, FieldPath) and len(known) == len(texts):
        yield Required(str(left), known, negated)


def _text(value: Literal) -> str | None:
    """A value as sources have it; None if it cannot be judged."""
    match value:
        case Text(text):
            return text
        case Number(number):
            return str(number)
        case Boolean(is_true):
            return str(is_true).lower()
        case _:
            return None
