"""`runner undo RUN`: undo what a run changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.options import (
    AllowRail,
    Confirm,
    NoInput,
    Output,
    OutputOption,
    Quiet,
    RunId,
    StateDir,
    Timeout,
    Verbose,
    WaitLock,
)
from runner.cli.settings import AllowHost, AllowOutside
from runner.cli.terminal import Exit, echo
from runner.wording import counted

if TYPE_CHECKING:
    from runner.engine.undo import UndoPlan

EXAMPLES = """\
runner undo last
runner undo 20261123-130501-7f3a9c04 --yes
"""


def undo(
    run: RunId = "last",
    dry_run: Annotated[bool, Option("--dry-run", help="Only show the plan.")] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    allow: AllowRail = None,
    confirm: Confirm = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_input: NoInput = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Undo what a run changed, after showing a plan and asking.

    Records that have changed since are left alone. Updated fields get their earlier values (of
    tasks with `undo: true`), created records are deleted, deleted records are restored from the
    recycle bin. What cannot be undone, such as a merge, is listed.
    """
    from runner.cli.run_output import run_options, run_output
    from runner.cli.signals import signals_stop_the_run
    from runner.errors import ExitCode
    from runner.events import ignore
    from runner.runs.undo import undo as undo_run

    options = run_options(
        ignore,
        state_dir,
        allow_host,
        allow_outside,
        timeout=timeout,
        wait_lock=wait_lock,
        allow=allow,
        confirm=confirm,
    )
    then = "`runner undo` again undoes the rest"
    with signals_stop_the_run(then), undo_run(run, options) as prepared:
        plan = prepared.plan
        is_done = dry_run or not (plan.undo_total or plan.is_partial)
        if is_done or output is Output.TEXT:
            _show(plan, output)
        if is_done:
            raise Exit(ExitCode.DONE)
        if plan.undo_total and not yes:
            _confirm(plan, may_ask=not no_input and output is Output.TEXT)
        with run_output(output, verbose=verbose, quiet=quiet, then=then) as (sink, outcomes):
            outcomes.append(prepared.execute(sink))


def _show(plan: UndoPlan, output: Output) -> None:
    from runner.cli.undo_plan import plan_document, plan_text
    from runner.report.sinks import printable

    if output is Output.JSON:
        echo(json.dumps(plan_document(plan), ensure_ascii=False))
    else:
        echo(printable(plan_text(plan)) + "\n")


def _confirm(plan: UndoPlan, *, may_ask: bool) -> None:
    from runner.cli.confirmation import confirm

    records = counted(plan.undo_total, "record")
    confirm(
        f"Put back {records}?",
        nothing="Nothing was undone",
        what=f"{records} would be put back",
        command=f"runner undo {plan.run_id}",
        may_ask=may_ask,
    )
