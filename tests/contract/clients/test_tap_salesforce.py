"""tap-salesforce (PyPI, Singer) reads a stream of the local org, in full and incrementally."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("tap_salesforce_on_loopback.py")
FIELDS = {"LastName", "ERP_Id__c", "IsDeleted", "CreatedDate", "SystemModstamp"}


@dataclass(frozen=True)
class Tap:
    """The tap, with its configuration in a folder."""

    python: Path
    folder: Path
    org_url: str

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document), encoding="utf-8")
        return self.folder / name

    def run(self, *words):
        run = subprocess.run(
            [self.python, SCRIPT, "--config", self.folder / "config.json", *words],
            env={"ORG_URL": self.org_url, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def discover(self):
        return {each["stream"]: each for each in json.loads(self.run("--discover"))["streams"]}

    def sync(self, stream, state=None):
        """Records and last state of one stream."""
        words = ["--properties", self.write("catalog.json", {"streams": [stream]})]
        if state:
            words += ["--state", self.write("state.json", state)]
        messages = [json.loads(line) for line in self.run(*words).splitlines()]
        records = [each["record"] for each in messages if each["type"] == "RECORD"]
        return records, [each["value"] for each in messages if each["type"] == "STATE"][-1]


@pytest.fixture(scope="session")
def python(installed):
    """The Python that the tap lives in; asked for before an org is started for nothing."""
    installed("tap/bin/tap-salesforce")
    return installed("tap/bin/python")


@pytest.fixture(params=["REST", "BULK"])
def tap(request, python, org, refresh_token, tmp_path):
    made = Tap(python, tmp_path, org.url)
    config = {
        "client_id": "3MVG9tap",
        "client_secret": "none",
        "refresh_token": refresh_token("3MVG9tap"),
        "start_date": "2020-01-01T00:00:00Z",
        "api_type": request.param,
    }
    made.write("config.json", config)
    return made


def selected(stream, fields):
    """The stream with these fields chosen, to be read by what has changed since."""
    for each in stream["metadata"]:
        if each["breadcrumb"] == []:
            key = {"replication-method": "INCREMENTAL", "replication-key": "SystemModstamp"}
            each["metadata"] |= {"selected": True, **key}
        else:
            each["metadata"]["selected"] = each["breadcrumb"][1] in fields
    return stream


def test_every_object_is_discovered(tap):
    streams = tap.discover()
    assert {"Account", "Contact", "Opportunity", "Invoice__c"} <= set(streams)
    properties = streams["Account"]["schema"]["properties"]
    assert properties["ERP_Id__c"]["type"] == ["null", "string"]
    assert properties["Score__c"]["type"] == ["null", "number"]
    assert properties["Active__c"]["type"] == ["null", "boolean"]


def test_a_stream_in_full_then_what_has_changed(tap, org, tag):
    rows = [{"LastName": f"{tag} {n}", "ERP_Id__c": f"{tag}-{n}"} for n in range(250)]
    ids = org.create_many("Contact", rows)
    org.request("DELETE", f"sobjects/Contact/{ids[1]}")
    contact = selected(tap.discover()["Contact"], FIELDS)

    records, state = tap.sync(contact)
    own = {each["Id"]: each for each in records if each["LastName"].startswith(tag)}
    assert set(own) == set(ids)
    assert set(own[ids[0]]) == FIELDS | {"Id"}
    # It asks for deleted records too.
    assert [own[each]["IsDeleted"] for each in ids[:2]] == [False, True]

    org.request("PATCH", f"sobjects/Contact/{ids[0]}", json={"LastName": f"{tag} new"})
    new = org.create("Contact", LastName=f"{tag} new")
    changed, state = tap.sync(contact, state)
    assert {new, ids[0]} <= {each["Id"] for each in changed if each["LastName"] == f"{tag} new"}

    state["bookmarks"]["Contact"]["SystemModstamp"] = "2999-01-01T00:00:00.000000Z"
    assert tap.sync(contact, state)[0] == []


@pytest.mark.slow
def test_a_long_stream_is_read_page_by_page(tap, org, tag):
    org.create_many("Account", [{"Name": f"{tag} {n}"} for n in range(4100)])
    records, _ = tap.sync(selected(tap.discover()["Account"], {"Name"}))
    names = [each["Name"] for each in records if each["Name"].startswith(tag)]
    assert len(names) == len(set(names)) == 4100
