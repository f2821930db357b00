"""The command line: its verbs, a module each.

Knows the verbs. Imports only what it takes to parse the command line; each verb imports what it
needs when it runs.
"""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli import (
    check,
    history,
    init,
    login,
    logout,
    org,
    plan,
    resume,
    retry,
    run,
    schema,
    show,
    undo,
    validate,
    whoami,
)
from runner.version import __version__

app = typer.Typer(
    name="runner",
    help="Run Salesforce jobs declared in YAML.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("resume")(resume.resume)
app.command("retry")(retry.retry)
app.command("undo")(undo.undo)
app.command("validate")(validate.validate)
app.command("check")(check.check)
app.command("login")(login.login)
app.command("logout")(logout.logout)
app.command("whoami")(whoami.whoami)
app.command("history")(history.history)
app.command("show")(show.show)
app.command("init")(init.init)
app.command("schema")(schema.schema)
app.add_typer(org.app, name="org")


@app.callback()
def _all_verbs(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run Salesforce jobs declared in YAML."""
    if version:
        typer.echo(f"runner {__version__}")
        raise typer.Exit
