"""A signed-in client of an org on a socket, in terms of the calls that records need."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest

DECLARED = {
    "version": 1,
    "objects": {
        "Account": {
            "fields": {
                "Ext__c": {"type": "text", "external_id": True, "unique": True},
                "Loose__c": {"type": "text", "external_id": True},
            }
        },
        "Invoice__c": {
            "fields": {"Account__c": {"type": "master_detail", "to": "Account"}},
        },
        "Lead": {"duplicate_rules": {"Company": {"fields": ["Company"], "action": "alert"}}},
    },
}


@dataclass
class Rest:
    """Calls below `/services/data/vNN.0`."""

    client: httpx.Client

    def call(self, method, path, body=None, *, version="60.0", headers=None) -> httpx.Response:
        url = f"/services/data/v{version}{path}"
        return self.client.request(method, url, json=body, headers=headers)

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body, **options):
        return self.call("POST", path, body, **options)

    def patch(self, path, body, **options):
        return self.call("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.call("DELETE", path, **options)

    def create(self, sobject, **fields) -> str:
        answer = self.post(f"/sobjects/{sobject}", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def read(self, sobject, record_id) -> dict[str, object]:
        return dict(self.get(f"/sobjects/{sobject}/{record_id}").json())


@pytest.fixture
def rest(served) -> Rest:
    return Rest(served(DECLARED).client)
