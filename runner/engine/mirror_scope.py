"""Reads which records are in the scope of a mirror, and which of them it may delete.

Knows queries and the ledger's list of created records. Knows nothing of SQL over staged rows.
"""

from __future__ import annotations

import csv
from pathlib import Path

from runner.engine.bulk_records import bulk_query
from runner.engine.context import Context
from runner.engine.mirror import missing_file
from runner.events import Noticed
from runner.files import unwritable
from runner.job.binds import bind, literal
from runner.job.endpoints import MissingSource
from runner.job.mirrors import owner_of
from runner.job.model import Api, Mirror, WriteTask
from runner.salesforce.rest.query import pages
from runner.salesforce.versions import Feature, supports
from runner.state.managed import MirrorKey
from runner.tables.staging.record_lookup import Managed, RecordLookup

_ID = "Id"
_MOST_OVER_REST = 24_000
"""Records of a scope that are read by REST queries: as many calls as a Bulk query takes."""


def scope_of(task: WriteTask, context: Context) -> str:
    """The scope as a query has it; of missing records, with the mark of those that are managed."""
    where = bind(task.scope or "", context.params)
    source = task.source
    mirror = context.job.task(source.task) if isinstance(source, MissingSource) else None
    how = mirror.mirror if isinstance(mirror, WriteTask) else None
    if how is None or how.owner_field is None or mirror is None:
        return where
    return f"({where}) AND {how.owner_field} = {literal(owner_of(context.job, mirror.name))}"


def keep_missing(task: WriteTask, context: Context, lookup: RecordLookup) -> None:
    """Note which records are in the scope, and keep the Ids of those that are in no row.

    Raises:
        OrgError: The org refused the query.
        StateError: The files cannot be written.
    """
    mirror = task.mirror or Mirror()
    managed = _managed(task, context, mirror, lookup.folder) if mirror.managed else None
    fields = [_ID, *([mirror.owner_field] if mirror.owner_field else [])]
    scope = _read_scope(task, context, fields, lookup.folder / "scope.csv")
    lookup.keep_missing(scope, missing_file(context, MissingSource(task.name)), managed)


def _managed(task: WriteTask, context: Context, mirror: Mirror, folder: Path) -> Managed:
    if mirror.owner_field:
        return Managed(owner=owner_of(context.job, task.name))
    file = folder / "managed.csv"
    key = MirrorKey(context.job.file, task.name, context.org_id)
    if not context.ledger.managed.write_ids(key, file):
        said = "no record is known that this mirror created, so it deletes and changes none"
        context.sink(Noticed(said, task.name))
    return Managed(ids=file)


def _read_scope(task: WriteTask, context: Context, fields: list[str], file: Path) -> Path:
    """Read these fields of the records in a mirror's scope into a CSV file.

    Raises:
        OrgError: The org refused the query.
    """
    where = bind(task.scope or "", context.params)
    soql = f"SELECT {', '.join(fields)} FROM {task.sobject} WHERE {where}"  # noqa: S608 - parsed, and checked by describe
    counted = f"SELECT COUNT() FROM {task.sobject} WHERE {where}"  # noqa: S608 - likewise
    is_large = next(pages(context.session, counted)).total_size > _MOST_OVER_REST
    if (
        is_large
        and task.api is not Api.REST
        and supports(context.version, Feature.BULK_QUERY_COLUMN_ORDER)
    ):
        bulk_query(task, context, soql, fields, file)
        return file
    deadline = context.deadline(task)
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n")
            rows.writerow(fields)
            for page in pages(context.session, soql):
                deadline.check()
                rows.writerows([record[each] for each in fields] for record in page.records)
    except OSError as error:
        raise unwritable(file, error) from error
    return file
