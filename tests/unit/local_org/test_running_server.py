"""One server a folder, which others can find."""

from __future__ import annotations

import os
import stat

import pytest

from runner.local_org import running_server
from runner.local_org.app import Server, open_org


def test_a_running_server_is_found_by_its_folder(served, tmp_path):
    org = served(folder=tmp_path)
    told = running_server.find(tmp_path)
    assert told is not None
    assert told.url == org.server.url
    assert told.access_token == org.server.access_token
    assert told.pid == os.getpid()
    assert stat.S_IMODE((tmp_path / running_server.FILE_NAME).stat().st_mode) == 0o600


def test_a_stopped_server_is_not_found(served, tmp_path):
    assert running_server.find(tmp_path) is None
    served(folder=tmp_path).server.shutdown()
    assert running_server.find(tmp_path) is None


def test_a_second_server_on_a_folder_is_refused_and_told_of_the_first(served, tmp_path):
    first = served(folder=tmp_path)
    org = open_org(tmp_path)
    with pytest.raises(running_server.FolderServedError, match=str(os.getpid())) as caught:
        Server(org)
    assert first.server.url in str(caught.value)
    org.store.close()
    assert first.client.get("/services/data").status_code == 200


def test_starting_and_stopping_twice_is_starting_and_stopping_once(served, tmp_path):
    org = served(folder=tmp_path)
    org.server.start()
    assert org.client.get("/services/data").status_code == 200
    org.server.shutdown()
    org.server.shutdown()
    org.server.serve_forever()
    assert running_server.find(tmp_path) is None


def test_the_next_server_takes_over_with_a_token_of_its_own(served, tmp_path):
    first = served(folder=tmp_path)
    old = first.server.access_token
    first.stop()
    second = served(folder=tmp_path)
    assert second.client.get("/services/data/v60.0").status_code == 200
    stale = second.client.get("/services/data/v60.0", headers={"Authorization": f"Bearer {old}"})
    assert stale.status_code == 401
