"""The folder of a `runner test`."""

import subprocess
import sys
import tempfile

from runner.cli.test_scratch import scratch_folder

DIES = """
import os
from runner.cli.test_scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "file").touch()
    os._exit(0)
"""


def test_the_folder_is_private_and_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    subprocess.run([sys.executable, "-c", DIES], check=True)
    assert len(list(tmp_path.iterdir())) == 1
    with scratch_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]  # that of the dead process is gone
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
