"""Reads a job file, checks it and builds the typed job.

Brings text, schema and meaning together and reports all problems at once, sorted. Knows nothing of
the org or the network; looks only at files that the job names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from runner.diagnostics import Diagnostic, Location, Severity
from runner.errors import JobError
from runner.job import build, for_each, notation, value_scan
from runner.job.checks import Readers, check_meaning
from runner.job.checks.connection import environment_problems, secrets_outside
from runner.job.checks.tasks import verbs
from runner.job.mirrors import with_missing
from runner.job.model import Connection, Environment, Job, Origin
from runner.job.partial_job import (
    PartialJob,
    ProblemPaths,
    as_list,
    as_mapping,
    names_of,
    params_of,
    sound_part,
    tasks_of,
)
from runner.job.permissions import NO_PERMISSIONS, Permissions
from runner.job.schema.files import is_valid
from runner.job.source_query import names_query
from runner.job.yaml.document import Document, as_yaml, read_document

__all__ = [
    "Readers",
    "check_job",
    "connection_problem",
    "load_checked",
    "load_connection",
    "load_job",
]

_NO_READERS = Readers()
MAX_PROBLEMS = 200
"""Problems that are reported at once."""


def load_job(
    file: Path, readers: Readers = _NO_READERS, permissions: Permissions = NO_PERMISSIONS
) -> Job:
    """Read a job file.

    Raises:
        JobError: The job has problems; the error carries all of them, sorted.
    """
    job, problems = check_job(file, readers, permissions)
    if job is None:
        raise JobError(problems)
    return job


def load_connection(file: Path, permissions: Permissions = NO_PERMISSIONS) -> Connection:
    """Read only a job's connection: to sign in, the job's files need not exist yet.

    The file may also be one that contains only a connection.

    Raises:
        JobError: The file is not YAML, or its connection has problems.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        folder = file.absolute().parent
        values, origin = document.values, document.origin
        if "environment" in values and "connection" not in values:
            problems, found = [], _read_connection(file.absolute(), origin)
        else:
            problems = [each for each in _problems_of(document, "job") if _is_of_connection(each)]
            found = _connection(values.get("connection"), origin, folder, problems)
        problems += found.problems
        if found.made is not None:
            outside = secrets_outside(found.made, found.origin, found.path, folder, permissions)
            problems += outside
            if not problems:
                return found.made
    raise JobError(_sorted(problems))


def connection_problem(  # noqa: PLR0913 - a diagnostic has as many parts
    job: Job,
    keys: Sequence[str],
    code: str,
    message: str,
    *,
    hint: str | None,
    of: Connection | None = None,
) -> Diagnostic:
    """A problem of a connection that its org shows, in the file that holds the connection.

    Args:
        job: The job.
        keys: Keys of the connection; it points at the first of them that is there.
        code: The problem's code.
        message: What is wrong.
        hint: What to do.
        of: The connection; None: the job's own.
    """
    origin, connection = job.origin, of or job.connection
    path: Location = ("connection",)
    if connection.source is not None:
        origin, path = read_document(_as_named(connection.source, origin.file)).origin, ()
    at = next(((*path, key) for key in keys if (*path, key) in origin.positions), path)
    return origin.diagnose(at, code, message, help=hint)


def check_job(
    file: Path,
    readers: Readers = _NO_READERS,
    permissions: Permissions = NO_PERMISSIONS,
    written_before: frozenset[Path] = frozenset(),
) -> tuple[Job | None, tuple[Diagnostic, ...]]:
    """Read a job file; return the job if it has no errors, and all problems, sorted.

    Args:
        file: The job file.
        readers: What other layers know of expressions, sources and libraries.
        permissions: Paths outside its folder that the job may write, or read secrets from.
        written_before: Files that another job writes before this one starts.
    """
    document = read_document(file)
    if document.is_broken:
        return None, _sorted(document.problems)
    document = _expanded(document)
    values, origin = document.values, document.origin
    problems = _problems_of(document, "job", known=verbs(values, origin))
    folder = file.absolute().parent
    connection = _connection(values.get("connection"), origin, folder, problems)
    problems += [*connection.problems, *_of_org_file(connection)]
    sources = _sources(values, origin, folder, problems)
    for each in sources.values():
        problems += [*each.problems, *_of_org_file(each), *_of_source(each, folder, permissions)]
    paths = ProblemPaths(found for found in problems if found.file == file)
    declared = as_mapping(values.get("params"))
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
    )
    problems += check_meaning(partial, readers)
    ordered = _sorted(problems)
    if any(found.severity is Severity.ERROR for found in ordered) or partial.connection is None:
        return None, ordered
    return _job(values, partial.connection, file, partial), ordered


