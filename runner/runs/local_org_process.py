"""The local org as a run needs it: the one that runs already, or one started for the run.

Knows how the server is started as a process of its own and found again. Knows nothing of what the
org holds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.credentials import Secret
from runner.errors import StateError
from runner.job.model import Origin
from runner.state.locks import file_lock, is_free
from runner.state.paths import StateFolder

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LocalOrg:
    """A local org that answers."""

    url: str
    access_token: Secret


def running_org(state: StateFolder) -> LocalOrg | None:
    """The local org that serves this state folder now; None when none does."""
    from runner.local_org.running_server import find

    found = find(state.local_org)
    return LocalOrg(found.url, Secret(found.access_token)) if found else None


@contextmanager
def local_org(state: StateFolder, org_file: Path | None) -> Iterator[LocalOrg]:
    """The running local org, or one that is started, and lives as long as any run uses it.

    Raises:
        StateError: it does not start.
    """
    process: subprocess.Popen[str] | None = None
    try:
        # An org that is ending keeps users off until it has ended.
        with file_lock(state.local_org_users, shared=True):
            with file_lock(state.local_org_start, shared=False):
                org = running_org(state)
                if org is None:
                    process = _started(state, org_file)
                    org = _ready(process)
            yield org
    finally:
        if process is not None:
            _let_go(process, state)


def _started(state: StateFolder, org_file: Path | None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "runner", "org", "serve", "--port", "0", "-o", "json"]
    command += ["--for-runs", "--state-dir", str(state.root)]
    command += ["--org-file", str(org_file)] if org_file else []
    # Its own session: a Ctrl-C meant for the run must not end the org under it.
    return subprocess.Popen(  # noqa: S603 - this very program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _ready(process: subprocess.Popen[str]) -> LocalOrg:
    line = process.stdout.readline() if process.stdout else ""
    try:
        told = json.loads(line)
    except ValueError as error:
        raise StateError("The local org did not start.", hint="See what stands above.") from error
    if "url" not in told:
        raise StateError(f"The local org did not start: {told['error']}", hint=told.get("hint"))
    return LocalOrg(told["url"], Secret(told["access_token"]))


def _let_go(process: subprocess.Popen[str], state: StateFolder) -> None:
    """End its input, as it would end if this process were killed; wait, unless others use it."""
    others = not is_free(state.local_org_users, shared=False)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    if others and process.poll() is None:
        return
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        if is_free(state.local_org_users, shared=True):
            return  # somebody came to use it meanwhile
        process.kill()
        process.wait()


def declared_org(file: Path | None) -> tuple[Mapping[str, object], Origin]:
    """Read an org file; an empty org without one. Gives its values, and where each stands.

    Raises:
        JobError: the file is wrong; every problem with its position.
    """
    from runner.job.load import load_checked

    if file is None:
        return {}, Origin(Path())
    document = load_checked(file, "org")
    return document.values, document.origin
