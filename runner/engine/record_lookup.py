"""Looks up records by the keys of rows, before the rows are sent.

Knows when records are looked up, and whether by REST queries over the keys or by one Bulk query
over all records. Knows nothing of how keys are compared or what becomes of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.errors import UnexpectedAnswerError
from runner.job.model import Api, WriteTask
from runner.parallel import parallel_map
from runner.salesforce.bulk import query_jobs
from runner.salesforce.bulk.job import failure_of
from runner.salesforce.describe import FieldDescribe
from runner.salesforce.rest.retrieve import find_by_key
from runner.salesforce.versions import Feature, supports
from runner.tables.field_types import FieldKind
from runner.tables.staging.parts import read_header
from runner.tables.staging.record_lookup import RecordLookup, leave_out_where_id
from runner.tables.staging.rows import StagedRows

MOST_ASKED_BY_KEY = 20_000
"""Keys in queries of some hundred each; beyond, a Bulk query of all records needs fewer calls."""
_NUMBERS = frozenset({FieldKind.NUMBER, FieldKind.INTEGER})


def look_up_records(
    task: WriteTask, context: Context, plan: ColumnPlan, staging: StagedRows
) -> None:
    """Look up what the rows need to know of the org.

    Rows of an update or delete by an external Id get the Ids of their records. Rows of an upsert
    lose the fields that are sent for new records only, if their record exists.

    Raises:
        OrgError: The org refused a query.
        StateError: The rows cannot be stored.
    """
    finds = any(each.column.found_by for each in staging.mappings)
    if not (finds or plan.on_create) or staging.rows_total == staging.rejected_total:
        return
    if plan.key == "Id":
        leave_out_where_id(staging, plan.on_create)
        return
    key = next(
        each for each in staging.mappings if each.column.found_by or each.column.field == plan.key
    )
    described = context.describes.of(task.sobject)
    field = described.fields[key.column.label.lower()]
    lookup = RecordLookup(staging, key, is_case_sensitive=field.case_sensitive)
    _ask(lookup, field, task, context, staging)
    if finds:
        lookup.send_ids(task.sobject)
    else:
        lookup.leave_out(plan.on_create)


def _ask(
    lookup: RecordLookup,
    field: FieldDescribe,
    task: WriteTask,
    context: Context,
    staging: StagedRows,
) -> None:
    many = lookup.count > MOST_ASKED_BY_KEY and task.api is not Api.REST
    if many and supports(context.version, Feature.BULK_QUERY_COLUMN_ORDER):
        _ask_by_bulk(lookup, field, task, context, staging)
        return
    quoted = FieldKind.of(field.type) not in _NUMBERS
    deadline = context.deadline(task)

    def found(keys: list[str]) -> list[tuple[str, str]]:
        return list(find_by_key(context.session, task.sobject, field.name, keys, quoted=quoted))

    def pieces() -> Iterator[list[str]]:
        for keys in lookup.pages_of_keys():
            deadline.check()
            yield keys

    for records in parallel_map(found, pieces()):
        lookup.add(records)


def _ask_by_bulk(
    lookup: RecordLookup,
    field: FieldDescribe,
    task: WriteTask,
    context: Context,
    staging: StagedRows,
) -> None:
    session, deadline = context.session, context.deadline(task)
    soql = f"SELECT Id, {field.name} FROM {task.sobject} WHERE {field.name} != null"  # noqa: S608 - names as describe has them
    job = query_jobs.create_job(session, soql)
    pace = deadline.poll_pace(context.first_poll_seconds)
    with deadline.named_in_errors():
        ended = query_jobs.poll(session, job.id, pace, lambda _job: None)
    failure = failure_of(ended)
    if failure is not None:
        raise failure
    file = staging.folder / "records.csv"
    query_jobs.download(session, job.id, file, expected=ended.processed)
    context.disk.measure()
    header = read_header(file)
    if [each.lower() for each in header] not in (["id", field.name.lower()], []):
        raise UnexpectedAnswerError(
            f"The result of query job {job.id} has the columns {', '.join(header)} instead of "
            f"Id, {field.name}"
        )
    lookup.add_file(file)
    file.unlink()
