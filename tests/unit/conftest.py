import os
import secrets
from pathlib import Path

import pytest

from runner.state.paths import StateFolder
from runner.state.shared.address import read_address
from tests.postgresql import USER


class DiskLog:
    """Every sync and rename, in order; a sync with the bytes that the file had by then."""

    def __init__(self, monkeypatch):
        self.steps = []
        self._fsync, self._replace = os.fsync, os.replace
        monkeypatch.setattr(os, "fsync", self._sync)
        monkeypatch.setattr(os, "replace", self._rename)
        monkeypatch.setattr(os, "rename", self._rename)

    def _sync(self, descriptor):
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        self.steps.append(("sync", path, os.fstat(descriptor).st_size))
        self._fsync(descriptor)

    def _rename(self, source, to):
        self.steps.append(("rename", str(source), str(to)))
        self._replace(source, to)

    def assert_durable(self, path):
        """The whole file was synced, then renamed, then its folder was synced."""
        (rename,) = [step for step in self.steps if step[0] == "rename" and step[2] == str(path)]
        at = self.steps.index(rename)
        before, after = self.steps[:at], self.steps[at + 1 :]
        content = [step for step in before if step[:2] == ("sync", rename[1])]
        assert content, f"{path} was renamed before it was synced"
        if path.is_file():
            assert content[-1][2] == path.stat().st_size, f"{path} was synced before it was whole"
        folder = [step for step in after if step[:2] == ("sync", str(path.parent))]
        assert folder, f"the folder of {path} was not synced after the rename"


@pytest.fixture
def disk_log(monkeypatch):
    return DiskLog(monkeypatch)


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
