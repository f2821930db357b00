"""A plan without the values of some fields.

Pure. Knows where a value may be quoted: in cells, keys and messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from runner.plan import PlannedCell, PlannedRow, RunPlan, TaskPlan
from runner.redaction import MASK, quotable, without


def masked(plan: RunPlan, fields: Sequence[str]) -> RunPlan:
    """The plan with `***` for every value of these fields.

    Args:
        plan: A plan.
        fields: Names as `Phone`, `Account.Phone` of one object, or `Owner.Email` of a parent, in
            any letter case. `Email` also masks `Owner.Email`.
    """
    if not fields:
        return plan
    tasks = tuple(_masked_task(task, fields) for task in plan.tasks)
    return replace(plan, tasks=tasks, masked=tuple(fields))


def unknown_fields(plans: Iterable[RunPlan], fields: Sequence[str]) -> list[str]:
    """Those of the fields that no task of the plans fills."""
    tasks = [task for plan in plans for task in plan.tasks]
    return [
        each
        for each in fields
        if not any(
            _is_masked(column, task, [each])
            for task in tasks
            for column in (*task.columns, *([task.key] if task.key else []))
        )
    ]


def _is_masked(column: str, task: TaskPlan, fields: Iterable[str]) -> bool:
    name = column.lower()
    names = {name, name.rpartition(".")[2], f"{task.sobject.lower()}.{name}"}
    return any(each.lower() in names for each in fields)


def _masked_task(task: TaskPlan, fields: Sequence[str]) -> TaskPlan:
    hidden = [each for each in task.columns if _is_masked(each, task, fields)]
    is_key_hidden = task.key is not None and _is_masked(task.key, task, fields)
    if is_key_hidden and task.key is not None:
        hidden.append(task.key)
    if not hidden:
        return task
    rows = tuple(
        _masked_row(row, hidden, task.columns, is_key_hidden=is_key_hidden) for row in task.rows
    )
    refusals = tuple(
        replace(each, message=_masked_message(each.message, hidden, (), task.columns))
        for each in task.refusals
    )
    return replace(task, rows=rows, refusals=refusals)


def _masked_row(
    row: PlannedRow, hidden: Sequence[str], columns: Sequence[str], *, is_key_hidden: bool
) -> PlannedRow:
    secret = {each for cell in row.cells if cell.field in hidden for each in _values(cell)}
    if is_key_hidden and row.key is not None:
        secret.add(row.key)
    quoted = quotable(secret)
    key = row.key
    if key is not None:
        key = MASK if is_key_hidden or key in secret else without(key, quoted)
    message = row.message and _masked_message(row.message, hidden, quoted, columns)
    cells = tuple(_masked_cell(cell, hidden, quoted) for cell in row.cells)
    return replace(row, key=key, message=message, cells=cells)


def _values(cell: PlannedCell) -> list[str]:
    return [each for each in (cell.before, cell.after) if each]


def _masked_cell(cell: PlannedCell, hidden: Sequence[str], quoted: Sequence[str]) -> PlannedCell:
    if cell.field in hidden:
        return PlannedCell(cell.field, MASK, MASK, is_masked=True)
    before = cell.before and without(cell.before, quoted)
    after = cell.after and without(cell.after, quoted)
    return replace(cell, before=before, after=after)


def _masked_message(
    message: str, hidden: Sequence[str], quoted: Sequence[str], columns: Sequence[str]
) -> str:
    """A message that names a masked field may quote its value in any form: the field remains.

    So may one that names no field of the task: the org calls fields by their labels, too.
    """
    named = [each for each in hidden if each.lower() in message.lower()]
    if named:
        return f"{', '.join(named)}: {MASK}"
    is_of_another = any(
        re.search(rf"\b{re.escape(each)}\b", message, re.IGNORECASE) for each in columns
    )
    return without(message, quoted) if is_of_another else MASK
