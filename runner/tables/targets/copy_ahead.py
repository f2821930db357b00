"""Copies the rows of a Bulk query into a new table of PostgreSQL while they are being downloaded.

Nothing that it does can be seen before `finish`, and whatever goes wrong until then is not
reported: the transaction is rolled back, and the rows are delivered from the complete file as if
this had not been tried. Knows threads and files that grow. Knows nothing of requests.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING, Self

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.lanes import first_done
from runner.tables.targets.bulk_header import names_in_place
from runner.tables.targets.column_types import (
    TypedColumn,
    TypedRows,
    typed_names,
)

if TYPE_CHECKING:
    from concurrent.futures import Future

    import psycopg

    from runner.tables.targets.rest_rows import QueryColumn

FEW_ROWS = 50_000
"""Up to here the download is over before a copy has begun."""
SOON = 60.0
"""Seconds: no transaction is opened for a download that takes longer."""
_LATEST = 5
"""Times as long is waited, if the download slows down."""
_BLOCK_BYTES = 1 << 18
_ENDING_SECONDS = 5.0


class AbandonedError(Exception):
    """The rows are not copied ahead after all. Never leaves this module."""


class CopyAhead:
    """The copy of one query's rows; begins by itself once the end of the download is near."""

    def __init__(
        self,
        target: DatabaseTarget,
        known: Sequence[QueryColumn],
        *,
        soon: float = SOON,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin nothing yet.

        Args:
            target: A table that psycopg alone replaces.
            known: The described columns.
            soon: How many seconds the download may still take.
            clock: Gives seconds.
        """
        self._target = target
        self._known = known
        self._soon = soon
        self._clock = clock
        self._expected = 0
        self._began = 0.0
        self._growing: _GrowingFile | None = None
        self._link: psycopg.Connection | None = None
        self._is_copied = False
        self._copying: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandon()

    def expect(self, rows: int) -> None:
        """Learn how many rows there will be, before their download begins.

        A download would take the processor from the import that the first row waits for.
        """
        if rows > FEW_ROWS:
            import psycopg  # noqa: F401
        self._expected, self._began = rows, self._clock()

    def grown(self, file: Path, size: int, rows: int) -> None:
        """Note how many rows have arrived; the last ones are not checked yet.

        Args:
            file: Only grows; if it is shorter than before, or another, the copy ends.
            size: In bytes.
            rows: About as many.
        """
        if self._growing is not None:
            self._growing.grow(file, size)
        elif self._is_near(rows):
            self._begin(file, size)

    @property
    def is_under_way(self) -> bool:
        """Whether there is a transaction."""
        return self._copying is not None and not self._copying.done()

    def _is_near(self, rows: int) -> bool:
        if self._expected <= FEW_ROWS or not 0 < rows < self._expected:
            return False
        left = (self._expected - rows) / rows * (self._clock() - self._began)
        return left <= self._soon

    def _begin(self, file: Path, size: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from runner.tables.targets.exponents import has_exponent

        try:
            if has_exponent(file):  # the file will be rewritten once it is complete
                self._expected = 0
                return
            growing = self._growing = _GrowingFile(file, size, _LATEST * self._soon)
        except OSError:
            self._expected = 0
            return
        names = names_in_place(file, self._known)
        columns = typed_names(names, self._known) if names else ()
        if not columns or not all(each.is_described for each in columns):
            growing.abandon()
            growing.close()
            return
        pool = ThreadPoolExecutor(1, "copy")
        self._copying = pool.submit(self._copy, growing, columns)
        pool.shutdown(wait=False)

    def _copy(self, growing: _GrowingFile, columns: tuple[TypedColumn, ...]) -> None:
        from runner.tables.psycopg_connection import connect_psycopg
        from runner.tables.staging.canonical_values import open_database
        from runner.tables.targets.postgresql import copy, create_beside, put_in_place

        target = self._target
        with (
            closing(growing),
            closing(open_database(growing.path.parent)) as database,
            connect_psycopg(target.url, StateError) as link,
        ):
            self._link = link
            database.make_room(len(columns))
            new = create_beside(link, target, columns)
            names = [each.name for each in columns]
            copy(link, new, names, TypedRows(database, growing.path, columns), growing.blocks)
            growing.check()
            self._is_copied = True
            put_in_place(link, target, new, None)

    def finish(self, rows: Path) -> bool:
        """Put the table in its place, if it has been filled with the rows of a file.

        Args:
            rows: All of them, as they are delivered.

        Returns:
            Whether it has; otherwise nothing has happened.

        Raises:
            StateError: The table is filled, and the database refuses to put it in its place.
        """
        if self._growing is None or self._copying is None:
            return False
        self._growing.end(rows)
        first_done([self._copying])
        error = self._copying.exception()
        if error is not None and self._is_copied:
            raise error
        return error is None

    def abandon(self) -> None:
        """End, if it has not, and leave the database as it was."""
        if self._growing is None or self._copying is None or self._copying.done():
            return
        from concurrent.futures import wait

        self._growing.abandon()
        if self._link is not None:
            with suppress(Exception):  # it may have just been closed
                self._link.cancel_safe(timeout=_ENDING_SECONDS)
        wait([self._copying], _ENDING_SECONDS)


class _GrowingFile:
    """A file that another thread writes, read up to where it is complete."""

    def __init__(self, path: Path, size: int, patience: float) -> None:
        self.path = path
        self._file = path.open("rb")
        self._size = size
        self._until = time.monotonic() + patience
        self._changed = Condition()
        self._is_abandoned = False
        self._is_ended = False

    def close(self) -> None:
        self._file.close()

    def grow(self, path: Path, size: int) -> None:
        """Learn its size; a file that shrinks, or another one, is not this file any more."""
        with self._changed:
            self._is_abandoned |= path != self.path or size < self._size
            self._size = size
            self._changed.notify_all()

    def end(self, rows: Path) -> None:
        """Learn that nothing is added any more, and what the file is called now."""
        with self._changed, suppress(ValueError):  # closed: the copy has failed
            own, found = os.fstat(self._file.fileno()), rows.stat()
            is_same = os.path.samestat(own, found) and found.st_size == self._size
            self._is_abandoned |= not is_same
            self._is_ended = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Make all reading end with an error."""
        with self._changed:
            self._is_abandoned = True
            self._changed.notify_all()

    def check(self) -> None:
        """Check that what was read is the file.

        Raises:
            AbandonedError: It is not.
        """
        with self._changed:
            if self._is_abandoned or not self._is_ended:
                raise AbandonedError

    def blocks(self) -> Iterator[bytes]:
        """Read it from its beginning until it has ended; by several threads, if need be.

        Raises:
            AbandonedError: It is abandoned, or grows for too long.
        """
        place = 0
        while place < self._known_size(place):
            block = os.pread(self._file.fileno(), self._wanted(place), place)
            if not block:
                raise AbandonedError
            place += len(block)
            yield block

    def _wanted(self, place: int) -> int:
        with self._changed:
            return min(_BLOCK_BYTES, self._size - place)

    def _known_size(self, place: int) -> int:
        """How many bytes there are, once there are more than so many, or no more will come."""

        def is_known() -> bool:
            return self._is_abandoned or self._is_ended or self._size > place

        with self._changed:
            if not self._changed.wait_for(is_known, self._until - time.monotonic()):
                self._is_abandoned = True
            if self._is_abandoned:
                raise AbandonedError
            return self._size
