"""Places outside the job's folder that a job would write, or take a secret from.

Who writes a job need not be who runs it: which files of the machine it reaches beyond its own
folder is for the latter to say. Rows may come from anywhere: reading them harms no file.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runner.credentials import JwtBearer, SecretReference
from runner.diagnostics import Diagnostic, Location
from runner.job.checks.files import file_path
from runner.job.endpoints import STANDARD_STREAM, FileTarget, FolderTarget, Target
from runner.job.model import Connection, Origin, QueryTask, WriteTask
from runner.job.partial_job import Draft, option_path, query_targets
from runner.job.path_policy import Reach

_HERE = frozenset(("file", "local"))
"""Schemes of URLs that mean files of this machine."""


def check(draft: Draft) -> Iterator[Diagnostic]:
    """Find what a job may not reach."""
    if draft.connection is not None:
        yield from secrets(
            draft.connection,
            draft.connection_origin,
            draft.connection_path,
            draft.folder,
            draft.reach,
        )
    for at, place in _written(draft):
        if not draft.reach.covers(place, draft.folder):
            yield _diagnose(draft.origin, at, place, draft.folder)


def secrets(
    connection: Connection, origin: Origin, path: Location, home: Path, reach: Reach
) -> Iterator[Diagnostic]:
    """Find the files of secrets that a connection may not name.

    Args:
        connection: As it was made out.
        origin: Of the file that holds it.
        path: Where in that file.
        home: The job's folder.
        reach: What else may be named.
    """
    named: dict[Location, SecretReference | None] = {("token",): connection.token}
    if isinstance(connection.auth, JwtBearer):
        named["auth", "jwt", "key"] = connection.auth.key
    for keys, reference in named.items():
        if reference is None or reference.path is None:
            continue
        if not reach.covers(reference.path, home, secret=True):
            inner = (*path, *keys, "file")
            at = inner if inner in origin.positions else (*path, *keys)
            yield _diagnose(origin, at, reference.path, home)


def _written(draft: Draft) -> Iterator[tuple[Location, Path]]:
    for task in draft.tasks:
        if isinstance(task, WriteTask) and task.results is not None:
            yield option_path(draft, task, "results"), task.results
        for path, target in query_targets(task) if isinstance(task, QueryTask) else ():
            place = _place(target)
            if place is not None:
                yield file_path(path, draft), place


def _place(target: Target) -> Path | None:
    """What a query writes on this machine."""
    if isinstance(target, FolderTarget):
        return target.path
    if not isinstance(target, FileTarget) or target.path == STANDARD_STREAM:
        return None
    if target.url is None:
        return target.path
    parts = urlsplit(target.url)
    return Path(unquote(parts.netloc + parts.path)) if parts.scheme in _HERE else None


def _diagnose(origin: Origin, at: Location, place: Path, home: Path) -> Diagnostic:
    real = Path(os.path.realpath(place))
    inside = place.is_relative_to(home)
    shown = f"{place.relative_to(home)} leads to {real}, which is" if inside else f"{place} is"
    return origin.diagnose(
        at,
        "job/outside-folder",
        f"{shown} outside the job's folder",
        help=f"keep it below {home}, or let who runs the job say "
        f"`--allow-outside {shlex.quote(str(real.parent))}`",
    )
