"""`runner report [RUN]`: write one HTML file about a run, or about the runs of a job."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli import completion
from runner.cli.declare import Argument, Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.errors import StorageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.report.run.page import RunFacts
    from runner.state.ledger import Ledger
    from runner.state.run_records import RunRecord

EXAMPLES = """\
runner report
runner report 20261123 --out report.html --mask Email
runner report --job accounts
"""
_MADE_HERE = b'<meta name="generator" content="sfrunner report">'
_SEARCHED = 2_000
"""Bytes at the start of a file that say what made it."""
_STDOUT = "-"


def report(
    run: Annotated[
        str | None,
        Argument(
            help="A run id, or the start of one. Default: the newest run.",
            metavar="[RUN]",
            autocompletion=completion.runs,
        ),
    ] = None,
    job: Annotated[
        str | None,
        Option("--job", help="Report the last 30 runs of this job instead.", metavar="NAME"),
    ] = None,
    out: Annotated[
        str | None,
        Option(
            "--out",
            help="The file to write; `-` is stdout. Default: report-RUN.html in this folder.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[
        list[str] | None,
        Option(
            "--mask",
            envvar="SFRUNNER_MASK",
            help="Show *** for the values of this column of the rows; repeatable.",
            metavar="COLUMN",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Write one HTML file about a run, or about the runs of a job.

    The file loads nothing from elsewhere. For a run in progress, or one that died, it shows what is
    known so far.
    """
    from runner.report.run.page import TREND, facts_of, history_html, run_html
    from runner.state.store import open_ledger
    from runner.telemetry.log import FILE, read_log

    if run is not None and job is not None:
        raise UsageError("RUN and --job contradict each other.", hint="Use one of them.")
    state, made = state_folder(state_dir), datetime.now(UTC)
    with open_ledger(state) as ledger:
        if job is not None:
            runs = ledger.runs(limit=TREND, job=job)
            if not runs:
                raise _no_job(ledger, job)
            file = _file(out, job)
            _write(history_html(job, runs, made), file, output)
            return
        found = ledger.run("last" if run is None else run)
        ledger.files.fetch(found.run_id)
        trend = _trend(ledger, found, TREND)
    file = _file(out, found.run_id)
    try:
        events = read_log(state.run(found.run_id) / FILE).events
    except OSError:
        events = ()  # a run of an earlier release, or one that could not keep a log
    beside = file.absolute().parent if file else Path.cwd()
    facts = facts_of(found, events, beside, made, mask or [])
    _check_masks(facts, mask or [])
    _write(run_html(facts, trend), file, output)


def _trend(ledger: Ledger, run: RunRecord, most: int) -> list[RunRecord]:
    """The last runs of the same job on the same target."""
    several = ledger.runs(limit=10 * most, job=run.job)
    same = [
        each
        for each in several
        if each.job_file == run.job_file and each.request.target == run.request.target
    ]
    return same[:most]


def _no_job(ledger: Ledger, job: str) -> UsageError:
    known = sorted({each.job for each in ledger.runs(limit=1_000)})
    hint = f"Jobs that have run: {', '.join(known)}." if known else "No run has been recorded yet."
    return UsageError(f"There is no run of a job {job!r}.", hint=hint)


def _check_masks(facts: RunFacts, names: Sequence[str]) -> None:
    """Refuse a name that masks nothing where rows are shown: their values would be.

    Raises:
        UsageError: No row that is shown has a column of this name.
    """
    columns = {each for task in facts.tasks for each in task.errors.columns}
    known = {each.lower() for each in columns}
    for name in names:
        if columns and name.lower() not in known:
            raise UsageError(
                f"--mask {name}: no row in the report has this column.",
                hint=f"Its rows have the columns of their source: {', '.join(sorted(columns))}.",
            )


def _file(out: str | None, name: str) -> Path | None:
    """Where the report goes; None: to stdout.

    Raises:
        UsageError: There is another file, or a folder.
    """
    if out == _STDOUT:
        return None
    file = Path(out) if out else Path(f"report-{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.html")
    if file.is_dir():
        raise UsageError(f"{file} is a folder.", hint="Name a file with `--out`.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {file.parent}.", hint="Create it first.")
    if file.exists():
        try:
            with file.open("rb") as content:
                start = content.read(_SEARCHED)
        except OSError as error:
            raise StorageError(
                f"{file} cannot be read: {error.strerror}.", hint="Name another with `--out`."
            ) from error
        if start and _MADE_HERE not in start:
            raise UsageError(
                f"{file} is not a report, so it is not replaced.",
                hint="Name another file with `--out`.",
            )
    return file


def _write(page: str, file: Path | None, output: Output) -> None:
    from runner.files import write_private

    if file is None:
        echo(page)
        return
    write_private(file, page)
    if output is Output.JSON:
        echo(json.dumps({"report": str(file.absolute())}))
    else:
        echo(f"report in {file}")
