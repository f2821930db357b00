import secrets
from pathlib import Path

import pytest

from runner.state.paths import StateFolder
from runner.state.shared.address import read_address
from tests.postgresql import USER


@pytest.fixture
def shared_at(postgres, tmp_path):
    """Make the state of a machine: its own folders, one database and one store for all."""
    schema = f"t{secrets.token_hex(6)}"

    def at(machine="here"):
        files = (tmp_path / "store").as_uri()
        url = (
            f"postgresql://{USER}:pass-word@/postgres?host={postgres}&files={files}&schema={schema}"
        )
        root, project = tmp_path / machine / "state", tmp_path / machine / "project"
        return StateFolder(root, read_address(url, project))

    return at


@pytest.fixture(params=["folder", "shared"])
def state(request, tmp_path):
    """A state folder, and a state that machines share."""
    if request.param == "folder":
        return StateFolder(tmp_path / "state")
    return request.getfixturevalue("shared_at")()


@pytest.fixture
def job_file():
    return Path("/jobs/accounts.yaml")
