"""Options that contradict one another."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo, available_timezones

from runner.diagnostics import Diagnostic, Severity
from runner.job.model import Api, WriteTask
from runner.job.partial_job import Draft, option_path, task_path
from runner.suggest import did_you_mean


def check(draft: Draft) -> Iterator[Diagnostic]:
    """Find what REST or Bulk API 2.0 cannot do together."""
    for task in draft.writes:
        for key, message, hint in _contradictions(task):
            path = option_path(draft, task, key)
            yield draft.origin.diagnose(path, "job/contradiction", message, help=hint)
        if task.batch_size is not None and task.api is Api.BULK:
            path = option_path(draft, task, "batch_size")
            message = "`batch_size` is for REST; Bulk API 2.0 sizes its batches itself"
            yield draft.origin.diagnose(
                path, "job/no-effect", message, help="leave it out", severity=Severity.WARNING
            )
        path = task_path(task, "undo")
        if task.undo and task.hard and path in draft.origin.positions:
            message = "a hard delete skips the recycle bin: nothing brings its records back"
            yield draft.origin.diagnose(
                path, "job/no-effect", message, help="leave it out", severity=Severity.WARNING
            )


def _contradictions(task: WriteTask) -> Iterator[tuple[str, str, str]]:
    if task.all_or_none and task.api is Api.BULK:
        message = "Bulk API 2.0 has no all-or-none"
        yield "all_or_none", message, "remove it, or write `api: rest`"
    if task.hard and task.api is Api.REST:
        yield "hard", "REST has no hard delete", "remove it, or write `api: bulk`"
    if task.hard and task.all_or_none:
        message = "a hard delete goes over Bulk API 2.0, which has no all-or-none"
        yield "all_or_none", message, "remove one of the two"


def timezones(draft: Draft) -> Iterator[Diagnostic]:
    """Zones that nobody knows."""
    for task in draft.writes:
        if not _is_zone(task.timezone):
            message = f"there is no time zone `{task.timezone}`"
            hint = did_you_mean(
                task.timezone, sorted(available_timezones()), "take a name such as Europe/Berlin"
            )
            path = option_path(draft, task, "timezone")
            yield draft.origin.diagnose(path, "job/unknown-timezone", message, help=hint)


def _is_zone(name: str) -> bool:
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return False
    return True
