"""Job schemas that `runner schema --for` or `runner init` has written, when their lock changes.

Knows how such a file is recognised. Knows nothing of what is in a schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from runner.files import atomic_text
from runner.runs.job_schema import job_schema, schema_id
from runner.salesforce.org_lock import OrgLock, read_lock


class _Identified(Struct):
    id: str = msgspec.field(name="$id", default="")


def renew_schemas(lock_file: Path, folders: Iterable[Path]) -> tuple[Path, ...]:
    """Write the job schemas of a lock's org in these folders again; only those that change."""
    lock = read_lock(lock_file)
    text = ""
    renewed = []
    once = {each.absolute(): each for each in folders}.values()
    for file in sorted(file for each in once for file in each.glob("*.schema.json")):
        before = _schema_of(lock, file)
        if before is None:
            continue
        text = text or job_schema(lock)
        if before != text.encode():
            atomic_text(file, text)
            renewed.append(file)
    return tuple(renewed)


def _schema_of(lock: OrgLock, file: Path) -> bytes | None:
    """The content of a file that is a job schema of the lock's org."""
    try:
        content = file.read_bytes()
        found = msgspec.json.decode(content, type=_Identified).id
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None  # another file, whose state is not ours to judge
    return content if found == schema_id(lock) else None
