"""Checks a job against the org's describe before anything is sent.

Knows which sources have a header already. Knows nothing of what a column must fit (`columns`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic, Location
from runner.engine.columns import plan_columns
from runner.engine.context import Context
from runner.errors import JobError, OrgError, TransientError
from runner.job.endpoints import FileSource, FileTarget
from runner.job.model import AnyTask, QueryTask, WriteTask
from runner.tables.sources.open import read_columns


def check_against_org(context: Context, only: Collection[str] = ()) -> None:
    """Find what the org would certainly refuse, before anything is sent.

    Args:
        context: The run; tasks that it has finished already are not checked.
        only: Names of tasks; empty means all.

    Raises:
        JobError: The job does not fit the org; every problem with its position.
        SourceError: A source's header is wrong.
    """
    tasks = [
        task
        for task in context.job.tasks
        if task.enabled and (not only or task.name in only)
        if context.earlier_outcome(task) is None
    ]
    to_be_written = _files_of_queries(tasks)
    problems = [
        problem
        for task in tasks
        if isinstance(task, WriteTask)
        for problem in _problems(task, context, to_be_written)
    ]
    if problems:
        raise JobError(tuple(sorted(problems, key=lambda each: each.sort_key)))


def _files_of_queries(tasks: Sequence[AnyTask]) -> set[Path]:
    queries = (task for task in tasks if isinstance(task, QueryTask))
    targets = (target for query in queries for target in query.targets)
    return {target.path for target in targets if isinstance(target, FileTarget)}


def _problems(
    task: WriteTask, context: Context, to_be_written: Collection[Path]
) -> tuple[Diagnostic, ...]:
    source = task.source
    header = None
    if isinstance(source, FileSource) and source.path not in to_be_written:
        header = read_columns(source) or None  # an empty file has no columns and needs none
    if header is None and task.fields is None:
        return ()  # another task's rows: their columns are known once it has run
    try:
        return plan_columns(context.job, task, header, context.describes)[1]
    except TransientError:
        raise
    except OrgError as error:
        here: Location = ("tasks", task.index, task.verb.value)
        code = "org/unknown-object"
        return (context.job.origin.diagnose(here, code, error.message, help=error.hint),)
