"""`runner doctor`: what may keep runs from working on this machine."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

from runner.cli.declare import Argument, Group, Option, declared
from runner.cli.log_format import OF_ALL_VERBS
from runner.cli.options import Output, OutputOption, StateDir, Target
from runner.cli.settings import AllowHost, AllowOutside, user_settings
from runner.cli.terminal import Exit, echo
from runner.cli.verbs import VERBS
from runner.errors import ExitCode

EXAMPLES = """\
runner doctor
runner doctor jobs/accounts.yaml --target prod
"""


WITHOUT_OPTION = frozenset(
    {
        "SFRUNNER_BROWSER",
        "SFRUNNER_SF",
        "SFRUNNER_SMTP_URL",
        "SFRUNNER_STATE_DIR",
        "SFRUNNER_TOKEN",
        "SFRUNNER_TOKEN_COMMAND",
        "SFRUNNER_TOKEN_FILE",
    }
)
"""Variables that no option declares as its own."""


def variables() -> frozenset[str]:
    """The names of all variables that the runner reads as its own."""
    found = set(WITHOUT_OPTION)
    for name in VERBS:
        module = import_module(f"runner.cli.{name}")
        group: Group | None = getattr(module, "GROUP", None)
        verbs = [verb for verb, _ in group.verbs.values()] if group else [getattr(module, name)]
        parameters = [each for verb in (*verbs, OF_ALL_VERBS) for each in declared(verb).values()]
        options = (each for _, each in parameters if isinstance(each, Option))
        found.update(each.settings["envvar"] for each in options if "envvar" in each.settings)
    return frozenset(found)


def doctor(
    job: Annotated[
        Path | None,
        Argument(help="Also check the sign-in of this job.", metavar="[JOB]"),
    ] = None,
    target: Target = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Find problems on this machine that keep runs from working.

    Checks Python, the installed extras, misspelt variables, proxy and certificates, and the state:
    where it is set, and what is old in it. With a job, also its sign-in, its token, and the clock
    against the org's. Exit 1 if something must be fixed.
    """
    from msgspec.structs import replace

    from runner.redaction import redacted
    from runner.report.sinks import printable
    from runner.runs.doctor import Level, examine
    from runner.runs.wiring import load_connection

    settings = user_settings(state_dir, allow_host, allow_outside)
    of_job = None if job is None else (job, load_connection(job, settings.permissions, target))
    found = [
        replace(each, text=redacted(each.text, shapes=True))
        for each in examine(settings, os.environ, of_job, variables())
    ]
    if output is Output.JSON:
        listed = [
            {"about": each.about, "level": each.level.value, "text": each.text, "hint": each.hint}
            for each in found
        ]
        echo(json.dumps({"findings": listed}, indent=2))
    else:
        for each in found:
            echo(printable(f"{each.level.value:<8} {each.about}: {each.text}"))
            if each.hint:
                echo(printable(f"{'':<8} {each.hint}"))
    if any(each.level is Level.ERROR for each in found):
        raise Exit(ExitCode.FAILED)
