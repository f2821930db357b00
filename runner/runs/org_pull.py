"""Writes the shape of an org into files: the local org's file, and the lock.

The objects are those that a check of the jobs asks for, so that it can be made without the org
later. Knows which files are written where. Prints nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from runner import events
from runner.engine.connect import connect
from runner.engine.org_check import org_problems
from runner.errors import JobError, OrgError, TransientError, UsageError
from runner.files import atomic_text
from runner.job.documents import load_checked
from runner.job.lock_file import LOCK_NAME, find_lock
from runner.job.model import Job
from runner.job.partial_job import files_written_by
from runner.job.yaml.document import MAX_BYTES, as_yaml
from runner.runs.lock_check import tasks_of_org
from runner.runs.wiring import UserSettings, load_job, open_session
from runner.salesforce.describe import Describes, describe_answer, object_of
from runner.salesforce.described import ObjectDescribe
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgResponse
from runner.salesforce.org_lock import OrgLock, read_lock
from runner.salesforce.org_shape import objects_answer, person_record_types
from runner.salesforce.session import Session

if TYPE_CHECKING:
    from runner.local_org.catalog.pulled import Pulled

ORG_FILE_NAME = "org.yaml"


class Wanted(Struct, frozen=True):
    """What to pull, and where to."""

    jobs: Sequence[Path]
    target: str | None = None
    objects: Sequence[str] = ()
    """Besides those that the jobs use."""
    folder: Path | None = None
    """Where to write; by default that of the lock in use, else the one that all jobs are in."""
    update: bool = False
    """Whether the files may be there already."""


class PulledOrg(Struct, frozen=True):
    """What was written."""

    org_file: Path
    lock_file: Path
    org_id: str
    objects: tuple[str, ...]
    gone: tuple[str, ...]
    """Objects that the lock had and the org no longer has."""
    left_out: tuple[str, ...]
    """What an org file cannot declare."""
    schemas: tuple[Path, ...] = ()
    """Job schemas of this org that were there and were written again."""


def pull(wanted: Wanted, settings: UserSettings) -> PulledOrg:
    """Describe the objects that jobs use, and write the org file and the lock.

    Raises:
        JobError: A job is wrong or uses an object that the org lacks; or a file to update is wrong.
        UsageError: The files are there already, are of another org, or the jobs are of several.
        RunnerError: The org did not answer, or there is no sign-in.
    """
    folder = folder_of(wanted)
    org_file, lock_file = folder / ORG_FILE_NAME, folder / LOCK_NAME
    before, declared = files_before(wanted, org_file, lock_file)
    found = _Found(before)
    written: frozenset[Path] = frozenset()
    for file in wanted.jobs:
        job = load_job(file, settings.permissions, written, wanted.target)
        written |= files_written_by(job)
        found.add_objects_of(job, settings, written, wanted.objects)
    pulled = found.org_file()
    from runner.local_org.catalog.kept import with_kept

    text = as_yaml(with_kept(pulled.values, declared))  # type: ignore[arg-type]
    if len(text.encode()) > MAX_BYTES:
        raise UsageError(
            f"{org_file} would be larger than {MAX_BYTES:,} bytes.",
            hint="Pull fewer jobs at a time, each group to a folder of its own with `--out`.",
        )
    lock = OrgLock.of(found.org_id, found.api_version, found.by_name())
    atomic_text(org_file, text)
    atomic_text(lock_file, lock.text())
    return PulledOrg(
        org_file,
        lock_file,
        found.org_id,
        tuple(sorted(lock.objects)),
        tuple(found.gone),
        pulled.left_out,
        renewed(wanted, lock_file),
    )


def renewed(wanted: Wanted, lock_file: Path) -> tuple[Path, ...]:
    """Write the job schemas again that know the lock's objects: beside it, and beside the jobs."""
    from runner.runs.job_schema_files import renew_schemas

    beside_jobs = {job.parent for job in wanted.jobs if find_lock(job) == lock_file.absolute()}
    return renew_schemas(lock_file, {lock_file.parent, *beside_jobs})


def folder_of(wanted: Wanted) -> Path:
    """Where to write."""
    if wanted.folder is not None:
        return wanted.folder
    if not wanted.jobs:
        return Path.cwd()
    used = find_lock(wanted.jobs[0])
    if used is not None:
        return used.parent
    return Path(os.path.commonpath([file.absolute().parent for file in wanted.jobs]))


