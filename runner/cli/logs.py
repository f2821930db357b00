"""`runner logs RUN`: print what happened during a run, in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.cli.options import Output, OutputOption, RunId, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.telemetry.document import Members

EXAMPLES = """\
runner logs last
runner logs 20261123 -o json
"""


def logs(
    run: RunId = "last",
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Print the events of a run, in order."""
    from runner.report.sinks import printable
    from runner.state.store import open_ledger
    from runner.telemetry.log import FILE, read_log

    state = state_folder(state_dir)
    with open_ledger(state) as ledger:
        found = ledger.run(run)
        ledger.files.fetch(found.run_id)
    file = state.run(found.run_id) / FILE
    try:
        log = read_log(file)
    except OSError as error:
        raise UsageError(
            f"Run {found.run_id} has no log: {file} cannot be read ({error.strerror}).",
            hint=f"Runs of earlier releases have none; `runner show {found.run_id}` shows the run.",
        ) from error
    for each in log.events:
        text = json.dumps(each, ensure_ascii=False) if output is Output.JSON else _text(each)
        echo(printable(text))
    if log.damaged:
        from runner.wording import counted

        echo(f"warning: {counted(log.damaged, 'damaged line')} of {file} left out", err=True)


def _text(event: Members) -> str:
    """An event on one line: its time to the second, and what happened."""
    moment = str(event.get("time", ""))[:19].replace("T", " ")
    return f"{moment}  {event.get('message', '')}"
