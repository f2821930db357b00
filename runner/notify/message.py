"""A notification: what failed, why, how many rows, where the files are, and what to do.

Knows the JSON document that `schemas/notification.schema.json` describes, and its text. No value of
a row is in it unless the notice says so. Knows nothing of how it is sent.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from runner.job.notices import Notice, NoticeEvent
from runner.notify.rows import failed_rows
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.redaction import redacted
from runner.wording import counted, duration, shortened

FORMAT_VERSION = 1
LONGEST_TEXT = 1_000
"""Characters of one message in a notification."""
_MOST_PROBLEMS = 5
_WORDS = {
    None: "ended",
    NoticeEvent.FAILED: "failed",
    NoticeEvent.PARTIAL: "finished, but rows failed",
    NoticeEvent.TRIPPED: "was stopped by a limit",
    NoticeEvent.RECOVERED: "has recovered",
    NoticeEvent.SLOW: "was slow",
}
_QUOTED = re.compile(r"""(?<![\w'"])(?:'[^'\n]*'|"[^"\n]*")(?![\w'"])""")

Document = dict[str, Any]


class Happening(Struct, frozen=True):
    """What happened to a job."""

    event: NoticeEvent | None
    """None for the log of a heartbeat."""
    outcome: RunOutcome
    """Without a run id if the run never began."""
    target: str | None
    command: str | None
    """What to do next; None if there is nothing to do."""
    job_lines: Sequence[str] = ()
    """The job file: words that are in it are not those of rows."""
    before: str | None = None
    """Of a recovery: the run that was not done, and how it ended."""


def document_of(happening: Happening, notice: Notice) -> Document:
    """What a webhook gets, and what other messages are made of."""
    outcome = happening.outcome
    clean = _cleaner(happening, notice)
    document: Document = {
        "format_version": FORMAT_VERSION,
        "id": "",
        "event": happening.event.value if happening.event else None,
        "job": outcome.job,
        "job_file": str(outcome.job_file),
        "target": happening.target,
        "host": socket.gethostname(),
        "run_id": outcome.run_id or None,
        "exit_code": int(outcome.exit_code),
        "started": outcome.started.isoformat(),
        "finished": outcome.finished.isoformat(),
        "seconds": round((outcome.finished - outcome.started).total_seconds(), 3),
        "org_id": outcome.org_id,
        "instance_url": outcome.instance_url,
        "message": clean(outcome.message),
        "hint": clean(outcome.hint),
        "problems": _problems(outcome.problems, clean),
        "tasks": [_task(each, notice, clean) for each in outcome.tasks],
        "folder": str(outcome.folder) if outcome.folder else None,
        "before": happening.before,
        "command": happening.command,
        "delayed": False,
    }
    title, text = title_of(document), text_of(document)
    return {**document, "title": title, "text": text}


def _cleaner(happening: Happening, notice: Notice) -> Callable[[str | None], str | None]:
    """Takes secrets out of a text, and quoted values of rows unless they are wanted."""
    job = "\n".join(happening.job_lines)

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[0][1:-1] in job else f"{found[0][0]}…{found[0][0]}"

    def clean(text: str | None) -> str | None:
        if text is None:
            return None
        shown = redacted(text, shapes=True)
        shown = shown if _may_quote(notice) else _QUOTED.sub(kept, shown)
        return shortened(shown, LONGEST_TEXT)

    return clean


def _problems(problems: Iterable[Any], clean: Callable[[str | None], str | None]) -> list[str]:
    """The first problems of a job, each with its place."""
    found = list(problems)
    places = (
        f"{each.file}:{each.position.line}: " if each.position else f"{each.file}: "
        for each in found
    )
    shown = [
        f"{place}{clean(each.message)}"
        for place, each in zip(places, found[:_MOST_PROBLEMS], strict=False)
    ]
    more = len(found) - len(shown)
    return [*shown, f"and {more:,} more"] if more > 0 else shown


def _task(task: TaskOutcome, notice: Notice, clean: Callable[[str | None], str | None]) -> Document:
    counts = task.counts
    return {
        "name": task.name,
        "verb": task.verb,
        "sobject": task.sobject,
        "status": task.status.value,
        "read": counts.read,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "unprocessed": counts.unprocessed,
        "in_doubt": counts.in_doubt,
        "skipped": counts.skipped,
        "message": clean(task.message),
        "hint": clean(task.hint),
        "results": str(task.results) if task.results and _has_left(counts) else None,
        "errors": [
            {
                "code": code,
                "rows": rows,
                "first_row": first or None,
                "message": clean(message) if _may_quote(notice) else None,
            }
            for code, message, rows, first in task.top_errors
        ],
        "rows": list(failed_rows(task, notice.mask)) if notice.rows else [],
    }


def _may_quote(notice: Notice) -> bool:
    """Whether messages may quote values: one may be of a column that is masked."""
    return notice.rows and not notice.mask


def _has_left(counts: Counts) -> bool:
    return any((counts.failed, counts.unprocessed, counts.in_doubt, counts.skipped))


def title_of(document: Document) -> str:
    """One line: which job, on which target, and what happened."""
    words = _WORDS[document["event"]]
    on = f" on {document['target']}" if document["target"] else ""
    rows = sum(task["failed"] for task in document["tasks"])
    failed = f": {counted(rows, 'row')} failed" if rows else ""
    return f"{document['job']}{on} {words if not failed else words.partition(',')[0]}{failed}"


def text_of(document: Document) -> str:
    """The notification in words."""
    return "\n".join(_lines(document))


def _lines(document: Document) -> Iterator[str]:
    words = _WORDS[document["event"]]
    on = f" on {document['target']}" if document["target"] else ""
    when = document["finished"][:16].replace("T", " ")
    yield (
        f"{document['job']}{on} {words} (exit {document['exit_code']}) on {document['host']} at "
        f"{when} UTC, after {duration(document['seconds'])}."
    )
    if document["before"]:
        yield f"Before: {document['before']}."
    if document["message"]:
        yield f"Why: {document['message']}"
    if document["hint"]:
        yield f"     {document['hint']}"
    yield from (f"  {each}" for each in document["problems"])
    for task in document["tasks"]:
        yield from _task_lines(task)
    yield ""
    if document["command"]:
        yield f"Next: {document['command']}"
    yield f"Job:  {document['job_file']}"
    if document["run_id"]:
        yield f"Run:  {document['run_id']}"
    if document["org_id"]:
        yield f"Org:  {document['org_id']} {document['instance_url'] or ''}".rstrip()


def _task_lines(task: Document) -> Iterator[str]:
    if task["status"] == TaskStatus.SKIPPED.value:
        return
    counts = [f"read {task['read']:,}", f"succeeded {task['succeeded']:,}"]
    rest = ("failed", "unprocessed", "in_doubt", "skipped")
    counts += [f"{each.replace('_', ' ')} {task[each]:,}" for each in rest if task[each]]
    if task["verb"] == "query":
        counts = [f"found {task['read']:,}"]
    yield ""
    yield (
        f"{task['name']}: {task['verb']} {task['sobject']}, {task['status']}, {', '.join(counts)}"
    )
    if task["message"]:
        yield f"  {task['message']}"
    if task["hint"]:
        yield f"  {task['hint']}"
    for each in task["errors"]:
        first = f" (first: row {each['first_row']:,})" if each["first_row"] else ""
        said = f": {each['message']}" if each["message"] else ""
        yield f"  {each['rows']:,} x {each['code']}{said}{first}"
    for row in task["rows"]:
        yield "  " + ", ".join(f"{name}={value}" for name, value in row.items())
    if task["results"]:
        yield f"  rows: {task['results']}"