def files_before(
    wanted: Wanted, org_file: Path, lock_file: Path
) -> tuple[OrgLock | None, Mapping[str, object]]:
    """The lock and the org file that are there.

    Raises:
        UsageError: They are, and must not be.
        JobError: One is wrong.
    """
    there = [file for file in (org_file, lock_file) if file.exists()]
    if there and not wanted.update:
        raise UsageError(
            f"{there[0]} already exists.",
            hint="Add `--update` to write it again, or choose another folder with `--out`.",
        )
    lock = None
    if lock_file in there:
        try:
            lock = read_lock(lock_file)
        except JobError as error:  # what is in its place is written now
            if error.diagnostics[0].code != "lock/damaged":
                raise
    return lock, load_checked(org_file, "org").values if org_file in there else {}


class _Found(Struct):
    """The describes found so far, of one org."""

    before: OrgLock | None
    org_id: str = ""
    api_version: str = ""
    gone: list[str] = field(default_factory=list)
    _answers: dict[str, OrgResponse] = field(default_factory=dict)
    _described: dict[str, ObjectDescribe] = field(default_factory=dict)
    _listed: OrgResponse | None = None
    _people: list[str] = field(default_factory=list)

    def add_objects_of(
        self, job: Job, settings: UserSettings, written: frozenset[Path], further: Sequence[str]
    ) -> None:
        with self._session(job, settings) as session:
            describes = Describes(lambda name: self._describe(session, name))
            problems = org_problems(job, tasks_of_org(job), lambda _: describes, written)
            unknown = [each for each in problems if each.code == "org/unknown-object"]
            if unknown:
                raise JobError(tuple(unknown))
            for name in further:
                self._named(describes, name)
            for name in self.before.objects if self.before else ():
                self._known_before(describes, name)
            self._add_parents(describes)
            self._add_people(session, describes)
            if self._listed is None:
                self._listed = objects_answer(session)

    def by_name(self) -> dict[str, ObjectDescribe]:
        return {each.name: each for each in self._described.values()}

    def org_file(self) -> Pulled:
        from runner.local_org.catalog.described import DescribedObject, ListedObjects
        from runner.local_org.catalog.pulled import pull as pulled

        described = [read_json(answer, DescribedObject) for answer in self._answers.values()]
        listed = read_json(self._listed, ListedObjects).sobjects if self._listed else ()
        return pulled(described, listed, self._people)

    @contextmanager
    def _session(self, job: Job, settings: UserSettings) -> Iterator[Session]:
        with open_session(job.connection, job.file, settings, events.ignore) as session:
            org = connect(job.connection, session, events.ignore)
            known = self.org_id or (self.before.org_id if self.before else "")
            if known and known != org.identity.org_id:
                what = "the jobs before it" if self.org_id else "the lock"
                raise UsageError(
                    f"{job.file} is of the org {org.identity.org_id}, {what} of {known}.",
                    hint="Pull each org to a folder of its own with `--out`.",
                )
            self.org_id, self.api_version = org.identity.org_id, org.version
            yield session

    def _describe(self, session: Session, name: str) -> ObjectDescribe:
        key = name.lower()
        if key not in self._described:
            answer = describe_answer(session, name)
            self._described[key] = object_of(answer)
            self._answers[key] = answer
        return self._described[key]

    def _named(self, describes: Describes, name: str) -> None:
        try:
            describes.of(name)
        except TransientError:
            raise
        except OrgError as error:
            raise UsageError(f"{error.message}.", hint=error.hint) from error

    def _known_before(self, describes: Describes, name: str) -> None:
        try:
            describes.of(name)
        except TransientError:
            raise
        except OrgError:
            if name not in self.gone:
                self.gone.append(name)

    def _add_parents(self, describes: Describes) -> None:
        """The parents without which no record can be made."""
        fields = (e for each in list(self._described.values()) for e in each.fields.values())
        needed = {e.reference_to[0] for e in fields if e.custom and e.required and e.reference_to}
        for name in sorted(needed):
            self._known_before(describes, name)

    def _add_people(self, session: Session, describes: Describes) -> None:
        """Person accounts: their record types, and the contacts that they are made of."""
        account = self._described.get("account")
        if account is None or account.field("IsPersonAccount") is None:
            return
        describes.of("Contact")
        self._people = person_record_types(session)
