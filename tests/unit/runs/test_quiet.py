"""The runs print nothing and read no environment variable: they get values and give events."""

import ast
from pathlib import Path

import pytest

import runner.runs

BEGINS_A_PROCESS = "fleet/worker.py"
"""On a worker there is no command line that could pass on what its environment says."""
FILES = sorted(
    file
    for file in Path(runner.runs.__file__).parent.rglob("*.py")
    if not file.as_posix().endswith(BEGINS_A_PROCESS)
)
FORBIDDEN = {"os.environ", "os.getenv", "sys.stdout", "sys.stderr", "sys.stdin", "print", "input"}


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_the_runs_print_nothing_and_read_no_variable(file):
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = {ast.unparse(each) for each in nodes if isinstance(each, ast.Attribute | ast.Name)}
    assert names & FORBIDDEN == set()
