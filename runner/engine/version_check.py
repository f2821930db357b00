"""Checks that the API version has what the tasks ask for, before the first of them writes.

Knows what a job states. What only its rows decide, such as Bulk for many of them, is chosen by what
the version has. Knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from runner.diagnostics import Diagnostic
from runner.errors import UsageError
from runner.job.model import AnyTask, Api, Job, QueryTask, Verb
from runner.salesforce.versions import Feature, require

_Need = tuple[str, Feature, str]
"""The key that needs a feature, the feature, and what to call that in a message."""


def version_problems(
    job: Job, tasks: Sequence[AnyTask], version_of: Callable[[AnyTask], str]
) -> Iterator[Diagnostic]:
    """Keys of tasks that need a newer API version.

    Args:
        job: For the positions of problems.
        tasks: Those to check.
        version_of: The version of the org that a task reads or writes.
    """
    for task in tasks:
        for key, feature, purpose in _needs(task):
            try:
                require(version_of(task), feature, purpose)
            except UsageError as error:
                paths = ("tasks", task.index, key), ("defaults", key)
                here = next((each for each in paths if each in job.origin.positions), paths[0])
                yield job.origin.diagnose(here, "org/api-version", error.message, help=error.hint)


def _needs(task: AnyTask) -> Iterator[_Need]:
    over_bulk = f"Task {task.name!r}, over Bulk API 2.0"
    if isinstance(task, QueryTask):
        if task.api is Api.BULK:
            yield "api", Feature.BULK_QUERY, over_bulk
        if task.files is not None:
            yield "files", Feature.COLLECTIONS, f"`files` of task {task.name!r}"
        return
    if task.verb in {Verb.UNDELETE, Verb.MERGE}:
        return
    if task.hard or task.api is Api.BULK:
        key = "hard" if task.hard else "api"
        yield key, Feature.BULK_INGEST, over_bulk
    if task.undo and task.verb in {Verb.UPDATE, Verb.UPSERT}:
        yield "undo", Feature.COLLECTIONS, f"`undo` of task {task.name!r}"
    if task.all_or_none:
        from runner.salesforce.rest.collections import feature_of  # noqa: PLC0415 - rare

        yield "all_or_none", feature_of(task.verb), f"`all_or_none` of task {task.name!r}"
    if task.options.duplicate_rule_allow_save is not None:
        purpose = f"`duplicate_rule_allow_save` of task {task.name!r}"
        yield "options", Feature.DUPLICATE_RULE_HEADER, purpose
