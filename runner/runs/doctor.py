"""What may keep runs from working on this machine: looked at one by one, and nothing is changed.

Knows what to look at and what to advise. Knows nothing of how findings are printed.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from runner import events
from runner.errors import RunnerError
from runner.files import private_folder
from runner.job.endpoints import shown_url
from runner.job.model import Connection, Environment, RetryPolicy
from runner.runs.retention import RETENTION_DAYS
from runner.runs.wiring import UserSettings, login_command, open_session
from runner.state.paths import VARIABLE, StateFolder, own_root, user_state_at
from runner.suggest import closest
from runner.version import __version__
from runner.wording import counted, format_size

DISTRIBUTION = "sfrunner"
LEAST_FREE_BYTES = 1 << 30
"""Below this, a run of a large source may not fit."""
MOST_CLOCK_SECONDS = 60
"""A signed JWT that is further from the org's time may be refused: it is valid for minutes."""
_FOR_DEVELOPERS = frozenset({"test", "bench"})
_PACKAGE = re.compile(r"[A-Za-z0-9._-]+")
_OWN = "SFRUNNER_"
"""How the names of the runner's own variables begin."""
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Level(StrEnum):
    """How bad a finding is."""

    GOOD = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(Struct, frozen=True):
    """One thing that was looked at."""

    about: str
    level: Level
    text: str
    hint: str | None = None
    """What to do."""


def examine(
    settings: UserSettings,
    environ: Mapping[str, str],
    job: tuple[Path, Connection] | None = None,
    variables: Collection[str] = (),
) -> Iterator[Finding]:
    """Look at Python, extras, network settings, the state and, of a job, its org.

    Args:
        settings: The user's.
        environ: The environment's variables.
        job: A job file and its connection, to sign in to its org.
        variables: Names of the runner's own variables.
    """
    yield Finding("runner", Level.GOOD, f"{__version__}, Python {platform.python_version()}")
    yield _extras()
    yield from _misspelt(environ, variables)
    yield from _network(environ)
    yield from _state(settings.state, environ)
    if job is not None:
        yield from _org(*job, settings)


def _extras() -> Finding:
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or ()
    installed = {
        extra: _has(extra) for extra in extras if extra.partition("-")[0] not in _FOR_DEVELOPERS
    }
    missing = [extra for extra, is_there in installed.items() if not is_there]
    there = [extra for extra in installed if extra not in missing]
    text = f"installed: {', '.join(there) or 'none'}"
    if missing:
        text += f"; not installed: {', '.join(missing)} (pip install 'sfrunner[NAME]')"
    return Finding("extras", Level.GOOD, text)


def _misspelt(environ: Mapping[str, str], known: Collection[str]) -> Iterator[Finding]:
    """Variables that nobody reads, though their name is nearly one of the runner's."""
    own = {name.removeprefix(_OWN): name for name in known}
    for name in sorted(environ):
        if name.startswith(_OWN) and name not in known:
            meant = own.get(closest(name.removeprefix(_OWN), own) or "")
            if meant is not None:
                text = f"{name} is set, but the runner has no such variable"
                hint = f"Did you mean {meant}? If a job uses {name}, ignore this."
                yield Finding("variables", Level.WARNING, text, hint)


def _has(extra: str) -> bool:
    """Whether every package of an extra is installed."""
    condition = re.compile(rf"extra == [\"']{re.escape(extra)}[\"']")
    needs = [need for need in metadata.requires(DISTRIBUTION) or () if condition.search(need)]
    names = (found[0] for need in needs if (found := _PACKAGE.match(need)))
    return all(_version(name) is not None for name in names)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _network(environ: Mapping[str, str]) -> Iterator[Finding]:
    proxies = [f"{name}={environ[name]}" for name in _PROXIES if environ.get(name)]
    yield Finding("proxy", Level.GOOD, ", ".join(proxies) or "none is set")
    named = [(name, Path(environ[name])) for name in _CERTIFICATES if environ.get(name)]
    for name, place in named:
        if not place.exists():
            yield Finding(
                "certificates",
                Level.ERROR,
                f"{name} names {place}, which does not exist",
                "Name the file of your proxy's certificates, or unset the variable.",
            )
        else:
            yield Finding("certificates", Level.GOOD, f"{name}={place}")
    if not named:
        yield Finding("certificates", Level.GOOD, "those of the system")


