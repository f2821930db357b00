"""Which lines of the ledger wait for the disk: those of what must not be sent twice."""

import pytest

from runner.cli.app import app
from runner.cli.terminal import Exit
from runner.state.ledger import Ledger

JOB = """\
version: 1
connection: {environment: local}
tasks:
  - name: accounts
    VERB: Account
    from: accounts.csv
    api: rest
    fields: FIELDS
"""


@pytest.fixture
def synced(tmp_path, monkeypatch):
    """Run a task; of each of its lines, whether it waited for the disk."""
    waited = []
    record_part = Ledger.record_part

    def recording(self, *facts, synced=True):
        waited.append(synced)
        record_part(self, *facts, synced=synced)

    monkeypatch.setattr(Ledger, "record_part", recording)
    monkeypatch.setenv("SFRUNNER_STATE", str(tmp_path / "state"))

    def run(verb, fields, rows):
        (tmp_path / "accounts.csv").write_text(rows)
        (tmp_path / "job.yaml").write_text(JOB.replace("VERB", verb).replace("FIELDS", fields))
        waited.clear()
        with pytest.raises(Exit):
            app(["run", str(tmp_path / "job.yaml"), "-q"])
        return list(waited)

    return run


def test_lines_of_a_create_wait_for_the_disk_and_those_of_an_update_need_not(synced):
    assert synced("create", "{Name: name}", "name\nAcme\n") == [True, True]
    rows = "id,name\n001000000000001AAA,Acme\n"
    assert synced("update", "{Id: id, Name: name}", rows) == [False, False]
