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
from runner.state.paths import StateFolder

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class LocalOrg:
    """A local org that answers."""

    url: str
    access_token: Secret


def running_org(state: StateFolder) -> LocalOrg | None:
    """The local org that serves this state folder now; None when none does."""
    from runner.local_org.presence import find

    found = find(state.local_org)
    return LocalOrg(found.url, Secret(found.access_token)) if found else None


@contextmanager
def local_org(state: StateFolder, org_file: Path | None) -> Iterator[LocalOrg]:
    """The running local org, or one that lives as long as this block.

    Raises:
        StateError: it does not start.
    """
    if running := running_org(state):
        yield running
        return
    with _started(state, org_file) as org:
        yield org


@contextmanager
def _started(state: StateFolder, org_file: Path | None) -> Iterator[LocalOrg]:
    command = [sys.executable, "-m", "runner", "org", "serve", "--port", "0", "-o", "json"]
    command += ["--until-stdin-ends", "--state-dir", str(state.root)]
    command += ["--org-file", str(org_file)] if org_file else []
    # Its own session: a Ctrl-C meant for the run must not end the org under it.
    process = subprocess.Popen(  # noqa: S603 - this very program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield _ready(process, state)
    finally:
        _stop(process)


def _ready(process: subprocess.Popen[str], state: StateFolder) -> LocalOrg:
    line = process.stdout.readline() if process.stdout else ""
    try:
        told = json.loads(line)
    except ValueError as error:
        raise StateError("The local org did not start.", hint="See what stands above.") from error
    if "url" not in told and (running := running_org(state)):
        return running  # another run was quicker to start it
    if "url" not in told:
        raise StateError(f"The local org did not start: {told['error']}", hint=told.get("hint"))
    return LocalOrg(told["url"], Secret(told["access_token"]))


def _stop(process: subprocess.Popen[str]) -> None:
    """End it by ending its input, as it would end if this process were killed."""
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
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
