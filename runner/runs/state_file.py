"""The state of one machine in a file, for another: the ledger, and the folders of unfinished runs.

A sealed zip file. Tokens are not in the state. Knows what is in the file and where it goes; prints
nothing.
"""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from filecmp import cmp
from pathlib import Path
from stat import S_ISLNK

import msgspec
from msgspec import Struct

from runner.errors import LockHeldError, StateError, UsageError
from runner.files import PRIVATE_FILE, atomic_write, private_folder, unwritable
from runner.runs.sealed_zip import AT_ONCE, add_seal, is_whole, may_replace, seal_of
from runner.state.ledger_adding import Added, adding
from runner.state.ledger_copy import CopiedRun, count_of, move_paths, runs_in, save_copy
from runner.state.ledger_file import LAYOUTS
from runner.state.locks import Holder
from runner.state.paths import StateFolder
from runner.version import __version__

FORMAT_VERSION = 1
_WORD = "runner-state"
_INDEX = "state.json"
_LEDGER = "ledger.sqlite"
_MEMBER = re.compile(r"runs/(?P<run>[0-9a-z]+(?:-[0-9a-z]+)+)/(?P<file>[^\\\0]+)")
_STAGED = ".import-"


class _Index(Struct, frozen=True):
    """What a file has, and of which machine."""

    format_version: int
    runner: str
    created: datetime
    host: str
    layout: int
    runs_folder: str


class Exported(Struct, frozen=True):
    """What was written."""

    runs: tuple[CopiedRun, ...]
    watermarks: int
    mirrors: int
    size_bytes: int


class Imported(Struct, frozen=True):
    """What was read, and added."""

    host: str
    created: datetime
    added: Added
    unfinished: tuple[str, ...]
    """Of the added runs, those that can be resumed."""


def export_state(state: StateFolder, to: Path, *, results: bool = False) -> Exported:
    """Write history, watermarks and unfinished runs to a file that only this user may read.

    Args:
        state: The state folder.
        to: The file; an earlier one is replaced.
        results: Also write the folders of finished runs, for `retry` and `undo`.

    Raises:
        UsageError: `to` is another file than such a one, or machines share the state.
        LockHeldError: A run is in progress.
        StateError: The ledger cannot be read, or the file cannot be written.
    """
    if state.shared is not None:
        raise UsageError(
            f"The state {state.shared.label} is shared, so it cannot be exported: all machines "
            "with its address use it.",
            hint="Back up the database and the store with their own tools. To export a state "
            "folder, name it: `--state FOLDER`.",
        )
    _check_place(to)
    state.create()
    _check_no_run(state)
    with _working_folder(state) as folder:
        copy = folder / _LEDGER
        save_copy(state.ledger, copy)
        runs = runs_in(copy)
        watermarks, mirrors = count_of(copy, "watermarks"), count_of(copy, "mirrors")
        with atomic_write(to, PRIVATE_FILE) as beside:
            try:
                with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                    archive.writestr(_INDEX, msgspec.json.encode(_index(state)))
                    archive.write(copy, _LEDGER)
                    for run in runs:
                        if run.is_unfinished or results:
                            _add_folder(archive, state.run(run.run_id))
                add_seal(beside, _WORD, FORMAT_VERSION)
            except OSError as error:
                raise unwritable(to, error) from error
            _check_no_run(state)  # one that started meanwhile may have changed what was copied
    return Exported(runs, watermarks, mirrors, to.stat().st_size)


def import_state(state: StateFolder, file: Path, jobs: Mapping[str, str] | None = None) -> Imported:
    """Add what a file has to the state: all of it, or nothing.

    Args:
        state: A state folder, or one that machines share.
        file: Of `export_state`.
        jobs: Folders of job files on the machine of the file, and those that stand for them here.

    Raises:
        UsageError: It is not such a file, cut short, edited or of a newer release, or a run or a
            watermark is here already and not the same.
        LockHeldError: A run, or another import, is in progress.
        StateError: The state cannot be written.
    """
    _check_whole(file)
    state.create()
    with _alone(state):
        _check_no_run(state)
        with _working_folder(state) as folder:
            index = _unpack(file, folder)
            copy = folder / _LEDGER
            try:
                runs = runs_in(copy)
                move_paths(copy, index.runs_folder, state.runs, jobs or {})
                known = {each.run_id for each in runs}
                staged = sorted((folder / "runs").glob("*"))
                if any(each.name not in known for each in staged):
                    raise _not_a_state(file)
                added = _add(state, copy, staged)
            except (sqlite3.Error, StateError) as error:
                if isinstance(error, StateError) and str(folder) not in error.message:
                    raise
                raise _not_a_state(file) from error
    new = set(added.runs)
    unfinished = tuple(run.run_id for run in runs if run.is_unfinished and run.run_id in new)
    return Imported(index.host, index.created, added, unfinished)


def _add(state: StateFolder, copy: Path, staged: Sequence[Path]) -> Added:
    """Add a copy with the paths of this machine, and folders of its runs."""
    if state.shared is None:
        with adding(state.ledger, copy) as added:
            for each in staged:
                _place(each, state.run(each.name))
        return added
    from runner.state.shared.store import SharedStore

    def place(runs: Collection[str]) -> None:
        for each in staged:
            if each.name in runs:
                _place(each, state.run(each.name))

    store = SharedStore(state, state.shared)
    try:
        return store.add_copy(copy, place)
    finally:
        store.ledger.close()


