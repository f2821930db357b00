"""Builds the collaborators that verbs share, out of options, the environment and the job.

Knows every constructor. Knows nothing of what is done with what it builds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.allowed_hosts import allowed_hosts
from runner.cli.allowed_places import reach
from runner.runs.token_stores import login_command, token_store

if TYPE_CHECKING:
    from runner.events import Sink
    from runner.job.endpoints import FileSource
    from runner.job.model import Connection, Job, RetryPolicy
    from runner.salesforce.http.transport import Transport
    from runner.salesforce.session import Session, TokenStore
    from runner.state.paths import StateFolder


def state_folder(given: Path | None) -> StateFolder:
    """The state folder that the option or the environment names; made when missing."""
    from runner.state.paths import StateFolder, state_root

    return StateFolder(state_root(given, os.environ)).create()


def expression_checker(expression: str) -> str | None:
    """Why an expression of `fields` does not parse; None when it does."""
    from runner.tables.staging.expressions import problem_of

    return problem_of(expression)


def statement_checker(statement: str) -> str | None:
    """Why the SQL of a source does not parse; None when it does."""
    from runner.tables.staging.expressions import problem_of_select

    return problem_of_select(statement)


def header_reader(source: FileSource) -> tuple[str, ...] | None:
    """Column names of a CSV source; None if they cannot be read before the run."""
    from runner.tables.sources.csv import header_of

    return header_of(source)


def loaded_job(file: Path) -> Job:
    """Read a job.

    Raises:
        JobError: it is wrong; every problem with its position.
    """
    from runner.job.load import load_job

    job = load_job(
        file,
        expressions=expression_checker,
        statements=statement_checker,
        header=header_reader,
        reach=reach(),
    )
    if _writes_standard_output(job):
        # Rows are all that stands there; recaps and documents go where the logs go.
        sys.stdout = sys.stderr
    return job


def loaded_connection(file: Path) -> Connection:
    """Read a job's connection alone.

    Raises:
        JobError: it is wrong; every problem with its position.
    """
    from runner.job.load import load_connection

    return load_connection(file, reach())


def _writes_standard_output(job: Job) -> bool:
    from runner.job.endpoints import STANDARD_STREAM, FileTarget
    from runner.job.model import QueryTask

    queries = (task for task in job.tasks if isinstance(task, QueryTask))
    targets = (target for task in queries for target in task.targets)
    return any(isinstance(each, FileTarget) and each.path == STANDARD_STREAM for each in targets)


@contextmanager
def connection_tokens(
    connection: Connection, job_file: Path, state: StateFolder
) -> Iterator[TokenStore]:
    """A connection's token; for the local org its own, started where none runs."""
    from runner.job.model import Environment

    elsewhere = connection.url or connection.token or connection.auth
    if connection.environment is not Environment.LOCAL or elsewhere:
        yield token_store(connection, login_command(job_file))
        return
    from runner.credentials import Token
    from runner.runs.local_org_process import local_org
    from runner.state.tokens.parsing import FixedToken

    with local_org(state, connection.org_file) as org:
        token = Token(org.access_token, connection.url or org.url)
        yield FixedToken(token, origin="the local org")


@contextmanager
def transport() -> Iterator[Transport]:
    """The one HTTP client of a process."""
    from runner.salesforce.http.transport import Transport

    with Transport(allowed_hosts=allowed_hosts()) as made:
        yield made


@contextmanager
def signed_in(
    connection: Connection,
    job_file: Path,
    state: StateFolder,
    sink: Sink,
    policy: RetryPolicy | None = None,
) -> Iterator[Session]:
    """A session with a connection's org.

    Args:
        connection: Which org, and where its token is.
        job_file: For the command that signs in again.
        state: Where a local org is found.
        sink: Is told of every wait.
        policy: How hard to try until a task says otherwise.

    Raises:
        SignInError: there is no token that may be used.
    """
    from runner.job.model import RetryPolicy
    from runner.salesforce.http.retry import Retrier
    from runner.salesforce.session import Session

    with connection_tokens(connection, job_file, state) as tokens, transport() as wire:
        retrier = Retrier(policy or RetryPolicy(), sink=sink)
        yield Session(wire, tokens, retrier, login_command=login_command(job_file))
