"""Files as values of a write: which fields take them, where they are, how a record carries one.

Knows describes and staged rows. Knows nothing of how a file is read or sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.diagnostics import Diagnostic, Location
from runner.job.model import Api, Job, Verb, WriteTask
from runner.salesforce.describe import ResolvedColumn
from runner.salesforce.described import BLOB, FieldDescribe, ObjectDescribe
from runner.salesforce.rest.multipart import LocalFile, most_bytes
from runner.salesforce.rest.values import Record, WriteRequest
from runner.suggest import in_words
from runner.tables.staging.local_files import FilePlaces, StagedFile

if TYPE_CHECKING:
    from runner.engine.columns import ColumnPlan
    from runner.tables.staging.rows import Record as Staged

_NAMES = {"attachment": "Name", "contentversion": "PathOnClient"}
"""The field that every new record needs besides its file: the name of the file, by object."""


def file_problems(
    job: Job,
    task: WriteTask,
    described: ObjectDescribe,
    columns: Sequence[tuple[Location, bool, ResolvedColumn]],
) -> Iterator[Diagnostic]:
    """Files for fields that hold none, and fields that hold files where none can be sent.

    Args:
        job: For the positions of problems.
        task: The write.
        described: Its object.
        columns: Where the job names what it fills, and whether from files.
    """
    for here, is_file, column in columns:
        is_blob = column.type == BLOB and column.lookup is None
        if is_file and not is_blob:
            blobs = [each.name for each in described.fields.values() if each.type == BLOB]
            has = in_words(blobs, "and") if blobs else "no such field"
            message = f"{column.name} of {described.name} does not hold a file"
            hint = f"Map it without `file`; {described.name} has {has}."
            yield job.origin.diagnose(here, "org/not-a-file", message, help=hint)
        elif is_blob and task.api is Api.BULK:
            message = f"Bulk API 2.0 does not take files, and {column.name} holds one"
            hint = "Remove `api: bulk`."
            yield job.origin.diagnose(here, "org/no-files-over-bulk", message, help=hint)
        elif task.verb is Verb.UPDATE and is_fixed_file(task.sobject, column.field):
            message = f"the file of a {described.name} cannot be changed"
            hint = "Create a new version of it, with its ContentDocumentId."
            yield job.origin.diagnose(here, "org/read-only-field", message, help=hint)
        elif is_file and _is_sent_by_key(task) and not is_fixed_file(task.sobject, column.field):
            message = f"a file in {column.name} can be upserted by Id only"
            hint = "Write `key: Id`, or use a create and an update."
            yield job.origin.diagnose(here, "org/no-files-by-key", message, help=hint)


def is_fixed_file(sobject: str, field: FieldDescribe) -> bool:
    """Whether a field holds a file that can be set in new records only, whatever describe says.

    Source: REST API guide, "Insert or Update Blob Data": "The ContentVersion object doesn't support
    updates."
    """
    return field.type == BLOB and sobject.lower() == "contentversion"


def _is_sent_by_key(task: WriteTask) -> bool:
    return task.verb is Verb.UPSERT and (task.key or "").lower() != "id"


def places_of_files(task: WriteTask, job: Job) -> FilePlaces:
    """Where the files of a write are."""
    declared = next((each.folder for each in task.fields or () if each.is_file), None)
    folder = declared or job.files_folder(task.source)
    return FilePlaces(folder, job.folder, most_bytes(task.sobject))


class RowFiles:
    """Makes records with files of staged rows."""

    def __init__(self, write: WriteRequest, plan: ColumnPlan) -> None:
        self._write = write
        self._field = next((each.field for each in plan.columns if each.is_file), None)
        name = _NAMES.get(write.sobject.lower())
        is_filled = name in {each.field for each in plan.columns}
        self._name = None if is_filled else name

    def opened(self, rows: Sequence[tuple[int, Staged]]) -> list[tuple[int, Record]]:
        """Rows with their files instead of the cells that stand for them."""
        if self._field is None:
            return list(rows)
        return [(number, self._opened(self._field, record)) for number, record in rows]

    def _opened(self, field: str, record: Staged) -> Record:
        cell = record.get(field)
        if not isinstance(cell, str):
            return record
        file = StagedFile.read(cell)
        sent = {**record, field: LocalFile(file.path, file.size, file.md5)}
        if self._name and self._write.creates(sent):
            sent[self._name] = file.path.name
        return sent
