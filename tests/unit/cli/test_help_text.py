"""Every help text ends with examples, and each of them is a command that is understood."""

import shlex

import pytest
import typer.main
from typer.testing import CliRunner

from runner.cli.app import app

ROOT = typer.main.get_command(app)


def leaves(command=ROOT, words=()):
    children = getattr(command, "commands", None)
    if children is None:
        return {words: command}
    return {
        name: each
        for child in children
        for name, each in leaves(children[child], (*words, child)).items()
    }


LEAVES = leaves()


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_ends_with_examples_that_are_understood(words):
    shown = CliRunner().invoke(app, [*words, "-h"])
    assert shown.exit_code == 0
    lines = shown.output.partition("Examples:\n")[2].splitlines()
    examples = [line.strip() for line in lines]
    assert examples
    assert shown.output.rstrip().endswith(examples[-1])
    for example in examples:
        mine = shlex.split(example.rpartition("|")[2].partition(">")[0])
        assert tuple(mine[: len(words) + 1]) == ("runner", *words)
        LEAVES[words].make_context(" ".join(words), mine[len(words) + 1 :])


def test_the_list_of_commands_has_whole_sentences():
    shown = CliRunner().invoke(app, ["-h"], terminal_width=80)
    listed = shown.output.partition("Commands:\n")[2].splitlines()
    assert len(listed) == len(ROOT.commands)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)
