"""Local orgs on real sockets: `served()` starts one, the test's end stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from runner.local_org.app import Server, open_org
from runner.local_org.org import Org


@dataclass
class Served:
    """A running org, and a plain HTTP client that is signed in to it."""

    org: Org
    server: Server
    client: httpx.Client

    def values(self, soql: str) -> list[list[object]]:
        """The values of a query's records, those of parents among them."""
        answer = self.client.get("/services/data/v62.0/query", params={"q": soql})
        assert answer.status_code == 200, answer.text
        return [list(_flat(record)) for record in answer.json()["records"]]

    def stop(self) -> None:
        self.client.close()
        self.server.shutdown()
        self.org.store.close()


def _flat(record: dict[str, object]) -> Iterator[object]:
    for key, value in record.items():
        if key != "attributes":
            yield from _flat(value) if isinstance(value, dict) else [value]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Starts orgs: `served(declared, settings, clock=…, folder=…)`."""
    running: list[Served] = []

    org_file = tmp_path / "org.yaml"
    org_file.touch()

    def start(declared=None, settings=None, *, clock=None, folder=tmp_path / "org") -> Served:
        org = open_org(folder, declared, settings, org_file)
        if clock is not None:
            org.clock = clock
        server = Server(org)
        server.start()
        client = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.access_token}"},
            timeout=30,
        )
        running.append(Served(org, server, client))
        return running[-1]

    yield start
    for each in running:
        each.stop()
