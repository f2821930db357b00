"""Snapshots: an org as it was, one file each, to which it can go back.

Knows what belongs to an org's state: its records, the recycle bin, the contents of files and the
clock. Sign-ins and Bulk jobs do not. Knows no HTTP.

A snapshot is a ZIP file that appears at once when it is whole; a restore changes the store in one
transaction of SQLite, so a crash leaves the org as it was.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Lock
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec
from msgspec import Struct

from runner.local_org.blobs import Blobs
from runner.local_org.bootstrap import write_initial_records
from runner.local_org.bulk.jobs import Jobs
from runner.local_org.bulk.threads import JobThreads
from runner.local_org.bulk1.jobs import Bulk1Jobs
from runner.local_org.clock_setting import saved_ahead
from runner.local_org.org import Clock, Org
from runner.local_org.store import SIGN_IN_TABLES, Store, connect, known_prefixes, quoted

FOLDER_NAME = "snapshots"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ENDING = ".zip"
_STORE, _ABOUT, _BLOBS = "org.sqlite3", "snapshot.json", "blobs/"
_FORMAT = 1
_JOB_TABLES = ("_jobs", "_classic_jobs", "_classic_batches")
_JOB_COUNTERS = ("_jobs", "_batches")
_DAMAGES = (
    OSError,
    KeyError,
    ValueError,
    AttributeError,
    BadZipFile,
    sqlite3.Error,
    msgspec.ValidationError,  # no ValueError before msgspec 0.23
)
_QUICK = 1
"""Level of compression: a snapshot is made far more often than it is moved."""


class SnapshotError(Exception):
    """A snapshot that cannot be made, restored or deleted; the org is as it was."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Snapshot(Struct, frozen=True):
    """What a snapshot says of itself."""

    name: str
    taken: datetime
    """By the clock of this machine, not by the org's."""
    records: int
    format: int = _FORMAT


class Snapshots:
    """The snapshots of one org; they outlive its reset."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._folder = org.store.folder / FOLDER_NAME
        self._alone = Lock()

    def take(self, name: str, now: datetime, *, replace: bool = False) -> Snapshot:
        """Save the org's state under a name.

        Raises:
            SnapshotError: The name is none, or taken.
        """
        file = self._file(name)
        if file.exists() and not replace:
            raise SnapshotError(
                f"There is a snapshot {name} already", "Add `--update` to take it again."
            )
        self._folder.mkdir(exist_ok=True)
        with self._scratch() as folder:
            with self._org.store.writing():  # nobody writes while it is copied
                copy = folder / _STORE
                _copy_store(self._org.store.path, copy)
                about = Snapshot(name, now, _without_others(copy, self._org.store))
                blobs = list(self._org.part(Blobs).files())
            made = folder / "snapshot.zip"
            with ZipFile(made, "w", ZIP_DEFLATED, compresslevel=_QUICK) as archive:
                archive.writestr(_ABOUT, msgspec.json.encode(about))
                archive.write(copy, _STORE)
                for blob in blobs:
                    archive.write(blob, _BLOBS + blob.name)
            _sync(made)
            made.replace(file)
            _sync(self._folder)
        return about

    def restore(self, name: str) -> Snapshot:
        """Make the org what it was when a snapshot was taken; Bulk jobs are deleted.

        Raises:
            SnapshotError: There is none of this name, it is damaged, it does not fit the org file,
                or a Bulk job is in progress.
        """
        org = self._org
        file = self._existing(name)
        jobs, bulk1_jobs = org.part(Jobs), org.part(Bulk1Jobs)
        with self._scratch() as folder:
            about = _unpacked(file, folder)
            self._check_prefixes(name, folder / _STORE)
            with org.store.exclusively():
                # One that a dead server left behind is deleted like those that have ended.
                if org.part(JobThreads).busy and (jobs.unfinished() or bulk1_jobs.unfinished()):
                    raise SnapshotError(
                        "A Bulk job is in progress in this org",
                        "Wait until it has ended, or abort it.",
                    )
                _take_over(org.store, folder / _STORE, org.id)
                _fit(folder / _STORE, org)
                org.part(Blobs).add(folder / _BLOBS)
                org.store.replace_by(folder / _STORE)
                if isinstance(org.clock, Clock):
                    org.clock.ahead = saved_ahead(org.store)
            bulk1_jobs.delete_all()
            jobs.delete_all()
        return about

    def listed(self) -> list[Snapshot]:
        """All snapshots, the oldest first; damaged ones are left out."""
        found = []
        for file in self._folder.glob(f"*{_ENDING}"):
            try:
                with ZipFile(file) as archive:
                    found.append(msgspec.json.decode(archive.read(_ABOUT), type=Snapshot))
            except (OSError, KeyError, BadZipFile, msgspec.MsgspecError):
                continue
        return sorted(found, key=lambda each: (each.taken, each.name))

    def delete(self, name: str) -> None:
        """Delete a snapshot.

        Raises:
            SnapshotError: There is none of this name.
        """
        self._existing(name).unlink()

    def _file(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise SnapshotError(
                f"{name!r} cannot be the name of a snapshot",
                "Use up to 100 letters, digits, dots, hyphens and underscores; begin with a letter "
                "or digit.",
            )
        return self._folder / (name + _ENDING)

    def _existing(self, name: str) -> Path:
        file = self._file(name)
        if not file.exists():
            names = ", ".join(each.name for each in self.listed())
            raise SnapshotError(
                f"There is no snapshot {name} of this org",
                f"There are: {names}." if names else "Take one with `runner org snapshot NAME`.",
            )
        return file

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A folder for the time being, on the same disk; those of dead processes are removed."""
        with self._alone:
            for stray in self._folder.glob(".making-*"):
                shutil.rmtree(stray, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".making-") as folder:
                yield Path(folder)

    def _check_prefixes(self, name: str, store: Path) -> None:
        """Refuse a snapshot whose objects have other key prefixes: its Ids would be of others."""
        catalog = self._org.catalog
        for sobject, prefix in known_prefixes(store).items():
            known, owner = catalog.sobject(sobject), catalog.of_id(prefix)
            if (known and known.key_prefix != prefix) or (owner and owner.name != sobject):
                raise SnapshotError(
                    f"The snapshot {name} was taken with another org file: Ids of {sobject} begin "
                    f"with {prefix}",
                    "Restore it with the org file that it was taken with.",
                )


