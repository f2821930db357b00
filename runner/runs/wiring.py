"""Builds what the verbs share out of the user's settings and a job: job, tokens, session.

Knows every constructor. Knows nothing of what is done with what it builds, of the environment or
of the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.job.permissions import NO_PERMISSIONS, Permissions
from runner.wording import command_for

if TYPE_CHECKING:
    from runner.credentials import SecretReference, Token
    from runner.diagnostics import Diagnostic
    from runner.events import Sink
    from runner.job.model import Connection, Job, RetryPolicy
    from runner.job.yaml.document import Document
    from runner.login.logout import SavedToken
    from runner.salesforce.http.transport import Transport
    from runner.salesforce.session import Session, TokenStore
    from runner.state.paths import StateFolder


class UserSettings(Struct, frozen=True):
    """What the user who runs a job decides, never the job file."""

    state: StateFolder
    permissions: Permissions = NO_PERMISSIONS
    token: SecretReference | None = None
    """Used instead of the connection's token."""
    keyring_locks: Path | None = None
    """Where locks of tokens in the keyring are; None where the user has no folder for them."""


def load_job(
    file: Path,
    permissions: Permissions,
    written_before: frozenset[Path] = frozenset(),
    target: str | None = None,
    reads: Callable[[str], bool] | None = None,
) -> Job:
    """Read a job; files in `written_before` may not exist yet, as another job writes them.

    Sources of tasks that `reads` denies need not exist: their rows are stored.

    Raises:
        JobError: It is wrong; every problem with its position.
    """
    from runner.errors import JobError

    job, problems = check_job(file, permissions, written_before, target, tolerant=True, reads=reads)
    if job is None:
        raise JobError(problems)
    return job


def check_job(  # noqa: PLR0913 - who asks wants more or less of it
    file: Path,
    permissions: Permissions,
    written_before: frozenset[Path] = frozenset(),
    target: str | None = None,
    *,
    thorough: bool = False,
    tolerant: bool = False,
    in_place: Callable[[Document], Document] | None = None,
    reads: Callable[[str], bool] | None = None,
) -> tuple[Job | None, tuple[Diagnostic, ...]]:
    """Read a job; return it if it has no errors, and all problems, sorted.

    Args:
        file: The job.
        permissions: What it may write and read outside of its folder.
        written_before: Files that another job writes before this one starts.
        target: Which of its targets is meant; None: its default, if it has targets.
        thorough: Also read the rows of Excel, JSON and XML, which a run reads when the task starts.
        tolerant: Ignore what keeps no run from its rows: libraries to notify and to measure.
        in_place: Gives what a test has in place of the job as written.
        reads: Whether the task of a name reads its source, which has to be there; None: all do.
    """
    from runner.job import load
    from runner.tables.extras import library_of_metrics, library_to_notify, missing_library
    from runner.tables.sources.open import columns_of, read_columns
    from runner.tables.staging.expressions import columns_in, problem_of, problem_of_select

    readers = load.Readers(
        expressions=problem_of,
        columns_in=columns_in,
        statements=problem_of_select,
        header=columns_of if thorough else read_columns,
        libraries=missing_library,
        recipients=None if tolerant else library_to_notify,
        exporters=None if tolerant else library_of_metrics,
    )
    return load.check_job(file, readers, permissions, written_before, target, in_place, reads)


def load_connection(file: Path, permissions: Permissions, target: str | None = None) -> Connection:
    """Read a job's connection alone.

    Raises:
        JobError: It is wrong; every problem with its position.
    """
    from runner.job import connections

    return connections.load_connection(file, permissions, target)


@contextmanager
def open_session(  # noqa: PLR0913, PLR0917 - what a session is made of
    connection: Connection,
    job_file: Path,
    settings: UserSettings,
    sink: Sink,
    policy: RetryPolicy | None = None,
    ends_at: float | None = None,
) -> Iterator[Session]:
    """A session with a connection's org; the local org is started if none is running.

    Args:
        connection: Which org, and where its token is.
        job_file: For the command that signs in again.
        settings: The user's.
        sink: Receives an event for every wait.
        policy: How often to retry until a task says otherwise.
        ends_at: The monotonic time at which every request must have ended; None: never.

    Raises:
        SignInError: There is no usable token.
    """
    from runner.job.model import RetryPolicy
    from runner.salesforce.http.retry import Retrier
    from runner.salesforce.session import Session

    command = login_command(job_file, connection.target)
    with (
        _connection_tokens(connection, job_file, settings) as tokens,
        open_transport(settings.permissions) as transport,
    ):
        retrier = Retrier(policy or RetryPolicy(), sink=sink, ends_at=ends_at)
        yield Session(transport, tokens, retrier, login_command=command)


def open_transport(permissions: Permissions) -> Transport:
    """The one HTTP client of a process, to be used in a `with` statement."""
    from runner.salesforce.http.transport import Transport

    return Transport(allowed_hosts=permissions.hosts)


