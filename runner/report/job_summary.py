"""Runs and findings as Markdown for the summary page of a workflow.

Pure. Texts of jobs and orgs are only ever put into code. Has no values of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.errors import JobError, RunnerError
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.report.findings import path_from, reasons_of, rows_text, text_of
from runner.report.markdown import code
from runner.report.text import meaning
from runner.wording import counted

_LONGEST_MESSAGE = 500
_MOST_FINDINGS = 100


def runs_summary(ends: Sequence[RunOutcome | RunnerError], folder: Path) -> str:
    """Jobs that ended: a table of the tasks of each, and why tasks failed."""
    return "\n".join(line for end in ends for line in _end(end, folder)) + "\n"


def findings_summary(
    found: Sequence[Diagnostic], jobs: Sequence[Path], folder: Path, verb: str
) -> str:
    """Findings of `verb` in a table; of jobs without any, that there are none."""
    title = f"### `runner {verb}`: "
    if not found:
        names = ", ".join(code(path_from(folder, each)) for each in jobs[:_MOST_FINDINGS])
        return f"{title}no problems\n\n{names}\n"
    lines = [f"{title}{counted(len(found), 'problem')}", ""]
    return "\n".join([*lines, *_table(found, folder)]) + "\n"


def _end(end: RunOutcome | RunnerError, folder: Path) -> Iterator[str]:
    if isinstance(end, RunnerError):
        name = f"{code(path_from(folder, end.job_file))}: " if end.job_file else ""
        yield f"### {name}not started (exit {int(end.exit_code)})"
        yield ""
        yield from _error(end, folder)
        yield ""
        return
    if end.resumed is not None:
        yield from _end(end.resumed, folder)
    yield f"### {code(end.job)}: {meaning(end)} (exit {int(end.exit_code)})"
    yield ""
    where = f" on {code(end.instance_url)}" if end.instance_url else ""
    seconds = (end.finished - end.started).total_seconds()
    yield f"Run {code(end.run_id)}{where}, {seconds:,.1f} s."
    yield ""
    if end.tasks:
        yield "| task | what | result | read | succeeded | failed | API calls | seconds |"
        yield "|---|---|---|--:|--:|--:|--:|--:|"
        yield from map(_row, end.tasks)
        yield ""
    if end.problems:
        yield from _table(end.problems, folder)
    elif end.message:
        yield _said(end.message, end.hint)
    for task in end.tasks:
        yield from _why(task, folder)
    if end.not_started:
        yield code(end.not_started, _LONGEST_MESSAGE)
        yield ""


def _error(error: RunnerError, folder: Path) -> Iterator[str]:
    if isinstance(error, JobError):
        yield from _table(error.diagnostics, folder)
    else:
        yield _said(error.message, error.hint)
    if error.not_started:
        yield code(error.not_started, _LONGEST_MESSAGE)


def _row(task: TaskOutcome) -> str:
    counts = task.counts
    what = f"{task.verb} {code(task.sobject)}"
    done = counts.written if task.verb == "query" else counts.succeeded + counts.unchanged
    figures = (counts.read, done, counts.failed + counts.in_doubt, task.api_calls)
    cells = " | ".join(f"{each:,}" for each in figures)
    return f"| {code(task.name)} | {what} | {task.status} | {cells} | {task.seconds:.1f} |"


def _why(task: TaskOutcome, folder: Path) -> Iterator[str]:
    """Why a task failed, or some of its rows."""
    if not task.exit_code or task.status is TaskStatus.SKIPPED:
        return
    yield f"**{code(task.name)}**{f': {_said(task.message, task.hint)}' if task.message else ''}"
    yield ""
    yield from (f"- {code(each, _LONGEST_MESSAGE)}" for each in reasons_of(task))
    if task.results and rows_text(task):
        yield f"- rows: {code(str(task.results), _LONGEST_MESSAGE)}"
    yield ""
    if task.problems:
        yield from _table(task.problems, folder)


def _said(message: str, hint: str | None) -> str:
    said = code(message, _LONGEST_MESSAGE)
    return f"{said} {code(hint, _LONGEST_MESSAGE)}" if hint else said


def _table(found: Sequence[Diagnostic], folder: Path) -> Iterator[str]:
    yield "| problem | where | what |"
    yield "|---|---|---|"
    for each in found[:_MOST_FINDINGS]:
        at = each.position
        place = f"{path_from(folder, each.file)}{f':{at.line}:{at.column}' if at else ''}"
        what = code(text_of(each), _LONGEST_MESSAGE)
        yield f"| {each.severity} {code(each.code)} | {code(place)} | {what} |"
    if len(found) > _MOST_FINDINGS:
        yield f"| {len(found) - _MOST_FINDINGS:,} more | | |"
    yield ""