def _state(state: StateFolder, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding("state", Level.GOOD, f"chosen by {_chooser(state, environ)}")
    try:
        private_folder(state.root)
        with tempfile.TemporaryFile(dir=state.root):
            pass
    except (OSError, RunnerError) as error:
        yield Finding(
            "state folder",
            Level.ERROR,
            f"{state.root} cannot be written: {error}",
            "Give this user access to it, or name another with `--state`.",
        )
        return
    free = shutil.disk_usage(state.root).free
    size = f"{state.root}, {format_size(_size(state.root))} used, {format_size(free)} free"
    if free < LEAST_FREE_BYTES:
        yield Finding("state folder", Level.WARNING, size, "Free some disk space.")
    else:
        yield Finding("state folder", Level.GOOD, size)
    if state.shared is not None:
        yield from _shared(state)
    yield from _runs(state)


def _chooser(state: StateFolder, environ: Mapping[str, str]) -> str:
    """What says where the state is."""
    if state.project_file is not None:
        of_variable = f", from {state.variable}" if state.variable else ""
        return f"{state.project_file}{of_variable}"
    named = environ.get(VARIABLE)
    if named and state == user_state_at(named, environ):
        return VARIABLE
    is_default = state.shared is None and not named and state.root == own_root(environ)
    return "default" if is_default else "--state"


def _shared(state: StateFolder) -> Iterator[Finding]:
    """Whether the database and the store of a shared state can be used; a file is written."""
    from runner.state.store import open_ledger

    assert state.shared is not None  # noqa: S101 - asked before
    address = state.shared
    try:
        with open_ledger(state) as ledger:
            ledger.check()
            yield Finding("shared state", Level.GOOD, f"{address.label}, schema {address.schema}")
            ledger.files.check()
            yield Finding("files of runs", Level.GOOD, f"{shown_url(address.files)} can be written")
    except RunnerError as error:
        yield Finding("shared state", Level.ERROR, error.message, error.hint)


def _runs(state: StateFolder) -> Iterator[Finding]:
    """What is old or unfinished in the ledger."""
    if state.is_new:
        yield Finding("runs", Level.GOOD, "none yet")
        return
    from runner.state.store import open_ledger

    try:
        with open_ledger(state) as ledger:
            unfinished = [run for run in ledger.unfinished() if run.has_begun]
            runs = ledger.runs(limit=1_000_000)
    except RunnerError as error:
        yield Finding("runs", Level.ERROR, error.message, error.hint)
        return
    oldest = datetime.now(UTC) - timedelta(days=RETENTION_DAYS)
    old = sum(run.started < oldest for run in runs)
    yield Finding("runs", Level.GOOD, f"{len(runs):,} recorded")
    if old:
        yield Finding(
            "runs",
            Level.WARNING,
            f"{counted(old, 'run')} older than {RETENTION_DAYS} days",
            "`runner history --prune` deletes them and their files.",
        )
    for run in unfinished:
        yield Finding(
            "runs",
            Level.WARNING,
            f"{run.run_id} of {run.job_file} is unfinished",
            f"`runner resume {run.run_id}` finishes it.",
        )


def _org(file: Path, connection: Connection, settings: UserSettings) -> Iterator[Finding]:
    from runner.engine.connect import connect
    from runner.engine.increment import org_time
    from runner.salesforce.auth.expiry import what_ends_it

    policy = RetryPolicy(attempts=2, longest_wait_seconds=2)  # somebody waits for the answer
    try:
        with open_session(connection, file, settings, events.ignore, policy) as session:
            org = connect(connection, session, events.ignore)
            who = org.identity
            text = f"{who.username} on org {who.org_id} at {session.instance_url}"
            yield Finding("sign-in", Level.GOOD, text)
            issued = session.token.issued_at
            if connection.environment is not Environment.LOCAL or connection.url:
                age = f"{(datetime.now(UTC) - issued).days} days old; " if issued else ""
                ends = what_ends_it(session.token, writable=True)
                yield Finding("token", Level.GOOD, f"{age}{ends}".rstrip("; "))
            yield _clock(org_time(session), datetime.now(UTC))
    except RunnerError as error:
        fix = f"`{login_command(file, connection.target)}` signs in again."
        yield Finding("sign-in", Level.ERROR, error.message, error.hint or fix)


def _clock(of_org: datetime, here: datetime) -> Finding:
    """How far this machine's clock is from the org's; its time has whole seconds."""
    seconds = (here - of_org).total_seconds()
    if abs(seconds) <= MOST_CLOCK_SECONDS:
        return Finding("clock", Level.GOOD, "as the org's, within a minute")
    direction = "ahead of" if seconds > 0 else "behind"
    return Finding(
        "clock",
        Level.ERROR,
        f"this machine's clock is {abs(seconds):,.0f} s {direction} the org's",
        "Set it by NTP; sign-ins with a key are refused otherwise.",
    )


def _size(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(where, name)).st_size
            except OSError:
                continue  # a run has just removed it
    return total
