"""`runner org`: serve and empty the embedded local org, pull the shape of an org into files.

Its other verbs are in modules of their own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Group, Option
from runner.cli.job_files import OptionalJobFiles, Tags, job_files
from runner.cli.options import Output, OutputOption, Quiet, StateDir, Target
from runner.cli.settings import AllowHost, AllowOutside, state_folder, user_settings
from runner.cli.terminal import echo
from runner.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.local_org.app import Server
    from runner.local_org.org import Settings

GROUP = Group("Serve a local org; keep the shape of an org in git.")
EXAMPLES = {
    "serve": "runner org serve\nrunner org serve --port 0 -o json --org-file org.yaml",
    "reset": "runner org reset --org-file org.yaml",
    "pull": "runner org pull jobs/ --target prod\nrunner org pull jobs/ --target prod --update\n"
    "runner org pull --from-source force-app/ jobs/",
}
_MOST_SECONDS = 1_000_000_000
OrgFile = Annotated[
    Path | None,
    Option(
        "--org-file",
        envvar="SFRUNNER_ORG_FILE",
        metavar="FILE",
        help="YAML file of custom objects and fields.",
        show_default=False,
    ),
]


@GROUP.verb("serve", EXAMPLES["serve"])
def serve(
    port: Annotated[
        int,
        Option(
            envvar="SFRUNNER_PORT",
            metavar="N",
            min=0,
            max=65_535,
            help="Loopback port; 0 picks a free one.",
        ),
    ] = 8123,
    org_file: OrgFile = None,
    serve_retired: Annotated[
        bool, Option("--serve-retired", help="Also serve the retired versions 20.0 to 30.0.")
    ] = False,
    rotate: Annotated[
        bool, Option("--rotate", help="Issue a new refresh token with every refresh.")
    ] = False,
    session_seconds: Annotated[
        float, Option(metavar="N", help="Seconds until an unused access token expires.")
    ] = 7200.0,
    bulk_pace_seconds: Annotated[
        float, Option(metavar="N", help="Minimum seconds that a Bulk job stays in each state.")
    ] = 0.0,
    daily_api_requests: Annotated[
        int, Option(metavar="N", min=1, help="API requests that the org allows in 24 hours.")
    ] = 15_000,
    no_hard_delete: Annotated[
        bool, Option("--no-hard-delete", help="Refuse hard deletes to every user.")
    ] = False,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    for_runs: Annotated[Path | None, Option(hidden=True)] = None,
) -> None:
    """Serve the local org of a folder until Ctrl-C.

    The folder is that of the org file; without one, the current folder. Jobs in it with
    `environment: local` use this org. Its records are stored in the state folder.
    """
    from runner.errors import UsageError
    from runner.files import private_folder
    from runner.local_org.error_log import log_errors
    from runner.local_org.org import Settings

    for option, given in (
        ("--session-seconds", session_seconds),
        ("--bulk-pace-seconds", bulk_pace_seconds),
    ):
        if not 0 <= given <= _MOST_SECONDS:
            raise UsageError(
                f"{option} {given} is not a number of seconds.",
                hint=f"Give one from 0 to {_MOST_SECONDS:,}.",
            )
    settings = Settings(
        serve_retired=serve_retired,
        rotate_refresh_tokens=rotate,
        session_seconds=session_seconds,
        bulk_pace_seconds=bulk_pace_seconds,
        daily_api_requests=daily_api_requests,
        hard_delete_allowed=not no_hard_delete,
    )
    state = state_folder(state_dir).create()
    of = for_runs or folder_of_org(org_file)
    folder = private_folder(state.local_org(of))
    server = _opened(folder, org_file, settings, port)
    log_errors(folder)
    _serve(server, output, of, users=state.local_org_users(of) if for_runs else None)


def folder_of_org(org_file: Path | None) -> Path:
    """The folder whose local org is meant."""
    return org_file.absolute().parent if org_file else Path.cwd()


def _opened(folder: Path, org_file: Path | None, settings: Settings, port: int) -> Server:
    """The server of a folder's org, its seed records loaded; not started yet.

    Raises:
        JobError: The org file is wrong, or declares what an org cannot have.
        UsageError: The port is taken.
        StateError: The org is already running.
        SourceError: A seed is wrong.
    """
    from runner.errors import SourceError, StateError, UsageError
    from runner.local_org.app import Server
    from runner.local_org.http.server import PortTakenError
    from runner.local_org.running_server import FolderServedError
    from runner.runs.local_org_control import founded, seeded

    org = founded(folder, org_file, settings)
    try:
        server = Server(org, port)
    except FolderServedError as error:
        raise StateError(f"The local org is already running: {error}.") from error
    except PortTakenError as error:
        raise UsageError(
            f"{error}.", hint="Choose another with `--port`; 0 picks a free one."
        ) from error
    try:
        # Only now does this process own the folder.
        loaded = seeded(org)
    except SourceError:
        server.shutdown()
        raise
    for path in loaded.changed:
        echo(
            f"warning: the seed {path} has changed since it was loaded; `runner org reset` and a "
            "new start load it again.",
            err=True,
        )
    return server


def _serve(server: Server, output: Output, folder: Path, *, users: Path | None) -> None:
    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.start()
    if output is Output.JSON:
        document = {"url": server.url, "access_token": server.access_token, "pid": os.getpid()}
        echo(json.dumps(document))
    else:
        echo(f"The local org of {folder} is running at {server.url} (press Ctrl-C to stop).")
    sys.stdout.flush()
    if users is not None:
        threading.Thread(target=_when_unused, args=(users, stop), daemon=True).start()
    server.serve_forever()


def _when_unused(users: Path, stop: Callable[[], None]) -> None:
    """Stop once the run that started this server has ended or died, and no other run uses it."""
    from runner.state.locks import lock_until_exit

    sys.stdin.read()
    # Readers of that run's output would otherwise wait until this server ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    lock_until_exit(users)
    stop()


@GROUP.verb("reset", EXAMPLES["reset"])
def reset(org_file: OrgFile = None, state_dir: StateDir = None) -> None:
    """Delete everything in the local org of a folder.

    Deletes all records, Bulk jobs and sessions, and resets the clock; snapshots remain. The folder
    is that of the org file; without one, the current folder. The org loads its seeds again when it
    is next started.
    """
    import shutil

    from runner.errors import StateError
    from runner.files import unwritable
    from runner.local_org.app import STORE_NAME
    from runner.local_org.snapshots import FOLDER_NAME as SNAPSHOTS
    from runner.runs.local_org_process import declared_org, running_org
    from runner.state.locks import file_lock

    declared_org(org_file)  # a name mistyped must not empty the org of some other folder
    state = state_folder(state_dir).create()
    of = folder_of_org(org_file)
    folder = state.local_org(of)
    with file_lock(state.local_org_start(of), shared=False):
        if running := running_org(state, of):
            raise StateError(
                f"The local org of {of} is running at {running.url}.",
                hint=f"Stop it first, or reset it at {running.url}/reset.",
            )
        if not (folder / STORE_NAME).exists():
            echo(f"There is no local org of {of} yet.")
            return
        try:
            for each in sorted(folder.iterdir(), key=lambda each: each.name == STORE_NAME):
                if each.name != SNAPSHOTS:
                    shutil.rmtree(each) if each.is_dir() else each.unlink()
        except OSError as error:
            raise unwritable(folder, error, "{} cannot be deleted") from error
    echo(f"The local org of {of} is empty.")


@GROUP.verb("pull", EXAMPLES["pull"])
def pull(
    jobs: OptionalJobFiles = None,
    from_source: Annotated[
        Path | None,
        Option(
            "--from-source",
            help="Read the metadata of this Salesforce DX project instead of an org.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    objects: Annotated[
        list[str] | None,
        Option(
            "--objects",
            help="Also pull these objects, separated by commas; repeatable.",
            metavar="A,B",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            "--out",
            help="Folder to write to. Default: that of the lock in use, or of the jobs.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    update: Annotated[bool, Option("--update", help="Update the files if they exist.")] = False,
    tag: Tags = None,
    target: Target = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    quiet: Quiet = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Write the jobs' objects to org.yaml and org.lock.json.

    org.yaml declares a local org with the objects that the jobs use; checks compare jobs with
    org.lock.json. With --from-source, the metadata of a project is read instead of an org; without
    jobs, all its objects.
    """
    from runner.errors import UsageError
    from runner.runs import org_pull

    named = [name.strip() for each in objects or () for name in each.split(",") if name.strip()]
    wanted = org_pull.Wanted(job_files(jobs or (), tag), target, named, out, update)
    settings = user_settings(state_dir, allow_host, allow_outside)
    if from_source is not None:
        from runner.cli.org_source_output import tell
        from runner.runs.org_from_source import pull_from_source

        tell(pull_from_source(from_source, wanted, settings), output, quiet=quiet)
        return
    if not wanted.jobs:
        raise UsageError(
            "There is no job to pull an org for.",
            hint="Name jobs or a folder of them, or a project with `--from-source FOLDER`.",
        )
    pulled = org_pull.pull(wanted, settings)
    if output is Output.JSON:
        from msgspec import to_builtins

        document = to_builtins(pulled, enc_hook=str)
        echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for name in pulled.gone:
        echo(f"warning: the org no longer has {name}.", err=True)
    if pulled.left_out:
        listed = ", ".join(pulled.left_out)
        echo(f"warning: an org file cannot declare {listed}.", err=True)
    if not quiet:
        number = len(pulled.objects)
        echo(f"{counted(number, 'object')} of the org {pulled.org_id}:")
        written = (pulled.org_file, pulled.lock_file, *pulled.schemas)
        echo("\n".join(f"  {each}" for each in written))


from runner.cli import org_records, org_snapshot  # noqa: E402, F401 - its verbs are of GROUP
