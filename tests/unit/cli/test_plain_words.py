"""Command lines that are read without Typer are read as Typer reads them, for every verb."""

import inspect
import random
from importlib import import_module

import pytest
import typer

from runner.cli.app import run_app
from runner.cli.declare import declared, readable_by_typer
from runner.cli.plain_words import read, verb_of
from runner.cli.verbs import VERBS, completed_verbs
from runner.job.rails import Rail
from tests.short_form import slow

NEVER_PLAIN = {"apply"}
"""Asks Typer where a value comes from."""
VALUES = ["a.yaml", "b c", "1", "0", "17", "99", "json", "text", "github", "K=V", "last", "é"]
VALUES += [each.value for each in Rail]
ODD = ["-", "--", "", "-vv", "-qv", "-vq", "-x", "--nope", "-h", "-n5", "--limit=", "-o=json"]


def of_module(name):
    module = import_module(f"runner.cli.{name}")
    group = getattr(module, "GROUP", None)
    of_group = {f"{name} {each}": verb for each, (verb, _) in group.verbs.items()} if group else {}
    return of_group or {name: getattr(module, name)}


PLAIN = {
    name: verb
    for each in VERBS
    if each not in NEVER_PLAIN
    for name, verb in of_module(each).items()
}


@pytest.fixture(params=PLAIN)
def verb(request):
    return PLAIN[request.param]


@pytest.fixture
def by_typer(verb, monkeypatch):
    """Read a line as Typer does: the values of all parameters, or the exception."""
    seen, app, same = {}, typer.Typer(add_completion=False), readable_by_typer(verb)

    def record(**values):
        seen.update(values)

    record.__signature__, record.__annotations__ = inspect.signature(same), same.__annotations__
    app.command()(record)
    command = typer.main.get_command(app)

    def ask(words, environ):
        seen.clear()
        with monkeypatch.context() as within:
            for name, value in environ.items():
                within.setenv(name, value)
            command.main(words, standalone_mode=False)
        return dict(seen)

    return ask


def words_of(verb, chance):
    """A line of what the verb declares, and sometimes of what it does not."""
    names = [each for _, found in declared(verb).values() for each in getattr(found, "names", ())]
    names = [each for name in names for each in name.split("/")]
    line = []
    for _ in range(chance.randint(0, 5)):
        match chance.randint(0, 6):
            case 0 | 1:
                line.append(chance.choice(VALUES))
            case 2 | 3 if names:
                line += [chance.choice(names), chance.choice(VALUES)]
            case 4 if names:
                line.append(f"{chance.choice(names)}={chance.choice(VALUES)}")
            case 5 if names:
                line.append(chance.choice(names))
            case 6 if chance.random() < 0.3:
                line.append(chance.choice(ODD))
    return line


def variables_of(verb, chance):
    named = [getattr(found, "settings", {}).get("envvar") for _, found in declared(verb).values()]
    named = [each for each in named if each]
    return {chance.choice(named): chance.choice(VALUES)} if named and chance.random() < 0.3 else {}


@pytest.mark.parametrize("tries", [40, *slow(1_000)])
def test_what_is_read_without_typer_is_what_typer_reads(verb, by_typer, tries):
    chance, read_plainly = random.Random(verb.__name__), 0  # noqa: S311
    defaults = {
        name: each.default
        for name, each in inspect.signature(verb).parameters.items()
        if each.default is not each.empty
    }
    for _ in range(tries):
        words, environ = words_of(verb, chance), variables_of(verb, chance)
        plainly = read(verb, words, environ)
        if plainly is not None:
            read_plainly += 1
            assert defaults | plainly == by_typer(words, environ), (words, environ)
    assert read_plainly > tries / 50


def test_each_option_is_read_without_typer_in_each_of_its_spellings(verb):
    needed = ["a.yaml"] * (read(verb, [], {}) is None)
    for _, declaration in declared(verb).values():
        for name in getattr(declaration, "names", ()):
            for words in ([name], *([name, value] for value in VALUES)):
                if read(verb, [*needed, *words], {}) is not None:
                    break
            else:
                pytest.fail(f"{name} is never read")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--help"],
        ["-h"],
        ["nope"],
        ["history", "--help"],
        ["history", "--limit", "0"],
        ["history", "--limit", "-1"],
        ["history", "--nope"],
        ["history", "-n"],
        ["history", "-o", "yaml"],
        ["history", "spare"],
        ["validate"],
        ["validate", ""],
        ["validate", "--", "a.yaml"],
        ["apply", "a.plan"],
        ["org"],
        ["org", "nope"],
        ["org", "serve", "--help"],
        ["state", "export"],
    ],
)
def test_what_is_unusual_is_left_to_typer(words):
    assert verb_of(words, {}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("SFRUNNER_OUTPUT", "yaml"), ("SFRUNNER_QUIET", "1"), ("SFRUNNER_TAG", "a b")],
)
def test_variables_that_are_more_than_a_text_are_left_to_typer(name, value):
    assert verb_of(["validate", "a.yaml"], {name: value}) is None


def test_a_variable_is_a_value_that_is_not_given():
    history = PLAIN["history"]
    assert read(history, [], {"SFRUNNER_STATE": "/srv"}) == {"state_dir": "/srv"}
    assert read(history, ["--state", "/a"], {"SFRUNNER_STATE": "/srv"}) == {"state_dir": "/a"}


@pytest.mark.parametrize("line", ["runner ", "runner v", "runner re", "runner history", "runner x"])
def test_a_verb_is_completed_as_typer_completes_it(line, monkeypatch, capsys):
    words = {"_RUNNER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "1"}
    plainly = completed_verbs(words)
    assert bool(plainly) == (line != "runner x")
    for name, value in words.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        run_app()
    assert capsys.readouterr().out.split() == plainly


@pytest.mark.parametrize(
    ("line", "place", "shell"),
    [
        ("runner --v", "1", "bash"),
        ("runner 'v", "1", "bash"),
        ("runner v jobs/", "1", "bash"),
        ("runner validate jobs/", "2", "bash"),
        ("runner v", "1", "zsh"),
    ],
)
def test_other_words_are_completed_by_typer(line, place, shell):
    words = {"_RUNNER_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": place}
    assert completed_verbs(words) == []
