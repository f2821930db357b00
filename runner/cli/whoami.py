"""`runner whoami`: who a job's token is."""

from __future__ import annotations

import json

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.options import JobFile, Output, OutputOption, StateDir


def whoami(
    job: JobFile,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    allow_host: AllowHost = None,
) -> None:
    """Say as whom a job runs; exit 4 with the command that mends it where the token is dead."""
    del allow_host  # remembered where it was read
    from runner.cli.compose import signed_in, state_folder
    from runner.engine.connect import connect
    from runner.events import ignore
    from runner.job.load import load_connection
    from runner.report.sinks import printable

    connection = load_connection(job)
    with signed_in(connection, job, state_folder(state_dir), ignore) as session:
        met = connect(connection, session, ignore)
        told = {
            "username": met.identity.username,
            "display_name": met.identity.display_name,
            "user_id": met.identity.user_id,
            "org_id": met.identity.org_id,
            "instance_url": session.instance_url,
            "environment": connection.environment.value,
            "api_version": met.choice.version,
        }
    if output is Output.JSON:
        typer.echo(json.dumps(told))
        return
    typer.echo(printable("\n".join(f"{name:<13} {value}" for name, value in told.items())))
