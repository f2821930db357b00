"""A plan as one HTML file that loads nothing else.

Pure. Knows what the page shows of a plan; how it looks is in `templates/`. The page's own policy
forbids every request and every script and style but its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from runner.plan import Change, PlannedCell, PlannedRow, RunPlan, TaskPlan
from runner.report import html
from runner.report.plan import words

_FOLDER = Path(__file__).parent / "templates"
_LONGEST_VALUE = 600
"""Characters of a value; of a longer one, the part that changes."""


class Side(Struct, frozen=True):
    """A value before or after: what both have in common, what differs, what they have again."""

    start: str = ""
    middle: str = ""
    end: str = ""
    note: str = ""
    """Instead of a value that is blank, unknown or masked."""


class Bar(Struct, frozen=True):
    """A stretch of a bar, in percent of its length."""

    kind: str
    start: float
    length: float


def plan_html(plans: Sequence[RunPlan]) -> str:
    """Plans of one or more jobs."""
    totals = {each: sum(plan.count(each) for plan in plans) for each in Change}
    return html.page(
        _FOLDER,
        "plan",
        plans=plans,
        words=words,
        kinds=[each for each in Change if totals[each]],
        totals=totals,
        tasks=sorted({task.name for plan in plans for task in plan.tasks}),
        fields=sorted({name for plan in plans for task in plan.tasks for name in _fields(task)}),
        sides=sides,
        bars=bars,
        share=html.share,
    )


def _fields(task: TaskPlan) -> set[str]:
    shown = {cell.field for row in task.rows for cell in row.cells}
    return shown | {each.field for each in task.fields}


def bars(task: TaskPlan) -> list[Bar]:
    """A task's rows by kind; a kind that has rows is never too small to be seen."""
    counts = {each: task.count(each) for each in Change if task.count(each)}
    places = html.stretches(list(counts.values()))
    return [Bar(str(each), *place) for each, place in zip(counts, places, strict=True)]


def sides(cell: PlannedCell, row: PlannedRow) -> tuple[Side | None, Side | None]:
    """A cell before and after; None for the side that a new or deleted record does not have."""
    before = _note(cell.before, cell, is_known=cell.before_known)
    after = _note(cell.after, cell, is_known=cell.after_known)
    if before is None and after is None and cell.before is not None and cell.after is not None:
        before, after = _compared(cell.before, cell.after)
    return (
        None if row.change in {Change.CREATE, Change.MERGE} else before or _side(cell.before or ""),
        None if row.change is Change.DELETE else after or _side(cell.after or ""),
    )


def _note(value: str | None, cell: PlannedCell, *, is_known: bool) -> Side | None:
    if cell.is_masked:
        return Side(note="masked")
    if not is_known:
        return Side(note=words.UNKNOWN)
    return Side(note=words.BLANK) if value is None else None


def _side(text: str) -> Side:
    return Side(middle=_visible(words.window(text, 0, _LONGEST_VALUE)))


def _compared(before: str, after: str) -> tuple[Side, Side]:
    if max(len(before), len(after)) > _LONGEST_VALUE:
        start = max(0, words.common_start(before, after) - _LONGEST_VALUE // 3)
        before, after = (words.window(each, start, _LONGEST_VALUE) for each in (before, after))
    start = words.common_start(before, after)
    shortest = min(len(before), len(after)) - start
    end = min(shortest, words.common_start(before[::-1], after[::-1]))
    one, other = (
        Side(
            _visible(text[:start]),
            _visible(text[start : len(text) - end]),
            _visible(text[len(text) - end :]),
        )
        for text in (before, after)
    )
    return one, other


def _visible(text: str) -> str:
    """Line ends and tabs with a sign; other control characters as one."""
    signs = {"\n": "↵\n", "\t": "⇥\t", "\r": "␍"}
    return "".join(
        signs.get(char, char if char.isprintable() else "\N{REPLACEMENT CHARACTER}")
        for char in text
    )
