"""A plan as one JSON document, as `schemas/plan.schema.json` describes it.

Pure: from a plan to plain values. Knows nothing of where it is printed.
"""

from __future__ import annotations

from runner.plan import Change, PlannedCell, PlannedRow, RunPlan, TaskPlan, Trip

FORMAT_VERSION = 1


def plan_document(plan: RunPlan) -> dict[str, object]:
    """A plan with its tasks."""
    return {
        "format_version": FORMAT_VERSION,
        "job": plan.job,
        "job_file": str(plan.job_file),
        "created": plan.created.isoformat(),
        "has_changes": plan.has_changes,
        "org_id": plan.org_id,
        "instance_url": plan.instance_url,
        "username": plan.username,
        "api_version": plan.api_version,
        "api_calls": plan.api_calls,
        "api_calls_used": plan.api_calls_used,
        "api_calls_max": plan.api_calls_max,
        "counts": {str(each): plan.count(each) for each in Change},
        "trips": [_trip(each) for each in plan.trips],
        "notes": list(plan.notes),
        "masked": list(plan.masked),
        "tasks": [_task(each) for each in plan.tasks],
    }


def _trip(trip: Trip) -> dict[str, object]:
    at = trip.position
    return {
        "rail": trip.rail,
        "message": trip.message,
        "file": str(trip.file),
        "line": at.line if at else None,
        "column": at.column if at else None,
    }


def _task(task: TaskPlan) -> dict[str, object]:
    return {
        "name": task.name,
        "verb": task.verb,
        "sobject": task.sobject,
        "source": task.source,
        "scope": task.scope,
        "key": task.key,
        "columns": list(task.columns),
        "read": task.read,
        "counts": {str(each): task.count(each) for each in Change},
        "fields": [
            {"field": each.field, "records": each.records, "emptied": each.emptied}
            for each in task.fields
        ],
        "rows": [_row(each) for each in task.rows],
        "refusals": [
            {
                "code": each.code,
                "message": each.message,
                "rows": each.rows,
                "first_row": each.first_row,
            }
            for each in task.refusals
        ],
        "api": task.api,
        "api_calls": task.api_calls,
        "bulk_jobs": task.bulk_jobs,
        "has_unknown_rows": task.has_unknown_rows,
        "unknown": list(task.unknown),
        "notes": list(task.notes),
    }


def _row(row: PlannedRow) -> dict[str, object]:
    return {
        "row": row.row,
        "change": str(row.change),
        "id": row.id,
        "key": row.key,
        "code": row.code,
        "message": row.message,
        "cells": [_cell(each) for each in row.cells],
    }


def _cell(cell: PlannedCell) -> dict[str, object]:
    return {
        "field": cell.field,
        "before": cell.before,
        "after": cell.after,
        "before_known": cell.before_known,
        "after_known": cell.after_known,
        "is_masked": cell.is_masked,
    }
