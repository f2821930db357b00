"""The org's records: one SQLite file with a table per sObject.

Knows tables, columns, indexes, connections. Knows nothing of what makes a record valid.

SQLite rather than DuckDB: the org does many small writes, each its own transaction, beside readers
that must not wait; `tests/benchmarks/store_choice.py` measures both.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import msgspec

from runner.local_org import triggers
from runner.local_org.catalog.model import Catalog, Field, SObject

_COLUMN_TYPES = {
    "boolean": "INTEGER NOT NULL DEFAULT 0",
    "int": "INTEGER",
    "long": "INTEGER",
    "double": "",
    "currency": "",
    "percent": "",
}
"""Numbers are floats, or text if a float would lose digits; their columns convert nothing."""
_CONVERTING = "REAL"
"""The type of number columns in earlier versions."""
SIGN_IN_TABLES = ("_sessions", "_approvals", "_refresh_tokens")
_TABLES_NOT_CLEARED = ("_sobjects", "_catalog", "_clock", *SIGN_IN_TABLES)
_CACHE_KIB = 32_768
_BUSY_SECONDS = 30.0
_STATEMENTS = 512
"""Prepared statements cached per connection; bulk writes repeat a few hundred."""


class Store:
    """The records of one org.

    Readers and the one writer do not wait for each other (WAL). `sf_lower(text)` and the collation
    SF_NOCASE compare as Salesforce does: without case, beyond ASCII too.
    """

    def __init__(self, path: Path, catalog: Catalog, changed: datetime | None = None) -> None:
        """Open a file; `changed` says that it has this catalog's tables, and since when."""
        self.path = path
        self.folder = path.parent
        self.catalog = catalog
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._writer = threading.RLock()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.catalog_changed = changed or self._lay_out()
        """When describe last changed: the first time the store was opened with this catalog."""

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection in a read transaction: a stable view."""
        conn = self._connection()
        if conn.in_transaction:
            yield conn
            return
        conn.execute("BEGIN")
        try:
            yield conn
        finally:
            conn.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection in a write transaction, rolled back on an exception.

        Inside another write of the same thread it is a savepoint of that one.
        """
        with self._writer:
            conn = self._connection()
            if conn.in_transaction:
                if not getattr(self._local, "writes", False):
                    raise RuntimeError("a read transaction cannot become a write transaction")
                with _nested(conn):
                    yield conn
                return
            conn.execute("BEGIN IMMEDIATE")
            self._local.writes = True
            try:
                yield conn
            except BaseException:
                conn.execute("ROLLBACK")
                raise
            else:
                conn.execute("COMMIT")
            finally:
                self._local.writes = False

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let no other thread write until the block ends; what was begun ends first."""
        with self._writer:
            yield

    def replace_by(self, path: Path) -> None:
        """Replace everything by another store file, in one transaction; readers keep their view."""
        with self._writer, closing(connect(path)) as source:
            source.backup(self._connection())

    def clear(self) -> None:
        """Empty every table of records and jobs; key prefixes, clock and sign-ins remain."""
        with self.writing() as conn:
            for (table,) in conn.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                if table not in _TABLES_NOT_CLEARED:
                    conn.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608 - a table's name

    def release(self) -> None:
        """Leave this thread's connection to the next thread that needs one.

        It has read the schema, which takes 3 ms, and keeps what it has compiled.
        """
        conn: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if conn is not None:
            conn.rollback()  # of what could not be committed
            self._local.connection = None
            self._idle.append(conn)

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        with self._writer:
            for conn in self._opened:
                conn.close()
            self._opened.clear()

    def _lay_out(self) -> datetime:
        with self.writing() as conn:
            _lay_out(conn, self.catalog)
            return _catalog_changed(conn, self.catalog)

    def _connection(self) -> sqlite3.Connection:
        conn: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if conn is None:
            try:
                conn = self._idle.pop()
            except IndexError:
                conn = connect(self.path)
                self._opened.append(conn)
            self._local.connection = conn
        return conn


@contextmanager
def _nested(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("SAVEPOINT nested")
    try:
        yield
    except BaseException:
        conn.execute("ROLLBACK TO nested")
        raise
    finally:
        conn.execute("RELEASE nested")


def known_prefixes(path: Path) -> dict[str, str]:
    """Key prefixes of the sObjects in a store file; empty if there is no file."""
    if not path.exists():
        return {}
    with closing(connect(path)) as conn:
        if not _columns(conn, "_sobjects"):
            return {}
        return dict(conn.execute("SELECT name, key_prefix FROM _sobjects"))


def reserve(conn: sqlite3.Connection, counter: str, count: int) -> int:
    """Reserve `count` numbers of a counter; returns the first, counting from 0."""
    conn.execute(
        "INSERT INTO _counters VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET next = next + excluded.next",
        (counter, count),
    )
    row = conn.execute("SELECT next FROM _counters WHERE name = ?", (counter,)).fetchone()
    return int(row[0]) - count


def reserve_below(conn: sqlite3.Connection, counter: str, number: int) -> None:
    """Make sure that no number below this one of a counter is reserved again."""
    conn.execute(
        "INSERT INTO _counters VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
        (counter, number),
    )


def quoted(name: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def fold(text: str | None) -> str | None:
    """The function behind `sf_lower`."""
    return None if text is None else text.casefold()


def key_expression(field: Field) -> str:
    """SQL that is equal for equal values of a field, and indexed.

    It ignores case unless the field is case-sensitive.
    """
    column = quoted(field.name)
    return f"sf_lower({column})" if folds(field) else column


def folds(field: Field) -> bool:
    """Whether comparing values of a field ignores case."""
    return field.soap_type == "xsd:string" and not field.case_sensitive


def connect(path: Path) -> sqlite3.Connection:
    """Open a store file. Its indexes need SQL functions that only this connection defines."""
    # A connection crosses threads only by release() and close(), when nobody queries any more.
    conn = sqlite3.connect(
        path,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    try:
        triggers.register(conn)
        conn.create_function("sf_lower", 1, fold, deterministic=True)
        conn.create_collation("SF_NOCASE", _compare)
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("PRAGMA synchronous = NORMAL")
        conn.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except BaseException:  # the file may be damaged
        conn.close()
        raise
    return conn


def _compare(left: str, right: str) -> int:
    one, two = left.casefold(), right.casefold()
    return (one > two) - (one < two)


def _lay_out(conn: sqlite3.Connection, catalog: Catalog) -> None:
    conn.execute("CREATE TABLE IF NOT EXISTS _counters (name TEXT PRIMARY KEY, next INTEGER)")
    conn.execute("CREATE TABLE IF NOT EXISTS _clock (ahead REAL NOT NULL)")
    conn.execute(
        "CREATE TABLE IF NOT EXISTS _sobjects "
        "(name TEXT PRIMARY KEY, key_prefix TEXT NOT NULL, custom INTEGER NOT NULL)"
    )
    conn.execute(
        "CREATE TABLE IF NOT EXISTS _deleted (sobject TEXT, id TEXT, deleted_date TEXT, "
        "root_id TEXT, purged INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (sobject, id))"
    )
    conn.execute("CREATE INDEX IF NOT EXISTS _deleted_root ON _deleted (root_id) WHERE purged = 0")
    conn.execute(
        "CREATE INDEX IF NOT EXISTS _deleted_date ON _deleted (deleted_date) WHERE purged = 0"
    )
    conn.execute(
        "CREATE TABLE IF NOT EXISTS _cleared "
        "(parent_id TEXT, sobject TEXT, field TEXT, child_id TEXT)"
    )
    conn.execute("CREATE INDEX IF NOT EXISTS _cleared_parent ON _cleared (parent_id)")
    for sobject in catalog.sobjects:
        _lay_out_table(conn, sobject)
        conn.execute(
            "INSERT INTO _sobjects VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (sobject.name, sobject.key_prefix, sobject.custom),
        )
    triggers.lay_out(conn, catalog)


def _fingerprint(catalog: Catalog) -> str:
    # Each start computes it. `repr` takes four times as long.
    return str(crc32(msgspec.json.encode(catalog.sobjects, enc_hook=repr)))


def _catalog_changed(conn: sqlite3.Connection, catalog: Catalog) -> datetime:
    print_of_catalog = _fingerprint(catalog)
    conn.execute("CREATE TABLE IF NOT EXISTS _catalog (fingerprint TEXT PRIMARY KEY, changed TEXT)")
    now = datetime.now(UTC).replace(microsecond=0)
    row = conn.execute(
        "SELECT changed FROM _catalog WHERE fingerprint = ?", (print_of_catalog,)
    ).fetchone()
    if row is not None:
        return datetime.fromisoformat(row[0])
    conn.execute("DELETE FROM _catalog")
    conn.execute("INSERT INTO _catalog VALUES (?, ?)", (print_of_catalog, now.isoformat()))
    return now


def _lay_out_table(conn: sqlite3.Connection, sobject: SObject) -> None:
    stored = [field for field in sobject.fields if field.stored]
    present = _columns(conn, sobject.name)
    if not present:
        hidden = [
            _column(Field(name, name, "boolean" if name == "IsDeleted" else "string"))
            for name in sobject.columns[len(stored) :]
        ]
        columns = ", ".join([*map(_column, stored), *hidden])
        conn.execute(f"CREATE TABLE {quoted(sobject.name)} ({columns})")
    else:
        for field in stored:
            if field.name not in present:
                conn.execute(f"ALTER TABLE {quoted(sobject.name)} ADD COLUMN {_column(field)}")
            elif present[field.name] == _CONVERTING:
                _stop_converting(conn, sobject, field)
    for field in stored:
        if _indexed(field):
            _lay_out_index(conn, sobject, field)


def _stop_converting(conn: sqlite3.Connection, sobject: SObject, field: Field) -> None:
    table, column, old = quoted(sobject.name), quoted(field.name), quoted(f"_{field.name}")
    conn.execute(f"DROP INDEX IF EXISTS {quoted(f'{sobject.name}.{field.name}')}")
    conn.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO {old}")
    conn.execute(f"ALTER TABLE {table} ADD COLUMN {_column(field)}")
    conn.execute(f"UPDATE {table} SET {column} = {old}")  # noqa: S608 - names of the catalog
    conn.execute(f"ALTER TABLE {table} DROP COLUMN {old}")


def _columns(conn: sqlite3.Connection, table: str) -> dict[str, str]:
    """Names and declared types."""
    return {row[1]: row[2] for row in conn.execute(f"PRAGMA table_info({quoted(table)})")}


def _column(field: Field) -> str:
    if field.name == "Id":
        return '"Id" TEXT PRIMARY KEY NOT NULL'
    return f"{quoted(field.name)} {_COLUMN_TYPES.get(field.type, 'TEXT')}".rstrip()


def _indexed(field: Field) -> bool:
    """Whether a field is a key, the modification stamp, or a reference to a parent."""
    if field.name == "Id":
        return False
    is_key = field.unique or field.external_id or field.id_lookup
    leads_to_parent = bool(field.reference_to) and "User" not in field.reference_to
    return is_key or leads_to_parent or field.name == "SystemModstamp"


def _lay_out_index(conn: sqlite3.Connection, sobject: SObject, field: Field) -> None:
    conn.execute(
        f"CREATE INDEX IF NOT EXISTS {quoted(f'{sobject.name}.{field.name}')} "
        f"ON {quoted(sobject.name)} ({key_expression(field)}) "
        f"WHERE {quoted(field.name)} IS NOT NULL"
    )
