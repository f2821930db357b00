"""Checks a job against its org before anything is sent.

Knows what can be checked beforehand: objects, fields, keys. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from runner.diagnostics import Diagnostic
from runner.engine.columns import plan_columns
from runner.engine.context import Context
from runner.engine.run import chosen
from runner.errors import JobError, OrgError, TransientError
from runner.job.endpoints import FileSource
from runner.job.model import AnyTask, WriteTask
from runner.tables.sources.open import read_columns


def check_against_org(context: Context, only: Collection[str] = ()) -> None:
    """Find what the org would certainly refuse.

    Raises:
        JobError: The job does not fit the org; every problem with its position.
        SourceError: A source's header is wrong.
    """
    problems = [
        problem
        for task in chosen(context.job.tasks, only)
        if task.enabled and isinstance(task, WriteTask) and context.earlier_outcome(task) is None
        for problem in _problems(task, context)
    ]
    if problems:
        raise JobError(tuple(sorted(problems, key=lambda each: each.sort_key)))


def _problems(task: WriteTask, context: Context) -> Iterator[Diagnostic]:
    header = _header(task)
    if header is None and task.fields is None:
        return  # another task's rows: their columns are known once it has run
    try:
        yield from plan_columns(context.job, task, header, context.describes)[1]
    except TransientError:
        raise
    except OrgError as error:
        yield _unknown_object(task, context, error)


def _header(task: WriteTask) -> Sequence[str] | None:
    """The source's columns if known before the run; an empty file has and needs none."""
    source = task.source
    return (read_columns(source) or None) if isinstance(source, FileSource) else None


def _unknown_object(task: AnyTask, context: Context, error: OrgError) -> Diagnostic:
    return context.job.origin.diagnose(
        ("tasks", task.index, task.verb.value),
        "org/unknown-object",
        error.message,
        help=error.hint,
    )