def login_command(job_file: Path, target: str | None) -> str:
    """The command that signs in to this job's connection."""
    return command_for(job_file, "login", target=target)


@contextmanager
def _connection_tokens(
    connection: Connection, job_file: Path, settings: UserSettings
) -> Iterator[TokenStore]:
    """The token store of a connection; of the local org's own token, if the connection has none."""
    from runner.job.model import Environment

    elsewhere = connection.url or connection.token or connection.auth
    if connection.environment is not Environment.LOCAL or elsewhere:
        yield token_store(connection, settings, login_command(job_file, connection.target))
        return
    from runner.credentials import Token
    from runner.runs.local_org_process import local_org, org_folder
    from runner.state.tokens.parsing import FixedToken

    folder = org_folder(job_file, connection)
    with local_org(settings.state, folder, connection.org_file) as org:
        yield FixedToken(Token(org.access_token, org.url), origin="the local org")


def token_store(connection: Connection, settings: UserSettings, command: str) -> TokenStore:
    """Where a connection's token is.

    Args:
        connection: Names its token, or signs in by itself.
        settings: May name another token.
        command: Signs in; for messages.

    Raises:
        SignInError: There is no token, or its variable or command gives none.
    """
    from runner.errors import SignInError
    from runner.state.tokens.parsing import FixedToken, parse_token

    seed = None if settings.token else seed_of(connection)
    reference = settings.token or connection.token
    if reference is None:
        if seed is None:
            raise SignInError(
                "The connection names no token.",
                hint=f"Add `token: tokens/{connection.environment}.json` to it, then run "
                f"`{command}`.",
            )
        return FixedToken(seed, origin="the connection's auth")
    if reference.is_stored:
        state, locks = settings.state, settings.keyring_locks
        return stored_token(reference, command, state, locks, seed)
    from runner.job.secrets import read_secret

    token = parse_token(
        read_secret(reference).reveal(),
        origin=str(reference),
        login_command=command,
        instance_url=instance_url(connection),
    )
    return FixedToken(token, origin=str(reference))


def stored_token(
    reference: SecretReference,
    command: str,
    state: StateFolder | None,
    keyring_locks: Path | None,
    seed: Token | None = None,
) -> SavedToken:
    """The store of a token in a file, in the state that machines share or in the keyring.

    Raises:
        UsageError: The reference is a variable or a command, which cannot store a token; or no
            state is shared, or only the project says which.
        StateError: The keyring's library is missing, or there is no folder for its locks.
    """
    from runner.errors import StateError, UsageError

    if reference.path is not None:
        from runner.state.tokens.file import TokenFile

        return TokenFile(reference.path, login_command=command, key=reference.key, seed=seed)
    if reference.state is not None and reference.key is not None:
        if state is None or state.shared is None:
            raise UsageError(
                f"The token {reference.state} is in a state that machines share, but the state "
                "is a folder of this machine.",
                hint="Set SFRUNNER_STATE to the address of the shared state.",
            )
        if state.is_chosen_by_project:
            raise UsageError(
                f"The token {reference.state} would be kept in {state.shared.label}, a state that "
                f"only {state.project_file} names. A project does not decide where tokens go.",
                hint="If you trust that database, name it yourself: set SFRUNNER_STATE to the "
                "address in that file, or let the file say `state: {env: NAME}`.",
            )
        from runner.state.shared.token import SharedToken

        name, key = reference.state, reference.key
        return SharedToken(name, state, key, login_command=command, seed=seed)
    if reference.keyring is None:
        raise UsageError(
            "The connection's token is not a file.",
            hint="Write `token: tokens/NAME.json` in the connection, or use `--token`.",
        )
    if keyring_locks is None:
        raise StateError(
            "There is no home folder for the locks of the keyring.",
            hint="Name a state folder with SFRUNNER_STATE.",
        )
    from runner.state.tokens.keyring import KeyringToken

    return KeyringToken(
        reference.keyring, login_command=command, lock_folder=keyring_locks, seed=seed
    )


def seed_of(connection: Connection) -> Token | None:
    """The token to start from of a connection that signs in by itself; None for others."""
    if connection.auth is None:
        return None
    from runner.credentials import Secret, Token
    from runner.salesforce.http.hosts import login_url

    url = login_url(connection)
    return Token(
        Secret(""), url, client_id=connection.client_id, login_url=url, grant=connection.auth
    )


def instance_url(connection: Connection) -> str | None:
    """The instance URL of a bare access token, if the connection tells it."""
    from runner.salesforce.http.hosts import login_url

    known = connection.url is not None or connection.domain is not None
    return login_url(connection) if known else None


def first_poll_seconds(*, local: bool) -> float:
    """When to ask for the state of a Bulk job for the first time: the local org takes no second."""
    return 0.05 if local else 1.0
