"""A plan as Markdown for a comment on a pull request: the summary first, the details folded.

Pure. Knows GitHub's limit of a comment. Texts of jobs, sources and orgs are only ever put into
code, where they are no markup and mention nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from runner.plan import Change, PlannedRow, RunPlan, TaskPlan
from runner.report.markdown import LONGEST_NAME, code, longest_run, shown_text
from runner.report.plan.words import (
    MARKS,
    budget,
    cell_texts,
    cost,
    field_line,
    identity,
    kinds_to_show,
    left_out,
    summary,
)
from runner.wording import counted

MOST_BYTES = 60_000
"""GitHub takes comments of 65,536 characters."""
_LEAST_DETAILS = 1_500
"""Bytes of a task's details: rather those of some tasks than nothing of each."""
_LEAST_TASKS = 5
"""Listed however many jobs the comment has."""
_LONGEST_LINE = 240
_LEFT_OUT_BYTES = 200
"""Kept free for the line that says what is left out."""


def plan_markdown(plans: Sequence[RunPlan]) -> str:
    """Plans of one or more jobs, in at most MOST_BYTES of UTF-8, with a line end."""
    blocks: list[str] = []
    left = MOST_BYTES - _LEFT_OUT_BYTES
    for at, plan in enumerate(plans):
        block = _plan(plan, left // (len(plans) - at))
        if _size(block) + 1 > left:
            blocks.append(f"{counted(len(plans) - at, 'more job')} left out.\n")
            break
        blocks.append(block)
        left -= _size(block) + 1
    return "\n".join(blocks)


def _plan(plan: RunPlan, most_bytes: int) -> str:
    top = "\n".join(_top(plan, most_bytes // 2)) + "\n"
    left = most_bytes - _size(top) - _LEFT_OUT_BYTES
    details: list[str] = []
    omitted = 0
    tasks = [task for task in plan.tasks if _has_details(task)]
    for at, task in enumerate(tasks):
        if left < _LEAST_DETAILS:
            omitted += len(tasks) - at
            break
        block = _details(task, min(left, max(_LEAST_DETAILS, left // (len(tasks) - at))))
        if not block:
            omitted += 1
            continue
        details.append(block)
        left -= _size(block) + 1
    if omitted:
        details.append(f"Details of {counted(omitted, 'task')} left out.\n")
    return "\n".join([top, *details])


def _top(plan: RunPlan, most_bytes: int) -> Iterator[str]:
    yield f"### Plan of {code(plan.job)}"
    yield ""
    yield f"**{summary(plan)}**" if plan.has_changes else summary(plan)
    yield ""
    org = f" (org {code(plan.org_id)})" if plan.org_id else ""
    yield f"On {code(plan.instance_url or 'unknown org')}{org}. {budget(plan)}."
    for note in plan.notes:
        yield ""
        yield code(note)
    if plan.trips:
        yield ""
        yield "**The run would stop:**"
        yield ""
        yield from (f"- {code(each.message)} ({code(each.place)})" for each in plan.trips[:20])
    yield ""
    kinds = [each for each in Change if plan.count(each)]
    yield f"| task | what |{''.join(f' {each} |' for each in kinds)} cost |"
    yield f"|---|---|{'--:|' * len(kinds)}---|"
    size = 0
    for at, task in enumerate(plan.tasks):
        line = _summary_row(task, kinds)
        size += _size(line) + 1
        if size > most_bytes and at >= _LEAST_TASKS:
            yield ""
            yield f"{counted(len(plan.tasks) - at, 'more task')}."
            return
        yield line


def _summary_row(task: TaskPlan, kinds: Sequence[Change]) -> str:
    counts = "".join(f" {task.count(each):,} |" if task.count(each) else " |" for each in kinds)
    what = f"{task.verb} {code(task.sobject)}"
    if task.verb == "query":
        what += f", found {task.read:,}"
    if task.has_unknown_rows:
        what += ", rows not known yet"
    return f"| {code(task.name)} | {what} |{counts} {cost(task)[1:-1]} |"


def _has_details(task: TaskPlan) -> bool:
    return bool(task.fields or task.rows or task.refusals or task.unknown or task.notes)


def _details(task: TaskPlan, most_bytes: int) -> str:
    """A folded block of a task; empty if not even its first line fits."""
    lines, rows = list(_about(task)), list(_rows(task))
    fence = _fence([*lines, *rows])
    title = f"<code>{escape(shown_text(task.name, LONGEST_NAME))}</code>"
    top = f"<details><summary>{title}: what changes</summary>\n\n{fence}diff\n"
    bottom = f"{fence}\n\n</details>\n"
    left = most_bytes - _size(top + bottom) - _LEFT_OUT_BYTES
    shown: list[str] = []
    for at, line in enumerate([*lines, *rows]):
        left -= _size(line) + 1
        if left < 0:
            shown.append(f"# {counted(len(lines) + len(rows) - at, 'more line')}")
            break
        shown.append(line)
    if not shown or left < -most_bytes:
        return ""
    return top + "\n".join(shown) + f"\n{bottom}"


def _about(task: TaskPlan) -> Iterator[str]:
    for field in task.fields:
        yield _line(f"# {field_line(field)}")
    for each in task.refusals if left_out(task, Change.REFUSED) else ():
        reason = f"{each.rows:,} x {each.code}: {each.message} (first: row {each.first_row:,})"
        yield _line(f"! {reason}")
    for sentence in (*task.unknown, *task.notes):
        yield _line(f"# {sentence}")


def _rows(task: TaskPlan) -> Iterator[str]:
    for change in kinds_to_show(task):
        for row in task.shown(change):
            yield from _row(row, task)
        if more := left_out(task, change):
            yield f"# {more}"


_DIFF_MARKS = {Change.CREATE: "+", Change.DELETE: "-", Change.REFUSED: "!"}
"""The marks that GitHub colours."""


def _row(row: PlannedRow, task: TaskPlan) -> Iterator[str]:
    why = ": ".join(filter(None, (row.code, row.message)))
    mark = _DIFF_MARKS.get(row.change, " ")
    kind = "" if mark == MARKS[row.change] else f"{row.change} "
    yield _line(f"{mark} {kind}{'  '.join([*identity(row, task), *([why] if why else [])])}")
    for cell in row.cells:
        before, after = cell_texts(cell)
        if row.change not in {Change.CREATE, Change.MERGE}:
            yield _line(f"-     {cell.field}  {before}")
        if row.change is not Change.DELETE:
            yield _line(f"+     {cell.field}  {after}")


def _line(text: str) -> str:
    return shown_text(text, _LONGEST_LINE)


def _fence(lines: Sequence[str]) -> str:
    return "`" * max(3, *(longest_run(line) + 1 for line in lines), 3)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
