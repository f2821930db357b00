"""The project's file, `sfrunner.yaml`: where the project keeps its state.

Knows what the file may say, and that it is as little trusted as a job: it names no folder outside
of the project, and has no password. Knows nothing of options, of the user's own state or of what a
state is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from runner.diagnostics import Diagnostic
from runner.errors import JobError, UsageError
from runner.files import real_path
from runner.job.documents import in_order, problems_of
from runner.job.origin import Origin
from runner.job.yaml.document import Document, read_document
from runner.state.shared.address import is_address, read_address, without_password

_STATE = ("state",)
_SECRET = "job/secret-in-file"  # noqa: S105 - a code
_INSTEAD_OF_A_PASSWORD = (
    "change it if this file was ever shared; leave it out and set PGPASSWORD, or write "  # noqa: S105
    "`state: {env: NAME}`, with the whole address in that variable"
)
_ADVICE = {
    _SECRET: _INSTEAD_OF_A_PASSWORD,
    "yaml/empty": "write where the state is, for example `state: .sfrunner`; or delete the file",
}


class NamedState(Struct, frozen=True):
    """The state that a project's file names."""

    place: str
    """A folder, absolute; or the address of a shared state."""
    variable: str | None = None
    """The user's variable that the address comes from; None: it is in the file."""


def problems_of_project(file: Path) -> tuple[Diagnostic, ...]:
    """What is wrong with a project's file by itself; variables need not be set."""
    return _checked(file)[1]


def state_named_in(file: Path, environ: Mapping[str, str]) -> NamedState:
    """The state that a project's file names.

    Raises:
        JobError: The file has problems, or its variable contains no address.
    """
    document, problems = _checked(file)
    if problems:
        raise JobError(problems)
    named: Any = document.values["state"]
    if isinstance(named, str):
        return NamedState(named if is_address(named) else str(_folder(file, named)))
    variable: str = named["env"]
    address = environ.get(variable, "").strip()
    if not is_address(address):
        contains = "contains no address of a state" if address else "is not set"
        found = document.origin.diagnose(
            (*_STATE, "env"),
            "project/no-address",
            f"the environment variable {variable} {contains}",
            help=f"set {variable} to an address such as "
            "postgresql://user@host/database?files=s3://bucket/prefix",
        )
        raise JobError((found,))
    return NamedState(address, variable)


def _checked(file: Path) -> tuple[Document, tuple[Diagnostic, ...]]:
    document = read_document(file)
    problems = list(document.problems)
    if not document.is_broken:
        problems = problems_of(document, "project")
        named = document.values.get("state")
        if not problems and isinstance(named, str):
            problems += _problems_of_place(named, document.origin)
    return document, in_order(map(_advised, problems))


def _advised(found: Diagnostic) -> Diagnostic:
    """A job's advice is not that for this file: it names references that this one has not."""
    advice = _ADVICE.get(found.code)
    return found if advice is None else replace(found, help=advice)


def _problems_of_place(named: str, origin: Origin) -> Iterator[Diagnostic]:
    if not is_address(named):
        project = real_path(origin.file.absolute().parent)
        if not real_path(_folder(origin.file, named)).is_relative_to(project):
            yield origin.diagnose(
                _STATE,
                "project/outside",
                f"{named} is not in the project",
                help="use a folder in the project; for one elsewhere, set `--state` or "
                "SFRUNNER_STATE",
            )
        return
    try:
        read_address(named, Path())
    except UsageError as error:
        hint = (error.hint or "").removesuffix(".")
        yield origin.diagnose(
            _STATE,
            "project/bad-address",
            f"{error.message[:1].lower()}{error.message[1:].removesuffix('.')}",
            help=f"{hint[:1].lower()}{hint[1:]}",
        )
        return
    if without_password(named) != named:
        yield origin.diagnose(
            _STATE, _SECRET, "the address contains a password", help=_INSTEAD_OF_A_PASSWORD
        )


def _folder(file: Path, named: str) -> Path:
    """A folder as it is named: relative to the file."""
    return file.absolute().parent / Path(named).expanduser()