def _copy_store(path: Path, to: Path) -> None:
    with closing(connect(path)) as source, closing(connect(to)) as copy:
        source.backup(copy)


def _without_others(copy: Path, store: Store) -> int:
    """Remove sign-ins and Bulk jobs from a copy of a store; returns how many records it has."""
    with closing(connect(copy)) as conn:
        conn.execute("PRAGMA journal_mode = DELETE")  # one file
        for table in (*SIGN_IN_TABLES, *_JOB_TABLES):
            if _has_table(conn, table):
                conn.execute(f"DELETE FROM {quoted(table)}")  # noqa: S608 - a table's name
        conn.execute("VACUUM")
        counts = (
            conn.execute(
                f'SELECT count(*) FROM {quoted(each.name)} WHERE NOT "IsDeleted"'  # noqa: S608
            ).fetchone()
            for each in store.catalog.sobjects
        )
        return sum(count for (count,) in counts)


def _unpacked(file: Path, folder: Path) -> Snapshot:
    """Unpack a snapshot and check it."""
    damaged = SnapshotError(
        f"{file} is damaged", "Take the snapshot again, or restore the file from a backup."
    )
    try:
        with ZipFile(file) as archive:
            about = json.loads(archive.read(_ABOUT))
            if about.get("format") != _FORMAT:
                raise SnapshotError(
                    f"{file} was made by another version of the runner", "Take the snapshot again."
                )
            archive.extractall(folder)
        with closing(connect(folder / _STORE)) as conn:
            (said,) = conn.execute("PRAGMA quick_check").fetchone()
        if said != "ok":
            raise damaged
        (folder / _BLOBS).mkdir(exist_ok=True)
        return msgspec.convert(about, Snapshot)
    except _DAMAGES as error:
        raise damaged from error


def _take_over(store: Store, copy: Path, organization_id: str) -> None:
    """Give a copy the sign-ins of the store that it replaces, and no Id of a job a second time."""
    with closing(connect(copy)) as conn:
        conn.execute("ATTACH ? AS live", (str(store.path),))
        conn.execute("BEGIN")
        # The snapshot may come from the folder of another machine.
        conn.execute('UPDATE "Organization" SET "Id" = ?', (organization_id,))
        for table in (*SIGN_IN_TABLES, *_JOB_TABLES):
            find = "SELECT sql FROM live.sqlite_master WHERE type = 'table' AND name = ?"
            live = conn.execute(find, (table,)).fetchone()
            if live is not None and not _has_table(conn, table):
                conn.execute(live[0])
            if live is not None and table in SIGN_IN_TABLES:
                conn.execute(f"DELETE FROM main.{table}")  # noqa: S608 - a table's name
                conn.execute(f"INSERT INTO main.{table} SELECT * FROM live.{table}")  # noqa: S608
        marks = ", ".join("?" for _ in _JOB_COUNTERS)
        conn.execute(
            f"INSERT INTO main._counters SELECT * FROM live._counters WHERE name IN ({marks}) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
            _JOB_COUNTERS,
        )
        conn.execute("COMMIT")


def _fit(copy: Path, org: Org) -> None:
    """Give a store what the org file declares now."""
    store = Store(copy, org.catalog)
    try:
        write_initial_records(store, org.id)
    finally:
        store.close()


def _has_table(conn: sqlite3.Connection, table: str) -> bool:
    find = "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ?"
    return conn.execute(find, (table,)).fetchone() is not None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
