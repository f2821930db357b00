"""Commands that messages tell people to type.

They name the target of the run that they speak of: without it they would mean another org.
"""

from __future__ import annotations

import shlex
from pathlib import Path


def command_for(file: Path | str, verb: str, *options: str, target: str | None) -> str:
    """A command for a job, as a shell takes it.

    Args:
        file: The job.
        verb: What to do with it.
        options: Further words.
        target: Which of its targets; None: it has one connection.
    """
    named = ("--target", target) if target else ()
    return shlex.join(["runner", verb, str(file), *named, *options])
