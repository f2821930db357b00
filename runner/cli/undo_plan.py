"""An undo plan as text and as a JSON document.

Pure. Knows nothing of streams, nor of how the plan is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.engine.undo import Step, UndoPlan
from runner.report.text import aligned
from runner.tables.undo.rules import REASON_TEXTS, Act
from runner.wording import counted

_WORDS = {Act.RESTORE: "restore", Act.DELETE: "delete", Act.UNDELETE: "undelete"}


def plan_text(plan: UndoPlan) -> str:
    """A line for each step, then why records are left alone."""
    if not (plan.steps or plan.unaccounted or plan.merged):
        return f"undo of run {plan.run_id}: the run changed nothing, so there is nothing to undo"
    lines = [f"undo of run {plan.run_id}:"]
    lines += [f"  {line}" for line in aligned([_cells(step) for step in plan.steps])]
    lines += _reasons(plan)
    if not plan.undo_total and not plan.is_partial:
        lines.append("everything is as before the run; there is nothing to undo")
    return "\n".join(lines)


def plan_document(plan: UndoPlan) -> dict[str, object]:
    """The whole plan."""
    return {
        "run_id": plan.run_id,
        "to_undo": plan.undo_total,
        "steps": [_step(step) for step in plan.steps],
        "unaccounted": list(plan.unaccounted),
        "merged": [{"task": name, "rows": rows} for name, rows in plan.merged],
    }


def _cells(step: Step) -> tuple[str, ...]:
    task, tally = step.task, step.tally
    return (
        task.done_by.name,
        task.sobject,
        f"{_WORDS[task.act]} {tally.undo:,}",
        f"nothing to do {tally.nothing:,}" if tally.nothing else "",
        f"left alone {tally.left_total:,}" if tally.left else "",
    )


def _reasons(plan: UndoPlan) -> Iterator[str]:
    for step in plan.steps:
        for why, count in step.tally.left:
            yield f"  {step.task.done_by.name}: {count:,} x {why.value}: {REASON_TEXTS[why]}"
    for name, rows in plan.merged:
        yield f"  {name}: {counted(rows, 'merged row')}: a merge cannot be undone"
    for name in plan.unaccounted:
        yield (
            f"  {name}: what it wrote is unknown, because the run was abandoned before its results "
            "were collected; check the org"
        )


def _step(step: Step) -> dict[str, object]:
    task, tally = step.task, step.tally
    return {
        "task": task.done_by.name,
        "sobject": task.sobject,
        "act": task.act.value,
        "to_undo": tally.undo,
        "nothing_to_do": tally.nothing,
        "left": [
            {"code": why.value, "message": REASON_TEXTS[why], "rows": count}
            for why, count in tally.left
        ],
    }
