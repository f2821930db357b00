"""Runs a query: records to a file, over REST or Bulk, with the same bytes on either.

Knows when to change from REST to Bulk. Knows nothing of pages, jobs or how a file is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner import events
from runner.engine.bulk_query import BulkQuery, progress
from runner.engine.children import Children, without_tables
from runner.engine.context import Context
from runner.engine.list_values import values_of_lists
from runner.engine.long_queries import check_long_query, long_query_named, why_bulk
from runner.engine.lost_results import LostResultError
from runner.engine.masks import mask_values
from runner.engine.query_columns import datetimes_of, query_columns
from runner.engine.query_files import QueryFiles
from runner.engine.reconcile import RECONCILE, Reconciled, reconcile
from runner.engine.task_end import TaskEnd
from runner.errors import OrgError, TransientError
from runner.job.endpoints import (
    DatabaseTarget,
    FileSource,
    FileTarget,
    TableMode,
    Target,
    TaskSource,
    shown_url,
    tasks_of,
)
from runner.job.model import AnyTask, Api, QueryTask, WriteTask
from runner.job.query_parts import bound_queries
from runner.job.soql import selection
from runner.job.source_query import SourceQuery
from runner.outcome import Counts, TaskOutcome, TaskStatus
from runner.salesforce.rest.query import (
    LONGEST_QUERY,
    LOST_CURSOR,
    QueryPage,
    ShortResultError,
    fits_url,
    pages,
)
from runner.salesforce.versions import Feature, require, supports
from runner.tables.targets.deliver import copy_ahead, deliver, get_ready
from runner.tables.targets.rest_pages import FormattedPage, parse_records
from runner.tables.targets.rest_rows import RestWriter
from runner.wording import counted

if TYPE_CHECKING:
    from runner.engine.appended import Appended
    from runner.engine.increment import Increment
    from runner.tables.targets.copy_ahead import CopyAhead

_LONGEST_BOUNDS = 200
"""Characters that the bounds of an incremental extract add to a query, at most."""
RECORDS = "records.csv"
"""The rows in the run's folder, in Bulk's own form, for the target and for other tasks."""
OWN = "to"
"""The place of the query's own rows among its targets; children have their relationships."""


_READ_AGAIN = (LostResultError, ShortResultError)


def run_query(task: QueryTask, context: Context) -> TaskEnd:
    """Run a query; its target appears whole or not at all.

    Raises:
        RunnerError: It ended early; no target was written.
    """
    folder = context.task_folder(task)
    appended = _appended(task, context)
    if appended is not None and appended.end is not None:
        return appended.end
    shutil.rmtree(folder, ignore_errors=True)  # of a process that died
    folder.mkdir(parents=True, exist_ok=True)
    get_ready(task.targets)
    query = _Query(task, context, folder)
    with query.copied_ahead() as ahead:
        return _fetched_and_delivered(query, folder, ahead, appended)


def _appended(task: QueryTask, context: Context) -> Appended | None:
    """The rows that the query adds to those of its targets; None if it adds none."""
    if all(each.mode is not TableMode.APPEND for each in task.targets):
        return None
    from runner.engine.appended import Appended  # noqa: PLC0415 - few queries add rows

    return Appended(task, context)


def _fetched_and_delivered(
    query: _Query, folder: Path, ahead: CopyAhead | None, appended: Appended | None
) -> TaskEnd:
    task, context = query.task, query.context
    api, rows = query.fetch(folder / RECORDS)
    notes, extracted = (*_org_of(task, context), *query.notes()), None
    if query.increment is not None:
        rows += query.increment.add_deleted(folder / RECORDS, folder)
        dropped, extracted = query.increment.settle(folder / RECORDS, folder)
        notes = (*notes, *_notes_of(query.increment, dropped))
        rows -= dropped
    repaired = Reconciled(task.target)
    if query.increment is not None and query.increment.reconciles:
        until = query.increment.window.until
        repaired = reconcile(task, context, folder / RECORDS, until, query.also)
    rows, target, notes = rows + repaired.more_rows, repaired.target, (*notes, *repaired.notes)
    outcome = TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=TaskStatus.DONE,
        counts=repaired.counted(Counts(read=rows, written=rows if target else 0)),
        api=api.value,
        target=place_of(task.target) if task.target else None,
        bulk_job_ids=tuple(query.bulk.job_ids),
        notes=notes,
    )
    end = TaskEnd(outcome, extracted=extracted)
    keep_rows = _is_source(task, context)
    if appended is not None:
        appended.expect(end, (folder / RECORDS,) if keep_rows else ())
    kept: list[str] = []
    for child in query.children.tables:
        place, to = child.table.relationship, child.table.target
        if appended is not None and appended.has(place):
            continue
        state, landing = appended.told(place, to) if appended else (None, None)
        columns = child.writer.columns
        found = deliver(child.file, to, columns, keep_rows=False, state=state, landing=landing)
        kept += [f"{place}: {each}" for each in found]
    if target is not None:
        landing = None
        state = query.increment.state_of(extracted) if query.increment and extracted else None
        if state is None and appended is not None:
            state, landing = appended.told(OWN, target)
        kept += deliver(
            folder / RECORDS,
            target,
            query.columns,
            keep_rows=keep_rows,
            state=state,
            ahead=ahead,
            landing=landing,
        )
    shutil.rmtree(folder / RECONCILE, ignore_errors=True)
    return replace(end, outcome=replace(outcome, notes=(*notes, *kept)))


