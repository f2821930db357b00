"""Tasks that are enabled for some targets of a job only.

Pure: from values to values. Knows nothing of connections but the names of the targets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from runner.diagnostics import Diagnostic
from runner.job.origin import Origin
from runner.job.partial_job import as_list, as_mapping
from runner.suggest import did_you_mean


def problems_of_targets(
    values: Mapping[str, Any], origin: Origin, known: Collection[str]
) -> Iterator[Diagnostic]:
    """Find names in `enabled` that are no target of the job."""
    for index, task in enumerate(as_list(values.get("tasks"))):
        for number, name in enumerate(_targets_of(task)):
            if name in known:
                continue
            listed = f"the targets are {', '.join(known)}"
            hint = did_you_mean(name, known, listed if known else "list `targets` in `connection`")
            path = ("tasks", index, "enabled", "targets", number)
            message = f"the job has no target `{name}`"
            yield origin.diagnose(path, "job/unknown-target", message, help=hint)


def enabled_for(values: Mapping[str, Any], target: str | None) -> Mapping[str, Any]:
    """The values of a job with `enabled` as it is for a target: true or false."""
    tasks = as_list(values.get("tasks"))
    if not any(map(_targets_of, tasks)):
        return values
    return {
        **values,
        "tasks": [
            {**task, "enabled": target in names} if (names := _targets_of(task)) else task
            for task in tasks
        ],
    }


def _targets_of(task: object) -> list[str]:
    """The targets that a task is enabled for; none if it does not name any."""
    names = as_mapping(as_mapping(task).get("enabled")).get("targets")
    return [name for name in as_list(names) if isinstance(name, str)]
