"""Connects to the other orgs that a job reads from, besides the one that it writes to.

Knows that each has a session of its own, and that none is the org that is written to. Knows nothing
of what is read there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.connect import connect
from runner.engine.context import SourceOrg
from runner.errors import JobError, RunnerError
from runner.events import Sink
from runner.job.mirrors import is_chosen
from runner.job.model import AnyTask, Connection, Environment, Job
from runner.job.partial_job import task_path
from runner.job.source_query import connections_of
from runner.runs.wiring import UserSettings, open_session
from runner.salesforce.describe import Describes

LOCAL_FIRST_POLL_SECONDS = 0.05


class Connecting(Struct, frozen=True):
    """How to connect to the orgs that a job reads from."""

    job: Job
    settings: UserSettings
    sink: Sink
    ends_at: float | None = None


class TargetOrg(Struct, frozen=True):
    """The org that a job writes to."""

    org_id: str
    instance_url: str

    def is_same(self, org_id: str, instance_url: str, *, is_local: bool) -> bool:
        """Whether another is this org; all local orgs have the same Id."""
        return org_id == self.org_id and (not is_local or instance_url == self.instance_url)


@contextmanager
def source_orgs(
    how: Connecting, tasks: Iterable[AnyTask], target: TargetOrg
) -> Iterator[Mapping[Connection, SourceOrg]]:
    """The orgs that some tasks read from, connected until the block ends.

    Args:
        how: The job and what it takes to connect.
        tasks: Those that will run.
        target: The org that is written to.

    Raises:
        JobError: One of them is the org that is written to.
        RunnerError: There is no usable token, or it belongs to another org than the connection
            says; the message names the task.
    """
    job = how.job
    # A token that the user names instead of the job's is one of the org that is written to.
    settings = replace(how.settings, token=None)
    found: dict[Connection, SourceOrg] = {}
    with ExitStack() as stack:
        for connection, query in connections_of(tasks).items():
            file = connection.source or job.file
            try:
                session = stack.enter_context(
                    open_session(connection, file, settings, how.sink, query.retry, how.ends_at)
                )
                org = connect(connection, session, how.sink)
            except RunnerError as error:
                error.message = f"{query.write}: {error.message}"
                raise
            is_local = connection.environment is Environment.LOCAL
            if target.is_same(org.identity.org_id, session.instance_url, is_local=is_local):
                message = f"this is the org that the job writes to: {target.org_id}"
                hint = "write a `query` task, and read its rows with `from: {task: …}`"
                path = task_path(query, "connection")
                found_same = job.origin.diagnose(path, "org/same-org", message, help=hint)
                raise JobError((found_same,))
            found[connection] = SourceOrg(
                session,
                Describes(session),
                org.identity,
                org.version,
                LOCAL_FIRST_POLL_SECONDS if is_local else 1.0,
            )
        yield found


def tasks_to_run(job: Job, only: Collection[str], done: Collection[str] = ()) -> list[AnyTask]:
    """The tasks that will run: enabled, asked for, and not finished before."""
    return [
        task
        for task in job.tasks
        if task.enabled and is_chosen(task, only) and task.name not in done
    ]
