"""Incremental extracts: from where to where a query reads, and what it leaves for the next one.

Knows watermarks, the org's time and when an extract has to be full. Knows nothing of APIs, pages or
how a target is written.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.diagnostics import Diagnostic
from runner.engine.context import Context
from runner.engine.known_watermark import KnownWatermark
from runner.errors import (
    JobError,
    OrgError,
    StateError,
    TransientError,
    UnexpectedAnswerError,
    UsageError,
)
from runner.job.endpoints import DatabaseTarget, FileTarget, Target, why_not_compared
from runner.job.model import QueryTask, Since
from runner.job.query_bounds import bounded, soql_moment
from runner.job.soql import ItemKind, selection
from runner.salesforce.describe import Describes
from runner.salesforce.http.retry import moment_of
from runner.salesforce.rest.deleted import (
    DeletionListError,
    NoDeletionListError,
    deleted_records,
)
from runner.salesforce.session import Session
from runner.state.watermarks import Extracted, Watermark
from runner.tables.sql_connection import duckdb_file
from runner.tables.targets.delivered import add_deleted, drop_delivered
from runner.tables.targets.presence import is_there
from runner.tables.targets.target_state import TargetState
from runner.wording import command_for, moment_of_row

_VERSIONS = "/services/data"
"""The cheapest request: it needs no permission and counts for no limit."""


class Window(Struct, frozen=True):
    """Which changes an extract reads."""

    since: datetime | None
    """None: a full extract."""
    until: datetime
    known_from: datetime
    """From here on the next extract can tell which rows this one delivered."""
    reason: str = ""
    """Why a full extract is one; or what is left out."""
    drops: bool = False
    """Whether rows that the last extract delivered are dropped."""

    @property
    def words(self) -> str:
        """What is read, for people."""
        if self.since is None:
            return f"full extract until {soql_moment(self.until)}: {self.reason}"
        left_out = f"; {self.reason}" if self.reason else ""
        return f"changes from {soql_moment(self.since)} until {soql_moment(self.until)}{left_out}"


class Asked(Struct, frozen=True):
    """What decides the window besides the job and the watermark."""

    now: datetime
    """By the org's clock."""
    query_sha256: str
    target_is_there: bool = True
    full: bool = False
    since: datetime | None = None


def window_of(since: Since, earlier: Watermark | None, asked: Asked) -> Window:
    """Decide which changes to read.

    A watermark of another query or another target says nothing about this one.

    Raises:
        UsageError: The `--since` asked for is not before the end of the window.
    """
    overlap, lag = (timedelta(seconds=each) for each in (since.overlap_seconds, since.lag_seconds))
    until = (asked.now - lag).replace(microsecond=0)
    same = earlier if earlier and earlier.query_sha256 == asked.query_sha256 else None
    if same is not None:
        until = max(until, same.until)  # the org's clock was set back, or the lag is longer now
    if asked.since is not None:
        return _asked_for(asked.since, until, same, overlap)
    why = _why_full(since, earlier, same, asked)
    if why or same is None:
        return Window(None, until, until - overlap, why)
    start = max(same.until - overlap, same.known_from)
    return Window(start, until, max(start, until - overlap), drops=True)


def _asked_for(
    start: datetime, until: datetime, same: Watermark | None, overlap: timedelta
) -> Window:
    if start >= until:
        raise UsageError(
            f"--since {soql_moment(start)} is not before {soql_moment(until)}, where this extract "
            "ends.",
            hint="Name an earlier time; `lag` decides how far before the org's own time it ends.",
        )
    gap = same is not None and start > same.until
    left_out = f"what changed from {soql_moment(same.until)} on is left out" if same and gap else ""
    return Window(start, until, max(start, until - overlap), left_out)


