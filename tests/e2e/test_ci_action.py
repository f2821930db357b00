"""The GitHub action, its script in a real bash, and the pre-commit hook."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / ".github/actions/run/action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{ (\S+) \}\}")
JOB = "- {name: a, create: Account, from: none.csv}"


@pytest.fixture
def act(bench):
    """Run the action's last step with inputs; how it ended, and its outputs."""
    binary = bench.folder / "temp/sfrunner-python/bin/runner"
    bench.write(str(binary), f'#!/bin/sh\nexec "{sys.executable}" -m runner "$@"\n').chmod(0o755)

    def run(**inputs):
        step = ACTION["runs"]["steps"][-1]
        values = {"runner.temp": str(bench.folder / "temp")}
        defaults = {name: each.get("default", "") for name, each in ACTION["inputs"].items()}
        values |= {f"inputs.{name}": text for name, text in (defaults | inputs).items()}
        env = {
            name: EXPRESSION.sub(lambda found: values[found[1]], text)
            for name, text in step["env"].items()
        }
        output = bench.write("output", "")
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=bench.folder,
            env={**bench.environ(), **env, "GITHUB_OUTPUT": str(output), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended, dict(line.split("=", 1) for line in output.read_text().splitlines())

    return run


def test_the_action_runs_every_line_as_one_word_and_says_how_it_ended(bench, act):
    bench.job(JOB, name="jobs/a b.yaml")
    ended, outputs = act(
        job="jobs/a b.yaml\njobs/$(touch injected).yaml\n", target="", args="--quiet\n\n"
    )
    assert (ended.returncode, outputs) == (2, {"exit-code": "2"})
    assert "jobs/a b.yaml" in ended.stderr
    assert "jobs/$(touch injected).yaml" in ended.stderr
    ended, outputs = act(job="jobs/a b.yaml", target="; touch injected", args="--no-such-option")
    assert (ended.returncode, outputs) == (2, {"exit-code": "2"})
    assert not (bench.folder / "injected").exists()


def test_the_action_interpolates_nothing_into_a_script():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
    read = {text for step in ACTION["runs"]["steps"] for text in step["env"].values()}
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= read
    for name, output in ACTION["outputs"].items():
        assert output["value"] == f"${{{{ steps.run.outputs.{name} }}}}"


def test_the_hook_validates_the_job_files_that_its_pattern_selects(bench):
    [hook] = HOOKS
    assert (hook["id"], hook["language"], hook["types"]) == ("runner-validate", "python", ["yaml"])
    job = bench.job(JOB, name="jobs/a.yaml")
    names = [str(job.relative_to(bench.folder)), "connections/acme.yaml", "my/jobs/b.yaml"]
    selected = [name for name in names if re.search(hook["files"], name)]
    assert selected == ["jobs/a.yaml"]
    program, *words = hook["entry"].split()
    assert program == "runner"
    ended = bench.run(*words, *selected)
    assert ended.code == 2
    assert "error[job/no-source]" in ended.out


def test_the_hook_is_what_pre_commit_reads(tmp_path):
    command = [sys.executable, "-m", "pre_commit", "validate-manifest"]
    subprocess.run(
        [*command, ROOT / ".pre-commit-hooks.yaml"],
        env={**os.environ, "PRE_COMMIT_HOME": str(tmp_path)},
        check=True,
    )
