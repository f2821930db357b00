"""Commands that people know from other tools, and other names of those that there are."""

import pytest

from runner.cli.app import app
from runner.cli.other_words import said_of
from runner.cli.verbs import VERBS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["query", "SELECT Id FROM Account"], "`runner init` writes one"),
        (["import"], "There is also `runner state import`."),
        (["serve", "--port", "0"], "Did you mean `runner org serve`?"),
        (["ls"], "Did you mean `runner history`?"),
        (["help", "run"], "Did you mean `runner --help`?"),
        (["org", "login", "web"], "Did you mean `runner login`?"),
        (["Status"], "Did you mean `runner history`"),
        (["my jobs/a.yaml"], "Did you mean `runner run 'my jobs/a.yaml'`?"),
        (["a.test.yaml"], "Did you mean `runner test a.test.yaml`?"),
        (["runn"], "Did you mean 'run'?"),
        (["org", "sreve"], "Did you mean 'serve'"),
    ],
)
def test_a_word_that_is_not_a_command_is_answered_with_one(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        app(words, prog_name="runner")
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_nothing_is_said_of_words_that_nobody_knows():
    assert said_of("frobnicate", "", VERBS) is None
    assert said_of("query", "org", VERBS) is None


def test_no_command_is_taken_for_a_word_of_another_tool():
    assert [verb for verb in VERBS if said_of(verb, "", VERBS)] == []
