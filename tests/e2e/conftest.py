"""The command in a process of its own, and a local org on a real socket."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.e2e.org_client import Client
from tests.e2e.proxy import Proxy
from tests.e2e.warm_process import Ended, Fork, Warm, command_seconds
from tests.object_store import BUCKET, object_store

ORG_FILE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Tier__c: {type: picklist, label: Tier, values: [Gold, Silver, Bronze], restricted: true}
      Active__c: {type: checkbox, label: Active}
      Since__c: {type: date, label: Since}
      Checked__c: {type: datetime, label: Checked}
      Score__c: {type: number, label: Score, precision: 16, scale: 2}
  Contact:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""
USER = "admin@local.example"
CALLBACK = "http://localhost:1717/OauthRedirect"


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    made = Warm(tmp_path_factory.mktemp("warm"))
    yield made
    made.end()


@dataclass
class Bench:
    """A folder with job files, a state folder, and the command."""

    folder: Path
    warm: "Warm"
    env: dict = field(default_factory=dict)
    started: list = field(default_factory=list)
    client: Client = field(default_factory=Client)
    """Of the test: connections are kept, which halves what a request costs."""

    @property
    def state(self):
        return self.folder / "state"

    def environ(self):
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return {**kept, "SFRUNNER_STATE": str(self.state), **self.env}

    def start(self, *words, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        process = subprocess.Popen(
            [sys.executable, "-m", "runner", *map(str, words)],
            cwd=self.folder,
            env=self.environ(),
            **options,
        )
        self.started.append(process)
        return process

    def serve(self, *words):
        """Start a local org in a fork of the warm process; it says where it is on stdout."""
        process = self.warm.start(words, self.folder, self.environ())
        self.started.append(process)
        return process

    def begin(self, *words):
        """Start a command in a fork of the warm process; a test reads what it says meanwhile."""
        process = self.warm.start(words, self.folder, self.environ(), with_errors=True)
        self.started.append(process)
        return process

    def end(self):
        """End what a test left running."""
        self.client.close()
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream and not stream.closed:
                    stream.close()

    def run(self, *words, given=None):
        """Run a command to its end: in a fork of the warm process, if nobody else is at that."""
        is_plain = not any(name.startswith("PYTHON") for name in self.env)
        if is_plain and self.warm.free.acquire(blocking=False):
            try:
                return self.warm.run(words, self.folder, self.environ(), given)
            finally:
                self.warm.free.release()
        process = self.start(*words, stdin=subprocess.PIPE)
        out, err = process.communicate(given, timeout=command_seconds())
        return Ended(process.returncode, out, err)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def job(self, tasks, *, name="job.yaml", connection="{environment: local}", head=""):
        text = f"version: 1\nname: test\nconnection: {connection}\n{head}tasks:\n"
        lines = (f"  {line}" if line else "" for line in tasks.strip("\n").split("\n"))
        return self.write(name, text + "\n".join(lines) + "\n")


@dataclass
class Org:
    """A local org that answers."""

    url: str
    token: str
    process: Fork
    client: Client

    def request(self, method, path, **options):
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.client.request(method, self.url + path, headers=headers, **options)

    def grant(self, client_id="app", user=USER):
        """A sign-in that another program made: the token endpoint's answer."""
        asked = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": CALLBACK,
            "scope": "api refresh_token",
        }
        address = f"{self.url}/services/oauth2/authorize?{urlencode(asked)}"
        with httpx.Client(follow_redirects=False) as client:
            for step in ("login", "approve"):
                answer = client.post(address, data={"username": user, "step": step})
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            form = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
            token = client.post(
                f"{self.url}/services/oauth2/token", data={**form, "redirect_uri": CALLBACK}
            )
        return token.json()

    def expire_sessions(self):
        answer = self.request("POST", "/__org/sessions/expire")
        assert answer.status_code < 300, answer.text

    def fault(self, **rule):
        answer = self.request("POST", "/__org/faults", json=rule)
        assert answer.status_code < 300, answer.text

    def stall_jobs(self):
        """Let every Bulk job stay in progress until `go_on`."""
        self.fault(kind="job_stalls")

    def go_on(self):
        """End all faults: jobs continue."""
        assert self.request("DELETE", "/__org/faults").status_code < 300

    def later(self, times=1):
        """Set the org's clock ahead, by as many steps: it tells times to the second."""
        answer = self.request("POST", "/__org/clock", json={"ahead": 4 * times})
        assert answer.status_code == 200, answer.text

    def rows(self, soql):
        answer = self.request("GET", "/services/data/v62.0/query", params={"q": soql})
        assert answer.status_code == 200, answer.text
        return [without_attributes(record) for record in answer.json()["records"]]

    def create(self, sobject, **values):
        answer = self.request("POST", f"/services/data/v62.0/sobjects/{sobject}", json=values)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]


def without_attributes(value):
    """A record as plain values, the parents' too."""
    if not isinstance(value, dict):
        return value
    return {name: without_attributes(each) for name, each in value.items() if name != "attributes"}


@pytest.fixture
def bench(tmp_path, warm):
    made = Bench(tmp_path, warm)
    yield made
    made.end()


@pytest.fixture
def serve_org(bench):
    """Start a local org with more options than none; ended with the test."""

    def start(*options, org_file=ORG_FILE, place=bench):
        file = place.write("org.yaml", org_file)
        words = ("org", "serve", "--port", "0", "-o", "json", "--org-file", file, *options)
        process = place.serve(*words)
        told = json.loads(process.stdout.readline())
        return Org(told["url"], told["access_token"], process, place.client)

    return start


@pytest.fixture
def org(serve_org):
    """A local org in the bench's state folder, so that `environment: local` finds it."""
    return serve_org()


@pytest.fixture
def proxy(org, bench):
    """A proxy before the org, whose token is in `T`."""
    opened = Proxy(org)
    bench.env["T"] = org.token
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def bucket():
    """A bucket of an S3 server: its address, and what tells libraries where it is."""
    with object_store() as env:
        yield f"s3://{BUCKET}/crm", env


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two workers: the folder that is their project, and its address."""
    from tests.e2e.fleets import cluster_in  # noqa: PLC0415 - few tests have one

    folder = tmp_path_factory.mktemp("project")
    with cluster_in(folder, 2) as (address, _):
        yield folder, address


@pytest.fixture
def project(cluster, warm, serve_org, request):
    """A folder of its own in the project that the workers were started in."""
    from tests.e2e.fleets import Project  # noqa: PLC0415

    folder, address = cluster
    own = folder / re.sub(r"\W", "-", request.node.name)
    own.mkdir()
    made = Project(own, warm, address, serve_org)
    yield made
    made.end()