def _index(state: StateFolder) -> _Index:
    now, host = datetime.now(UTC), socket.gethostname()
    return _Index(FORMAT_VERSION, __version__, now, host, len(LAYOUTS), str(state.runs))


def _check_place(to: Path) -> None:
    """Replace no file but an earlier one of this kind, or an empty one."""
    if not may_replace(to, _WORD):
        raise UsageError(
            f"{to} exists and is not an exported state, so it is not replaced.",
            hint="Name another file.",
        )


def _check_whole(file: Path) -> None:
    again = "Export it again: `runner state export FILE`."
    try:
        with file.open("rb") as stream:
            seal = seal_of(stream, _WORD)
            if seal is None:
                raise UsageError(f"{file} is not an exported state, or is cut short.", hint=again)
            if seal.version > FORMAT_VERSION:
                raise _newer(file)
            if not is_whole(stream, seal):
                raise UsageError(
                    f"{file} was edited or damaged: its digest does not match.", hint=again
                )
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error


def _newer(file: Path) -> UsageError:
    return UsageError(
        f"{file} was exported by a newer release.",
        hint=f"This is runner {__version__}: install the release that exported it, or a later one.",
    )


def _not_a_state(file: Path) -> UsageError:
    return UsageError(
        f"{file} is not an exported state.", hint="Export it again: `runner state export FILE`."
    )


def _check_no_run(state: StateFolder) -> None:
    holders = (Holder.read(each) for each in sorted(state.locks.glob("*.json")))
    holder = next((each for each in holders if each is not None), None)
    if holder is not None:
        raise LockHeldError(
            f"Run {holder.run_id} is in progress: pid {holder.process.pid} on "
            f"{holder.process.host}.",
            hint="Wait until it is done.",
        )


@contextmanager
def _alone(state: StateFolder) -> Iterator[None]:
    """One import at a time; what a dead one has left is deleted."""
    from runner.state.exclusive import held_alone

    path = private_folder(state.locks) / "import.lock"
    try:
        with held_alone(path, 0):
            for stray in state.root.glob(f"{_STAGED}*"):
                shutil.rmtree(stray, ignore_errors=True)
            yield
    except TimeoutError as error:
        raise LockHeldError(
            "Another import is in progress.", hint="Wait until it is done."
        ) from error


@contextmanager
def _working_folder(state: StateFolder) -> Iterator[Path]:
    """A folder on the disk of the state, gone when the block ends."""
    try:
        with tempfile.TemporaryDirectory(prefix=_STAGED, dir=state.root) as name:
            yield Path(name)
    except OSError as error:
        raise unwritable(state.root, error) from error


def _add_folder(archive: zipfile.ZipFile, folder: Path) -> None:
    """Add a run's folder, with those in it that are empty; links and sockets are left out."""
    for file in sorted(folder.rglob("*")):
        name = f"runs/{folder.name}/{file.relative_to(folder).as_posix()}"
        if not file.is_symlink() and (file.is_dir() or file.is_file()):
            archive.write(file, name)


def _unpack(file: Path, folder: Path) -> _Index:
    """Put the members of a file into a folder; those of runs below `runs`.

    Raises:
        UsageError: It has members that an exported state does not have.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            index = msgspec.json.decode(archive.read(_INDEX), type=_Index)
            if index.layout > len(LAYOUTS):
                raise _newer(file)
            names = [member.filename for member in archive.infolist()]
            if len(set(names)) != len(names) or _LEDGER not in names:
                raise _not_a_state(file)
            for member in archive.infolist():
                if member.filename != _INDEX:
                    _unpack_member(archive, member, folder, file)
    except (zipfile.BadZipFile, KeyError, msgspec.MsgspecError) as error:
        raise _not_a_state(file) from error
    return index


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, file: Path
) -> None:
    found = _MEMBER.fullmatch(member.filename)
    inside = found is not None and not {"", ".", ".."} & set(found["file"].rstrip("/").split("/"))
    if S_ISLNK(member.external_attr >> 16) or not (inside or member.filename == _LEDGER):
        raise UsageError(
            f"{file} is not an exported state: it contains {member.filename!r}, which is not "
            "a file of a run."
        )
    to = folder / member.filename
    private_folder(to if member.is_dir() else to.parent)
    if not member.is_dir():
        with archive.open(member) as source, to.open("xb") as target:
            to.chmod(PRIVATE_FILE)
            while some := source.read(AT_ONCE):
                target.write(some)


def _place(staged: Path, folder: Path) -> None:
    """Move a run's folder to where it belongs; a crashed import may have done so already.

    Raises:
        UsageError: There is another folder.
    """
    if not folder.exists():
        staged.rename(folder)
    elif not _same(staged, folder):
        raise UsageError(
            f"{folder} exists, and has other files than in the exported state; nothing was "
            "imported.",
            hint="Move this folder away, or import into an empty one: `--state FOLDER`.",
        )


def _same(one: Path, other: Path) -> bool:
    files, others = (
        {each.relative_to(folder) for each in folder.rglob("*") if each.is_file()}
        for folder in (one, other)
    )
    with suppress(OSError):
        return files == others and all(cmp(one / f, other / f, shallow=False) for f in files)
    return False
