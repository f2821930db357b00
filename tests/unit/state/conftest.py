from pathlib import Path

import pytest

from runner.state.paths import StateFolder


@pytest.fixture(params=["folder", "shared"])
def state(request, tmp_path):
    """A state folder, and a state that machines share."""
    if request.param == "folder":
        return StateFolder(tmp_path / "state")
    return request.getfixturevalue("shared_at")()


@pytest.fixture
def job_file():
    return Path("/jobs/accounts.yaml")