def load_checked(file: Path, schema: str) -> Document:
    """Read a YAML file and check it against a shipped schema; its values and their positions.

    Raises:
        JobError: The file has problems; the error carries all of them, sorted.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        problems = _problems_of(document, schema)
    if problems:
        raise JobError(_sorted(problems))
    return document


def expanded_tasks(file: Path) -> str:
    """The tasks of a job as YAML, as a run has them: one for each item of `for_each`.

    Raises:
        JobError: The file is not YAML.
    """
    document = read_document(file)
    if document.is_broken:
        raise JobError(_sorted(document.problems))
    tasks = _expanded(document).values.get("tasks")
    return as_yaml({"tasks": tasks})


def _expanded(document: Document) -> Document:
    """A document of a job with a task for each item of `for_each`."""
    found = for_each.expand(document.values, document.origin)
    return Document(found.values, found.origin, (*document.problems, *found.problems))


def _job(values: Mapping[str, Any], connection: Connection, file: Path, partial: PartialJob) -> Job:
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
    )


def _problems_of(
    document: Document,
    schema: str,
    *,
    definition: str | None = None,
    known: Iterable[Diagnostic] = (),
) -> list[Diagnostic]:
    """What is wrong with a document by itself.

    Args:
        document: The document.
        schema: Name of the schema to check it against.
        definition: The part of the schema to check against; the whole schema when None.
        known: Problems found before; the schema has nothing to add where they are.
    """
    values, origin = document.values, document.origin
    placed = value_scan.placeholders(values, origin)
    problems = [*document.problems, *value_scan.secrets(values, origin), *known, *placed]
    if is_valid(values, schema, definition=definition):
        return problems
    from runner.job.schema.validate import validate  # noqa: PLC0415 - a tenth of a second to load

    paths = ProblemPaths(problems)
    found = validate(values, origin, schema, definition=definition)
    return problems + [each for each in found if not paths.covers(each.path)]


class _FoundConnection(Struct):
    """The connection of a job, and where it was found."""

    origin: Origin
    """The file that holds it: the job's, or one of its own."""
    path: Location = ("connection",)
    made: Connection | None = None
    """None if too little of it is left."""
    is_whole: bool = True
    """Whether no key of it has a problem."""
    problems: list[Diagnostic] = field(default_factory=list)
    """Those of a file of its own."""

    def build(
        self,
        value: Mapping[str, Any],
        problems: Iterable[Diagnostic],
        folder: Path,
        source: Path | None,
    ) -> None:
        """Build it from the keys without problems, so that those are checked too."""
        sound = sound_part(value, self.path, ProblemPaths(problems))
        self.is_whole = sound.keys() == value.keys()
        if "environment" in sound:
            self.made = build.connection(sound, folder, source)


def _connection(
    value: object, origin: Origin, folder: Path, problems: Sequence[Diagnostic]
) -> _FoundConnection:
    found = _FoundConnection(origin)
    if isinstance(value, str):
        if not any(_is_of_connection(each) for each in problems):
            found = _read_connection(notation.path_from(value, folder), origin)
    elif isinstance(value, Mapping):
        found.build(value, problems, folder, None)
    return found


def _sources(
    values: Mapping[str, Any], origin: Origin, folder: Path, problems: Sequence[Diagnostic]
) -> dict[int, _FoundConnection]:
    """The connections of the orgs that tasks read from, by the index of the task."""
    named = (
        (at, as_mapping(task).get("from")) for at, task in enumerate(as_list(values.get("tasks")))
    )
    paths = ProblemPaths(problems)
    return {
        at: _read_connection(notation.path_from(source["connection"], folder), origin, path)
        for at, source in named
        if names_query(source) and not paths.covers(path := ("tasks", at, "from", "connection"))
    }


def _of_source(
    found: _FoundConnection, folder: Path, permissions: Permissions
) -> Iterator[Diagnostic]:
    """What is wrong with the connection of an org that a task reads from."""
    made, origin, path = found.made, found.origin, found.path
    if made is not None:
        whole = found.is_whole
        yield from environment_problems(made, origin, path, permissions, is_whole=whole)
        yield from secrets_outside(made, origin, path, folder, permissions)


def _is_of_connection(problem: Diagnostic) -> bool:
    """Whether a problem of the job file leaves its connection in doubt."""
    return problem.path[:1] in {(), ("connection",)}


def _read_connection(
    file: Path, origin: Origin, named_at: Location = ("connection",)
) -> _FoundConnection:
    """Read the file that holds the connection; its problems are reported in that file."""
    document = read_document(_as_named(file, origin.file))
    if document.is_broken and not any(found.position for found in document.problems):
        problem = _unreadable(document, "connection", origin, named_at)
        return _FoundConnection(origin, problems=[problem])
    found = _FoundConnection(document.origin, (), problems=list(document.problems))
    if not document.is_broken:
        found.problems = _problems_of(document, "job", definition="connection")
        found.build(document.values, found.problems, file.parent, file)
    return found


def _of_org_file(connection: _FoundConnection) -> list[Diagnostic]:
    """What is wrong with the file that declares the local org's objects."""
    made = connection.made
    if made is None or made.org_file is None or made.environment is not Environment.LOCAL:
        return []
    file = made.org_file
    document = read_document(_as_named(file, connection.origin.file))
    if not document.is_broken:
        return _problems_of(document, "org")
    if any(found.position for found in document.problems):
        return list(document.problems)
    return [_unreadable(document, "org-file", connection.origin, (*connection.path, "org_file"))]


def _unreadable(document: Document, what: str, origin: Origin, path: Location) -> Diagnostic:
    """Why a file cannot be read, reported where another file names it."""
    found = document.problems[0]
    message = f"{document.origin.file}: {found.message}"
    code = found.code.replace("yaml/", f"job/{what}-")
    return origin.diagnose(path, code, message, help=found.help)


def _as_named(file: Path, beside: Path) -> Path:
    """The file as messages should name it: relative if the file that names it is."""
    folder = beside.absolute().parent
    return beside.parent / file.relative_to(folder) if file.is_relative_to(folder) else file


def _sorted(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    # The tasks of one `for_each` have the same problems in the same place.
    distinct: dict[object, Diagnostic] = {}
    for each in problems:
        distinct.setdefault((each.code, each.message, each.file, each.position), each)
    ordered = sorted(distinct.values(), key=lambda found: found.sort_key)
    shown = value_scan.concealed(ordered)[:MAX_PROBLEMS]
    more = len(ordered) - len(shown)
    if not more:
        return shown
    words, hint = f"and at least {more:,} more problems", "fix these first"
    return (*shown, Diagnostic("job/more-problems", words, ordered[0].file, help=hint))
