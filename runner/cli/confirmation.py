"""One question before a change, asked on a terminal.

Knows streams. Knows nothing of what is confirmed.
"""

from __future__ import annotations

import sys

from runner.cli.terminal import echo


def confirm(question: str, *, nothing: str, what: str, command: str, may_ask: bool) -> None:
    """Ask for confirmation.

    Args:
        question: Such as `Apply 3 changes?`.
        nothing: What did not happen if the answer is no, such as `Nothing was written`.
        what: What would happen, if nobody can be asked.
        command: The command to which `--yes` is added.
        may_ask: Whether to ask at all.

    Raises:
        NotConfirmedError: The answer was not yes, or nobody could be asked.
    """
    from runner.errors import NotConfirmedError

    if not (may_ask and sys.stdin.isatty()):
        raise NotConfirmedError(
            f"{nothing}: {what}, and this needs confirmation.",
            hint=f"Confirm with `--yes`: `{command} --yes`.",
        )
    echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotConfirmedError(f"{nothing}.")
