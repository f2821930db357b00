"""Reads a job file, checks it and builds the typed job.

Brings text, schema and meaning together and reports all problems at once, sorted. Knows nothing of
the org or the network; looks only at files that the job names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.diagnostics import Diagnostic, Position, Severity
from runner.errors import JobError
from runner.job import build, for_each, notation
from runner.job.checks import Readers, check_meaning
from runner.job.checks.connection import environment_problems, secrets_outside
from runner.job.checks.tasks import verbs
from runner.job.connections import (
    FoundConnection,
    found_connection,
    problems_of_org_file,
    read_one_connection,
)
from runner.job.documents import OTHER_KIND, in_order, problems_of
from runner.job.mirrors import missing_name, with_missing
from runner.job.model import Connection, Job
from runner.job.origin import Origin
from runner.job.partial_job import (
    PartialJob,
    ProblemPaths,
    as_list,
    as_mapping,
    names_of,
    params_of,
    tasks_of,
)
from runner.job.permissions import NO_PERMISSIONS, Permissions
from runner.job.source_query import names_query
from runner.job.targets import enabled_for, problems_of_targets
from runner.job.yaml.document import Document, as_yaml, read_document

if TYPE_CHECKING:
    from runner.job.metrics import Metrics

__all__ = ["Readers", "check_job", "expanded_tasks", "task_places"]

_NO_READERS = Readers()
_TOLD = frozenset({"notify", "heartbeat", "expect"})


def check_job(  # noqa: PLR0913, PLR0917 - the readers and permissions of a job
    file: Path,
    readers: Readers = _NO_READERS,
    permissions: Permissions = NO_PERMISSIONS,
    written_before: frozenset[Path] = frozenset(),
    target: str | None = None,
    in_place: Callable[[Document], Document] | None = None,
    reads: Callable[[str], bool] | None = None,
) -> tuple[Job | None, tuple[Diagnostic, ...]]:
    """Read a job file; return the job if it has no errors, and all problems, sorted.

    Args:
        file: The job file.
        readers: What other layers know of expressions, sources and libraries.
        permissions: Paths outside its folder that the job may write, or read secrets from.
        written_before: Files that are written before this job starts.
        target: Which of its targets is meant; None: its default, if it has targets.
        in_place: Gives what a test has in place of the job as written.
        reads: Whether the task of a name reads its source, which has to be there; None: all do.

    Raises:
        UsageError: The job has no such target, or needs one.
    """
    document = read_document(file)
    if document.is_broken:
        from runner.job.foreign_files import of_another_tool  # noqa: PLC0415 - rarely

        foreign = of_another_tool(document)
        return None, in_order([foreign] if foreign else document.problems)
    document = _expanded(document)
    if in_place is not None:
        document = in_place(document)
    values, origin = document.values, document.origin
    problems = problems_of(document, "job", known=verbs(values, origin))
    if any(each.code == OTHER_KIND for each in problems):
        return None, in_order(problems)
    folder = file.absolute().parent
    connection = found_connection(values.get("connection"), origin, folder, problems, target)
    problems += problems_of_targets(values, origin, connection.targets)
    values = dict(enabled_for(values, connection.target))
    problems += [*connection.problems, *problems_of_org_file(connection, written_before)]
    sources = _sources(values, origin, folder, problems)
    for each in sources.values():
        problems += [
            *each.problems,
            *problems_of_org_file(each, written_before),
            *_of_source(each, folder, permissions),
        ]
    paths = ProblemPaths(found for found in problems if found.file == file)
    declared = as_mapping(values.get("params"))
    told = _told(values, paths)
    partial = PartialJob(
        origin,
        folder,
        connection.made,
        connection.origin,
        connection.path,
        declared,
        params_of(declared, paths),
        names_of(values),
        tasks_of(values, folder, paths, {at: each.made for at, each in sources.items()}),
        connection_is_whole=connection.is_whole,
        is_clean=not paths.covers(("tasks",)) and not paths.below(("tasks",)),
        permissions=permissions,
        written_before=written_before,
        reads=reads,
        notify=told.get("notify", ()),
        metrics=_metrics(values, paths, folder),
    )
    problems += check_meaning(partial, readers)
    ordered = in_order(problems)
    if any(found.severity is Severity.ERROR for found in ordered) or partial.connection is None:
        return None, ordered
    return _job(values, partial.connection, file, partial, told), ordered


def _told(values: Mapping[str, Any], paths: ProblemPaths) -> dict[str, Any]:
    """Members of the job that say who is notified, as far as nothing is wrong with them."""
    if _TOLD.isdisjoint(values):
        return {}
    from runner.job.build_notices import of_job  # noqa: PLC0415 - few jobs have them

    return of_job(values, paths)


def _metrics(values: Mapping[str, Any], paths: ProblemPaths, folder: Path) -> Metrics | None:
    at = ("metrics",)
    if "metrics" not in values or paths.covers(at) or paths.below(at):
        return None
    return build.metrics(values["metrics"], folder)


def expanded_tasks(file: Path) -> str:
    """The tasks of a job as YAML, as a run has them: one for each item of `for_each`.

    Raises:
        JobError: The file is not YAML.
    """
    document = read_document(file)
    if document.is_broken:
        raise JobError(in_order(document.problems))
    tasks = _expanded(document).values.get("tasks")
    return as_yaml({"tasks": tasks})


def task_places(file: Path) -> dict[str, Position]:
    """Where each task of a job is, by its name; nothing of a file that cannot be read now."""
    document = _expanded(read_document(file))
    positions = document.origin.positions
    names = names_of(document.values)
    places = {
        name: positions[at]
        for index, name in enumerate(names)
        if name is not None and (at := ("tasks", index, "name")) in positions
    }
    return {**places, **{missing_name(name): at for name, at in places.items()}}


def _expanded(document: Document) -> Document:
    """A document of a job with a task for each item of `for_each`."""
    found = for_each.expand(document.values, document.origin)
    return Document(found.values, found.origin, (*document.problems, *found.problems))


def _sources(
    values: Mapping[str, Any], origin: Origin, folder: Path, problems: Sequence[Diagnostic]
) -> dict[int, FoundConnection]:
    """The connections of the orgs that tasks read from, by the index of the task."""
    named = (
        (at, as_mapping(task).get("from")) for at, task in enumerate(as_list(values.get("tasks")))
    )
    paths = ProblemPaths(problems)
    return {
        at: read_one_connection(notation.path_from(source["connection"], folder), origin, path)
        for at, source in named
        if names_query(source) and not paths.covers(path := ("tasks", at, "from", "connection"))
    }


def _of_source(
    found: FoundConnection, folder: Path, permissions: Permissions
) -> Iterator[Diagnostic]:
    """What is wrong with the connection of an org that a task reads from."""
    made, origin, path = found.made, found.origin, found.path
    if made is not None:
        whole = found.is_whole
        yield from environment_problems(made, origin, path, permissions, is_whole=whole)
        yield from secrets_outside(made, origin, path, folder, permissions)


def _job(
    values: Mapping[str, Any],
    connection: Connection,
    file: Path,
    partial: PartialJob,
    told: Mapping[str, Any],
) -> Job:
    tasks, origin = with_missing(partial.tasks, partial.origin)
    return Job(
        name=values.get("name") or file.stem,
        file=file.absolute(),
        connection=connection,
        tasks=tasks,
        description=values.get("description", ""),
        params=partial.params,
        max_disk_bytes=notation.size_bytes(most) if (most := values.get("max_disk")) else None,
        limits=notation.limits(values.get("limits", {})),
        origin=origin,
        metrics=partial.metrics,
        **told,
    )
