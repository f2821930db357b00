"""Related lists that gather records of several sObjects: ActivityHistories, NotesAndAttachments.

Knows which records they show, as views. Knows nothing of SOQL's syntax. What this org has no
sObject for is not in them.

Source: the object reference. An activity is open until its task is closed or its event is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from runner.local_org.catalog.model import Catalog, Field, SObject
from runner.local_org.soql.meta_objects import Described
from runner.local_org.store import quoted

_SYSTEM = (
    *("Id", "IsDeleted", "OwnerId", "CreatedDate", "CreatedById"),
    *("LastModifiedDate", "LastModifiedById", "SystemModstamp"),
)
_ACTIVITY = (
    *(*_SYSTEM, "AccountId", "WhoId", "WhatId", "Subject", "IsTask", "IsClosed", "ActivityDate"),
    *("Status", "Priority", "IsHighPriority", "IsAllDayEvent", "DurationInMinutes", "Location"),
    *("StartDateTime", "EndDateTime", "Description", "ActivitySubtype", "CallDurationInSeconds"),
    *("CallType", "CallDisposition", "CallObject", "ReminderDateTime", "IsReminderSet"),
)
_FILE = ("Title", "FileType", "FileExtension", "ContentSize")
_OF_FILE = "(SELECT {name} FROM ContentDocument WHERE Id = ContentDocumentId)"
_FLAGS = frozenset({"IsTask", "IsClosed", "IsNote"})
_TASK = {"IsTask": "1", "ActivitySubtype": "TaskSubtype"}
_EVENT_END = "COALESCE(EndDateTime, StartDateTime, ActivityDateTime, ActivityDate, '')"


class _Source(Struct, frozen=True):
    """Records of one sObject in a list."""

    sobject: str
    where: str = "1"
    shown: Mapping[str, str] | None = None
    """SQL of the fields that this sObject has under another name, or not."""


class _List(Struct, frozen=True):
    """One kind of list."""

    name: str
    fields: tuple[str, ...]
    sources: tuple[_Source, ...]


def related_lists(catalog: Catalog, now: datetime) -> tuple[Described, ...]:
    """The lists of an org, as sObjects without a table."""
    moment = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    return tuple(_described(each, catalog) for each in _lists(moment))


def is_related_list(name: str) -> bool:
    """Whether an sObject can be read in child subqueries only."""
    return name in {each.name for each in _lists("")}


def _lists(now: str) -> tuple[_List, ...]:
    event = {"IsTask": "0", "ActivitySubtype": "EventSubtype"}
    over = _Source("Event", f"{_EVENT_END} < '{now}'", {**event, "IsClosed": "1"})
    ahead = _Source("Event", f"{_EVENT_END} >= '{now}'", {**event, "IsClosed": "0"})
    note = {"IsNote": "1", "RecordType": "'Note'"}
    attachment = {
        "IsNote": "0",
        "RecordType": "'Attachment'",
        "Title": "Name",
        "ContentSize": "BodyLength",
        "FileType": "ContentType",
    }
    file = {"ParentId": "LinkedEntityId", "RecordType": "'File'"}
    file |= {name: _OF_FILE.format(name=name) for name in _FILE}
    notes = (_Source("Note", shown=note), _Source("Attachment", shown=attachment))
    files = _Source("ContentDocumentLink", shown=file)
    return (
        _List("ActivityHistory", _ACTIVITY, (_Source("Task", "IsClosed", _TASK), over)),
        _List("OpenActivity", _ACTIVITY, (_Source("Task", "NOT IsClosed", _TASK), ahead)),
        _List("NoteAndAttachment", (*_SYSTEM, "ParentId", "Title", "IsNote", "IsPrivate"), notes),
        _List("CombinedAttachment", (*_SYSTEM, "ParentId", "RecordType", *_FILE), (*notes, files)),
        _List(
            "AttachedContentDocument",
            (*_SYSTEM, "LinkedEntityId", "ContentDocumentId", *_FILE),
            (files,),
        ),
    )


def _described(each: _List, catalog: Catalog) -> Described:
    sources = [
        (source, sobject)
        for source in each.sources
        if (sobject := catalog.sobject(source.sobject)) is not None
    ]
    own = tuple(_field(name, [sobject for _, sobject in sources]) for name in each.fields)
    columns = [[_shown(name, *source) for name in each.fields] for source in sources]
    tables = [
        f"SELECT {', '.join(shown)} FROM {quoted(source.sobject)} WHERE {source.where}"  # noqa: S608
        for shown, (source, _) in zip(columns, sources, strict=True)
    ]
    nothing = ", ".join(f"NULL AS {quoted(name)}" for name in each.fields)
    rows = " UNION ALL ".join(tables) or f"SELECT {nothing} WHERE 0"
    return Described(SObject(each.name, each.name, each.name, "", own), lambda: f"({rows})")


def _field(name: str, sobjects: list[SObject]) -> Field:
    """A field as the first of the sObjects has it."""
    known = next((found for each in sobjects if (found := each.field(name))), None)
    if known is None:
        known = Field(name, name, "boolean" if name in _FLAGS else "string", length=255)
    return replace(known, createable=False, updateable=False)


def _shown(name: str, source: _Source, sobject: SObject) -> str:
    sql = (source.shown or {}).get(name)
    if sql is None:
        sql = quoted(name) if sobject.field(name) else "NULL"
    return f"{sql} AS {quoted(name)}"
