"""A job file, read, checked and typed.

Brings text, schema and meaning together and reports all problems at once, sorted. Touches no org
and no network; looks at files only as far as the job names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.diagnostics import Diagnostic, Location, Severity
from runner.errors import JobError
from runner.job import build, notation, secret_scan
from runner.job.checks import ExpressionChecker, meaning, path_policy, verbs
from runner.job.model import Connection, Environment, Job, Origin
from runner.job.partial_job import Draft, Faults, names_of, params_of, tasks_of
from runner.job.path_policy import NOWHERE_ELSE, Reach
from runner.job.schema.files import is_valid
from runner.job.yaml.document import Document, read_document

__all__ = ["ExpressionChecker", "check_job", "load_checked", "load_connection", "load_job"]

MAX_PROBLEMS = 200
"""Problems that are told at once."""


def load_job(
    file: Path,
    *,
    expressions: ExpressionChecker | None = None,
    statements: ExpressionChecker | None = None,
    reach: Reach = NOWHERE_ELSE,
) -> Job:
    """Read a job file.

    Raises:
        JobError: The job has problems; it carries all of them, sorted.
    """
    job, problems = check_job(file, expressions=expressions, statements=statements, reach=reach)
    if job is None:
        raise JobError(problems)
    return job


def load_connection(file: Path, reach: Reach = NOWHERE_ELSE) -> Connection:
    """Read a job's connection alone: a sign-in does not wait for the job's files to be there.

    Raises:
        JobError: The file is no YAML, or its connection has problems.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        found = _problems_of(document, "job")
        problems = [each for each in found if each.path[:1] in {(), ("connection",)}]
        connection = _Connection(
            document.values.get("connection"), document.origin, file.absolute().parent, problems
        )
        problems += connection.problems
        if connection.made is not None:
            problems = connection.out_of(reach, file.absolute().parent)
            if not problems:
                return connection.made
    raise JobError(_sorted(problems))


def check_job(
    file: Path,
    *,
    expressions: ExpressionChecker | None = None,
    statements: ExpressionChecker | None = None,
    reach: Reach = NOWHERE_ELSE,
) -> tuple[Job | None, tuple[Diagnostic, ...]]:
    """Read a job file; give the job where it has no errors, and all problems, sorted.

    Args:
        file: The job file.
        expressions: Says of a `fields` expression why it does not parse; None where it does.
        statements: The same of the SQL of a source.
        reach: Which places outside its folder the job may write, or take secrets from.
    """
    document = read_document(file)
    values, origin = document.values, document.origin
    if document.is_broken:
        return None, _sorted(document.problems)
    problems = _problems_of(document, "job")
    folder = file.absolute().parent
    connection = _Connection(values.get("connection"), origin, folder, problems)
    problems += [*connection.problems, *_of_org_file(connection)]
    faults = Faults(found for found in problems if found.file == file)
    draft = Draft(
        origin,
        folder,
        connection.made,
        connection.origin,
        connection.path,
        params_of(values, faults),
        names_of(values),
        tasks_of(values, folder, faults),
        is_clean=not faults.covers(("tasks",)) and not faults.below(("tasks",)),
        reach=reach,
    )
    problems += meaning(draft, values, expressions, statements)
    ordered = _sorted(problems)
    if any(found.severity is Severity.ERROR for found in ordered) or draft.connection is None:
        return None, ordered
    return _job(values, draft.connection, file, draft), ordered


def load_checked(file: Path, schema: str) -> Document:
    """Read a YAML file and hold it against a shipped schema; its values and where they stand.

    Raises:
        JobError: The file has problems; it carries all of them, sorted.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        problems = _problems_of(document, schema)
    if problems:
        raise JobError(_sorted(problems))
    return document


def _job(values: Mapping[str, Any], connection: Connection, file: Path, draft: Draft) -> Job:
    return Job(
        name=values.get("name") or file.stem,
        file=file.absolute(),
        connection=connection,
        tasks=draft.tasks,
        description=values.get("description", ""),
        params=draft.params,
        max_disk_bytes=notation.size_bytes(most) if (most := values.get("max_disk")) else None,
        origin=draft.origin,
    )


def _problems_of(
    document: Document, schema: str, *, definition: str | None = None
) -> list[Diagnostic]:
    """What is wrong with a document by itself."""
    values, origin = document.values, document.origin
    known = [*document.problems, *secret_scan.find(values, origin)]
    if schema == "job" and definition is None:
        known += verbs.check(values, origin)
    against = _against(values, origin, schema, definition)
    told = Faults(known)
    return known + [found for found in against if not told.covers(found.path)]


def _against(
    values: object, origin: Origin, schema: str, definition: str | None
) -> list[Diagnostic]:
    """What a document has against its schema, which mostly is nothing."""
    if is_valid(values, schema, definition=definition):
        return []
    from runner.job.schema.validate import validate  # noqa: PLC0415 - a tenth of a second to load

    return validate(values, origin, schema, definition=definition)


class _Connection:
    """The connection of a job, wherever it stands."""

    def __init__(
        self, value: object, origin: Origin, folder: Path, problems: Sequence[Diagnostic]
    ) -> None:
        self.origin = origin
        self.path: Location = ("connection",)
        self.made: Connection | None = None
        self.problems: list[Diagnostic] = []
        faults = Faults(problems)
        if faults.covers(self.path) or faults.below(self.path):
            return
        if isinstance(value, str):
            self._read(value, folder)
        elif isinstance(value, Mapping):
            self.made = build.connection(value, folder, None)

    def out_of(self, reach: Reach, home: Path) -> list[Diagnostic]:
        """What it names that a job in the folder `home` may not reach."""
        if self.made is None:
            return []
        return list(path_policy.secrets(self.made, self.origin, self.path, home, reach))

    def _read(self, text: str, folder: Path) -> None:
        """Read the file that holds it; its problems are told in that file."""
        file = notation.path_from(text, folder)
        document = read_document(_as_named(file, self.origin.file))
        if document.is_broken and not any(found.position for found in document.problems):
            self.problems = [_unreadable(document, "connection", self.origin, self.path)]
            return
        self.origin, self.path = document.origin, ()
        self.problems = list(document.problems)
        if not document.is_broken:
            self.problems = _problems_of(document, "job", definition="connection")
        if not self.problems:
            self.made = build.connection(document.values, file.parent, file)


def _of_org_file(connection: _Connection) -> list[Diagnostic]:
    """What is wrong with the file that says what the local org has."""
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
    """Why a file that another one names cannot be read, told where it is named."""
    found = document.problems[0]
    message = f"{document.origin.file}: {found.message}"
    code = found.code.replace("yaml/", f"job/{what}-")
    return origin.diagnose(path, code, message, help=found.help)


def _as_named(file: Path, beside: Path) -> Path:
    """The file as a message should name it: like the file that names it, so often relative."""
    folder = beside.absolute().parent
    return beside.parent / file.relative_to(folder) if file.is_relative_to(folder) else file


def _sorted(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    ordered = sorted(dict.fromkeys(problems), key=lambda found: found.sort_key)
    shown = tuple(secret_scan.concealed(found) for found in ordered[:MAX_PROBLEMS])
    more = len(ordered) - len(shown)
    if not more:
        return shown
    words, hint = f"and at least {more:,} more problems", "mend these first"
    return (*shown, Diagnostic("job/more-problems", words, ordered[0].file, help=hint))
