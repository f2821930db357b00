"""Connects to the other orgs that a job reads from, besides the one that it writes to.

Knows that each has a session of its own, and that none is the org that is written to. Knows nothing
of what is read there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.credentials import Secret, SecretReference
from runner.engine.connect import connect
from runner.engine.context import SourceOrg, SourceOrgs
from runner.errors import JobError, RunnerError, SignInError
from runner.events import Sink
from runner.job.masks import LEAST_KEY_CHARACTERS
from runner.job.mirrors import is_chosen
from runner.job.model import AnyTask, Connection, Environment, Job
from runner.job.partial_job import task_path
from runner.job.secrets import read_secret
from runner.job.source_query import SourceQuery, connections_of
from runner.runs.wiring import UserSettings, first_poll_seconds, open_session
from runner.salesforce.describe import Describes


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
        """Whether another is this org; local orgs of earlier versions have the same Id."""
        return org_id == self.org_id and (not is_local or instance_url == self.instance_url)


@contextmanager
def source_orgs(
    how: Connecting, tasks: Iterable[AnyTask], target: TargetOrg
) -> Iterator[SourceOrgs]:
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
    found: dict[Connection | None, SourceOrg] = {}
    queries = [task for task in tasks if isinstance(task, SourceQuery)]
    keys = _mask_keys(job, queries)
    with ExitStack() as stack:
        for connection, query in connections_of(queries).items():
            file = connection.source or job.file
            try:
                session = stack.enter_context(
                    open_session(connection, file, settings, how.sink, query.retry, how.ends_at)
                )
                org = connect(connection, session, events.ignore)
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
            who, where = org.identity.username, session.instance_url
            how.sink(
                events.Noticed(
                    f"reading from {where} as {who}, API version {org.version}", query.write
                )
            )
            found[connection] = SourceOrg(
                session,
                Describes(session),
                org.identity,
                org.version,
                first_poll_seconds(local=is_local),
            )
        yield SourceOrgs(found, keys)


def _mask_keys(job: Job, queries: Iterable[SourceQuery]) -> dict[SecretReference, Secret]:
    """The keys of the queries' masks, read before anything else is done.

    Raises:
        JobError: A key is not there, or too short.
    """
    found: dict[SecretReference, Secret] = {}
    for query in queries:
        reference = query.masks.key
        if reference is None or reference in found:
            continue
        path = task_path(query, "mask_key")
        try:
            key = read_secret(reference, what="the key of the masks")
        except SignInError as error:
            hint = "create one once with `openssl rand -hex 32`, and keep it for later copies"
            problem = job.origin.diagnose(path, "org/no-mask-key", error.message, help=hint)
            raise JobError((problem,)) from error
        if len(key.reveal()) < LEAST_KEY_CHARACTERS:
            message = f"the key of the masks has fewer than {LEAST_KEY_CHARACTERS} characters"
            hint = "a key that can be guessed hides nothing; create one with `openssl rand -hex 32`"
            problem = job.origin.diagnose(path, "org/no-mask-key", message, help=hint)
            raise JobError((problem,))
        found[reference] = key
    return found


def tasks_to_run(job: Job, only: Collection[str], done: Collection[str] = ()) -> list[AnyTask]:
    """The tasks that will run: enabled, asked for, and not finished before."""
    return [
        task
        for task in job.tasks
        if task.enabled and is_chosen(task, only) and task.name not in done
    ]
