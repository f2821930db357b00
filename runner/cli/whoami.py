"""`runner whoami`: as whom jobs run, how that was had, and what would end it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.allowed_places import AllowOutside
from runner.cli.options import Output, OutputOption, StateDir

if TYPE_CHECKING:
    from runner.credentials import Token
    from runner.errors import RunnerError
    from runner.job.model import Connection

Told = dict[str, Any]

Jobs = Annotated[
    list[Path] | None,
    typer.Argument(help="The job file, or several.", metavar="JOB…", show_default=False),
]


def whoami(
    jobs: Jobs = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Every job below this folder, or below the folders named."),
    ] = False,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Say as whom a job runs; exit 4 with the command that mends it where the token is dead."""
    del allow_host, allow_outside  # remembered where they were read
    from runner.errors import JobError, RunnerError, UsageError

    if everything:
        _tell_all(_jobs_below(jobs or [Path()]), output, state_dir)
        return
    if not jobs:
        raise UsageError("Whose token?", hint="Name a job file, or give `--all`.")
    if len(jobs) > 1:
        _tell_all(jobs, output, state_dir)
        return
    try:
        told = _asked(jobs[0], state_dir)
    except RunnerError as error:
        if not isinstance(error, JobError):
            error.hint = error.hint or f"Run `{_mend(jobs[0])}`."
        raise
    typer.echo(json.dumps(told) if output is Output.JSON else _text(told))


def _tell_all(files: list[Path], output: Output, state_dir: Path | None) -> None:
    """Tell of every connection once; exit with the code of the worst that was met."""
    from runner.errors import ExitCode, RunnerError

    found: list[Told] = []
    codes: list[ExitCode] = []
    for connection_file, file in _distinct(files).items():
        try:
            found.append({"connection": connection_file, **_asked(file, state_dir)})
        except RunnerError as error:
            codes.append(error.exit_code)
            found.append({"connection": connection_file, **_failure(file, error)})
    if output is Output.JSON:
        typer.echo(json.dumps(found))
    else:
        typer.echo("\n\n".join(map(_text, found)) or "There are no jobs here.")
    if codes:
        raise typer.Exit(ExitCode.SIGN_IN if ExitCode.SIGN_IN in codes else codes[0])


def _asked(file: Path, state_dir: Path | None) -> Told:
    """Ask the org whose token a job has."""
    from runner.engine.connect import connect
    from runner.events import ignore
    from runner.job.model import RetryPolicy
    from runner.runs.wiring import loaded_connection, signed_in, state_folder

    connection = loaded_connection(file)
    # Somebody waits for the answer, perhaps for those of many jobs.
    policy = RetryPolicy(attempts=3, longest_wait_seconds=2)
    with signed_in(connection, file, state_folder(state_dir), ignore, policy) as session:
        met = connect(connection, session, ignore)
        return {
            "username": met.identity.username,
            "display_name": met.identity.display_name,
            "user_id": met.identity.user_id,
            "org_id": met.identity.org_id,
            "org_name": met.identity.org_name,
            "instance_url": session.instance_url,
            "environment": connection.environment.value,
            "api_version": met.choice.version,
            "token": session.token_place,
            **_sign_in(session.token, connection, _mend(file)),
        }


def _sign_in(token: Token, connection: Connection, mend: str) -> Told:
    """How the sign-in was had, how old it is, what it lacks and what would end it."""
    from runner.job.model import Environment
    from runner.runs.token_stores import reference_instead
    from runner.salesforce.auth.expiry import missing_scopes, what_ends_it
    from runner.salesforce.auth.grants import sign_in_method

    if connection.environment is Environment.LOCAL and connection.url is None:
        return {"sign_in": "the local org's own"}
    place = reference_instead(os.environ) or connection.token
    writable = place is not None and (place.path is not None or place.keyring is not None)
    issued = token.issued_at
    return {
        "sign_in": sign_in_method(token),
        "issued_at": issued.isoformat() if issued else None,
        "age_seconds": int((datetime.now(UTC) - issued).total_seconds()) if issued else None,
        "scopes": list(token.scopes),
        "missing_scopes": list(missing_scopes(token)),
        "ends_when": what_ends_it(token, writable=writable),
        "mend": mend,
    }


def _failure(file: Path, error: RunnerError) -> Told:
    from runner.errors import JobError

    if isinstance(error, JobError):
        first = error.diagnostics[0]
        return {"error": first.message, "hint": first.help, "mend": f"runner validate {file}"}
    return {"error": error.message, "hint": error.hint, "mend": _mend(file)}


def _mend(file: Path) -> str:
    from runner.runs.token_stores import login_command

    return login_command(file)


def _jobs_below(folders: list[Path]) -> list[Path]:
    """Every file that declares a job; hidden folders are not looked into."""
    found = (
        file
        for folder in folders
        for file in ([folder] if folder.is_file() else sorted(folder.rglob("*.y*ml")))
        if file.suffix in {".yaml", ".yml"}
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    return [file for file in found if _declares_a_job(file)]


def _declares_a_job(file: Path) -> bool:
    from runner.job.yaml.document import read_document

    values = read_document(file).values
    return "connection" in values and "tasks" in values


def _distinct(files: list[Path]) -> dict[str, Path]:
    """One job for each connection; a shared connection file is asked once."""
    from runner.errors import RunnerError
    from runner.runs.wiring import loaded_connection

    found: dict[str, Path] = {}
    for file in files:
        try:
            source = loaded_connection(file).source
        except RunnerError:
            source = None
        found.setdefault(str(source or file), file)
    return found


def _text(told: Told) -> str:
    from runner.report.sinks import printable

    shown = {name: value for name, value in told.items() if value not in (None, [], "")}
    age = shown.pop("age_seconds", None)
    if age is not None:
        shown["issued_at"] = f"{shown['issued_at'][:19]}Z, {_age(age)} ago"
    for name in ("scopes", "missing_scopes"):
        if name in shown:
            shown[name] = " ".join(shown[name])
    width = max(map(len, shown)) + 1
    return printable("\n".join(f"{name:<{width}} {value}" for name, value in shown.items()))


def _age(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
