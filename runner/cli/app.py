"""The command line as Typer reads, explains and completes it: its verbs, a module each.

A verb's module is imported and its command built when it is asked for: by its name, by `--help`, or
by a shell that completes a word. Each imports what it needs when it runs. A command line with
nothing unusual in it is read by `plain_words`, and this module is not imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.core import TyperGroup

from runner.cli.declare import Group, readable_by_typer
from runner.cli.error_output import print_document_if_asked
from runner.cli.log_format import OF_ALL_VERBS
from runner.cli.usage_words import in_plain_words, say_ranges
from runner.cli.verbs import COMPLETE, VERBS
from runner.errors import UsageError
from runner.version import __version__

HELP = {"help_option_names": ["-h", "--help"]}
"""Settings of a command."""


class _Commands(Mapping[str, object]):
    """The command of each verb, built when it is asked for."""

    def __getitem__(self, verb: str) -> object:
        if verb not in VERBS:
            raise KeyError(verb)
        return _command(verb)

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class _OtherWords(TyperGroup):
    """Answers words of other tools with what to type here."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - Typer's types have no public names
        word = args[0]
        if word not in self.commands:
            from runner.cli.other_words import said_of

            said = said_of(word, "" if ctx.parent is None else str(ctx.info_name), VERBS)
            if said is not None:
                ctx.fail(f"No such command {word!r}. {said}")
        return super().resolve_command(ctx, args)


def _examples_in_help(lines: str) -> str:
    """Examples, a line each, as the end of a help text that is not wrapped."""
    shown = "\n".join(f"  {line}" for line in lines.splitlines())
    return f"\b\nExamples:\n{shown}"


@cache
def _command(verb: str) -> object:
    module = import_module(f"runner.cli.{verb}")
    group: Group | None = getattr(module, "GROUP", None)
    made = typer.Typer(
        name=verb,
        cls=_OtherWords,
        help=group.help if group else None,
        no_args_is_help=group is not None,
        add_completion=False,
        rich_markup_mode=None,
        context_settings=HELP,
    )
    verbs = group.verbs if group else {verb: (getattr(module, verb), module.EXAMPLES)}
    for name, (function, examples) in verbs.items():
        made.command(name, epilog=_examples_in_help(examples), context_settings=HELP)(
            readable_by_typer(function)
        )
    return _with_log_format(typer.main.get_command(made))


def _with_log_format(command: Any) -> Any:  # noqa: ANN401 - Typer's types have no public names
    """The command, or each of its verbs, with the one option that all have."""
    for each in getattr(command, "commands", {"": command}).values():
        option = typer.main.get_params_convertors_ctx_param_name_from_function(
            readable_by_typer(OF_ALL_VERBS)
        )[0][0]
        option.expose_value = False
        each.params.append(option)
        say_ranges(each.params)
    return command


@contextmanager
def _plain_words() -> Iterator[None]:
    """Let an error of Typer's speak as the runner does."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message"):
            text = in_plain_words(error)
            error.format_message = lambda: text
        raise


class _Verbs(_OtherWords):
    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as Typer gives them
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]

    def make_context(self, *words: Any, **more: Any) -> Any:  # noqa: ANN401 - as above
        with _plain_words():
            return super().make_context(*words, **more)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as above
        with _plain_words():
            return super().invoke(ctx)

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - nothing is built for it
        return list(VERBS)


app = typer.Typer(
    name="runner",
    cls=_Verbs,
    help="Run Salesforce jobs declared in YAML.",
    context_settings=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _all_verbs(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Run Salesforce jobs declared in YAML."""
    if version:
        typer.echo(f"runner {__version__}")
        raise typer.Exit


def run_app() -> None:
    """Run what the command line says, or complete a word of it for the shell that asks."""
    if COMPLETE in os.environ:
        completion_init()
    try:
        app(prog_name="runner", complete_var=COMPLETE)
    except SystemExit as end:
        words_of = getattr(end.__context__, "format_message", None)
        if words_of is not None:  # an error of Typer, which it has printed
            print_document_if_asked(UsageError(words_of(), hint="See `runner COMMAND -h`."))
        raise
