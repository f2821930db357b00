"""Who is notified of a job and how often it is expected to run, also of a job with other mistakes.

Reads a job's file as far as it is sound: people are to know that a job is broken, too. Knows
nothing of its tasks.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from runner.credentials import SecretReference
from runner.diagnostics import Diagnostic
from runner.errors import UsageError
from runner.job import build_notices
from runner.job.connections import FoundConnection, found_connection
from runner.job.documents import in_order, problems_of
from runner.job.notices import Notice
from runner.job.partial_job import ProblemPaths
from runner.job.yaml.document import Document, read_document


class WatchedFile(Struct, frozen=True):
    """The notifications, heartbeat and expectation of a job file, as far as they are valid."""

    name: str
    target: str | None = None
    notify: tuple[Notice, ...] = ()
    heartbeat: SecretReference | None = None
    expected_seconds: float | None = None
    lines: tuple[str, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    """What keeps from knowing how often it is expected to run."""


def watched_file(file: Path, target: str | None = None) -> WatchedFile:
    """Read what a job file says; with a target that it does not have, without its connection.

    Args:
        file: The job.
        target: Which of its targets is meant; None: its default.
    """
    document = read_document(file)
    if document.is_broken:
        return WatchedFile(file.stem, target, problems=in_order(document.problems))
    values, problems = document.values, problems_of(document, "job")
    told, name = build_notices.of_job(values, ProblemPaths(problems)), values.get("name")
    connection = _connection(document, file, problems, target)
    of_connection = connection.made.notify if connection and connection.made else ()
    unclear = [each for each in problems if each.path[:1] == ("expect",)]
    return WatchedFile(
        name if isinstance(name, str) and name else file.stem,
        connection.target if connection else target,
        (*told["notify"], *of_connection),
        told["heartbeat"],
        told["expected_seconds"],
        document.origin.lines,
        in_order(unclear) if unclear else (),
    )


def _connection(
    document: Document, file: Path, problems: list[Diagnostic], target: str | None
) -> FoundConnection | None:
    value, folder = document.values.get("connection"), file.absolute().parent
    try:
        return found_connection(value, document.origin, folder, problems, target)
    except UsageError:
        return None
