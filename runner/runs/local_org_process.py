"""The local org for a run: the one that is running, or one started for the run.

Knows how the server process is started, found and stopped. Knows nothing of what is in the org.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.credentials import Secret
from runner.errors import JobError, StateError
from runner.job.model import Connection
from runner.job.origin import Origin
from runner.state.locks import file_lock, is_free
from runner.state.paths import StateFolder

if TYPE_CHECKING:
    import subprocess

STOP_SECONDS = 5.0


class LocalOrg(Struct, frozen=True):
    """A running local org."""

    url: str
    access_token: Secret
    org_file: str | None = None
    """Digest of the org file with which it was started."""


def org_folder(job_file: Path, connection: Connection) -> Path:
    """The folder whose local org a connection uses.

    It is the folder of the org file; without one, of the file that has the connection.
    """
    return (connection.org_file or connection.source or job_file).absolute().parent


def running_org(state: StateFolder, folder: Path) -> LocalOrg | None:
    """The running local org of a folder; None if there is none."""
    from runner.local_org.running_server import find

    found = find(state.local_org(folder))
    return LocalOrg(found.url, Secret(found.access_token), found.org_file) if found else None


@contextmanager
def local_org(state: StateFolder, folder: Path, org_file: Path | None) -> Iterator[LocalOrg]:
    """The running local org, or one that is started and lives as long as any run uses it.

    Raises:
        StateError: It does not start, or runs with another org file.
    """
    process, users = None, state.create().local_org_users(folder)
    try:
        # A local org that is stopping blocks new users until it has stopped.
        with file_lock(users, shared=True):
            with file_lock(state.local_org_start(folder), shared=False):
                org = running_org(state, folder)
                if org is None:
                    process = _start(state, folder, org_file)
                    org = _wait_until_ready(process, org_file)
                else:
                    check_org_file(org, org_file)
            yield org
    finally:
        if process is not None:
            _stop(process, users)


def check_org_file(org: LocalOrg, org_file: Path | None) -> None:
    """Refuse a running org that lacks what the org file declares now: fields, rules, seeds."""
    from runner.local_org.running_server import digest_of

    if org_file is None or org.org_file == digest_of(org_file):
        return
    how = "without an org file" if org.org_file is None else "with another version of the org file"
    raise StateError(
        f"The local org at {org.url} was started {how}, not with {org_file} as it is now.",
        hint="Stop it; a run starts it again, or "
        f"`runner org serve --org-file {shlex.quote(str(org_file))}`.",
    )


def _start(state: StateFolder, folder: Path, org_file: Path | None) -> subprocess.Popen[str]:
    # -P: a `runner.py` in the current folder is not this program.
    command = [sys.executable, "-P", "-m", "sfrunner_command"]
    command += [
        "org",
        "serve",
        "--port",
        "0",
        "-o",
        "json",
        "--for-runs",
        str(folder),
        "--state",
        str(state.root),
    ]
    command += ["--org-file", str(org_file)] if org_file else []
    # In its own session, so that Ctrl-C does not reach it before the run has finished with it.
    import subprocess

    return subprocess.Popen(  # noqa: S603 - this very program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _wait_until_ready(process: subprocess.Popen[str], org_file: Path | None) -> LocalOrg:
    line = process.stdout.readline() if process.stdout else ""
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise StateError("The local org did not start.", hint="See the output above.") from error
    if found := answer.get("diagnostics"):
        _, origin = declared_org(org_file)
        raise JobError(
            tuple(
                origin.diagnose(tuple(each["path"]), each["code"], each["message"])
                for each in found
            )
        )
    if "url" not in answer:
        raise StateError(f"The local org did not start: {answer['error']}", hint=answer.get("hint"))
    return LocalOrg(answer["url"], Secret(answer["access_token"]))


_left: set[subprocess.Popen[str]] = set()
"""Left to other runs. A program that runs many jobs reaps them at the end of a later one."""


def _reap() -> None:
    """Forget orgs that have ended; runs in other threads may add some meanwhile."""
    for process in tuple(_left):
        if process.poll() is not None:
            _left.discard(process)


def _stop(process: subprocess.Popen[str], users: Path) -> None:
    """Close its input, as a crash of this process would; wait, unless other runs use it."""
    import subprocess

    others = not is_free(users, shared=False)
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
    _reap()
    if others and process.poll() is None:
        _left.add(process)
        return
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        if is_free(users, shared=True):
            _left.add(process)  # another run has started to use it
            return
        process.kill()
        process.wait()


def declared_org(file: Path | None) -> tuple[Mapping[str, object], Origin]:
    """Read an org file: its values and their positions. Without a file the org is empty.

    Raises:
        JobError: The file is wrong; every problem with its position.
    """
    if file is None:
        return {}, Origin(Path())
    from runner.job.documents import load_checked

    document = load_checked(file, "org")
    return document.values, document.origin
