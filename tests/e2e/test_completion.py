"""What a shell completes: verbs, options, what is in jobs, run ids; nothing where that fails."""

import os
import shutil
import sys
from pathlib import Path

import pexpect
import pytest

from tests.e2e.test_targets import TASKS

JOB = TASKS.replace("{targets: [prod]}", "true")
HEAD = "params:\n  day: {type: date}\n  region: {type: string}\n"
SECONDS = 60


def completed(bench, words):
    """What is offered for the last of the words."""
    bench.env |= {
        "_RUNNER_COMPLETE": "complete_bash",
        "COMP_WORDS": f"runner {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    ended = bench.run()
    for name in ("_RUNNER_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del bench.env[name]
    assert ended.err == ""
    return ended.out.split()


def test_tasks_params_and_targets_are_those_of_the_job(bench):
    connection = "{targets: {dev: {environment: local}, prod: {environment: local}}}"
    bench.job(JOB, head=HEAD, connection=connection)
    assert completed(bench, "run job.yaml --task ") == ["people", "only_prod"]
    assert completed(bench, "run job.yaml -t only") == ["only_prod"]
    assert completed(bench, "plan job.yaml --task people --param ") == ["day=", "region="]
    assert completed(bench, "check job.yaml --target p") == ["prod"]


@pytest.mark.parametrize("text", ["tasks: [", "- a", "tasks: 3\nconnection: 4\nparams: 5", "\x00"])
def test_a_broken_job_completes_to_nothing(bench, text):
    bench.write("job.yaml", text)
    for option in ("--task", "--param", "--target"):
        assert completed(bench, f"run job.yaml {option} ") == []
    assert completed(bench, "run missing.yaml --task ") == []


def test_runs_are_completed_from_the_ledger_newest_first(bench, org):
    assert completed(bench, "show ") == ["last"]
    bench.write("people.csv", "Name\nAda\n")
    job = bench.job(JOB)
    for _ in range(2):
        assert bench.run("run", job).code == 0
    ids = [run["run_id"] for run in bench.run("history", "-o", "json").document["runs"]]
    assert completed(bench, "show ") == [*ids, "last"]
    assert completed(bench, f"resume {ids[1]}") == [ids[1]]
    assert completed(bench, "undo la") == ["last"]
    (bench.state / "ledger.sqlite").write_bytes(b"no database")
    assert completed(bench, "retry ") == ["last"]


SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(_RUNNER_COMPLETE=source_bash runner)"'),
    "zsh": (
        ["-f", "-i"],
        'autoload -U compinit; compinit -D; eval "$(_RUNNER_COMPLETE=source_zsh runner)"',
    ),
    "fish": (["--no-config", "-i"], "_RUNNER_COMPLETE=source_fish runner | source"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_on_a_terminal(bench, shell):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    if not (Path(sys.executable).parent / "runner").exists():
        pytest.skip("the command is not installed beside this Python")
    bench.job(JOB)
    options, setup = SHELLS[shell]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**bench.environ(), "PATH": path, "TERM": "dumb", "PS1": "> "}
    terminal = pexpect.spawn(
        program, options, cwd=str(bench.folder), env=env, encoding="utf-8", timeout=SECONDS
    )
    terminal.sendline(
        f"{setup}; echo READY$((1 + 1))" if shell != "fish" else f"{setup}; echo READY(math 1+1)"
    )
    terminal.expect("READY2")
    terminal.send("runner vali\t")
    terminal.expect("date")
    terminal.send(" job.yaml --allow-o\t")
    terminal.expect("utside")
    terminal.sendcontrol("u")
    terminal.send("runner run job.yaml --task only\t")
    terminal.expect("_prod")
    terminal.close(force=True)