def _org_of(task: QueryTask, context: Context) -> Iterator[str]:
    """Which org the rows are from, where it is not the one that the run writes to."""
    if isinstance(task, SourceQuery):
        org = context.source_orgs.by_connection[task.connection]
        who, url = org.identity.username, org.session.instance_url
        yield f"from org {org.identity.org_id} at {url} as {who}"


def _notes_of(increment: Increment, dropped: int) -> Iterator[str]:
    """What an incremental query has read."""
    yield increment.window.words
    if dropped:
        yield f"{counted(dropped, 'row')} of the overlap already delivered"


def count_query(task: QueryTask, context: Context) -> tuple[int, Api]:
    """How many records a query finds, from its first page.

    Returns:
        The number, and the API that a run would use.

    Raises:
        RunnerError: The query cannot be run.
    """
    folder = context.task_folder(task)
    folder.mkdir(parents=True, exist_ok=True)
    return _Query(task, context, folder).count()


def place_of(target: Target) -> str:
    """Where the rows went, for people to read."""
    if isinstance(target, DatabaseTarget):
        return target.table
    if isinstance(target, FileTarget) and target.url is not None:
        return shown_url(target.url)
    return str(target.path)


def _fits_bulk(soql: str) -> bool:
    return len(soql) <= LONGEST_QUERY


