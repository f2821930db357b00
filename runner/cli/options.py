"""Options that several verbs share, each declared once.

Knows names, help texts and environment variables. Knows nothing of what a verb does with them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


JobFile = Annotated[Path, typer.Argument(help="The job file.", metavar="JOB", show_default=False)]
JobFiles = Annotated[
    list[Path], typer.Argument(help="One or more job files.", metavar="JOB…", show_default=False)
]
OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", envvar="SFRUNNER_OUTPUT", help="Print text, or one JSON document."
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="SFRUNNER_STATE_DIR",
        help="Folder of the ledger and the runs; else $XDG_STATE_HOME/sfrunner.",
        show_default=False,
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        envvar="SFRUNNER_TIMEOUT",
        help="Stop in order after this time, such as 90m; `runner resume` goes on.",
        metavar="TIME",
        show_default=False,
    ),
]
MaxDisk = Annotated[
    str | None,
    typer.Option(
        "--max-disk",
        envvar="SFRUNNER_MAX_DISK",
        help="Most that the run's files may take, such as 20GB; else what the job says.",
        metavar="SIZE",
        show_default=False,
    ),
]
WaitLock = Annotated[
    str | None,
    typer.Option(
        "--wait-lock",
        envvar="SFRUNNER_WAIT_LOCK",
        help="Wait so long for another run of the job to end, such as 10m.",
        metavar="TIME",
        show_default=False,
    ),
]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more.", show_default=False)
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", envvar="SFRUNNER_QUIET", help="Say nothing of what went well."),
]
NoInput = Annotated[
    bool, typer.Option("--no-input", envvar="SFRUNNER_NO_INPUT", help="Never ask anything.")
]