def _why_full(since: Since, earlier: Watermark | None, same: Watermark | None, asked: Asked) -> str:
    if asked.full:
        return "requested by --full"
    if earlier is None:
        return "no earlier extract from this org is known"
    if same is None:
        return "the query, its values or its target changed since the last extract"
    if not asked.target_is_there:
        return "the target of the last extract is gone or empty"
    refresh = since.refresh_seconds
    if refresh is not None and asked.now - same.full_at >= timedelta(seconds=refresh):
        return f"the last full one was at {soql_moment(same.full_at)}, and `refresh` is due"
    return ""


class Increment:
    """One incremental extract of a query.

    Attributes:
        window: Which changes it reads.
    """

    def __init__(
        self, task: QueryTask, since: Since, context: Context, soqls: Sequence[str]
    ) -> None:
        """Find the watermark and ask the org for its time.

        Args:
            task: The query.
            since: Its `since`.
            context: The run.
            soqls: The query with its values; several if a list is too long for one.

        Raises:
            UsageError: `--since` names a time that is not over.
            JobError: The target has the rows of another org.
            OrgError: The org does not say what time it is.
        """
        declared = context.job.task(task.name)
        if isinstance(declared, QueryTask):
            # A plan writes elsewhere, and reads what the run would.
            task = replace(task, target=declared.target)
        self._task = task
        self._since = since
        self._context = context
        self._now = org_time(context.session)
        self._sha256 = _digest(task, since, soqls)
        self._known = KnownWatermark(task, context)
        self._earlier = self._known.watermark
        other = self._known.of_other_org(self._sha256)
        is_known = self._earlier is not None or other is not None
        target_is_there = is_there(task.target) if is_known and task.target else True
        if other is not None and target_is_there and not context.full:
            raise JobError((self._from_other_org(other),))
        asked = Asked(
            self._now,
            self._sha256,
            target_is_there=target_is_there,
            full=context.full,
            since=context.since,
        )
        self.window = window_of(since, self._earlier, asked)

    def _from_other_org(self, other: Watermark) -> Diagnostic:
        context = self._context
        again = self._again("--full")
        return context.job.origin.diagnose(
            ("tasks", self._task.index, "to"),
            "org/other-org",
            f"the target has the rows of another org: it was filled from {other.org_id} until"
            f" {soql_moment(other.until)}, and this is {context.org_id}",
            help=f"write to another target; or `{again}` continues with this org, and with"
            " `--reconcile` it also removes the rows of the other one",
        )

    def _again(self, *options: str) -> str:
        """The command that runs this task alone."""
        job = self._context.job
        words = ("--task", self._task.name, *options)
        return command_for(job.file, "run", *words, target=job.connection.target)

    def bounded(self, soql: str) -> str:
        """A query that finds only what the window has."""
        field = self._field
        nullable = self._nullable(field)
        return bounded(soql, field, self.window.since, self.window.until, with_blank=nullable)

    @property
    def reconciles(self) -> bool:
        """Whether the target is compared with the org this time."""
        return self._context.reconcile or self._since.reconcile

    @property
    def _field(self) -> str:
        return self._since.field

    def _nullable(self, field: str) -> bool:
        try:
            described = self._context.describes.of(self._task.sobject).field(field)
        except TransientError:
            raise
        except OrgError:
            return False  # the org will refuse the query itself
        return described is not None and described.nillable

    def add_deleted(self, rows: Path, folder: Path) -> int:
        """Add the records that were deleted within the window, and are not among its rows.

        A query finds deleted records while they are in the recycle bin; the org lists those that
        have left it for some more days.

        Args:
            rows: All rows of the window.
            folder: The task's.

        Returns:
            How many were added.

        Raises:
            UsageError: The org's list does not reach back to the beginning of the window.
        """
        window, context, task = self.window, self._context, self._task
        if not task.deleted or window.since is None:
            return 0
        found = deleted_records(context.session, task.sobject, window.since, window.until)
        deleted = folder / "deleted.csv"
        try:
            with deleted.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(found)
        except (NoDeletionListError, DeletionListError) as error:
            if self.reconciles:
                return 0  # the comparison finds what is gone
            if isinstance(error, DeletionListError):
                raise self._unlisted(error) from error
            message = (
                f"the org keeps no list of deleted {task.sobject} records: those that have left the"
                " recycle bin are missing"
            )
            context.sink(events.Warned(message, task.name))
            return 0
        return add_deleted(rows, self._field, deleted)

    def _unlisted(self, error: DeletionListError) -> UsageError:
        can = self._task.target is not None and not why_not_compared(self._task.target)
        again = self._again("--full")
        also = "; `--reconcile` removes it" if can else ""
        return UsageError(
            f"{error.message}, so deletions would be missing from this extract.",
            hint=f"`{again}` extracts all records and continues from now; what was deleted"
            f" meanwhile stays in the target{also}.",
        )

    def settle(self, rows: Path, folder: Path) -> tuple[int, Extracted]:
        """Drop the rows that are in the target already.

        Args:
            rows: All rows of the window.
            folder: The task's, for what the watermark is going to need.

        Returns:
            How many were dropped, and what to record once the others are in the target.
        """
        window, context = self.window, self._context
        earlier: Path | None = None
        if window.drops and self._earlier is not None:
            earlier = folder / "delivered.csv"
            self._known.write_delivered(earlier)
        note = folder / "delivered-now.csv"
        dropped = drop_delivered(
            rows, self._field, earlier, note_from=moment_of_row(window.known_from), note=note
        )
        is_full = window.since is None
        full_at = self._now if is_full or self._earlier is None else self._earlier.full_at
        watermark = Watermark(
            context.job.name,
            context.job.file,
            self._task.name,
            context.org_id,
            self._sha256,
            self._field,
            window.until,
            window.known_from,
            full_at,
            context.run_id,
        )
        return dropped, Extracted(watermark, note)

    def state_of(self, extracted: Extracted) -> TargetState | None:
        """The watermark as the target's database keeps it; None where it keeps none."""
        return self._known.state_of(extracted.watermark)

    def announce(self) -> None:
        """Say what is read, and which columns may change without being read again."""
        sink, name = self._context.sink, self._task.name
        sink(events.Noticed(self.window.words, name))
        silent = tuple(silent_columns(self._task, self._context.describes))
        if silent:
            does = "do" if len(silent) > 1 else "does"
            message = (
                f"{', '.join(silent)} {does} not move {self._field}, so a change there alone is not"
                " extracted"
            )
            if self._since.refresh_seconds is None:
                message += "; `refresh: weekly` brings it with a full extract"
            sink(events.Warned(message, name))


