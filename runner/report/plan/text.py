"""A plan as text for a terminal, its changes coloured.

Pure: from plans to styled text, which is plain where colours are not wanted. Knows nothing of
streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from runner.plan import Change, PlannedCell, PlannedRow, RunPlan, TaskPlan
from runner.report.plan.words import (
    MARKS,
    budget,
    cell_texts,
    cost,
    field_line,
    figures,
    identity,
    kinds_to_show,
    left_out,
    summary,
    where,
)
from runner.report.sinks import printable
from runner.wording import on_one_line

STYLES = {
    Change.CREATE: "green",
    Change.UPDATE: "yellow",
    Change.DELETE: "red",
    Change.UNDELETE: "cyan",
    Change.MERGE: "red",
    Change.UNCHANGED: "dim",
    Change.SKIPPED: "dim",
    Change.REFUSED: "bold red",
}
_WIDEST = 100
"""Characters of a line on which a row has all its cells."""


def plan_text(plans: Sequence[RunPlan]) -> Text:
    """Plans of one or more jobs, without a line end at the end."""
    return Text("\n\n").join(_plan(plan) for plan in plans)


def _plan(plan: RunPlan) -> Text:
    lines = [
        Text.assemble((f"plan of {plan.job}", "bold"), f": {plan.job_file}"),
        Text(f"on {where(plan)}", "dim"),
        Text(""),
    ]
    heads = _heads(plan.tasks)
    for task, head in zip(plan.tasks, heads, strict=True):
        details = list(_details(task))
        lines += [head, *details, *([Text("")] if details else [])]
    if lines[-1].plain:
        lines.append(Text(""))
    lines += [Text(each, "yellow") for each in plan.notes]
    for trip in plan.trips:
        lines.append(Text(f"the run would stop: {trip.message}", "bold red"))
        lines.append(Text(f"  --> {trip.place}", "dim"))
    lines.append(Text.assemble(("plan: ", "bold"), _summary(plan)))
    lines.append(Text(budget(plan)))
    return Text("\n").join(_printable(line) for line in lines)


def _summary(plan: RunPlan) -> Text:
    line = Text(summary(plan))
    for change, style in STYLES.items():
        line.highlight_regex(rf"\b{change} [\d,]*\d", style)
    return line


def _heads(tasks: Sequence[TaskPlan]) -> list[Text]:
    """A line for each task, names and verbs below each other."""
    names = max((len(task.name) for task in tasks), default=0)
    verbs = max((len(f"{task.verb} {task.sobject}") for task in tasks), default=0)
    heads = []
    for task in tasks:
        head = Text.assemble(
            (task.name.ljust(names), "bold"), "  ", f"{task.verb} {task.sobject}".ljust(verbs)
        )
        for change, words in figures(task):
            is_plain = change is None or not task.count(change)
            head.append("  ").append(words, "dim" if is_plain or not change else STYLES[change])
        heads.append(head.append(f"  {cost(task)}", "dim"))
    return heads


def _details(task: TaskPlan) -> Iterator[Text]:
    for field in task.fields:
        style = "red" if field.emptied else ""
        yield Text(f"  {field_line(field)}", style)
    for change in kinds_to_show(task):
        for row in task.shown(change):
            yield from _row(row, task)
        if more := left_out(task, change):
            yield Text(f"  {MARKS[change]} {more}", "dim")
    for reason in task.refusals if left_out(task, Change.REFUSED) else ():
        rows = f"{reason.rows:,} x {reason.code}"
        why = on_one_line(reason.message)
        yield Text(f"  {rows}: {why} (first: row {reason.first_row:,})", "red")
    for sentence in (*task.unknown, *task.notes):
        yield Text(f"  {sentence}", "dim")


def _row(row: PlannedRow, task: TaskPlan) -> Iterator[Text]:
    style = STYLES[row.change]
    line = Text.assemble("  ", (MARKS[row.change], style), " ", "  ".join(identity(row, task)))
    if row.code or row.message:
        why = ": ".join(filter(None, (row.code, on_one_line(row.message or ""))))
        line.append(f"   {why}", style)
    cells = [_cell(cell, row.change) for cell in row.cells]
    beside = Text("  ").join(cells)
    if len(line) + len(beside) + 3 <= _WIDEST:
        yield line.append("   ").append_text(beside) if cells else line
        return
    yield line
    widest = max((len(cell.field) for cell in row.cells), default=0)
    for cell in row.cells:
        yield Text("      ").append_text(_cell(cell, row.change, widest))


def _cell(cell: PlannedCell, change: Change, widest: int = 0) -> Text:
    before, after = cell_texts(cell)
    text = Text(f"{cell.field.ljust(widest)}  ")
    if change in {Change.CREATE, Change.MERGE}:
        return text.append(after, "green")
    if change is Change.DELETE:
        return text.append(before, "red")
    return text.append(before, "red").append(" → ").append(after, "green")


def _printable(line: Text) -> Text:
    """Character for character, so that the colours stay where they are."""
    line.plain = printable(line.plain)
    return line
