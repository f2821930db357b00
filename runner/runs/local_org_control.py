"""Asks the local org of a folder what only that can: its snapshots, its clock, rows to load.

Knows how a running server is asked, and that without one this process answers in its place, from
the same files. Knows nothing of what is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from runner.errors import JobError, SourceError, StateError
from runner.files import private_folder
from runner.local_org import exact_numbers
from runner.runs.local_org_process import check_org_file, declared_org, running_org
from runner.state.locks import file_lock
from runner.state.paths import StateFolder

if TYPE_CHECKING:
    from runner.local_org.org import Org, Settings
    from runner.local_org.seeding import Seeded

Ask = Callable[[str, str, bytes], tuple[int, bytes]]
"""Method, path and body to status and body."""
_REFUSED = 300
_ASK_SECONDS = 600.0


class OrgControl:
    """The local org of a folder, which answers."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def ask(self, method: str, path: str, body: object = None) -> object:
        """The answer to a request that the org is expected to grant.

        Raises:
            StateError: It refuses, with its reason.
        """
        status, answer = self.answer(method, path, body)
        if status < _REFUSED:
            return answer
        raise refusal_of(answer)

    def answer(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """The answer to a request, or a refusal."""
        sent = b"" if body is None else exact_numbers.dumps(body).encode()
        status, received = self._ask(method, path, sent)
        return status, json.loads(received) if received else None


def refusal_of(answer: object) -> StateError:
    """The error for what an org says to refuse a request."""
    first = answer[0] if isinstance(answer, list) and answer else {}
    told = cast("dict[str, str]", first)
    message = told.get("message", "The local org refused without a reason")
    if told.get("errorCode") == "UNKNOWN_EXCEPTION":
        return StateError(message, hint="Its details are in errors.log in the org's folder.")
    return StateError(f"{message.removesuffix('.')}.", hint=told.get("hint") or None)


@contextmanager
def org_control(state: StateFolder, folder: Path, org_file: Path | None) -> Iterator[OrgControl]:
    """The local org of a folder, to be asked until the block ends.

    Raises:
        StateError: It runs with another org file, or does not answer.
        JobError: The org file is wrong.
        SourceError: A seed is wrong.
    """
    with file_lock(state.local_org_start(folder), shared=False):
        running = running_org(state, folder)
        if running is None:
            with _without_server(state, folder, org_file) as control:
                yield control
            return
    check_org_file(running, org_file)
    yield OrgControl(_Server(running.url).ask)


class _Server:
    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(urlsplit(self._url).netloc, timeout=_ASK_SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise StateError(
                f"The local org at {self._url} does not answer: {error}.",
                hint="Stop it and start it again.",
            ) from error
        finally:
            connection.close()


@contextmanager
def _without_server(
    state: StateFolder, folder: Path, org_file: Path | None
) -> Iterator[OrgControl]:
    from runner.local_org.error_log import log_errors
    from runner.local_org.http.messages import Request
    from runner.local_org.org import Settings
    from runner.local_org.router import dispatch
    from runner.local_org.running_server import FolderClaim

    place = private_folder(state.local_org(folder))
    org = founded(place, org_file, Settings())
    claim = FolderClaim(place)
    log_errors(place)

    def ask(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        address = "http://127.0.0.1"
        answer = dispatch(org, Request(method, path, {}, {}, body, base_url=address))
        received = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        return answer.status, received

    try:
        seeded(org)
        yield OrgControl(ask)
    finally:
        org.store.close()
        claim.release()


def founded(folder: Path, org_file: Path | None, settings: Settings) -> Org:
    """The org in a folder, as an org file declares it.

    Raises:
        JobError: The org file is wrong, or declares what an org cannot have.
    """
    from runner.local_org.app import open_org
    from runner.local_org.catalog.section import DeclarationError

    declared, origin = declared_org(org_file)
    try:
        return open_org(folder, declared, settings, org_file.absolute() if org_file else None)
    except DeclarationError as error:
        found = (
            origin.diagnose(each.path, "org/impossible", each.message) for each in error.problems
        )
        raise JobError(tuple(sorted(found, key=lambda each: each.sort_key))) from error


def seeded(org: Org) -> Seeded:
    """Load the seeds of an org that were not loaded yet; its folder is this process's own.

    Raises:
        SourceError: A seed is wrong.
    """
    from runner.local_org.seeding import SeedError, load_seeds

    try:
        return load_seeds(org)
    except SeedError as error:
        raise SourceError(f"{error}.", hint="Fix the seed or the org file.") from error
