"""Options that several verbs share, each declared once.

Knows names, help texts and environment variables. Knows nothing of what a verb does with them.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from runner.cli import completion
from runner.cli.declare import Argument, Option
from runner.errors import UsageError
from runner.job.rails import Rail


def moment(text: str, option: str) -> str:
    """A day or a moment in ISO 8601, with its zone; UTC where it has none.

    Raises:
        UsageError: It is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text} is not a date or a time.",
            hint="Write it like 2026-01-31 or 2026-01-31T06:00:00Z; without a zone it is UTC.",
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()


class Output(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


class TestOutput(StrEnum):
    """How the results of tests are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class FindingsOutput(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"
    AZURE = "azure"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    SARIF = "sarif"


DOCUMENTS = frozenset(FindingsOutput) - {
    FindingsOutput.TEXT,
    FindingsOutput.JSON,
    FindingsOutput.GITHUB,
    FindingsOutput.AZURE,
}
"""Documents that a CI reads; a run's recap goes to stderr then."""


def found_ci() -> FindingsOutput | None:
    """The CI that shows annotations and runs this command; None if there is none."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return FindingsOutput.GITHUB
    if os.environ.get("TF_BUILD", "").lower() == "true":
        return FindingsOutput.AZURE
    return None


def in_ci() -> bool:
    """Whether a CI runs this command, where nobody reads what could be done better."""
    return found_ci() is not None or os.environ.get("CI", "").lower() not in {"", "0", "false"}


OnlyTasks = Annotated[
    list[str] | None,
    Option(
        "--task",
        "-t",
        envvar="SFRUNNER_TASK",
        help="Only this task of the job; repeatable.",
        metavar="NAME",
        autocompletion=completion.tasks,
    ),
]
Target = Annotated[
    str | None,
    Option(
        "--target",
        envvar="SFRUNNER_TARGET",
        help="Which of the job's targets to use.",
        metavar="NAME",
        autocompletion=completion.targets,
        show_default=False,
    ),
]
Params = Annotated[
    list[str] | None,
    Option(
        "--param",
        "-p",
        envvar="SFRUNNER_PARAM",
        help="Set a param of the job; repeatable.",
        metavar="K=V",
        autocompletion=completion.params,
    ),
]
RunId = Annotated[
    str,
    Argument(
        help="A run id, or the start of one, or `last`.",
        metavar="RUN",
        autocompletion=completion.runs,
    ),
]
OutputOption = Annotated[
    Output,
    Option("--output", "-o", envvar="SFRUNNER_OUTPUT", help="Print text, or one JSON document."),
]
FindingsOption = Annotated[
    FindingsOutput,
    Option(
        "--output",
        "-o",
        envvar="SFRUNNER_OUTPUT",
        help="Print text, one JSON document, GitHub annotations, a GitLab code quality report, "
        "Azure logging commands, JUnit XML, Markdown, or SARIF 2.1.0.",
    ),
]
StateDir = Annotated[
    str | None,
    Option(
        "--state",
        envvar="SFRUNNER_STATE",
        metavar="FOLDER|URL",
        help="Folder of the ledger and the runs, or the address of a shared state. "
        "Default: that of sfrunner.yaml, or $XDG_STATE_HOME/sfrunner.",
        show_default=False,
    ),
]
Timeout = Annotated[
    str | None,
    Option(
        "--timeout",
        envvar="SFRUNNER_TIMEOUT",
        help="Stop cleanly after this long, e.g. 90m; `runner resume` continues.",
        metavar="TIME",
        show_default=False,
    ),
]
MaxDisk = Annotated[
    str | None,
    Option(
        "--max-disk",
        envvar="SFRUNNER_MAX_DISK",
        help="Disk space the run may use, e.g. 20GB; overrides the job's `max_disk`.",
        metavar="SIZE",
        show_default=False,
    ),
]
Parallel = Annotated[
    int,
    Option(
        "--parallel",
        envvar="SFRUNNER_PARALLEL",
        help="Maximum number of tasks that run at once, as `needs` allows.",
        metavar="N",
        min=1,
        max=16,
    ),
]
WaitLock = Annotated[
    str | None,
    Option(
        "--wait-lock",
        envvar="SFRUNNER_WAIT_LOCK",
        help="Wait up to this long for another run of the job, e.g. 10m.",
        metavar="TIME",
        show_default=False,
    ),
]
AllowRail = Annotated[
    list[Rail] | None,
    Option(
        "--allow",
        help="Continue although the run exceeds this limit of the job; repeatable.",
        metavar="LIMIT",
    ),
]
Confirm = Annotated[
    list[str] | None,
    Option(
        "--confirm",
        envvar="SFRUNNER_CONFIRM",
        help="Write to the protected connection of this name; repeatable.",
        metavar="CONNECTION",
    ),
]
On = Annotated[
    str | None,
    Option(
        "--on",
        envvar="SFRUNNER_ON",
        help="Run on the workers of a Dask scheduler, e.g. tcp://scheduler:8786; `dask` uses the "
        "cores of this machine, `dask:4` four workers.",
        metavar="ADDRESS|dask",
        show_default=False,
    ),
]
Verbose = Annotated[
    int,
    Option("--verbose", "-v", count=True, help="Print every step.", show_default=False),
]
Quiet = Annotated[
    bool,
    Option("--quiet", "-q", envvar="SFRUNNER_QUIET", help="Print problems only."),
]
NoInput = Annotated[bool, Option("--no-input", envvar="SFRUNNER_NO_INPUT", help="Never prompt.")]


def seconds(text: str, option: str) -> float:
    """The seconds of a duration such as `90m`; a number alone is seconds.

    Raises:
        UsageError: It is not a duration.
    """
    from runner.job.notation import duration_seconds

    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?[smhd]?", text) is None:
        raise UsageError(
            f"{option} {text} is not a duration.", hint="Write it like 90s, 10m or 2h."
        )
    return duration_seconds(text) if text[-1].isalpha() else float(text)


def size_bytes(text: str, option: str) -> int:
    """The bytes of a size such as `20GB`.

    Raises:
        UsageError: It is not a size.
    """
    from runner.job import notation

    plain = text.replace(" ", "").upper()
    if re.fullmatch(r"[1-9][0-9]{0,6}(KB|MB|GB)", plain) is None:
        raise UsageError(f"{option} {text} is not a size.", hint="Write it like 500MB or 20GB.")
    return notation.size_bytes(plain)
