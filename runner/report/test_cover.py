"""What of jobs no test has met, as text and as members of a JSON document.

Pure: from verdicts to what is shown. Knows nothing of how it was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.report.findings import path_from
from runner.report.sinks import printable
from runner.verdict import Verdict

_Items = dict[tuple[str, str], bool]


def cover_text(verdicts: Sequence[Verdict], folder: Path) -> str:
    """For each job how much of it tests have met, and what they have not, task by task."""
    parts = []
    for job, items in _by_job(verdicts).items():
        name = path_from(folder, job)
        met = sum(items.values())
        lines = [f"tests of {name} meet {met:,} of {len(items):,}"]
        missed: dict[str, list[str]] = {}
        for (task, what), is_met in items.items():
            if not is_met:
                missed.setdefault(task, []).append(what)
        # A task that never runs meets nothing else.
        shown = {
            task or "the job": "never runs" if "runs" in each else "not met: " + "; ".join(each)
            for task, each in missed.items()
        }
        widest = max(map(len, shown), default=0)
        lines += [f"  {task:{widest}}  {each}" for task, each in shown.items()]
        parts.append("\n".join(lines))
    return printable("\n\n".join(parts))


def cover_document(verdicts: Sequence[Verdict]) -> list[Mapping[str, object]]:
    """For each job everything that it can do, and whether a test has met it."""
    return [
        {
            "job": str(job),
            "met": sum(items.values()),
            "of": len(items),
            "items": [
                {"task": task or None, "what": what, "met": is_met}
                for (task, what), is_met in items.items()
            ],
        }
        for job, items in _by_job(verdicts).items()
    ]


def _by_job(verdicts: Sequence[Verdict]) -> dict[Path, _Items]:
    found: dict[Path, _Items] = {}
    for verdict in verdicts:
        if verdict.job is None:
            continue
        items = found.setdefault(verdict.job, {})
        for each in verdict.reach:
            key = (each.task, each.what)
            items[key] = items.get(key, False) or each.met
    return found
