"""Findings of jobs and runs, each with a place in a file, as a CI shows them.

Pure: from outcomes and errors to diagnostics, and from a diagnostic to its parts. Has the codes of
rows that failed and their numbers, never a value of a row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from runner.diagnostics import Diagnostic, Position, Severity
from runner.errors import ExitCode, JobError, RunnerError
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.plan import Change, RunPlan
from runner.wording import counted

NO_FILE = Path()
"""The file of a finding that is in none."""
Place = Callable[[Path, str], Position | None]
"""Gives the place of a task in its job file, by its name."""


def findings_of(end: RunOutcome | RunnerError, place: Place) -> Iterator[Diagnostic]:
    """What is wrong after a job ended, or could not start; nothing if all went well.

    Rows that failed within `max_failures`, and records that were left alone, are warnings.
    """
    if isinstance(end, RunnerError):
        yield from _of_error(end)
        return
    if end.resumed is not None:
        yield from findings_of(end.resumed, place)
    found = list(end.problems)
    for task in end.tasks:
        if task.exit_code and task.status is not TaskStatus.SKIPPED:
            found += _of_task(task, end.job_file, place)
    if not end.problems and (end.message or (end.exit_code and not found)):
        message = end.message or f"the run ended with exit code {int(end.exit_code)}"
        found.insert(0, Diagnostic(code_of(end.exit_code), message, end.job_file, help=end.hint))
    yield from found
    if end.not_started:
        yield Diagnostic("run/not-started", end.not_started, end.job_file)


def findings_of_plan(plan: RunPlan, place: Place) -> Iterator[Diagnostic]:
    """What would stop a run, and a warning for each task of which rows would be refused."""
    for trip in plan.trips:
        code = f"rail/{trip.rail.replace('_', '-')}"
        yield Diagnostic(code, trip.message, trip.file, trip.position)
    for task in plan.tasks:
        refused = task.count(Change.REFUSED)
        if refused:
            reasons = [_reason(each.code, each.rows, each.first_row) for each in task.refusals]
            listed = f" ({'; '.join(reasons)})" if reasons else ""
            yield Diagnostic(
                task.refusals[0].code if task.refusals else "plan/refused",
                f"{task.name}: {refused:,} of {task.read:,} rows would be refused{listed}",
                plan.job_file,
                place(plan.job_file, task.name),
                severity=Severity.WARNING,
            )


def _of_error(error: RunnerError) -> Iterator[Diagnostic]:
    if isinstance(error, JobError):
        yield from error.diagnostics
    else:
        file = error.job_file or NO_FILE
        yield Diagnostic(code_of(error.exit_code), error.message, file, help=error.hint)
    if error.not_started:
        yield Diagnostic("run/not-started", error.not_started, error.job_file or NO_FILE)


def _of_task(task: TaskOutcome, file: Path, place: Place) -> Iterator[Diagnostic]:
    if task.problems:
        yield from task.problems
        return
    partial = task.exit_code is ExitCode.PARTIAL
    yield Diagnostic(
        error_code(task),
        f"{task.name}: {' '.join(filter(None, (task.message, rows_text(task))))}",
        file,
        place(file, task.name),
        help=task.hint,
        severity=Severity.WARNING if partial else Severity.ERROR,
    )


def error_code(task: TaskOutcome) -> str:
    """The code of what went wrong in a task: the org's if it gave one."""
    of_rows = next((code for code, *_ in task.top_errors), None)
    return task.code or of_rows or code_of(task.exit_code)


def code_of(exit_code: ExitCode) -> str:
    """The code of a finding that has no other: `run/failed`, `run/sign-in`."""
    return f"run/{exit_code.name.lower().replace('_', '-')}"


def rows_text(task: TaskOutcome) -> str:
    """How many rows did not succeed, and the codes with their first rows; "" if none."""
    counts = task.counts
    kinds = (
        ("failed", counts.failed),
        ("in doubt", counts.in_doubt),
        ("not sent", counts.unprocessed),
        ("left alone", counts.skipped),
    )
    said = [f"{number:,} {word}" for word, number in kinds if number]
    if not said:
        return ""
    reasons = "; ".join(reasons_of(task))
    rows = counted(counts.read, "row")
    return f"{', '.join(said)} of {rows}{f' ({reasons})' if reasons else ''}"


def reasons_of(task: TaskOutcome) -> Iterator[str]:
    """The codes of rows, the most frequent first: `DUPLICATE_VALUE: 2 rows, first row 7`."""
    for code, _, rows, first in task.top_errors:
        yield _reason(code, rows, first)
    if task.other_errors:
        yield f"{task.other_errors:,} more for other reasons"


def _reason(code: str, rows: int, first: int) -> str:
    which = f", first row {first:,}" if first else ""
    return f"{code}: {counted(rows, 'row')}{which}"


def text_of(found: Diagnostic) -> str:
    """What is wrong, and in a second line what to do."""
    return f"{found.message}\nhelp: {found.help}" if found.help else found.message


def path_from(folder: Path, file: Path) -> str:
    """The path from the folder, with slashes; the absolute one for a file elsewhere.

    Empty for a finding that is in no file.
    """
    if file == NO_FILE:
        return ""
    absolute = Path(os.path.abspath(folder / file))  # noqa: PTH100 - keeps symbolic links
    below = absolute.is_relative_to(folder)
    return (absolute.relative_to(folder) if below else absolute).as_posix()
