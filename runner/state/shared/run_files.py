"""Files of runs in an object store, or in a folder that all machines mount.

Each upload gets a name of its own, and the ledger lists the names: a machine that was cut off
cannot replace what another refers to. Uses fsspec, from the extra `remote`. Knows nothing of what
the files contain.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from threading import RLock
from typing import TYPE_CHECKING, Any

from runner.errors import StateError, StorageError, library_of
from runner.files import PRIVATE_FILE, Stamp, private_folder
from runner.job.endpoints import OBJECT_STORES, shown_url
from runner.parallel import parallel_map
from runner.state.ledger_database import Row, Statements
from runner.state.process import ProcessIdentity
from runner.state.run_files import Aside
from runner.state.shared.kept_files import (
    Stored,
    files_in,
    known_runs,
    read_stored,
    save_stored,
)
from runner.state.shared.strays import strays

if TYPE_CHECKING:
    from runner.state.shared.database import PostgresDatabase
    from runner.state.shared.watch import Watch

_ASIDE = "aside"
"""Folder of files that the ledger does not know, or does not know yet."""
_AT_ONCE = 8
"""Transfers at the same time."""


class StoredFiles:
    """The files of runs in a store. Threads may share it."""

    def __init__(
        self, database: PostgresDatabase, url: str, runs: Path, watch: Watch | None = None
    ) -> None:
        """Describe it; nothing is read yet.

        Args:
            database: Of the ledger.
            url: Of the store's folder for this state.
            runs: The folder of this machine for files of runs.
            watch: Over what is waited for; None: one of its own.
        """
        self._database = database
        self._watch = watch or database.watch
        self._url = url
        self._runs = runs
        self._store: tuple[Any, str] | None = None
        self._stored: dict[str, dict[str, Stored]] = {}
        """By run and path, those that this process has sent or fetched."""
        self._aside: dict[Stamp, str] = {}
        """Of files that other processes have sent, and that this one has fetched: their names."""
        self._folders: set[str] = set()
        """Those that this process has made in the store."""
        self._lock = RLock()

    @contextmanager
    def writing(
        self, run_id: str, *, synced: bool = True, with_log: bool = True
    ) -> Iterator[Statements]:
        """A transaction of the ledger; with it, the run's files of this moment are there to stay.

        Raises:
            StateError: They cannot be stored.
        """
        with self._lock:
            stored = self._stored.setdefault(run_id, {})
            found = files_in(self._runs / run_id)
            changed = [
                path
                for path, stamp in found.items()
                if (with_log or "/" in path) and (path not in stored or stored[path].stamp != stamp)
            ]
            gone = [path for path in stored if path not in found]
            sent = self._send(run_id, changed, found)
            replaced = [stored[path].name for path in (*sent, *gone) if path in stored]
            with self._database.writing(synced=synced) as connection:
                for path in gone:
                    connection.execute(_FORGET, {"run_id": run_id, "path": path})
                for path, each in sent.items():
                    values = {"run_id": run_id, "path": path, "name": each.name}
                    connection.execute(_NOTE, {**values, "size": each.stamp.size})
                yield connection
            stored.update(sent)
            for path in gone:
                del stored[path]
            if with_log:
                save_stored(self._runs / run_id, stored)
        if replaced:
            self._remove(run_id, replaced)

    @contextmanager
    def adding(self, runs: Sequence[str]) -> Iterator[Callable[[Statements], None]]:
        """Send the files of runs that the ledger is about to get, before its transaction begins.

        Yields:
            What to call in that transaction, once it has the runs.

        Raises:
            StateError: They cannot be stored; what was is deleted, as when the block raises.
        """
        sent: dict[str, dict[str, Stored]] = {}

        def note(connection: Statements) -> None:
            for run_id, files in sent.items():
                connection.executemany(
                    _NOTE,
                    (
                        {"run_id": run_id, "path": path, "name": each.name, "size": each.stamp.size}
                        for path, each in files.items()
                    ),
                )

        try:
            for run_id in runs:
                found = files_in(self._runs / run_id)
                sent[run_id] = self._send(run_id, [*found], found)
            yield note
        except BaseException:
            for run_id, files in sent.items():
                self._remove(run_id, [each.name for each in files.values()])
            raise
        for run_id, files in sent.items():
            save_stored(self._runs / run_id, files)

    def fetch(self, run_id: str, *, exact: bool = False) -> None:
        """Bring a run's files into its folder on this machine, as the ledger knows them.

        Args:
            run_id: The run; while it runs on this machine, its files are here.
            exact: Also undo what the ledger does not know of, as this process resumes the run.
                Otherwise files that somebody has changed or added here stay, for a retry.

        Raises:
            StateError: They cannot be fetched, or are not all there.
        """
        folder = self._runs / run_id
        with self._database.reading() as connection:
            rows = connection.execute(_LIST, {"run_id": run_id}).fetchall()
            if not exact and folder.is_dir() and self._runs_here(connection, run_id):
                return
        with self._lock:
            stored, found = self._known(run_id), files_in(folder)
            wanted = {row["path"]: row for row in rows}
            for path in (found if exact else found.keys() & stored.keys()) - wanted.keys():
                (folder / path).unlink(missing_ok=True)

            def is_here(path: str) -> bool:
                known, stamp = stored.get(path), found.get(path)
                if known is None or stamp is None or known.name != wanted[path]["name"]:
                    return False
                return not exact or known.stamp == stamp

            missing = [path for path in wanted if not is_here(path)]
            private_folder(folder)
            got = parallel_map(partial(self._fetched, run_id, wanted), missing, _AT_ONCE)
            stored.update(zip(missing, got, strict=True))
            for path in stored.keys() - wanted.keys():
                del stored[path]
            save_stored(folder, stored)

    def _fetched(self, run_id: str, wanted: Mapping[str, Row], path: str) -> Stored:
        row, to = wanted[path], self._runs / run_id / path
        private_folder(to.parent)
        self._fetch_file(run_id, row["name"], to, row["size"])
        return Stored(row["name"], Stamp.of(to.stat()))

    def _fetch_file(self, run_id: str, name: str, to: Path, wanted: int) -> None:
        fs, root = self._opened()
        beside = to.with_name(f".{to.name}.{secrets.token_hex(4)}")
        try:
            with self._errors("fetched"):
                fs.get_file(f"{root}/{run_id}/{name}", str(beside))
            beside.chmod(PRIVATE_FILE)
            size = beside.stat().st_size
            if size != wanted:
                raise StateError(
                    f"{to.relative_to(self._runs / run_id)} of run {run_id} was cut off: it has "
                    f"{size:,} of {wanted:,} bytes.",
                    hint="Run again; if it happens again, the store is damaged.",
                )
            beside.replace(to)
        finally:
            beside.unlink(missing_ok=True)

    def _known(self, run_id: str) -> dict[str, Stored]:
        if run_id not in self._stored:
            self._stored[run_id] = read_stored(self._runs / run_id)
        return self._stored[run_id]

    @staticmethod
    def _runs_here(connection: Statements, run_id: str) -> bool:
        """Whether a process of this machine is at a run."""
        row = connection.execute(_PROCESS, {"run_id": run_id}).fetchone()
        if row is None:
            return False
        process = ProcessIdentity(row["pid"], row["host"], row["began"])
        return process.is_of_this_machine and not process.has_ended()

    def put_aside(self, run_id: str, files: Sequence[Path]) -> list[Aside]:
        """Send files for the process that the run belongs to; the ledger does not know them.

        Raises:
            StateError: They cannot be stored.
        """
        fs, root = self._opened()
        names = {file: f"{_ASIDE}/{file.name}.{secrets.token_hex(6)}" for file in files}

        def sent(file: Path) -> Aside:
            with self._errors("written"):
                self._make_folder(f"{root}/{run_id}/{_ASIDE}")
                fs.put_file(str(file), f"{root}/{run_id}/{names[file]}")
            return Aside(file.name, names[file], file.stat().st_size)

        return list(parallel_map(sent, files, _AT_ONCE))

    def take(self, run_id: str, aside: Sequence[Aside], folder: Path) -> None:
        """Fetch files that another process has put aside; they need not be sent again.

        Raises:
            StateError: They are not there, or incomplete.
        """

        def fetched(each: Aside) -> None:
            self._fetch_file(run_id, each.stored, folder / each.name, each.size)
            self._aside[Stamp.of((folder / each.name).stat())] = each.stored

        for _ in parallel_map(fetched, aside, _AT_ONCE):
            pass

    def delete(self, run_id: str) -> None:
        """Delete the files of a run that the ledger no longer has."""
        rmtree(self._runs / run_id, ignore_errors=True)
        fs, root = self._opened()
        with self._errors("deleted"):
            fs.rm(f"{root}/{run_id}", recursive=True)
        self._folders.clear()

    def tidy(self) -> None:
        """Delete what this machine still has of runs that another has deleted."""
        here = known_runs(self._runs)
        with self._database.reading() as connection:
            rows = connection.execute(_STILL_THERE, {"items": json.dumps(here)}).fetchall()
        for run_id in set(here) - {row["run_id"] for row in rows}:
            rmtree(self._runs / run_id, ignore_errors=True)

    def delete_strays(self, now: datetime) -> int:
        """Delete objects that the ledger does not list, of runs that ended a while ago.

        Raises:
            StateError: They cannot be listed or deleted.
        """
        fs, root = self._opened()
        with self._errors("deleted"):
            gone = strays(self._database, fs.find(root), f"{root}/", now)
            for each in gone:
                fs.rm_file(each)
            return len(gone)
        return 0  # nothing has been stored yet

    def check(self) -> None:
        """Write and delete a file.

        Raises:
            StateError: The store refuses it.
        """
        fs, root = self._opened()
        probe = f"{root}/.probe-{secrets.token_hex(4)}"
        with self._errors("written"):
            self._make_folder(root)
            fs.pipe_file(probe, b"sfrunner")
            fs.rm_file(probe)

    def _send(self, run_id: str, paths: list[str], stamps: dict[str, Stamp]) -> dict[str, Stored]:
        if not paths:
            return {}
        fs, root = self._opened()

        def sent(path: str) -> Stored | None:
            name, file = f"{path}.{secrets.token_hex(6)}", self._runs / run_id / path
            to, stamp = f"{root}/{run_id}/{name}", stamps[path]
            if (aside := self._aside.pop(stamp, None)) is not None:
                return Stored(aside, stamp)
            with self._errors("written"):
                self._make_folder(to.rpartition("/")[0])
                try:
                    fs.put_file(str(file), to)
                    if Stamp.of(file.stat()) != stamp:  # it grew meanwhile: sent again next time
                        stamp = Stamp(fs.size(to), 0, 0)
                except FileNotFoundError:
                    if file.exists():  # so it is the store that lacks something
                        raise
                    return None  # another thread has just deleted it
            return Stored(name, stamp)

        made = zip(paths, parallel_map(sent, paths, _AT_ONCE), strict=True)
        return {path: each for path, each in made if each is not None}

    def _make_folder(self, folder: str) -> None:
        """Make a folder, once; an object store has none, and would make a bucket instead."""
        fs, _ = self._opened()
        names = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
        if folder not in self._folders and names.isdisjoint(OBJECT_STORES):
            fs.makedirs(folder, exist_ok=True)
            self._folders.add(folder)

    def _remove(self, run_id: str, names: list[str]) -> None:
        fs, root = self._opened()
        for name in names:
            with suppress(Exception):  # left behind, it is deleted with the run
                fs.rm_file(f"{root}/{run_id}/{name}")

    def _opened(self) -> tuple[Any, str]:
        """The file system, and the folder in it."""
        if self._store is None:
            try:
                url_to_fs = import_module("fsspec.core").url_to_fs
            except ImportError as error:
                raise StateError(
                    "A shared state needs the library fsspec, which is not installed.",
                    hint="Install it: pip install 'sfrunner[shared]'",
                ) from error
            with self._errors("reached"):
                self._store = url_to_fs(self._url, use_listings_cache=False)
        return self._store

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        try:
            with self._watch.over(f"A transfer from or to {self._label} has not ended"):
                yield
        except StateError:
            raise
        except FileNotFoundError as error:
            if done == "fetched":
                raise StateError(
                    f"A file of the run is missing in {self._label}.",
                    hint="Somebody has deleted it there. Restore it, or close the run with "
                    "`runner resume --abandon`: the next one starts over, and rows "
                    "that were sent already may be sent twice.",
                ) from None
            if done == "deleted":
                return
            raise self._unusable(done, error) from None
        except ImportError as error:
            library = library_of(error)
            raise StateError(
                f"{self._label} needs a library that is not installed: {library or error}.",
                hint=f"Install it: pip install {library or 'what the message names'}",
            ) from error
        except Exception as error:  # noqa: BLE001 - each store has its own errors
            raise self._unusable(done, error) from None

    def _unusable(self, done: str, error: Exception) -> StorageError:
        line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        return StorageError(
            f"{self._label} cannot be {done}: {line.rstrip('.')}.",
            hint="Check the address, the network, and the credentials in the environment.",
        )

    @property
    def _label(self) -> str:
        return shown_url(self._url)


_STILL_THERE = (
    "SELECT run_id FROM runs WHERE run_id IN "
    "(SELECT value FROM json_array_elements_text(CAST(:items AS json)) AS item(value))"
)
_PROCESS = "SELECT pid, host, began FROM runs WHERE run_id = :run_id AND state = 'running'"
_LIST = "SELECT path, name, size FROM files WHERE run_id = :run_id"
_FORGET = "DELETE FROM files WHERE run_id = :run_id AND path = :path"
_NOTE = (
    "INSERT INTO files (run_id, path, name, size) VALUES (:run_id, :path, :name, :size) "
    "ON CONFLICT (run_id, path) DO UPDATE SET name = excluded.name, size = excluded.size"
)
