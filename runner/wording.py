"""How numbers, values and commands are written, where several packages write them.

Pure. Knows nothing of what is counted, or of where a text goes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
_WHOLE = 100
"""From so many of a unit on, no decimals."""
_MINUTE = 60


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def plain(value: object) -> str:
    """A value of JSON as the cell of a row has it: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def moment_of_row(moment: datetime) -> str:
    """A moment as rows of the org have it, in whole seconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def on_one_line(text: str) -> str:
    """A text of somebody else on one line: after a line end it could look like one of ours."""
    return " ".join(text.splitlines())


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, the last one an ellipsis where more are left out."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def format_size(number: int) -> str:
    """Bytes, in a unit that fits: `1.5 GB`."""
    for unit, word in UNITS:
        if number >= unit:
            amount = number / unit
            return f"{amount:,.0f} {word}" if amount >= _WHOLE else f"{amount:.3g} {word}"
    return f"{number} bytes"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, as people say it."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {left:02} s"


def command_for(file: Path | str, verb: str, *options: str, target: str | None) -> str:
    """A command for a job, as a shell takes it.

    It names the target of the run that a message speaks of: without it, it would mean another org.

    Args:
        file: The job.
        verb: What to do with it: `run`, `org pull`.
        options: Further words.
        target: Which of its targets; None: it has one connection.
    """
    import shlex  # noqa: PLC0415 - not every start needs it

    named = ("--target", target) if target else ()
    return shlex.join(["runner", *verb.split(), str(file), *named, *options])
