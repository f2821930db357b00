"""Libraries that a source, a target or a token needs, and that are not installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.credentials import SecretReference
from runner.diagnostics import Diagnostic
from runner.job.endpoints import Source, SqlSource, Target
from runner.job.partial_job import PartialJob, query_targets, source_files, task_path

LibraryFinder = Callable[[Source | Target | SecretReference], tuple[str, str] | None]
"""What is missing, and the command that installs it; None if nothing is missing."""


def missing(job: PartialJob, finder: LibraryFinder | None) -> Iterator[Diagnostic]:
    """A problem for each source, target and token whose library is missing."""
    if finder is None:
        return
    places = [
        *(found for task in job.writes for found in source_files(task)),
        *((task_path(task, "from"), task.source) for task in job.writes),
        *(found for query in job.queries for found in query_targets(query)),
    ]
    for path, endpoint in places:
        found = None if isinstance(endpoint, SqlSource) else finder(endpoint)
        if found is not None:
            yield job.origin.diagnose(path, "job/missing-library", found[0], help=found[1])
    token = job.connection.token if job.connection else None
    found = finder(token) if token else None
    if found is not None:
        path = (*job.connection_path, "token")
        yield job.connection_origin.diagnose(path, "job/missing-library", found[0], help=found[1])
