"""`runner whoami`: which user jobs run as, how that user signed in, and what would end it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from runner.cli.declare import Argument, Option
from runner.cli.job_files import job_files, jobs_below
from runner.cli.options import Output, OutputOption, StateDir, Target
from runner.cli.settings import AllowHost, AllowOutside, user_settings
from runner.cli.terminal import Exit, echo

if TYPE_CHECKING:
    from runner.errors import RunnerError
    from runner.job.model import Connection
    from runner.runs.wiring import UserSettings
    from runner.salesforce.session import Session

Answer = dict[str, Any]
Wanted = tuple[Path, str | None]
"""A job, and which of its targets."""

EXAMPLES = """\
runner whoami jobs/accounts.yaml
runner whoami --all -o json
"""


def whoami(
    jobs: Annotated[
        list[Path] | None,
        Argument(
            help="Job files, folders of them, or patterns.", metavar="JOB…", show_default=False
        ),
    ] = None,
    everything: Annotated[
        bool,
        Option("--all", help="All jobs below this folder, or below the given folders."),
    ] = False,
    target: Target = None,
    all_targets: Annotated[
        bool,
        Option(
            "--all-targets", help="Every target of the jobs, also if SFRUNNER_TARGET names one."
        ),
    ] = False,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Show the user a job runs as.

    Exit 4, with the command that fixes it, if the token no longer works.
    """
    from runner.errors import JobError, RunnerError, UsageError

    settings = user_settings(state_dir, allow_host, allow_outside)
    if not jobs and not everything:
        raise UsageError("No job given.", hint="Name a job file, or use `--all`.")
    files = _all_jobs(jobs or [Path()]) if everything else job_files(jobs or [])
    wanted = _wanted(files, target, of_each=all_targets or (everything and target is None))
    if everything or len(wanted) > 1:
        _answer_all(wanted, output, settings)
        return
    try:
        answer = _ask(wanted[0], settings)
    except RunnerError as error:
        if not isinstance(error, JobError):
            error.hint = error.hint or f"Run `{_fix(wanted[0])}`."
        raise
    echo(json.dumps(answer) if output is Output.JSON else _text(answer))


def _wanted(files: list[Path], target: str | None, *, of_each: bool) -> list[Wanted]:
    """The jobs with the requested target, or with each of their targets."""
    from runner.job.connections import target_names

    return [
        (file, each)
        for file in files
        for each in (of_each and target_names(file)) or [None if of_each else target]
    ]


def _answer_all(wanted: list[Wanted], output: Output, settings: UserSettings) -> None:
    """Report every connection once; exit with the code of the worst error."""
    from runner.errors import ExitCode, RunnerError

    found: list[Answer] = []
    codes: list[ExitCode] = []
    for named, each in _distinct(wanted, settings).items():
        answer: Answer = {"connection": named, **({"target": each[1]} if each[1] else {})}
        try:
            found.append({**answer, **_ask(each, settings)})
        except RunnerError as error:
            codes.append(error.exit_code)
            found.append({**answer, **_failure(each, error)})
    if output is Output.JSON:
        echo(json.dumps(found))
    else:
        echo("\n\n".join(map(_text, found)) or "No jobs found.")
    if codes:
        raise Exit(ExitCode.SIGN_IN if ExitCode.SIGN_IN in codes else codes[0])


def _ask(wanted: Wanted, settings: UserSettings) -> Answer:
    """Ask the org whose token a job uses."""
    from runner.engine.connect import connect
    from runner.events import ignore
    from runner.job.model import RetryPolicy
    from runner.runs.wiring import load_connection, open_session

    file, target = wanted
    connection = load_connection(file, settings.permissions, target)
    # Somebody is waiting for the answer, perhaps for many jobs.
    policy = RetryPolicy(attempts=3, longest_wait_seconds=2)
    with open_session(connection, file, settings, ignore, policy) as session:
        org = connect(connection, session, ignore)
        identity = org.identity
        return {
            "username": identity.username,
            "display_name": identity.display_name,
            "user_id": identity.user_id,
            "org_id": identity.org_id,
            "org_name": identity.org_name,
            "instance_url": session.instance_url,
            "environment": connection.environment.value,
            "api_version": org.version,
            "token": session.token_place,
            **_sign_in(session, connection, settings, wanted),
        }


def _sign_in(
    session: Session, connection: Connection, settings: UserSettings, wanted: Wanted
) -> Answer:
    """How the user signed in, how old the sign-in is, what it lacks and what would end it."""
    from runner.job.model import Environment

    if connection.environment is Environment.LOCAL and connection.url is None:
        return {"sign_in": "the local org's own"}
    from runner.salesforce.auth.expiry import missing_scopes, what_ends_it
    from runner.salesforce.auth.grants import sign_in_method

    token, place = session.token, settings.token or connection.token
    stored = place is not None and place.is_stored
    issued = token.issued_at
    return {
        "sign_in": sign_in_method(token),
        "issued_at": issued.isoformat() if issued else None,
        "age_seconds": int((datetime.now(UTC) - issued).total_seconds()) if issued else None,
        "scopes": list(token.scopes),
        "missing_scopes": list(missing_scopes(token)),
        "ends_when": what_ends_it(token, writable=stored),
        "mend": _fix(wanted),
    }


def _failure(wanted: Wanted, error: RunnerError) -> Answer:
    from runner.errors import JobError

    if isinstance(error, JobError):
        first = error.diagnostics[0]
        return {"error": first.message, "hint": first.help, "mend": f"runner validate {wanted[0]}"}
    return {"error": error.message, "hint": error.hint, "mend": _fix(wanted)}


def _fix(wanted: Wanted) -> str:
    from runner.runs.wiring import login_command

    return login_command(*wanted)


def _all_jobs(places: list[Path]) -> list[Path]:
    return [file for place in places for file in (jobs_below(place) if place.is_dir() else [place])]


def _distinct(wanted: list[Wanted], settings: UserSettings) -> dict[str, Wanted]:
    """One job for each connection; a shared connection file counts once."""
    from runner.errors import RunnerError
    from runner.runs.wiring import load_connection

    found: dict[str, Wanted] = {}
    for each in wanted:
        file, target = each
        try:
            source = load_connection(file, settings.permissions, target).source
        except RunnerError:
            source = None
        place = str(source or file)
        same = found.setdefault(place, each)
        if same[1] != target:  # targets of one file
            found[f"{place}: {target}"] = each
    return found


def _text(answer: Answer) -> str:
    from runner.report.sinks import printable

    shown = {name: value for name, value in answer.items() if value not in (None, [], "")}
    if "mend" in shown:
        shown["fix"] = shown.pop("mend")
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
