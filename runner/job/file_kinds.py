"""Which kind of YAML file a file is, where another kind is wanted: often the wrong one is named.

Knows the keys that only one kind has. Knows nothing of their values.
"""

from __future__ import annotations

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.job.documents import OTHER_KIND
from runner.job.yaml.document import Document
from runner.wording import command_for


class _Kind(Struct, frozen=True):
    name: str
    keys: frozenset[str]
    """Each of them is enough; no other kind has them."""
    use: str
    """Help for a file of this kind."""


_KINDS = {
    "job": _Kind("a job", frozenset({"tasks"}), "`{run}` runs it"),
    "test": _Kind("a test file", frozenset({"tests"}), "`{test}` runs it"),
    "org": _Kind(
        "an org file",
        frozenset({"objects", "seed", "users", "queues", "currencies", "apps", "faults"}),
        "the connection of a local org names it: `org_file: {file.name}`",
    ),
    "project": _Kind(
        "the file of a project",
        frozenset({"state"}),
        "the runner reads it if it is called sfrunner.yaml",
    ),
    "connection": _Kind(
        "a connection file",
        frozenset({"environment", "targets"}),
        "jobs name it: `connection: {file.name}`",
    ),
}


def other_kind(document: Document, wanted: str) -> Diagnostic | None:
    """The problem that a document is of another kind than was wanted; None if it may be of that.

    Args:
        document: As read.
        wanted: `job`, `test`, `org`, `project` or `connection`; no other is known.
    """
    kind, keys = _KINDS.get(wanted), document.values.keys()
    if kind is None or kind.keys & keys:
        return None
    for other in _KINDS.values():
        key = next((each for each in document.values if each in other.keys), None)
        if key is not None:
            file = document.origin.file
            run, test = (command_for(file, each, target=None) for each in ("run", "test"))
            return document.origin.diagnose(
                (key,),
                OTHER_KIND,
                f"{file.name} is {other.name}, not {kind.name}",
                help=other.use.format(file=file, run=run, test=test),
                at_key=True,
            )
    return None
