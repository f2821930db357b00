"""A client of the Bulk endpoints, written from the public documents of the API."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import dataclass

import httpx
import pytest

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "ERP_Id__c": {"type": "text", "length": 20, "external_id": True, "unique": True}
            }
        }
    },
}
PAUSE = threading.Event()
TERMINAL = {"JobComplete", "Failed", "Aborted"}


@dataclass
class Bulk:
    """Makes jobs and waits for them."""

    client: httpx.Client
    version: str = "60.0"

    def path(self, rest: str) -> str:
        return f"/services/data/v{self.version}/jobs/{rest}"

    def create(self, operation="insert", sobject="Account", **more) -> httpx.Response:
        body = {"object": sobject, "operation": operation, "contentType": "CSV"} | more
        return self.client.post(self.path("ingest"), json=body)

    def open(self, *args, **more) -> str:
        answer = self.create(*args, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()["id"]

    def put(self, job_id: str, content: str | bytes) -> httpx.Response:
        return self.client.put(
            self.path(f"ingest/{job_id}/batches"),
            content=content,
            headers={"Content-Type": "text/csv"},
        )

    def patch(self, job_id: str, state: str, kind="ingest") -> httpx.Response:
        return self.client.patch(self.path(f"{kind}/{job_id}"), json={"state": state})

    def info(self, job_id: str, kind="ingest") -> dict:
        answer = self.client.get(self.path(f"{kind}/{job_id}"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, job_id: str, kind="ingest") -> dict:
        """Poll until the job has ended."""
        for _ in range(100_000):
            job = self.info(job_id, kind)
            if job["state"] in TERMINAL:
                return job
            # Polling as fast as it can would use the day's requests up, and keep the job waiting.
            PAUSE.wait(0.005)
        raise AssertionError("the job did not end")

    def ingest(self, content: str | bytes, *args, **more) -> dict:
        """Create, upload, close, wait."""
        job_id = self.open(*args, **more)
        assert self.put(job_id, content).status_code == 201
        assert self.patch(job_id, "UploadComplete").status_code == 200
        return self.ended(job_id)

    def text(self, job: dict, which: str) -> str:
        answer = self.client.get(self.path(f"ingest/{job['id']}/{which}"))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/csv"
        return answer.text

    def rows(self, job: dict, which: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.text(job, which), newline="")))

    def ask(self, soql: str, **more) -> httpx.Response:
        body = {"operation": "query", "query": soql} | more
        return self.client.post(self.path("query"), json=body)

    def query(self, soql: str, **more) -> dict:
        answer = self.ask(soql, **more)
        assert answer.status_code == 200, answer.text
        return self.ended(answer.json()["id"], "query")

    def page(self, job: dict, **params) -> httpx.Response:
        return self.client.get(self.path(f"query/{job['id']}/results"), params=params)


@pytest.fixture
def bulk(served):
    return Bulk(served(DECLARED).client)
