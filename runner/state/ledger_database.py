"""The database of a ledger: what the ledger's tables need of it, whichever it is.

Statements are in the SQL that SQLite and PostgreSQL share, with named values. Knows nothing of what
the rows mean.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from runner.errors import StateError
from runner.state.process import ProcessIdentity

Value = str | int | float | None
Columns = dict[str, Value]
Row = Mapping[str, Any]
"""A row by the names of its columns; sqlite3.Row is used as one."""


class Result(Protocol):
    """What a statement gives."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a row or None, in each driver's own type
        """The next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """The rows that are left."""

    def __iter__(self) -> Iterator[Any]: ...


class Statements(Protocol):
    """A connection, within a block."""

    def execute(self, statement: str, values: Mapping[str, Any] = ..., /) -> Result:
        """Execute one statement."""

    def executemany(self, statement: str, values: Iterable[Mapping[str, Any]], /) -> object:
        """Execute a statement once for each mapping."""


class LedgerDatabase(ABC):
    """An open database, which threads may share.

    Each commit lasts before it returns. Every method raises StateError when the database cannot be
    read or written.
    """

    name: str
    """For messages: where it is, without a secret."""
    items_of: str
    """SELECT of the column `value`: the items of the JSON array `:items`."""

    @abstractmethod
    def close(self) -> None:
        """Close it."""

    @abstractmethod
    def writing(self, *, synced: bool = True) -> AbstractContextManager[Statements]:
        """One transaction; a block within a block is part of it.

        Without `synced` it does not wait for the disk; the next one that does brings it along.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Statements]:
        """The connection, for one thread at a time."""

    @abstractmethod
    def has_ended(self, run_id: str, process: ProcessIdentity) -> bool:
        """Whether the process that executes a run is certain to have ended."""

    @abstractmethod
    def shrink(self) -> None:
        """Give the space of deleted rows back."""

    def insert(self, table: str, columns: Columns, *, replacing: tuple[str, ...] = ()) -> None:
        """Add a row, or put it in place of the one with the same key of columns `replacing`."""
        values = ", ".join(f":{name}" for name in columns)
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - own names
        if replacing:
            others = ", ".join(f"{n} = excluded.{n}" for n in columns if n not in replacing)
            statement += f" ON CONFLICT ({', '.join(replacing)}) DO UPDATE SET {others}"
        self.execute(statement, columns)

    def update(self, table: str, columns: Columns, key: Mapping[str, str]) -> None:
        """Change columns of the row that has a key.

        Raises:
            StateError: There is no such row.
        """
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        where = " AND ".join(f"{name} = :{name}" for name in key)
        statement = f"UPDATE {table} SET {assignments} WHERE {where}"  # noqa: S608 - own names
        if self.execute(statement, {**columns, **key}) == 0:
            raise StateError(f"The ledger {self.name} has no record of {' / '.join(key.values())}.")

    def execute(self, statement: str, values: Mapping[str, object]) -> int:
        """Change rows in a transaction; return how many."""
        with self.writing() as connection:
            return connection.execute(statement, values).rowcount
