"""The connection of a job: in the job, in a file of its own, or one of several targets.

Knows where connections are written and which target is meant. Knows nothing of the network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.errors import JobError, UsageError
from runner.job import build, notation
from runner.job.checks.connection import secrets_outside
from runner.job.documents import OTHER_KIND, in_order, problems_of
from runner.job.model import Connection, Environment, Job
from runner.job.origin import Origin
from runner.job.partial_job import ProblemPaths, sound_part
from runner.job.permissions import NO_PERMISSIONS, Permissions
from runner.job.yaml.document import Document, read_document
from runner.suggest import did_you_mean

_KINDS = frozenset({"environment", "targets"})
"""Keys by which a file with only a connection is known."""


def load_connection(
    file: Path, permissions: Permissions = NO_PERMISSIONS, target: str | None = None
) -> Connection:
    """Read only a job's connection: to sign in, the job's files need not exist yet.

    The file may also be one that contains only a connection.

    Raises:
        JobError: The file is not YAML, or its connection has problems.
        UsageError: The job has no such target, or needs one.
    """
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        folder = file.absolute().parent
        values, origin = document.values, document.origin
        if _KINDS & values.keys() and "connection" not in values:
            problems, found = [], read_connection(file.absolute(), origin, target=target)
        else:
            problems = [each for each in problems_of(document, "job") if _is_of_connection(each)]
            found = found_connection(values.get("connection"), origin, folder, problems, target)
        problems += found.problems
        if found.made is not None:
            outside = secrets_outside(found.made, found.origin, found.path, folder, permissions)
            problems += outside
            if not problems:
                return found.made
    raise JobError(in_order(problems))


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
    of_target = (*path, "targets", connection.target or "")
    path = of_target if of_target in origin.positions else path
    at = next(((*path, key) for key in keys if (*path, key) in origin.positions), path)
    return origin.diagnose(at, code, message, help=hint)


class FoundConnection(Struct):
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
    targets: tuple[str, ...] = ()
    """Names of the connections that it was chosen from."""
    target: str | None = None
    """Which of them it is."""

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
            self.made = replace(build.connection(sound, folder, source), target=self.target)


def found_connection(
    value: object,
    origin: Origin,
    folder: Path,
    problems: Sequence[Diagnostic],
    target: str | None = None,
) -> FoundConnection:
    """The connection that a job means by the value of `connection`.

    Args:
        value: As written.
        origin: The job file.
        folder: What its paths are relative to.
        problems: What is wrong with the job file so far.
        target: Which of its targets is meant; None: its default, if it has targets.

    Raises:
        UsageError: There is no such target, or none is the default.
    """
    if isinstance(value, str):
        if any(_is_of_connection(each) for each in problems):
            return FoundConnection(origin)
        return read_connection(notation.path_from(value, folder), origin, target=target)
    return _in(value, FoundConnection(origin), problems, folder, None, target)


def _in(  # noqa: PLR0913, PLR0917 - where it is, and which is meant
    value: object,
    found: FoundConnection,
    problems: Sequence[Diagnostic],
    folder: Path,
    source: Path | None,
    target: str | None,
) -> FoundConnection:
    """The connection in a value at the path of `found`: the value, or one of its targets."""
    if not isinstance(value, Mapping):
        return found
    if "targets" not in value:
        if target is not None:
            raise UsageError(
                f"{found.origin.file} has one connection, but target {target!r} was requested.",
                hint="Omit `--target` (or SFRUNNER_TARGET), or list its `targets`.",
            )
        found.build(value, problems, folder, source)
        return found
    written = value["targets"]
    if not isinstance(written, Mapping) or ProblemPaths(problems).covers((*found.path, "targets")):
        return found
    found.targets = tuple(written)
    found.target = _chosen(target, value, found)
    if found.target is None:
        return found
    found.path = (*found.path, "targets", found.target)
    chosen = written[found.target]
    if isinstance(chosen, str):
        file = notation.path_from(chosen, folder)
        of_file = read_one_connection(file, found.origin, found.path)
        of_file.targets, of_file.target = found.targets, found.target
        if of_file.made is not None:
            of_file.made = replace(of_file.made, target=found.target)
        of_file.problems = [*found.problems, *of_file.problems]
        return of_file
    if isinstance(chosen, Mapping):
        found.build(chosen, problems, folder, source)
    return found


def _chosen(target: str | None, value: Mapping[str, Any], found: FoundConnection) -> str | None:
    """The target that is meant, or the default one; None if the default is no target."""
    known = f"Its targets are {', '.join(found.targets)}."
    default = value.get("default")
    if target is not None and target not in found.targets:
        hint = did_you_mean(target, found.targets, known)
        raise UsageError(f"{found.origin.file} has no target {target!r}.", hint=hint)
    if target is None and default is None:
        raise UsageError(
            f"{found.origin.file} has several targets, and none of them is the default.",
            hint=f"Choose one with `--target`. {known}",
        )
    if default is None or default in found.targets:
        return str(default) if target is None else target
    problem = found.origin.diagnose(
        (*found.path, "default"),
        "job/unknown-target",
        f"`default` names `{default}`, which is not a target",
        help=did_you_mean(str(default), found.targets, known),
    )
    found.problems = [*found.problems, problem]
    return None


def target_names(file: Path) -> tuple[str, ...]:
    """The targets of a job, in their order; none if it has one connection, or is not readable."""
    value = read_document(file).values.get("connection")
    if isinstance(value, str):
        value = read_document(notation.path_from(value, file.absolute().parent)).values
    targets = value.get("targets") if isinstance(value, Mapping) else None
    return tuple(targets) if isinstance(targets, Mapping) else ()


def _is_of_connection(problem: Diagnostic) -> bool:
    """Whether a problem of the job file leaves its connection in doubt."""
    return problem.path[:1] in {(), ("connection",)} or problem.code == OTHER_KIND


def read_connection(
    file: Path,
    origin: Origin,
    named_at: Location = ("connection",),
    target: str | None = None,
) -> FoundConnection:
    """Read a file that holds a connection, or several targets; its problems are those of the file.

    Args:
        file: The file.
        origin: The file that names it, to report there that it cannot be read.
        named_at: Where that file names it.
        target: Which of its targets is meant.

    Raises:
        UsageError: There is no such target, or none is the default.
    """
    document = read_document(_as_named(file, origin.file))
    if document.is_broken and not any(found.position for found in document.problems):
        problem = _unreadable(document, "connection", origin, named_at)
        return FoundConnection(origin, problems=[problem])
    found = FoundConnection(document.origin, (), problems=list(document.problems))
    if document.is_broken:
        return found
    definition = "connection_targets" if "targets" in document.values else "connection"
    found.problems = problems_of(document, "job", definition=definition)
    return _in(document.values, found, found.problems, file.parent, file, target)


def read_one_connection(file: Path, origin: Origin, named_at: Location) -> FoundConnection:
    """Read a file where several targets have no place: it is one of them, or is read from.

    Its default would be used in silence, whichever target was asked for.
    """
    if "targets" not in read_document(file).values:
        return read_connection(file, origin, named_at)
    message = f"{file.name} has several targets, and one org is meant here"
    hint = "name a file that contains one connection"
    problem = origin.diagnose(named_at, "job/many-targets", message, help=hint)
    return FoundConnection(origin, problems=[problem])


def problems_of_org_file(
    connection: FoundConnection, written_before: Collection[Path] = ()
) -> list[Diagnostic]:
    """What is wrong with the file that declares the local org's objects, unless it is made now."""
    made = connection.made
    if made is None or made.org_file is None or made.environment is not Environment.LOCAL:
        return []
    file = made.org_file
    if file in written_before:
        return []
    document = read_document(_as_named(file, connection.origin.file))
    if not document.is_broken:
        return problems_of(document, "org")
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
