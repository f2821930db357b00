"""Results of queries that are longer than one page, saved until they expire.

Knows the file of a cursor's Ids, 18 bytes per record beside the store: a result of a million rows
needs no memory, and any page of it one seek. Knows nothing of HTTP.

A cursor has the Ids of the records; their values are read when a page is requested.
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from threading import Lock

from msgspec import Struct
from msgspec.structs import asdict

from runner.local_org.org import Org

_LIFE = timedelta(days=2)
_MOST_CURSORS = 1_000
_ID_BYTES = 18
_WRITE_IDS = 10_000
_LETTERS = string.ascii_letters + string.digits


class Cursor(Struct, frozen=True):
    """A query with more pages."""

    id: str
    """18 characters, 0r8 first."""
    soql: str
    user_id: str
    page_size: int
    all_rows: bool
    created: str
    """ISO 8601."""


class Cursors:
    """The org's cursors."""

    def __init__(self, org: Org) -> None:
        self._clock = org.clock
        self._folder = org.store.folder / "cursors"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._cursors = {cursor.id: cursor for cursor in self._load()}

    def new(self, soql: str, user_id: str, page_size: int, *, all_rows: bool) -> Cursor:
        """A new cursor, not saved yet."""
        cursor_id = "0r8" + "".join(secrets.choice(_LETTERS) for _ in range(15))
        return Cursor(cursor_id, soql, user_id, page_size, all_rows, self._clock().isoformat())

    def save(self, cursor: Cursor, *ids: Iterable[str]) -> int:
        """Save a cursor with the Ids that its query found; returns their number."""
        with self._ids_path(cursor.id).open("wb") as file:
            all_ids = chain(*ids)
            while block := list(islice(all_ids, _WRITE_IDS)):
                file.write("".join(block).encode("ascii"))
        self._note_path(cursor.id).write_text(json.dumps(asdict(cursor)), encoding="utf-8")
        with self._lock:
            self._cursors[cursor.id] = cursor
            self._drop_old()
        return self.total(cursor)

    def find(self, cursor_id: str, user_id: str) -> Cursor | None:
        """A user's cursor; None if it is unknown, another user's or older than two days."""
        with self._lock:
            cursor = self._cursors.get(cursor_id)
        if cursor is None or cursor.user_id != user_id or self._is_old(cursor):
            return None
        return cursor

    def ids(self, cursor: Cursor, start: int, count: int) -> list[str]:
        """Up to `count` Ids from position `start` on."""
        with self._ids_path(cursor.id).open("rb") as file:
            file.seek(start * _ID_BYTES)
            text = file.read(count * _ID_BYTES).decode("ascii")
        return [text[at : at + _ID_BYTES] for at in range(0, len(text), _ID_BYTES)]

    def total(self, cursor: Cursor) -> int:
        """The number of records found."""
        return self._ids_path(cursor.id).stat().st_size // _ID_BYTES

    def _is_old(self, cursor: Cursor) -> bool:
        return datetime.fromisoformat(cursor.created) + _LIFE < self._clock()

    def _drop_old(self) -> None:
        by_age = sorted(self._cursors.values(), key=lambda cursor: cursor.created)
        excess = len(by_age) - _MOST_CURSORS
        for place, cursor in enumerate(by_age):
            if place < excess or self._is_old(cursor):
                del self._cursors[cursor.id]
                self._note_path(cursor.id).unlink(missing_ok=True)
                self._ids_path(cursor.id).unlink(missing_ok=True)

    def _load(self) -> Iterator[Cursor]:
        for path in self._folder.glob("*.json"):
            yield Cursor(**json.loads(path.read_text(encoding="utf-8")))

    def _note_path(self, cursor_id: str) -> Path:
        return self._folder / f"{cursor_id}.json"

    def _ids_path(self, cursor_id: str) -> Path:
        return self._folder / f"{cursor_id}.ids"
