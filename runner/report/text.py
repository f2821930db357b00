"""A run as text: the recap at its end.

Pure: from outcomes to text. Knows nothing of events, terminals or streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonpath

from msgspec.structs import replace

from runner.errors import RunnerError
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.report.diagnostics import render_diagnostic
from runner.wording import on_one_line, shortened

LONGEST_MESSAGE = 120
"""Characters of a row error in the recap."""


def recap(outcome: RunOutcome) -> str:
    """The end of a run: a line for each task, then what failed and where the rows are."""
    if outcome.resumed is not None:
        return f"{recap(outcome.resumed)}\n\n{recap(replace(outcome, resumed=None))}"
    lines = aligned([_recap_cells(task) for task in outcome.tasks])
    for task in outcome.tasks:
        lines.extend(_details(task))
    lines.append(_last_line(outcome))
    return "\n".join(line.rstrip() for line in lines)


def summary_rows(ends: Sequence[RunOutcome | RunnerError]) -> list[tuple[str, ...]]:
    """Several jobs, in a line each: its file, how it ended, how long it took, its run.

    Where files of different folders have one name, those folders are named, too.
    """
    files = {end.job_file for end in ends if end.job_file}
    names = {file: file.name for file in files}
    if len(set(names.values())) < len(files):
        above = commonpath([file.parent for file in files])
        names = {file: str(file.relative_to(above)) for file in files}
    return [_summary_cells(end, names[end.job_file] if end.job_file else "") for end in ends]


def _summary_cells(end: RunOutcome | RunnerError, name: str) -> tuple[str, ...]:
    if isinstance(end, RunnerError):
        return name, "not started", f"exit {int(end.exit_code)}", "", ""
    return (
        name,
        meaning(end),
        f"exit {int(end.worst_exit_code)}",
        f"{(end.finished - end.started).total_seconds():.1f} s",
        f"run {end.run_id}",
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the cells of each column below each other, two spaces between columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _recap_cells(task: TaskOutcome) -> tuple[str, str, str, str, str]:
    calls = f"API calls {task.api_calls:,}"
    api = f"({task.api})" if task.api else ""
    figures = "  ".join([*_figures(task), calls, f"{task.seconds:.1f} s"])
    return task.name, f"{task.verb} {task.sobject}", task.status.value.upper(), api, figures


def _figures(task: TaskOutcome) -> list[str]:
    counts = task.counts
    if task.status is TaskStatus.SKIPPED:
        return [task.message or "not run"]
    if task.verb == "query":
        repaired = [(word, getattr(counts, word)) for word in _RECONCILED]
        found = [f"{word} {number:,}" for word, number in repaired if number]
        return [f"found {counts.read:,}", *found]
    always = [f"read {counts.read:,}", *_accepted(task.verb, counts)]
    present = [(word, getattr(counts, member)) for word, member in _RARE.items()]
    return [
        *always,
        *(f"{word} {number:,}" for word, number in present if number),
        f"failed {counts.failed:,}",
        *([f"values cut {counts.truncated:,}"] if counts.truncated else []),
    ]


_RECONCILED = ("missing", "surplus", "outdated")
_RARE = {
    "unchanged": "unchanged",
    "left alone": "skipped",
    "unprocessed": "unprocessed",
    "in doubt": "in_doubt",
}
"""Counts that are shown where there are any, by their words."""


def _accepted(verb: str, counts: Counts) -> list[str]:
    words = {
        "create": ("created",),
        "update": ("updated",),
        "upsert": ("created", "updated"),
        "delete": ("deleted",),
        "undelete": ("undeleted",),
        "merge": ("merged",),
    }
    return [f"{word} {getattr(counts, word):,}" for word in words[verb]]


def _details(task: TaskOutcome) -> list[str]:
    lines: list[str] = []
    counts = task.counts
    if task.message and task.status is not TaskStatus.SKIPPED:
        lines.append(f"\n{task.name}: {task.message}")
        if task.hint:
            lines.append(f"  {task.hint}")
    lines.extend(f"\n{render_diagnostic(each)}" for each in task.problems)
    if task.top_errors:
        lines.append(f"\n{task.name}: {_why(task)}")
        lines.extend(
            f"  {number:,} x {code}: {_shortened(message)}{_first(number, first)}"
            for code, message, number, first in task.top_errors
        )
    if task.other_errors:
        lines.append(f"  {task.other_errors:,} more for other reasons, listed in the files")
    if task.results and any((counts.failed, counts.unprocessed, counts.in_doubt, counts.skipped)):
        lines.append(f"  rows: {task.results}")
    return lines


def _why(task: TaskOutcome) -> str:
    """The heading of the reasons."""
    failed, in_doubt, skipped = task.counts.failed, task.counts.in_doubt, task.counts.skipped
    if not (failed or in_doubt):
        return "why records were left alone" if skipped else "why rows failed"
    what = ["failed"] if failed else []
    what += ["are in doubt"] if in_doubt else []
    what += ["were left alone"] if skipped else []
    return f"why rows {' or '.join(what)}"


def _first(rows: int, first: int) -> str:
    """Which row to look at; runs of earlier releases do not record it."""
    if not first:
        return ""
    return f" (row {first:,})" if rows == 1 else f" (first: row {first:,})"


def _shortened(message: str) -> str:
    """A message may repeat a long value; the result file has it in full."""
    return shortened(on_one_line(message), LONGEST_MESSAGE)


def _left(outcome: RunOutcome) -> str:
    """What keeps a run that finished from being done."""
    counts = [task.counts for task in outcome.tasks]
    only_left_alone = any(each.skipped for each in counts) and not any(
        each.failed or each.unprocessed or each.in_doubt for each in counts
    )
    return "records were left alone" if only_left_alone else "rows failed"


def _last_line(outcome: RunOutcome) -> str:
    ended = f"\nrun {outcome.run_id}: {meaning(outcome)} (exit {int(outcome.exit_code)})"
    return f"{ended}\n{outcome.not_started}" if outcome.not_started else ended


def meaning(outcome: RunOutcome) -> str:
    """How a run ended, in words."""
    return {
        0: "done",
        1: "a task failed",
        2: "a task could not run",
        3: f"finished, some {_left(outcome)}",
        4: "sign-in needed",
        5: "try again later",
        6: "stopped by a limit of the job",
        130: "interrupted",
        143: "terminated",
    }.get(outcome.exit_code, "failed")