def silent_columns(task: QueryTask, describes: Describes) -> Iterator[str]:
    """Columns that change while their record's stamp stays: formulas, roll-ups, parents' fields."""
    for item in selection(task.soql).items:
        if item.kind is ItemKind.CHILDREN or (item.path and "." in item.path):
            yield item.column
            continue
        try:
            field = describes.follow(task.sobject, item.path) if item.path else None
        except TransientError:
            raise
        except OrgError:
            continue
        if field is not None and field.calculated:
            yield item.column


def org_time(session: Session) -> datetime:
    """What time it is by the org's clock, in whole seconds.

    Raises:
        UnexpectedAnswerError: Its answer has no `Date`.
    """
    header = session.request("GET", _VERSIONS).headers.get("date", "")
    found = moment_of(header)
    if found is None:
        raise UnexpectedAnswerError(
            "The org's answer has no `Date`, so it is not known until when changes are complete.",
            hint="A proxy may remove that header; let it pass.",
        )
    return found.astimezone(UTC)


def _digest(task: QueryTask, since: Since, soqls: Sequence[str]) -> str:
    texts = [" ".join(soql.split()) for soql in soqls]
    target = _place(task.target) if task.target else ""
    parts = [texts, since.field.lower(), task.deleted, target]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _place(target: Target) -> str:
    if isinstance(target, DatabaseTarget):
        file = duckdb_file(target.url, StateError)
        return f"{file or target.url} {target.table}"
    return target.url or str(target.path) if isinstance(target, FileTarget) else str(target.path)
