"""`runner undo RUN`: put back what a run changed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.allowed_places import AllowOutside
from runner.cli.options import (
    NoInput,
    Output,
    OutputOption,
    Quiet,
    StateDir,
    Timeout,
    Verbose,
    WaitLock,
)

if TYPE_CHECKING:
    from runner.engine.undo import UndoPlan


def undo(
    run: Annotated[
        str, typer.Argument(help="A run's id, the beginning of one, or `last`.", metavar="RUN")
    ] = "last",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be put back.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it without asking; for scripts.")
    ] = False,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_input: NoInput = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Put back what a run changed, where nobody has changed it since; shows a plan and asks.

    Updated fields get their earlier values (of tasks with `undo: true`), created records are
    deleted, deleted ones come back from the recycle bin. What cannot be put back is listed.
    """
    del allow_host, allow_outside  # remembered where they were read
    from runner.cli.run_output import carrying, manner_of
    from runner.cli.signals import signals_end_the_run
    from runner.errors import ExitCode
    from runner.events import ignore
    from runner.runs.undo import prepared

    manner = manner_of(ignore, state_dir, timeout, wait_lock)
    with signals_end_the_run(), prepared(run, manner) as ready:
        plan = ready.plan
        has_end = dry_run or not (plan.undo_total or plan.is_partial)
        if has_end or output is Output.TEXT:
            _show(plan, output)
        if has_end:
            raise typer.Exit(ExitCode.DONE)
        if plan.undo_total and not yes:
            _ask(plan, may_ask=not no_input and output is Output.TEXT)
        with carrying(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
            outcomes.append(ready.carry_out(sink))


def _show(plan: UndoPlan, output: Output) -> None:
    from runner.cli.undo_plan import plan_document, plan_text
    from runner.report.sinks import printable

    if output is Output.JSON:
        typer.echo(json.dumps(plan_document(plan), ensure_ascii=False))
    else:
        typer.echo(printable(plan_text(plan)) + "\n")


def _ask(plan: UndoPlan, *, may_ask: bool) -> None:
    """Have a person say yes.

    Raises:
        NotConfirmedError: Nobody did.
    """
    from runner.errors import NotConfirmedError

    records = f"{plan.undo_total:,} record{'' if plan.undo_total == 1 else 's'}"
    if not (may_ask and sys.stdin.isatty()):
        raise NotConfirmedError(
            f"Nothing was undone: {records} to put back, and nobody could be asked.",
            hint=f"Add `--yes` to do it without asking: `runner undo {plan.run_id} --yes`.",
        )
    typer.echo(f"Put back {records}? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotConfirmedError("Nothing was undone.")
