"""Writes the org file and the lock from the metadata of a project, without an org.

The lock has what the local org of that file describes. Knows which files are written where. Prints
nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner.engine.org_check import org_problems
from runner.errors import JobError, OrgError, UsageError
from runner.files import atomic_text
from runner.job.lock_file import LOCK_NAME
from runner.job.partial_job import files_written_by
from runner.job.yaml.document import MAX_BYTES, as_yaml
from runner.local_org.catalog.kept import with_kept
from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.names import suffix
from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.resources.describe import describe
from runner.metadata.fields import Declaration
from runner.metadata.project import read_project
from runner.runs.lock_check import tasks_of_org
from runner.runs.org_pull import ORG_FILE_NAME, Wanted, files_before, folder_of, renewed
from runner.runs.source_catalog import catalog_of
from runner.runs.source_org_file import source_org
from runner.runs.source_rules import with_rules
from runner.runs.wiring import UserSettings, load_job
from runner.salesforce.describe import Describes, object_of
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.salesforce.http.messages import OrgResponse
from runner.salesforce.org_lock import OrgLock
from runner.salesforce.versions import NEWEST_KNOWN
from runner.suggest import did_you_mean


class PulledSource(Struct, frozen=True):
    """What was written."""

    org_file: Path
    lock_file: Path
    source: Path
    objects: tuple[str, ...]
    gone: tuple[str, ...]
    """Objects that the lock had and the project no longer has."""
    left_out: tuple[str, ...]
    """What an org file cannot declare."""
    not_in_source: tuple[str, ...]
    """Objects that something refers to and no file defines; declared without their fields."""
    without_values: tuple[str, ...]
    """Picklists whose value set is not in the source; declared as texts."""
    custom_settings: tuple[str, ...]
    """Declared as custom objects."""
    rules_left_out: tuple[str, ...]
    """Validation rules that the local org cannot check, each with the reason."""
    schemas: tuple[Path, ...] = ()
    """Job schemas of the project that were there and were written again."""


def pull_from_source(source: Path, wanted: Wanted, settings: UserSettings) -> PulledSource:
    """Read the metadata of a project, and write the org file and the lock.

    Without jobs, of all objects that the project declares; else of those that the jobs use.

    Raises:
        JobError: Metadata or a job is wrong, or a job uses an object that is not there.
        UsageError: The files are there already, or are of an org; there is no metadata.
    """
    folder = folder_of(wanted)
    org_file, lock_file = folder / ORG_FILE_NAME, folder / LOCK_NAME
    before, declared = files_before(wanted, org_file, lock_file)
    if before is not None and before.org_id:
        raise UsageError(
            f"{lock_file} is of the org {before.org_id}, not of metadata.",
            hint="Write to another folder with `--out`, or delete it first.",
        )
    project = read_project(source)
    found = source_org(project)
    if found.problems:
        raise JobError(found.problems)
    objects = with_own_fields(found.objects, declared)
    ruled = with_rules(project, objects, catalog_of(objects, found.components), found.calculated)
    objects = dict(ruled.objects)
    catalog = catalog_of(objects, {**found.components, **ruled.components})
    known = before.objects if before else ()
    gone = [name for name in known if catalog.sobject(name) is None]
    work = _Pulling(catalog, found.calculated)
    work.add([*wanted.objects, *(name for name in known if name not in gone)])
    written = frozenset({Path(os.path.abspath(org_file))})  # noqa: PTH100 - links stay as they are
    for file in wanted.jobs:
        job = load_job(file, settings.permissions, written, wanted.target)
        written |= files_written_by(job)
        problems = org_problems(job, tasks_of_org(job), lambda _: work.describes, written)
        unknown = tuple(each for each in problems if each.code == "org/unknown-object")
        if unknown:
            raise JobError(unknown)
    if not wanted.jobs:
        work.add(objects)
    work.add_parents()
    kept = {key: value for key, value in declared.items() if key != "objects"}
    kept["objects"] = {k: v for k, v in _objects(declared).items() if k not in gone}
    pulled = {"version": 1, "objects": _only(objects, work.described)}
    text = as_yaml(with_kept(pulled, kept))  # type: ignore[arg-type]
    if len(text.encode()) > MAX_BYTES:
        raise UsageError(
            f"{org_file} would be larger than {MAX_BYTES:,} bytes.",
            hint="Name the jobs that it is for: only objects that they use are declared.",
        )
    origin = Path(os.path.relpath(source, folder)).as_posix()
    version = project.api_version or NEWEST_KNOWN
    described = dict(sorted(work.described.items()))
    used = tuple(each for each in found.approximate if each.partition(".")[0] in described)
    lock = OrgLock.of("", version, described, origin, used)
    atomic_text(org_file, text)
    atomic_text(lock_file, lock.text())
    return PulledSource(
        org_file,
        lock_file,
        source,
        tuple(lock.objects),
        tuple(gone),
        found.left_out,
        found.bare,
        found.without_values,
        found.custom_settings,
        tuple(each for each in ruled.left_out if each.partition(".")[0] in lock.objects),
        renewed(wanted, lock_file),
    )


def with_own_fields(
    objects: Mapping[str, Declaration], declared: Mapping[str, object]
) -> dict[str, Declaration]:
    """The objects with the standard fields that the org file had, which no metadata tells."""
    result = dict(objects)
    for name, before in _objects(declared).items():
        fields = before.get("fields") if isinstance(before, dict) else None
        own = (
            {k: v for k, v in fields.items() if suffix(k) == ""} if isinstance(fields, dict) else {}
        )
        if not own:
            continue
        made = dict(result.get(name, {}))
        known = made.get("fields")
        made["fields"] = {**own, **(known if isinstance(known, dict) else {})}
        result[name] = made
    return dict(sorted(result.items()))


def _objects(declared: Mapping[str, object]) -> Mapping[str, object]:
    found = declared.get("objects")
    return found if isinstance(found, dict) else {}


class _Pulling(Struct):
    """The describes looked up so far, by the name of the object."""

    catalog: Catalog
    calculated: frozenset[tuple[str, str]]
    described: dict[str, ObjectDescribe] = field(default_factory=dict)

    @property
    def describes(self) -> Describes:
        """As of an org."""
        return Describes(self._of)

    def add(self, wanted: Iterable[str]) -> None:
        for name in wanted:
            try:
                self._of(name)
            except OrgError as error:
                raise UsageError(f"{error.message}.", hint=error.hint) from error

    def add_parents(self) -> None:
        """The parents without which no record can be made."""
        described = list(self.described.values())
        while described:
            fields = (e for each in described for e in each.fields.values())
            needed = [
                e.reference_to[0] for e in fields if e.custom and e.required and e.reference_to
            ]
            missing = sorted({name for name in needed if name not in self.described})
            described = [self._of(name) for name in missing]

    def _of(self, name: str) -> ObjectDescribe:
        sobject = self.catalog.sobject(name)
        if sobject is None:
            names: Sequence[str] = [each.name for each in self.catalog.sobjects]
            hint = did_you_mean(name, names, "Check its API name, including `__c`.")
            raise OrgError(f"The project declares no object {name}", hint=hint)
        if sobject.name not in self.described:
            answer = describe(sobject, float(NEWEST_KNOWN))
            made = object_of(OrgResponse(200, body=json.dumps(answer).encode()))
            fields = {key: self._computed(made.name, each) for key, each in made.fields.items()}
            is_known = standard_catalog().sobject(sobject.name) is not None
            prefix = made.key_prefix if is_known else ""  # how Ids begin, only an org can tell
            self.described[sobject.name] = replace(made, fields=fields, key_prefix=prefix)
        return self.described[sobject.name]

    def _computed(self, sobject: str, each: FieldDescribe) -> FieldDescribe:
        return replace(each, calculated=True) if (sobject, each.name) in self.calculated else each


def _only(
    objects: Mapping[str, Declaration], used: Mapping[str, ObjectDescribe]
) -> dict[str, Declaration]:
    """The declarations of some objects; those that they refer to are left without fields."""
    made = {name: each for name, each in objects.items() if name in used}
    for each in list(made.values()):
        for parent in _parents(each):
            if parent in objects and parent not in made:
                made[parent] = _bare(parent, objects[parent])
    return dict(sorted(made.items()))


def _parents(declared: Declaration) -> Iterator[str]:
    fields = declared.get("fields")
    for each in fields.values() if isinstance(fields, dict) else ():
        to = each.get("to") if isinstance(each, dict) else None
        yield from (str(name) for name in (to if isinstance(to, list) else [to]) if name)


def _bare(name: str, declared: Declaration) -> Declaration:
    kept = {k: v for k, v in declared.items() if k in {"label", "plural_label", "name_field"}}
    return kept if suffix(name) else {**kept, "fields": {}}