def _fits_with(more: str, fits: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda soql: fits(soql + more)


def _files(count: int) -> str:
    return counted(count, "file")


def _is_source(task: QueryTask, context: Context) -> bool:
    """Whether another task reads this one's rows."""
    read = (
        source
        for other in context.job.tasks
        for each in ((other.source,) if isinstance(other, WriteTask) else _list_sources(other))
        for source in tasks_of(each)
    )
    return any(source.task == task.name for source in read)


def _list_sources(task: AnyTask) -> tuple[FileSource | TaskSource, ...]:
    return tuple(each.source for each in task.lists) if isinstance(task, QueryTask) else ()


class _Query:
    """One query, its binds replaced."""

    def __init__(self, task: QueryTask, context: Context, folder: Path) -> None:
        self.task = task
        self.context = context
        self._deadline = context.deadline(task)
        self._selection = selection(task.soql)
        self._soqls = self._bound(folder)
        self.increment: Increment | None = None
        if task.since is not None:
            from runner.engine.increment import Increment  # noqa: PLC0415 - few queries have it

            self.increment = Increment(task, task.since, context, self._soqls)
            self.increment.announce()
            self._soqls = [self.increment.bounded(soql) for soql in self._soqls]
        known = query_columns(self._selection, context.describes)
        self.columns = without_tables(known, task.children)
        self._has_blobs = any(column.is_blob for column in known)
        self._masks = mask_values(task, context) if isinstance(task, SourceQuery) else {}
        self._files = QueryFiles(task, context, known) if task.files else None
        self.children = Children(context, self._selection, task.children, folder)
        self.bulk = BulkQuery(task, context, self._deadline, self.columns, self._masks)
        self._writer: RestWriter | None = None

    def _bound(self, folder: Path) -> list[str]:
        """The query with its values; several if a list is too long for one, none if it is empty."""
        if not self.context.params and not self.task.lists:
            return [self.task.soql]
        over_rest = self.task.api is Api.REST or not self._selection.is_flat
        bounds = " " * _LONGEST_BOUNDS if self.task.since else ""
        fits = _fits_with(bounds, fits_url if over_rest else _fits_bulk)
        params = {**self.context.params, **values_of_lists(self.task, self.context, folder)}
        return bound_queries(self.task.soql, params, fits)

    def also(self, task: QueryTask, to: Path) -> int:
        """Fetch the rows of another query of this task into a file; how many there are."""
        other = _Query(task, self.context, to.parent)
        other.bulk.job_ids = self.bulk.job_ids
        return other.fetch(to)[1]

    def notes(self) -> tuple[str, ...]:
        """How many files and child records went where."""
        files = [f"{_files(self._files.count)} in {self.task.files}"] if self._files else []
        return (*files, *self._notes_of_children())

    def _notes_of_children(self) -> Iterator[str]:
        return (
            f"{each.table.relationship}: {counted(each.rows, 'row')}"
            f" to {place_of(each.table.target)}"
            for each in self.children.tables
        )

    @contextmanager
    def copied_ahead(self) -> Iterator[CopyAhead | None]:
        """Copy rows while they arrive, if they are delivered as they arrive."""
        ahead = None
        if self.increment is None and self.task.target is not None:
            ahead = copy_ahead(self.task.target, self.columns)
        with ahead or nullcontext():
            self.bulk.ahead = ahead
            yield ahead

    def fetch(self, to: Path) -> tuple[Api, int]:
        """Fetch the rows into a file; returns the API used and how many there are.

        Nothing is delivered before all rows are here, so a result that the org has lost halfway is
        read once more from its beginning.
        """
        try:
            return self._fetch(to)
        except OrgError as error:
            if not isinstance(error, _READ_AGAIN) and error.code != LOST_CURSOR:
                raise
            self._deadline.check()
            message = f"{error.message}; reading the query again from its first page"
            self.context.sink(events.Warned(message, self.task.name))
            return self._fetch(to)

    def count(self) -> tuple[int, Api]:
        """The number of records, and the API for them; reads their first page."""
        if not all(map(fits_url, self._soqls)):
            api, rows = self._fetch(self.context.task_folder(self.task) / RECORDS)
            return rows, api
        session, deleted = self.context.session, self.task.deleted
        firsts = [next(pages(session, soql, deleted=deleted)) for soql in self._soqls]
        rows = sum(1 if self._selection.counts_only else page.total_size for page in firsts)
        is_bulk = self.task.api is Api.BULK or any(map(self._is_for_bulk, firsts[:1]))
        return rows, Api.BULK if is_bulk else Api.REST

    def _fetch(self, to: Path) -> tuple[Api, int]:
        if not self._soqls:
            return Api.REST, self._over_rest((), to)
        fits = all(map(fits_url, self._soqls))
        if self.task.api is Api.BULK or not fits:
            if not fits:
                check_long_query(self.task, self._soqls, self.context.sink)
            require(self.context.version, Feature.BULK_QUERY, why_bulk(self.task))
            with long_query_named(self.task, self._soqls):
                return Api.BULK, self.bulk.fetch(self._soqls, to)
        session, deleted = self.context.session, self.task.deleted
        found = chain.from_iterable(
            pages(session, soql, deleted=deleted, read=self._formatted) for soql in self._soqls
        )
        first = next(found)
        if isinstance(first, QueryPage) and self._is_for_bulk(first):
            try:
                return Api.BULK, self.bulk.fetch(self._soqls, to)
            except (TransientError, LostResultError):
                raise
            except OrgError as error:
                # Bulk supports less of SOQL than REST, and says so only when asked.
                message = f"Bulk API rejected this query; continuing over REST ({error.message})"
                self.context.sink(events.Warned(message, self.task.name))
        return Api.REST, self._over_rest(chain([first], found), to)

    def _is_for_bulk(self, first: QueryPage) -> bool:
        return (
            self.task.api is Api.AUTO
            and first.total_size > self.task.bulk_threshold
            and supports(self.context.version, Feature.BULK_QUERY_COLUMN_ORDER)
            and self._selection.is_flat
            and not self._has_blobs
        )

    def _formatted(self, answer: bytes) -> FormattedPage | None:
        """Read a page that only has to be written, as it arrives."""
        has_more = self.children.is_asked_for or self._files or self._selection.counts_only
        return None if has_more or self._writer is None else self._writer.formatted(answer)

    def _over_rest(self, found: Iterable[QueryPage | FormattedPage], to: Path) -> int:
        rows = 0
        if self._files is not None:
            self._files.count = 0  # the query may be read again
        describes = self.context.describes
        writer = RestWriter(
            to,
            self.columns,
            is_open=self._selection.is_open,
            datetimes=datetimes_of(describes),
            masks=self._masks,
        )
        self._writer = writer
        with self.children.open(), writer:
            for page in found:
                self._deadline.check()
                if isinstance(page, FormattedPage):
                    self.context.disk.add(len(page.csv))
                    rows += writer.write_formatted(page)
                else:
                    self.context.disk.add(memoryview(page.raw).nbytes)
                    rows += self._write(writer, page, rows)
                self.context.sink(progress(self.task, rows, page.total_size))
        self.columns = writer.columns
        return rows

    def _write(self, writer: RestWriter, page: QueryPage, rows: int) -> int:
        """Write a page's records; `SELECT COUNT()` has none but its number."""
        if self._selection.counts_only:
            writer.write([{"COUNT()": page.total_size}])
            return 1
        if self.children.is_asked_for:
            records = self.children.complete(bytes(page.raw), self._deadline.check)
        elif self._files is not None:
            records = parse_records(bytes(page.raw))
        else:
            return writer.write_page(bytes(page.raw))
        if self._files is not None:
            self._files.fetch(records, lambda files: self._report_files(rows, files))
        writer.write(records)
        return len(records)

    def _report_files(self, rows: int, files: int) -> None:
        self._deadline.check()
        self.context.sink(events.Progress(self.task.name, rows, note=_files(files)))
