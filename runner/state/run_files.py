"""The files of runs: where they are, besides in the folder of each run on this machine.

A port. With a state folder they are in that folder alone; a shared state has them in an object
store too. Knows nothing of what is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from runner.files import unwritable
from runner.state.ledger_database import LedgerDatabase, Statements


class Aside(Struct, frozen=True):
    """A file that one process of a run has made for another."""

    name: str
    stored: str
    """Where it is."""
    size: int


class RunFiles(Protocol):
    """The files of all runs of a state."""

    def writing(
        self, run_id: str, *, synced: bool = True, with_log: bool = True
    ) -> AbstractContextManager[Statements]:
        """A transaction of the ledger; with it, the run's files of this moment are there to stay.

        Args:
            run_id: The run.
            synced: Whether to wait for the disk.
            with_log: Whether to include what is beside the tasks: its log, which always grows.

        Raises:
            StateError: They cannot be stored.
        """

    def fetch(self, run_id: str, *, exact: bool = False) -> None:
        """Bring a run's files into its folder on this machine, as the ledger knows them.

        Args:
            run_id: The run; while it runs on this machine, its files are here.
            exact: Also undo what the ledger does not know of, as this process resumes the run.
                Otherwise files that somebody has changed or added here stay, for a retry.

        Raises:
            StateError: They cannot be fetched, or are not all there.
        """

    def put_aside(self, run_id: str, files: Sequence[Path]) -> list[Aside]:
        """Store files for the process that the run belongs to; the ledger does not know them.

        Raises:
            StateError: They cannot be stored.
        """

    def take(self, run_id: str, aside: Sequence[Aside], folder: Path) -> None:
        """Bring files that another process has put aside into a folder of the run.

        Raises:
            StateError: They are not there, or incomplete.
        """

    def delete(self, run_id: str) -> None:
        """Delete the files of a run that the ledger no longer has."""

    def tidy(self) -> None:
        """Delete what this machine still has of runs that another has deleted."""

    def delete_strays(self, now: datetime) -> int:
        """Delete what dead processes have stored for runs that ended a while ago; how many files.

        Raises:
            StateError: They cannot be listed or deleted.
        """

    def check(self) -> None:
        """Check that files can be stored.

        Raises:
            StateError: They cannot.
        """


class FolderFiles:
    """Files that are in the folders of the runs alone."""

    def __init__(self, database: LedgerDatabase, runs: Path) -> None:
        """Describe them.

        Args:
            database: Of the ledger.
            runs: The folder of the runs.
        """
        self._database = database
        self._runs = runs

    def writing(
        self,
        run_id: str,  # noqa: ARG002 - one folder
        *,
        synced: bool = True,
        with_log: bool = True,  # noqa: ARG002 - it is there
    ) -> AbstractContextManager[Statements]:
        """A transaction of the ledger."""
        return self._database.writing(synced=synced)

    def fetch(self, run_id: str, *, exact: bool = False) -> None:
        """Do nothing: they are here."""

    def put_aside(self, run_id: str, files: Sequence[Path]) -> list[Aside]:
        """Leave them where they are."""
        place = self._runs / run_id
        return [
            Aside(file.name, str(file.relative_to(place)), file.stat().st_size) for file in files
        ]

    def take(self, run_id: str, aside: Sequence[Aside], folder: Path) -> None:
        """Move them."""
        try:
            for each in aside:
                (self._runs / run_id / each.stored).replace(folder / each.name)
        except OSError as error:
            raise unwritable(folder, error) from error

    def delete(self, run_id: str) -> None:
        """Delete a run's folder."""
        from shutil import rmtree  # noqa: PLC0415 - not every start needs it

        rmtree(self._runs / run_id, ignore_errors=True)

    def delete_strays(self, now: datetime) -> int:  # noqa: ARG002 - one folder
        """Delete nothing: the next run of any job deletes what dead processes left here."""
        return 0

    def check(self) -> None:
        """Do nothing: the ledger is in the same place."""

    def tidy(self) -> None:
        """Do nothing: no other machine deletes runs."""
