"""A state that machines share: PostgreSQL for the ledger and the locks, a store for files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ExitCode, StateError, StorageError
from runner.state.ledger import Ledger
from runner.state.locks import job_held, lock_name
from runner.state.paths import StateFolder
from runner.state.shared.address import SharedAddress
from runner.state.shared.database import PostgresDatabase
from runner.state.shared.locks import check_leases, leased
from runner.state.shared.run_files import StoredFiles
from runner.state.shared.watch import Watch

if TYPE_CHECKING:
    from runner.state.ledger_adding import Added


class SharedStore:
    """An open state, shared by machines."""

    def __init__(self, state: StateFolder, address: SharedAddress) -> None:
        """Connect.

        Args:
            state: The folder of this machine, for the files of runs while they are used here.
            address: Where the state is.
        """
        runs = state.create().runs
        self._connect = partial(PostgresDatabase, address, runs)
        self._watch = Watch()
        with _nothing_begun():
            self._database = self._connect(self._watch)
        self.permit: Callable[[], None] | None = partial(check_leases, self._database)
        self._files = StoredFiles(self._database, address.files, runs, self._watch)
        self.ledger = Ledger(self._database, files=self._files)

    def tell_waits(self, tell: Callable[[str], None]) -> None:
        """Have it told when the database or the store does not answer for a while."""
        self._watch.tell = tell

    def add_copy(self, copy: Path, place: Callable[[Collection[str]], None]) -> Added:
        """Add a ledger's copy, and the files of its runs, all of it or nothing.

        Args:
            copy: The copy, with the paths of this machine.
            place: Puts the folders of these runs where they belong on this machine.

        Raises:
            LockHeldError: A run is in progress on some machine.
            UsageError: A run or a watermark is here already, and not the same.
            StateError: The state cannot be used.
        """
        from runner.state.shared.ledger_import import (  # noqa: PLC0415 - few import
            adding_to,
            runs_to_add,
        )

        new = runs_to_add(self._database, copy)
        with _nothing_begun():
            self._files.check()
        place(new)
        with (
            self._files.adding(new) as note_files,
            adding_to(self._database, copy, note_files) as added,
        ):
            return added

    @contextmanager
    def run_lock(  # noqa: PLR0913 - as the port
        self,
        job_file: Path,
        org_id: str | None,
        *,
        run_id: str,
        target: str | None = None,
        since: datetime | None = None,
        wait_seconds: float = 0.0,
    ) -> Iterator[Callable[[str], None]]:
        """Hold the lock of one job file on one org, on all machines; files can be stored then."""
        lock = leased(
            self._database,
            self._connect,
            lock_name(self._database.to_text(str(job_file)), org_id, target),
            run_id=run_id,
            since=since or datetime.now(UTC),
            wait_seconds=wait_seconds,
            refused=partial(job_held, job_file),
        )
        with ExitStack() as stack:
            with _nothing_begun():
                note_run_id = stack.enter_context(lock)
                self.ledger.files.check()
            yield note_run_id


@contextmanager
def _nothing_begun() -> Iterator[None]:
    """Let errors say by their exit code that nothing was attempted: invalid, or try later."""
    try:
        yield
    except StorageError as error:
        error.exit_code = ExitCode.TEMPORARY
        raise
    except StateError as error:
        error.exit_code = ExitCode.INVALID
        raise
