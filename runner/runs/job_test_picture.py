"""What a run did, in full and without what changes each time: the content of a snapshot.

Ids become labels such as `<Account 1>`, moments of the run become `<time>`, and what has no order
is sorted. Knows what an org and a folder hold. Knows nothing of where snapshots are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from runner.errors import JobError
from runner.local_org.catalog.model import SYSTEM_COLUMNS
from runner.outcome import TaskStatus
from runner.runs.job_test_checks import Ran, failed_rows
from runner.runs.job_test_org import BLANK, FreshOrg, Records

Plain = dict[str, object]

_ID = re.compile(r"\b[0-9A-Za-z]{15}(?:[A-Z0-5]{3})\b")
_TIME = re.compile(
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_UNSAID = {*SYSTEM_COLUMNS, "LastViewedDate", "LastReferencedDate"}
_AUDITED = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


def everything(org: FreshOrg) -> Mapping[str, Records]:
    """All records of an org, by object."""
    return {name: org.records(name) for name in org.objects}


def picture(
    ran: Ran,
    before: Mapping[str, Records],
    org: FreshOrg,
    files: Iterable[tuple[str, Path]],
    since: datetime,
) -> Plain:
    """What the runs of a test did.

    Args:
        ran: The last run.
        before: Everything that the org had before the first run.
        org: The org now.
        files: What the job wrote: names, and where it is.
        since: When the test began, by the org's clock.
    """
    after = everything(org)
    labels = Labels(_labels(before, after), since, org.now, frozenset(_audited(before)))
    found: Plain = {"exit": ran.exit}
    if ran.error is not None:
        found["error"] = [labels.text(each) for each in _messages(ran)]
    found["tasks"] = {name: dict(_task(ran, name, labels)) for name in ran.tasks}
    failed = [
        {"task": task, "row": row, "code": code, "message": labels.text(message)}
        for each in ran.tasks.values()
        for task, row, code, message in failed_rows(each)
    ]
    if failed:
        found["failed"] = sorted(failed, key=lambda row: (str(row["task"]), row["row"]))
    changes = {
        name: list(_changes(before[name], rows, labels, org.user_id))
        for name, rows in after.items()
        if rows != before[name]
    }
    found["records"] = {name: each for name, each in sorted(changes.items()) if each}
    found["files"] = dict(_files(files, labels))
    return {key: value for key, value in found.items() if value not in ({}, [])}


class Labels(Struct, frozen=True):
    """What takes the place of Ids and moments."""

    by_id: Mapping[str, str]
    since: datetime
    until: datetime
    moments: frozenset[datetime]
    """When the records were made that were there before."""

    def text(self, text: str) -> str:
        """A text with labels in place of them."""
        return _TIME.sub(self._time, _ID.sub(lambda at: self.by_id.get(at[0], at[0]), text))

    def _time(self, at: re.Match[str]) -> str:
        try:
            moment = datetime.fromisoformat(at[0])
        except ValueError:
            return at[0]
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        is_of_test = self.since <= moment <= self.until or moment in self.moments
        return "<time>" if is_of_test else at[0]

    def value(self, value: object) -> object:
        """A value of a record."""
        if isinstance(value, str):
            return self.text(value)
        return value if isinstance(value, bool | int | float) else str(value)


def _audited(before: Mapping[str, Records]) -> Iterator[datetime]:
    for rows in before.values():
        for row in rows.values():
            for name in _AUDITED:
                with suppress(ValueError):
                    yield datetime.fromisoformat(str(row.get(name)))


def _labels(before: Mapping[str, Records], after: Mapping[str, Records]) -> dict[str, str]:
    """A label for each record: those from before by Id, then the new ones by their content."""
    objects = {each: name for name, rows in after.items() for each in rows}
    labels = {
        each: f"<{name} {at}>"
        for name, rows in before.items()
        for at, each in enumerate(sorted(rows), 1)
    }

    def content(found: tuple[str, Mapping[str, object]]) -> tuple[str, str]:
        """Without references to new records, whose labels are not known yet."""
        shown = (
            f"{column}={labels.get(str(value), objects.get(str(value), value))}"
            for column, value in sorted(found[1].items())
            if column not in _UNSAID and not (isinstance(value, str) and _TIME.match(value))
        )
        return "\n".join(shown), found[0]

    for name, rows in after.items():
        new = [(each, row) for each, row in rows.items() if each not in before[name]]
        known = len(before[name])
        for at, (each, _) in enumerate(sorted(new, key=content), known + 1):
            labels[each] = f"<{name} {at}>"
    return labels


def _changes(before: Records, after: Records, labels: Labels, user: str) -> Iterator[Plain]:
    def place(each: str) -> tuple[int, str]:
        label = labels.by_id[each]
        return len(label), label

    for each in sorted({*before, *after}, key=place):
        old, new = before.get(each), after.get(each)
        kind, shown = "deleted", {}
        if new is not None and old is None and not new.get("IsDeleted"):
            kind = "created"
            shown = {
                name: value
                for name, value in new.items()
                if value not in BLANK and (name, value) != ("OwnerId", user)
            }
        elif new is not None and old is not None and not new.get("IsDeleted"):
            kind = "restored" if old.get("IsDeleted") else "changed"
            shown = {name: value for name, value in new.items() if old.get(name) != value}
        elif old is None or old.get("IsDeleted"):
            continue  # created and deleted again, or deleted before
        values = {
            name: None if value is None else labels.value(value)
            for name, value in shown.items()
            if name not in _UNSAID
        }
        if values or kind != "changed":
            yield {kind: labels.by_id[each], **values}


def _task(ran: Ran, name: str, labels: Labels) -> Iterator[tuple[str, object]]:
    task = ran.tasks[name]
    if task.status is not TaskStatus.DONE:
        yield "status", task.status.value
    yield from ((key, number) for key, number in asdict(task.counts).items() if number)
    if task.message:
        yield "message", labels.text(task.message)
    if task.problems:
        yield "problems", [labels.text(each.message) for each in task.problems]


def _messages(ran: Ran) -> Sequence[str]:
    if isinstance(ran.error, JobError):
        return [each.message for each in ran.error.diagnostics]
    return [ran.error.message] if ran.error else []


def _files(files: Iterable[tuple[str, Path]], labels: Labels) -> Iterator[tuple[str, str]]:
    for name, file in files:
        try:
            yield labels.text(name), labels.text(file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            yield labels.text(name), "<not text>"
