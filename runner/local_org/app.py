"""Opens an org in a folder and serves it: the entry points of this package.

    org = open_org(Path("state/org"), declared={}, settings=Settings())
    with Server(org, port=0) as server:
        print(server.url, server.access_token)

Knows the parts and the order in which they start. Knows nothing of what they do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from msgspec import Struct

from runner.local_org.bootstrap import organization_id, write_initial_records
from runner.local_org.bulk.threads import JobThreads
from runner.local_org.bulk.worker import BulkWorker
from runner.local_org.bulk1.worker import Bulk1Worker
from runner.local_org.catalog.declared import extend
from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.section import DeclarationError, Problem
from runner.local_org.catalog.standard import standard_catalog
from runner.local_org.clock_setting import saved_ahead
from runner.local_org.fault_injection.rule import declared_rules
from runner.local_org.http.messages import Request, Response
from runner.local_org.http.server import Listeners
from runner.local_org.middleware import answer
from runner.local_org.oauth.apps import declared_apps
from runner.local_org.oauth.sessions import SERVER_CLIENT, Sessions
from runner.local_org.org import Clock, Org, Settings, User
from runner.local_org.running_server import FolderClaim, RunningServer, digest_of
from runner.local_org.store import Store, known_prefixes

STORE_NAME = "org.sqlite3"


def open_org(
    folder: Path,
    declared: Mapping[str, object] | None = None,
    settings: Settings | None = None,
    org_file: Path | None = None,
) -> Org:
    """The org in a folder, created if there is none yet.

    `declared` is the content of `org_file` as plain mappings: what it adds to a new Salesforce org.

    Raises:
        DeclarationError: with every problem of the org file.
    """
    path = folder / STORE_NAME
    catalog = standard_catalog()
    if declared:
        _check_parts(declared)
        catalog = extend(catalog, declared, known_prefixes(path))
    store = Store(path, catalog)
    org_id = organization_id(store)
    return Org(
        id=org_id,
        catalog=catalog,
        store=store,
        user=write_initial_records(store, org_id),
        settings=settings or Settings(),
        clock=Clock(saved_ahead(store)),
        declared=declared or {},
        org_file=org_file,
    )


class Template(Struct, frozen=True):
    """An org without anybody's records, from which others are made in less time."""

    org_id: str
    user: User
    catalog: Catalog
    catalog_changed: datetime
    content: bytes
    """The file of its store."""


def template(declared: Mapping[str, object], org_file: Path | None = None) -> Template:
    """An org with what is declared; neither its seeds nor its faults are part of it.

    Raises:
        DeclarationError: with every problem of the org file.
    """
    with TemporaryDirectory(prefix="local-org-") as folder:
        org = open_org(Path(folder), declared, org_file=org_file)
        store = org.store
        store.close()
        return Template(
            org.id, org.user, org.catalog, store.catalog_changed, store.path.read_bytes()
        )


def new_org(
    folder: Path, template: Template, declared: Mapping[str, object], org_file: Path | None
) -> Org:
    """A new org as `open_org` gives it, with the Id of the template.

    Args:
        folder: Where it is stored; there is no org yet.
        template: Of the same objects as `declared`.
        declared: Its own seeds, apps and faults, too.
        org_file: What their paths are relative to.

    Raises:
        DeclarationError: with every problem of apps and faults.
    """
    _check_parts(declared)
    path = folder / STORE_NAME
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(template.content)
    return Org(
        id=template.org_id,
        catalog=template.catalog,
        store=Store(path, template.catalog, template.catalog_changed),
        user=template.user,
        settings=Settings(),
        declared=declared,
        org_file=org_file,
    )


def _check_parts(declared: Mapping[str, object]) -> None:
    """Report mistakes in `apps` and `faults` now rather than at the first request."""
    problems: list[Problem] = []
    declared_apps(declared, problems)
    declared_rules(declared, problems)
    if problems:
        raise DeclarationError(problems)


class Server:
    """An org that answers on loopback. As a context manager it starts and stops.

    Its folder and its port are claimed at once; port 0 picks a free one.

    Raises (on creation):
        FolderServedError: another server uses the org's folder.
        PortTakenError: the port is not available.
    """

    def __init__(self, org: Org, port: int = 0) -> None:
        self._org = org
        self._claim = FolderClaim(org.store.folder)
        self._started = False
        self._ending = threading.Lock()
        self._stopped = threading.Event()
        try:
            self._listeners = Listeners(self._answer, port, done=org.store.release, clock=org.clock)
            self.access_token = self._own_session()
        except BaseException:
            self._claim.release()
            raise

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        return f"http://127.0.0.1:{self._listeners.port}"

    def start(self) -> None:
        """Start answering in background threads; later calls do nothing."""
        if not self._started:
            self._started = True
            self._listeners.start()
            self._org.part(Bulk1Worker).resume()
            self._org.part(BulkWorker).resume()
            self._org.store.release()

    def serve_forever(self) -> None:
        """Answer until `shutdown` is called (from another thread or a signal handler)."""
        self.start()
        self._stopped.wait()

    def shutdown(self) -> None:
        """Stop answering, close connections, release the folder; may be called again."""
        with self._ending:
            if not self._stopped.is_set():
                self._listeners.stop()
                self._org.part(JobThreads).stop()
                self._claim.release()
                self._stopped.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _answer(self, request: Request) -> Response:
        return answer(self._org, request)

    def _own_session(self) -> str:
        sessions = self._org.part(Sessions)
        sessions.end_own()
        token = sessions.begin(self._org.user, SERVER_CLIENT).token
        started = self._org.clock().isoformat()
        declared = digest_of(self._org.org_file)
        self._claim.announce(RunningServer(self.url, token, os.getpid(), started, declared))
        return token
