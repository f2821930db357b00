"""What the views of a plan have in common: words, marks, and values made short.

Pure. Knows nothing of any one view.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.plan import (
    WRITES,
    Change,
    FieldChanges,
    PlannedCell,
    PlannedRow,
    RunPlan,
    TaskPlan,
)
from runner.redaction import MASK
from runner.wording import counted

BLANK = "blank"
UNKNOWN = "unknown"
LONGEST_VALUE = 60
"""Characters of a value; of a longer one, the part that changes."""
_BEFORE_THE_CHANGE = 20
MARKS = {
    Change.CREATE: "+",
    Change.UPDATE: "~",
    Change.DELETE: "-",
    Change.UNDELETE: "^",
    Change.MERGE: ">",
    Change.UNCHANGED: "=",
    Change.SKIPPED: ".",
    Change.REFUSED: "!",
}
SHOWN_KINDS = (
    Change.CREATE,
    Change.UPDATE,
    Change.DELETE,
    Change.UNDELETE,
    Change.MERGE,
    Change.REFUSED,
    Change.SKIPPED,
    Change.UNCHANGED,
)
"""The order of the rows."""
_MAY_DO = {
    "create": (Change.CREATE,),
    "update": (Change.UPDATE,),
    "upsert": (Change.CREATE, Change.UPDATE),
    "delete": (Change.DELETE,),
    "undelete": (Change.UNDELETE,),
    "merge": (Change.MERGE,),
}


def figures(task: TaskPlan) -> list[tuple[Change | None, str]]:
    """A task's counts in words, each with its kind: what its verb does, and what else occurs."""
    if task.verb == "query":
        return [] if task.unknown and not task.read else [(None, f"found {task.read:,}")]
    if task.has_unknown_rows and not task.read:
        return [(None, "rows not known yet")]
    always = _MAY_DO.get(task.verb, ())
    kinds = [each for each in Change if each in always or task.count(each)]
    return [(each, f"{each} {task.count(each):,}") for each in kinds]


def cost(task: TaskPlan) -> str:
    """API and forecast of a task."""
    parts = [
        *([task.api] if task.api else []),
        counted(task.api_calls, "API call"),
        *([counted(task.bulk_jobs, "Bulk job")] if task.bulk_jobs else []),
    ]
    return f"({', '.join(parts)})"


def field_line(field: FieldChanges) -> str:
    """How many records a field changes in."""
    emptied = ""
    if field.emptied:
        emptied = ", emptied" if field.emptied == field.records else ""
        emptied = emptied or f", {field.emptied:,} of them emptied"
    return f"{field.field}: {counted(field.records, 'record')}{emptied}"


def budget(plan: RunPlan) -> str:
    """What the run costs, against what the org has left."""
    line = f"API calls: about {plan.api_calls:,}"
    if plan.api_calls_left is None or plan.api_calls_max is None:
        return line
    return f"{line} of the {plan.api_calls_left:,} left today (limit {plan.api_calls_max:,})"


def summary(plan: RunPlan) -> str:
    """The whole plan in one line."""
    kinds = [each for each in Change if plan.count(each)]
    known = ", ".join(f"{each} {plan.count(each):,}" for each in kinds)
    unknown = [task.name for task in plan.tasks if task.has_unknown_rows]
    later = f"not known yet: {', '.join(unknown)}" if unknown else ""
    return "; ".join(filter(None, (known, later))) or "nothing to do"


def where(plan: RunPlan) -> str:
    """The org of the plan."""
    who = f" as {plan.username}" if plan.username else ""
    org = f" (org {plan.org_id})" if plan.org_id else ""
    version = f", API version {plan.api_version}" if plan.api_version else ""
    return f"{plan.instance_url or 'unknown org'}{who}{org}{version}"


def left_out(task: TaskPlan, change: Change) -> str:
    """How many rows of a kind the plan counts and does not show, in words; empty if none."""
    shown = len(task.shown(change))
    number = task.count(change) - shown
    to_do = f"to {change}" if change in WRITES else str(change)
    return f"{counted(number, 'more row' if shown else 'row')} {to_do}" if number > 0 else ""


def kinds_to_show(task: TaskPlan) -> Iterable[Change]:
    """Kinds that have rows; unchanged ones only if the plan has some of them."""
    for each in SHOWN_KINDS:
        if task.shown(each) or (task.count(each) and each is not Change.UNCHANGED):
            yield each


def identity(row: PlannedRow, task: TaskPlan) -> list[str]:
    """What identifies a row: its number, its record, its key."""
    parts = [f"row {row.row:,}"]
    if row.id:
        parts.append(row.id)
    if shows_key(row, task) and row.key is not None:
        parts.append(f"{task.key} {_on_one_line(window(row.key, 0, LONGEST_VALUE))}")
    return parts


def shows_key(row: PlannedRow, task: TaskPlan) -> bool:
    """Whether the key says more than the record's Id."""
    return bool(task.key) and row.key not in (None, row.id)


def value_text(value: str | None, *, known: bool = True) -> str:
    """A value in quotes on one line; words for one that is blank or unknown."""
    if not known:
        return UNKNOWN
    if value is None:
        return BLANK
    return MASK if value == MASK else f'"{_on_one_line(value)}"'


def cell_texts(cell: PlannedCell) -> tuple[str, str]:
    """A cell's values before and after; of long ones, the part that differs."""
    before, after = cell.before, cell.after
    if before and after and cell.before_known and cell.after_known:
        start = max(0, common_start(before, after) - _BEFORE_THE_CHANGE)
        if max(len(before), len(after)) <= LONGEST_VALUE:
            start = 0
        before, after = (window(each, start, LONGEST_VALUE) for each in (before, after))
    else:
        before = before and window(before, 0, LONGEST_VALUE)
        after = after and window(after, 0, LONGEST_VALUE)
    return (
        value_text(before, known=cell.before_known),
        value_text(after, known=cell.after_known),
    )


def common_start(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def window(text: str, start: int, longest: int) -> str:
    """At most `longest` characters of a text, with `…` where something is left out."""
    shown = text[start : start + longest]
    return f"{'…' if start else ''}{shown}{'…' if start + longest < len(text) else ''}"


def _on_one_line(text: str) -> str:
    """Line ends and tabs as escapes, other characters that control a terminal as a sign."""
    escapes = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
    return "".join(
        escapes.get(char, char if char.isprintable() else "\N{REPLACEMENT CHARACTER}")
        for char in text
    )
