"""Airbyte's source for Salesforce (PyPI `airbyte-source-salesforce`) reads the local org.

A stream with an address is read over REST, or without the address over Bulk API 2.0 if it must be.
"""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # it takes seconds to start
SCRIPT = Path(__file__).with_name("airbyte_salesforce_on_loopback.py")
ACCOUNT = [{"criteria": "exacts", "value": "Account"}]


@pytest.fixture(scope="session")
def python(installed):
    installed("airbyte/bin/source-salesforce")
    return installed("airbyte/bin/python")


@pytest.fixture(params=["REST", "BULK"])
def airbyte(request, python, org, refresh_token, tmp_path):
    """Run a command of the source; gives its messages, by type."""
    config = {
        "client_id": "3MVG9airbyte",
        "client_secret": "none",
        "refresh_token": refresh_token("3MVG9airbyte"),
        "start_date": "2020-01-01T00:00:00Z",
        "stream_slice_step": "P3650D",
        "streams_criteria": ACCOUNT,
        "force_use_bulk_api": request.param == "BULK",
    }

    def run(command, **documents):
        words = []
        for name, document in {"config": config, **documents}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
            words += [f"--{name}", tmp_path / f"{name}.json"]
        ended = subprocess.run(
            [python, SCRIPT, command, *words],
            env={"ORG_URL": org.url, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        messages = [json.loads(line) for line in ended.stdout.splitlines()]
        told = {each["type"]: [] for each in messages}
        for each in messages:
            told[each["type"]].append(each)
        return told

    return run


def test_a_stream_is_discovered_and_read_with_deleted_records_then_what_has_changed(
    airbyte, org, tag
):
    (checked,) = airbyte("check")["CONNECTION_STATUS"]
    assert checked["connectionStatus"]["status"] == "SUCCEEDED"
    (catalog,) = airbyte("discover")["CATALOG"]
    streams = {each["name"]: each for each in catalog["catalog"]["streams"]}
    properties = streams["Account"]["json_schema"]["properties"]
    assert properties["Score__c"]["type"] == ["number", "null"]
    assert properties["Active__c"]["type"] == ["boolean", "null"]

    names = [f"{tag} {n:04}" for n in range(2100)]
    ids = org.create_many("Account", [{"Name": each, "Score__c": 1.5} for each in names])
    org.request("DELETE", f"sobjects/Account/{ids[1]}")
    stream = {"stream": streams["Account"], "cursor_field": ["SystemModstamp"]}
    modes = {"sync_mode": "incremental", "destination_sync_mode": "append"}
    catalog = {"streams": [stream | modes]}
    told = airbyte("read", catalog=catalog)
    found = [each["record"]["data"] for each in told["RECORD"]]
    mine = {each["Name"]: each for each in found if each["Name"].startswith(tag)}
    assert sorted(mine) == names
    assert [mine[each]["IsDeleted"] for each in names[:2]] == [False, True]
    assert mine[names[0]]["Score__c"] == 1.5

    state = told["STATE"][-1]["state"]
    later = "2999-01-01T00:00:00.000Z"
    state["stream"]["stream_state"]["slices"][0] |= {
        "end": later,
        "most_recent_cursor_value": later,
    }
    assert "RECORD" not in airbyte("read", catalog=catalog, state=[state])
