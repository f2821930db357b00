"""Child records in a query's answer: fetched in full, then written as tables or JSON.

Knows where each list goes. Knows nothing of how a page is requested or a file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.engine.columns import query_columns
from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.job.model import ChildTable
from runner.job.soql import ItemKind, Selection, SelectItem
from runner.salesforce.describe import Describes
from runner.salesforce.rest.query import pages_from
from runner.salesforce.session import Session
from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_pages import key_of, parse_records
from runner.tables.targets.rest_rows import QueryColumn, RestWriter

Record = dict[str, Any]


@dataclass(slots=True)
class ChildRows:
    """A table of child records while it is written."""

    table: ChildTable
    file: Path
    writer: RestWriter
    rows: int = 0


class Children:
    """The child records of one query; their tables appear when the block ends without an error."""

    def __init__(
        self, session: Session, selected: Selection, tables: Sequence[ChildTable], folder: Path
    ) -> None:
        """Prepare for a query; rows of the declared tables go into `folder`."""
        self._session = session
        self._selected = selected
        self._stack = ExitStack()
        self._folder = folder
        self._declared = tables
        self.tables: list[ChildRows] = []

    @property
    def is_asked_for(self) -> bool:
        """Whether the query selects lists of children at all."""
        return any(item.kind is ItemKind.CHILDREN for item in self._selected.items)

    def open(self, describes: Describes) -> ExitStack:
        """Open the tables; leaving the returned block closes them."""
        for number, table in enumerate(self._declared):
            file = self._folder / f"children-{number}.csv"
            columns = _columns(self._selected, table, describes)
            writer = self._stack.enter_context(RestWriter(file, columns))
            self.tables.append(ChildRows(table, file, writer))
        return self._stack

    def complete(self, page: bytes, check: Callable[[], None]) -> list[Record]:
        """Return a page's records with complete lists, without those that went into tables.

        Args:
            page: A JSON array of records, as the org sent it.
            check: Called before each further page is requested.
        """
        records: list[Record] = parse_records(page)
        for record in records:
            for rows in self.tables:
                name = key_of(record, rows.table.relationship)
                found = record.pop(name) if name else None
                if found:
                    self._add(rows, _id_of(record), found, check)
            self._complete(record, check)
        return records

    def _add(self, rows: ChildRows, parent: str, found: Record, check: Callable[[], None]) -> None:
        column = rows.table.parent_column
        for some in self._pages(found, check):
            for child in some:
                self._complete(child, check)
            rows.writer.write({column: parent, **child} for child in some)
            rows.rows += len(some)

    def _complete(self, record: Record, check: Callable[[], None]) -> None:
        """Complete every list in a record, nested lists too."""
        for key, value in record.items():
            if not isinstance(value, dict) or "records" not in value:
                continue
            children = [child for some in self._pages(value, check) for child in some]
            for child in children:
                self._complete(child, check)
            record[key] = {"totalSize": len(children), "done": True, "records": children}

    def _pages(self, found: Record, check: Callable[[], None]) -> Iterator[list[Record]]:
        yield found["records"]
        if found.get("done", True):
            return
        following = pages_from(self._session, found.get("nextRecordsUrl") or "")
        while True:
            check()
            page = next(following, None)
            if page is None:
                return
            yield parse_records(bytes(page.raw))


def _id_of(record: Mapping[str, Any]) -> str:
    """A record's Id, read from its URL: the query may not select it."""
    url = (record.get("attributes") or {}).get("url")
    if not isinstance(url, str):
        raise UnexpectedAnswerError(
            "The org does not say which record the child records belong to."
        )
    return url.rpartition("/")[2]


def without_tables(
    columns: Sequence[QueryColumn] | None, tables: Sequence[ChildTable]
) -> tuple[QueryColumn, ...] | None:
    """The columns of the records themselves."""
    if columns is None:
        return None
    apart = {each.relationship.lower() for each in tables}
    return tuple(column for column in columns if column.name.lower() not in apart)


def _columns(
    selected: Selection, table: ChildTable, describes: Describes
) -> tuple[QueryColumn, ...] | None:
    """The columns of a table of child records; None when only the records show them."""
    inner = _list_of(selected, table).inner
    if inner is None:
        return None
    sobject = _child_object(selected.sobject, table.relationship, describes)
    columns = query_columns(replace(inner, sobject=sobject), describes)
    if columns is None:
        return None
    return (QueryColumn(table.parent_column, FieldKind.TEXT), *columns)


def _list_of(selected: Selection, table: ChildTable) -> SelectItem:
    wanted = table.relationship.lower()
    lists = (item for item in selected.items if item.kind is ItemKind.CHILDREN)
    return next(item for item in lists if item.column.lower() == wanted)


def _child_object(parent: str, relationship: str, describes: Describes) -> str:
    try:
        return describes.of(parent).children.get(relationship.lower(), "")
    except TransientError:
        raise
    except OrgError:
        return ""  # the org will refuse the query itself, in its own words
