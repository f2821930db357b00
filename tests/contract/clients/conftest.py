"""A local org on a real socket for other people's clients.

The org serves all tests of a module. It is never emptied, so each test marks its own records with
`tag`, and looks for no others.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import requests
from simple_salesforce import Salesforce

ORG_FILE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 60, external_id: true, unique: true}
      Tier__c: {type: picklist, label: Tier, values: [Gold, Silver], restricted: true}
      Score__c: {type: number, label: Score, precision: 16, scale: 2}
      Active__c: {type: checkbox, label: Active}
      Since__c: {type: date, label: Since}
      Checked__c: {type: datetime, label: Checked}
  Contact:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 60, external_id: true, unique: true}
      Batch__c: {type: text, label: Batch, length: 60, external_id: true}
  Invoice__c:
    label: Invoice
    plural_label: Invoices
    name_field: {type: auto_number, format: "INV-{0000}"}
    fields:
      Account__c: {type: lookup, label: Account, to: Account, relationship: Account__r}
      Amount__c: {type: currency, label: Amount, precision: 16, scale: 2}
"""
SERVE = (sys.executable, "-m", "runner", "org", "serve", "--port", "0", "-o", "json")
END_SECONDS = 30


@dataclass(frozen=True)
class Org:
    """A local org that answers."""

    url: str
    token: str

    def request(self, method, path, **options):
        headers = {"Authorization": f"Bearer {self.token}"}
        path = f"/services/data/v62.0/{path}"
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **options)

    def rows(self, soql):
        """What the org holds, asked without the client that is being tested."""
        answer = self.request("GET", "query", params={"q": soql})
        assert answer.status_code == 200, answer.text
        return [without_attributes(record) for record in answer.json()["records"]]

    def create(self, sobject, **values):
        answer = self.request("POST", f"sobjects/{sobject}", json=values)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def create_many(self, sobject, rows):
        """Ids of new records, 200 a request."""
        ids = []
        for start in range(0, len(rows), 200):
            records = [{"attributes": {"type": sobject}, **r} for r in rows[start : start + 200]]
            sent = {"allOrNone": True, "records": records}
            answer = self.request("POST", "composite/sobjects", json=sent)
            assert answer.status_code == 200, answer.text
            ids += [each["id"] for each in answer.json()]
        return ids


def without_attributes(value):
    """A record as plain values, the parents' too."""
    if not isinstance(value, dict):
        return value
    return {name: without_attributes(each) for name, each in value.items() if name != "attributes"}


@contextmanager
def serving(folder, org_file):
    """A local org that lives in a folder, as a process of its own."""
    (folder / "org.yaml").write_text(org_file, encoding="utf-8")
    server = subprocess.Popen(
        [*SERVE, "--org-file", folder / "org.yaml", "--state", folder / "state"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        told = json.loads(server.stdout.readline())
        try:
            yield Org(told["url"], told["access_token"])
        finally:
            server.terminate()
            server.wait(END_SECONDS)


@pytest.fixture(scope="module")
def org_file():
    """What the org has besides the standard objects; a module may have its own."""
    return ORG_FILE


@pytest.fixture(scope="module")
def org(tmp_path_factory, org_file):
    """A local org with a folder of its own, ended with the module's last test."""
    with serving(tmp_path_factory.mktemp("org"), org_file) as served:
        yield served


@pytest.fixture
def tag():
    """What a test's records are known by."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def refresh_token(org):
    """A function that gives what a person gets who approves an app in a browser."""

    def approve(client_id):
        app = {"client_id": client_id, "redirect_uri": "http://localhost:1717/callback"}
        asked = {**app, "response_type": "code", "scope": "api refresh_token"}
        pressed = {"step": "approve", "username": "admin@local.example"}
        page = f"{org.url}/services/oauth2/authorize"
        answer = httpx.post(page, params=asked, data=pressed)
        (code,) = parse_qs(urlsplit(answer.headers["Location"]).query)["code"]
        given = {**app, "grant_type": "authorization_code", "code": code}
        return httpx.post(f"{org.url}/services/oauth2/token", data=given).json()["refresh_token"]

    return approve


class ToLoopback(requests.Session):
    """Takes simple-salesforce to the org: it builds https addresses, and login hosts of its own."""

    LOGIN_HOST = re.compile(r"https://[\w.-]+\.salesforce\.com")

    def __init__(self, org_url):
        super().__init__()
        self._org_url = org_url

    def request(self, method, url, *args, **kwargs):
        url = url.replace("https://127.0.0.1:", "http://127.0.0.1:", 1)
        url = self.LOGIN_HOST.sub(self._org_url, url, count=1)
        return super().request(method, url, *args, **kwargs)


@pytest.fixture
def session(org):
    with ToLoopback(org.url) as session:
        yield session


@pytest.fixture
def sf(org, session):
    """simple-salesforce, signed in."""
    return Salesforce(session_id=org.token, instance_url=org.url, session=session)
