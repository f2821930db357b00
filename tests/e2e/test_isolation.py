"""A user's modules do not take the place of the runner's."""

import os
import subprocess
import sys
from itertools import product

import pytest

from tests.short_form import short_form

JOB = "- {name: list, query: SELECT Id FROM Account, to: out.csv}\n"
CLASH = 'raise SystemExit("a module of the user was imported")\n'


@pytest.mark.parametrize(
    ("place", "name"),
    short_form(
        [*product(["PYTHONPATH", "the current folder"], ["runner", "yaml", "httpx", "typer"])],
        [("PYTHONPATH", "yaml"), ("the current folder", "runner")],
    ),
)
def test_modules_of_the_user_are_not_imported(bench, place, name):
    folder = bench.folder if place == "the current folder" else bench.folder / "scripts"
    bench.write(f"{folder.relative_to(bench.folder)}/{name}.py", CLASH)
    job = bench.job(JOB)
    start = "from sfrunner_command import main; main()"  # as the installed script does
    ended = subprocess.run(
        [sys.executable, "-P", "-c", start, "run", str(job)],
        cwd=bench.folder,
        env={**bench.environ(), "PYTHONPATH": os.pathsep.join(("", str(bench.folder / "scripts")))},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "done (exit 0)" in ended.stdout
