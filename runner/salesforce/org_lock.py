"""The lock of an org: what describe says of the objects that jobs use, in a file beside the jobs.

Checks read it instead of the org. Knows its form. Knows nothing of jobs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import msgspec
from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.errors import JobError, OrgError
from runner.job.lock_file import LOCK_NAME
from runner.salesforce.describe import Describes
from runner.salesforce.described import ObjectDescribe
from runner.suggest import did_you_mean

_VERSION = 1
_INLINE = 4
"""From this depth on a value stands on one line: each field and each list of children."""
_NEW_LOCK = "Restore it from git, or write it again with `runner org pull --update`."


class OrgLock(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An org's objects, as they were pulled."""

    version: int
    org_id: str
    """18 characters; empty if it is from the metadata of a project."""
    api_version: str
    objects: dict[str, ObjectDescribe]
    """By API name."""
    source: str = ""
    """Folder of the project that it is from, relative to the lock; empty if it is from an org."""
    approximate: tuple[str, ...] = ()
    """`Object.Field` of each of which the metadata does not tell the type or the values."""

    @classmethod
    def of(
        cls,
        org_id: str,
        api_version: str,
        objects: Mapping[str, ObjectDescribe],
        source: str = "",
        approximate: tuple[str, ...] = (),
    ) -> OrgLock:
        """The lock of some objects of an org, or of a project."""
        return cls(_VERSION, org_id, api_version, dict(objects), source, approximate)

    @property
    def pull(self) -> str:
        """The command that writes it again, without the jobs."""
        source = f"--from-source {quote(self.source)} " if self.source else ""
        return f"runner org pull {source}--update"

    def describes(self) -> Describes:
        """The describes in the lock; an object that it lacks is an OrgError, as of an org."""
        known = {name.lower(): each for name, each in self.objects.items()}

        def ask(sobject: str) -> ObjectDescribe:
            if sobject.lower() in known:
                return known[sobject.lower()]
            raise OrgError(
                f"{LOCK_NAME} has no object {sobject}",
                hint=did_you_mean(
                    sobject,
                    self.objects,
                    f"If the {'project' if self.source else 'org'} has it, `{self.pull}` with this "
                    "job adds it.",
                ),
            )

        return Describes(ask)

    def text(self) -> str:
        """The content of the file: sorted, a line for each field."""
        return json_text(msgspec.to_builtins(self, order="deterministic")) + "\n"


def read_lock(file: Path) -> OrgLock:
    """Read a lock.

    Raises:
        JobError: It cannot be read, is damaged, or of another version.
    """
    try:
        content = file.read_bytes()
        version = msgspec.json.decode(content, type=_Versioned).version
        if version != _VERSION:
            words = f"this lock is of version {version}; this runner reads version {_VERSION}"
            hint = "Use the runner that wrote it, or delete the file and pull again."
            raise JobError((Diagnostic("lock/version", words, file, help=hint),))
        lock = msgspec.json.decode(content, type=OrgLock)
    except OSError as error:
        words = f"the lock cannot be read: {error.strerror or error}"
        raise JobError((Diagnostic("lock/damaged", words, file, help=_NEW_LOCK),)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        words = f"the lock is damaged: {error}"
        raise JobError((Diagnostic("lock/damaged", words, file, help=_NEW_LOCK),)) from error
    if not lock.source:
        return lock
    return msgspec.structs.replace(lock, source=os.path.relpath(file.parent / lock.source))


class _Versioned(Struct):
    version: int


def json_text(value: object, depth: int = 0) -> str:
    """JSON with one line for each value that is deep inside, so that diffs can be read."""
    if not isinstance(value, dict) or not value or depth == _INLINE:
        return json.dumps(value, ensure_ascii=False)
    indent = "  " * (depth + 1)
    lines = (
        f"{indent}{json.dumps(key)}: {json_text(each, depth + 1)}" for key, each in value.items()
    )
    return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
