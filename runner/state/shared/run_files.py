"""Files of runs in an object store, or in a folder that all machines mount.

Each upload gets a name of its own, and the ledger lists the names: a machine that was cut off
cannot replace what another refers to. Uses fsspec, from the extra `remote`. Knows nothing of what
the files contain.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from shutil import rmtree
from threading import RLock
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.errors import StateError, StorageError
from runner.files import PRIVATE_FILE, private_folder
from runner.parallel import parallel_map
from runner.state.ledger_database import Statements
from runner.state.paths import WORKING_FOLDERS

if TYPE_CHECKING:
    from runner.state.shared.database import PostgresDatabase

_AT_ONCE = 8
"""Transfers at the same time."""


class _Stamp(Struct, frozen=True):
    """By which a file on this machine differs from an earlier one in its place."""

    size: int
    changed_ns: int
    inode: int


class _Stored(Struct, frozen=True):
    """A file in the store."""

    name: str
    """In the store, below the run's folder."""
    stamp: _Stamp


class StoredFiles:
    """The files of runs in a store. Threads may share it."""

    def __init__(self, database: PostgresDatabase, url: str, runs: Path) -> None:
        """Describe it; nothing is read yet.

        Args:
            database: Of the ledger.
            url: Of the store's folder for this state.
            runs: The folder of this machine for files of runs.
        """
        self._database = database
        self._url = url
        self._runs = runs
        self._store: tuple[Any, str] | None = None
        self._stored: dict[str, dict[str, _Stored]] = {}
        """By run and path, those that this process has sent or fetched."""
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
            found = dict(_files(self._runs / run_id))
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
        if replaced:
            self._remove(run_id, replaced)

    def fetch(self, run_id: str) -> None:
        """Bring a run's files into its folder on this machine, as the ledger knows them.

        Raises:
            StateError: They cannot be fetched, or are not all there.
        """
        folder = self._runs / run_id
        with self._database.reading() as connection:
            rows = connection.execute(_LIST, {"run_id": run_id}).fetchall()
        with self._lock:
            stored, found = self._stored.setdefault(run_id, {}), dict(_files(folder))
            wanted = {row["path"]: row for row in rows}
            for path in found.keys() - wanted.keys():
                (folder / path).unlink(missing_ok=True)
            missing = [
                path
                for path, row in wanted.items()
                if path not in stored
                or stored[path].name != row["name"]
                or stored[path].stamp != found.get(path)
            ]
            fs, root = self._opened()

            def fetched(path: str) -> _Stored:
                row, to = wanted[path], folder / path
                private_folder(to.parent)
                beside = to.with_name(f".{to.name}.fetched")
                with self._errors("fetched"):
                    fs.get_file(f"{root}/{run_id}/{row['name']}", str(beside))
                beside.chmod(PRIVATE_FILE)
                if beside.stat().st_size != row["size"]:
                    raise StateError(
                        f"{path} of run {run_id} was cut off: it has {beside.stat().st_size:,} of "
                        f"{row['size']:,} bytes.",
                        hint="Run again; if it happens again, the store is damaged.",
                    )
                beside.replace(to)
                return _Stored(row["name"], _stamp(to.stat()))

            private_folder(folder)
            stored.update(zip(missing, parallel_map(fetched, missing, _AT_ONCE), strict=True))
            for path in stored.keys() - wanted.keys():
                del stored[path]

    def delete(self, run_id: str) -> None:
        """Delete the files of a run that the ledger no longer has."""
        rmtree(self._runs / run_id, ignore_errors=True)
        fs, root = self._opened()
        with self._errors("deleted"), suppress(FileNotFoundError):
            fs.rm(f"{root}/{run_id}", recursive=True)

    def check(self) -> None:
        """Write and delete a file.

        Raises:
            StateError: The store refuses it.
        """
        fs, root = self._opened()
        probe = f"{root}/.probe-{secrets.token_hex(4)}"
        with self._errors("written"):
            fs.makedirs(root, exist_ok=True)
            fs.pipe_file(probe, b"sfrunner")
            fs.rm_file(probe)

    def _send(self, run_id: str, paths: list[str], stamps: dict[str, _Stamp]) -> dict[str, _Stored]:
        if not paths:
            return {}
        fs, root = self._opened()

        def sent(path: str) -> _Stored | None:
            name = f"{path}.{secrets.token_hex(6)}"
            to = f"{root}/{run_id}/{name}"
            with self._errors("written"):
                fs.makedirs(to.rpartition("/")[0], exist_ok=True)
                try:
                    fs.put_file(str(self._runs / run_id / path), to)
                except FileNotFoundError:  # another thread has just deleted it
                    return None
                size = fs.size(to)
            if size != stamps[path].size:
                stamps[path] = _Stamp(size, 0, 0)  # it grew meanwhile: sent again next time
            return _Stored(name, stamps[path])

        made = zip(paths, parallel_map(sent, paths, _AT_ONCE), strict=True)
        return {path: each for path, each in made if each is not None}

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
            yield
        except (StateError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and done == "fetched":
                raise StateError(
                    f"A file of the run is missing in {self._label}.",
                    hint="Somebody has deleted it there, so the run cannot go on.",
                ) from None
            raise
        except ImportError as error:
            raise StateError(
                f"{self._label} needs a library that is not installed: {error.name or error}.",
                hint=f"Install it: pip install {error.name or 'what the message names'}",
            ) from error
        except Exception as error:  # noqa: BLE001 - each store has its own errors
            line = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
            raise StorageError(
                f"{self._label} cannot be {done}: {line.rstrip('.')}.",
                hint="Check the address, the network, and the credentials in the environment.",
            ) from None

    @property
    def _label(self) -> str:
        return self._url.partition("?")[0]


_LIST = "SELECT path, name, size FROM files WHERE run_id = :run_id"
_FORGET = "DELETE FROM files WHERE run_id = :run_id AND path = :path"
_NOTE = (
    "INSERT INTO files (run_id, path, name, size) VALUES (:run_id, :path, :name, :size) "
    "ON CONFLICT (run_id, path) DO UPDATE SET name = excluded.name, size = excluded.size"
)


def _files(folder: Path) -> Iterator[tuple[str, _Stamp]]:
    """The files that another process can use, by their paths; links are left out."""
    yield from _files_in(str(folder), "")


def _files_in(folder: str, prefix: str) -> Iterator[tuple[str, _Stamp]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name not in WORKING_FOLDERS:
                yield from _files_in(entry.path, f"{prefix}{entry.name}/")
            continue
        with suppress(FileNotFoundError):  # deleted meanwhile
            yield f"{prefix}{entry.name}", _stamp(entry.stat())


def _stamp(found: os.stat_result) -> _Stamp:
    return _Stamp(found.st_size, found.st_mtime_ns, found.st_ino)
