"""The file of a saved plan: what was planned, and the rows to send.

A zip file, followed by a line with the format's version and a digest of all bytes before it, so
that a file that is cut short or edited is noticed before anything of it is used. Knows nothing of
how a plan is made or applied.
"""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct, field

from runner.diagnostics import Position
from runner.engine.context import PLANNED
from runner.errors import UsageError
from runner.files import PRIVATE_FILE, atomic_write, private_folder, unwritable
from runner.job.model import Job
from runner.plan import Trip
from runner.runs.plan import MadePlan
from runner.runs.sealed_zip import AT_ONCE, add_seal, is_whole, may_replace, seal_of
from runner.runs.selection import digest_of
from runner.version import __version__

FORMAT_VERSION = 1
"""Raised when a member changes its meaning: rows are sent as this release would stage them."""
_INDEX = "plan.json"
_WORD = "runner-plan"
_MEMBER = re.compile(r"tasks/([\w-]+(?:\.missing)?)/(planned/)?[\w.-]+")


class SavedTrip(Struct, frozen=True):
    """A limit of the job that the plan exceeds; `line` and the columns count from 1."""

    rail: str
    message: str
    line: int | None = None
    column: int = 1
    end_column: int = 1

    def trip_of(self, job_file: Path) -> Trip:
        """The limit, in the job's file."""
        at = Position(self.line, self.column, self.end_column) if self.line else None
        return Trip(self.rail, self.message, job_file, at)


class SavedPlan(Struct, frozen=True):
    """What a plan was made of."""

    format_version: int
    runner: str
    created: datetime
    job_file: str
    job_sha256: str
    connection_sha256: str | None
    org_id: str
    only: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    """Digest of the rows of each file that was read, by the name of `local_sources`."""
    trips: tuple[SavedTrip, ...] = ()
    """Limits of the job that the plan exceeds."""
    target: str | None = None
    """Which of the job's targets it is for."""


def check_place(to: Path) -> None:
    """Refuse to save a plan over anything else than another plan or an empty file.

    Raises:
        UsageError: The file is not replaced, or its name is that of a job.
    """
    if is_job_file(to):
        raise UsageError(
            f"--save {to}: `runner apply` would take this for a job file.",
            hint=f"Call it {to.with_suffix('.plan').name}.",
        )
    if not may_replace(to, _WORD):
        raise UsageError(
            f"--save {to}: this exists and is not a plan, so it is not replaced.",
            hint="Name another file.",
        )


def is_job_file(file: Path) -> bool:
    """Whether `runner apply` takes a file for a job, not for a plan."""
    return file.suffix.lower() in {".yaml", ".yml"}


def save_plan(made: MadePlan, to: Path) -> None:
    """Write a plan to a file that only this user may read: it contains rows.

    Raises:
        StateError: It cannot be written.
    """
    with atomic_write(to, PRIVATE_FILE) as beside:
        try:
            with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr(_INDEX, msgspec.json.encode(_index(made)))
                for task in made.tasks:
                    if task.is_kept:
                        _add_task(archive, made.folder / task.plan.name, task.plan.name)
            add_seal(beside, _WORD, FORMAT_VERSION)
        except OSError as error:
            raise unwritable(to, error) from error


def read_plan(file: Path) -> SavedPlan:
    """Read a saved plan, all of whose bytes are as they were written.

    Raises:
        UsageError: It is not a plan, of another format, cut short or edited.
    """
    again = "Make the plan again: `runner plan JOB --save FILE`."
    try:
        with file.open("rb") as stream:
            seal = seal_of(stream, _WORD)
            if seal is None:
                raise UsageError(
                    f"{file} is not a whole plan: it is cut short, or was edited.", hint=again
                )
            if seal.version != FORMAT_VERSION:
                raise UsageError(
                    f"{file} has format {seal.version} of plans, and runner {__version__} applies "
                    f"format {FORMAT_VERSION}.",
                    hint=again,
                )
            if not is_whole(stream, seal):
                raise UsageError(
                    f"{file} was edited or damaged: its digest does not match.", hint=again
                )
        with zipfile.ZipFile(file) as archive:
            return msgspec.json.decode(archive.read(_INDEX), type=SavedPlan)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError, msgspec.MsgspecError) as error:
        raise UsageError(f"{file} is not a plan.", hint=again) from error


def unpack_rows(file: Path, folder: Path) -> tuple[str, ...]:
    """Put the rows of every kept task into the folders of a run; give the names of these tasks.

    Raises:
        UsageError: The file has other members than a plan.
        StateError: They cannot be written.
    """
    names: dict[str, None] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.filename == _INDEX:
                    continue
                known = _MEMBER.fullmatch(member.filename)
                if known is None:
                    raise UsageError(f"{file} is not a plan: it contains {member.filename!r}.")
                if known[2]:
                    names[known[1]] = None
                to = folder / member.filename.removeprefix("tasks/")
                private_folder(to.parent)
                with archive.open(member) as source, to.open("wb") as target:
                    while some := source.read(AT_ONCE):
                        target.write(some)
    except OSError as error:
        raise unwritable(folder, error) from error
    return tuple(names)


def connection_digest(job: Job) -> str | None:
    """The digest of the file that has the job's connection; None if that is the job itself."""
    source = job.connection.source
    return digest_of(source) if source is not None and source.is_file() else None


def _index(made: MadePlan) -> SavedPlan:
    plan, prepared = made.plan, made.prepared
    return SavedPlan(
        FORMAT_VERSION,
        __version__,
        plan.created,
        str(prepared.job.file),
        prepared.job_sha256,
        connection_digest(prepared.job),
        plan.org_id or "",
        prepared.request.only,
        prepared.request.params,
        {name: digest for task in made.tasks for name, digest in task.sources.items()},
        tuple(map(_saved_trip, plan.trips)),
        prepared.request.target,
    )


def _saved_trip(trip: Trip) -> SavedTrip:
    at = trip.position
    where = (at.line, at.column, at.end_column) if at else ()
    return SavedTrip(trip.rail, trip.message, *where)


def _add_task(archive: zipfile.ZipFile, folder: Path, name: str) -> None:
    for file in sorted([*folder.glob("*.json"), *(folder / PLANNED).iterdir()]):
        archive.write(file, f"tasks/{name}/{file.relative_to(folder)}")
