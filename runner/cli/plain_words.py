"""Reads a command line in which every word is as its verb declares it, without importing Typer.

Whatever has to be explained, completed or refused is left to Typer: help, unknown options, values
of another kind, what is missing. So are spellings that few people use. What is read here must be
read by Typer in the same way, which is a test of every verb. Knows nothing of what a verb does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from runner.cli.declare import Argument, Group, Option, Verb, declared
from runner.cli.log_format import OF_ALL_VERBS
from runner.cli.verbs import VERBS

_SETTINGS = frozenset(
    {
        "autocompletion",
        "count",
        "envvar",
        "help",
        "hidden",
        "max",
        "metavar",
        "min",
        "show_default",
    }
)
"""Settings of a parameter that is read here."""


def verb_of(words: Sequence[str], environ: Mapping[str, str]) -> Callable[[], None] | None:
    """The verb that the words ask for, ready to be called; None if Typer has to read them."""
    if not words or words[0] not in VERBS:
        return None
    name, *rest = words
    module = import_module(f"runner.cli.{name}")
    group: Group | None = getattr(module, "GROUP", None)
    if group is None:
        verb: Verb = getattr(module, name)
    elif rest and rest[0] in group.verbs:
        (verb, _), rest = group.verbs[rest[0]], rest[1:]
    else:
        return None
    values = read(verb, rest, environ)
    return None if values is None else lambda: verb(**values)


def read(verb: Verb, words: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The values of a verb's parameters that are not left out; None if Typer has to read them."""
    try:
        return _Line(verb, environ).read(words)
    except _NotPlainError:
        return None


class _NotPlainError(Exception):
    """Typer has to read the command line."""


class _Parameter:
    """A parameter of a verb: how it is named, and how its words become a value."""

    __slots__ = ("is_count", "is_flag", "is_list", "kind", "name", "settings")

    def __init__(self, name: str, hint: Any, declaration: Option | Argument) -> None:  # noqa: ANN401
        self.name, self.settings = name, declaration.settings
        if not _SETTINGS.issuperset(self.settings):
            raise _NotPlainError
        kinds = [each for each in get_args(hint) if each is not type(None)]
        of_list = getattr(hint, "__origin__", None) is list
        kind = hint if of_list or not kinds else kinds[0]
        self.is_list = getattr(kind, "__origin__", None) is list
        self.kind = get_args(kind)[0] if self.is_list else kind
        self.is_count = bool(self.settings.get("count"))
        self.is_flag = self.kind is bool

    def value(self, text: str) -> Any:  # noqa: ANN401 - of the declared kind
        """What a word means."""
        if not text:
            raise _NotPlainError
        if self.kind is str:
            return text
        if self.kind is Path:
            return Path(text)
        if self.kind is int:
            return self._number(text)
        if isinstance(self.kind, type) and issubclass(self.kind, Enum):
            for member in self.kind:
                if member.value == text:
                    return member
        raise _NotPlainError

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004
            raise _NotPlainError
        number, least, most = int(text), self.settings.get("min"), self.settings.get("max")
        if (least is not None and number < least) or (most is not None and number > most):
            raise _NotPlainError
        return number


class _Line:
    def __init__(self, verb: Verb, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._options: dict[str, tuple[_Parameter, bool]] = {}
        """Each name of an option, and whether it is the one that sets a flag."""
        self._arguments: list[_Parameter] = []
        self._all: list[_Parameter] = []
        self._values: dict[str, Any] = {}
        self._needed: set[str] = set()
        self._declare(verb)

    def _declare(self, verb: Verb) -> None:
        for name, (hint, declaration) in (declared(verb) | declared(OF_ALL_VERBS)).items():
            if declaration is None:
                raise _NotPlainError
            parameter = _Parameter(name, hint, declaration)
            self._all.append(parameter)
            if isinstance(declaration, Argument):
                self._arguments.append(parameter)
                continue
            if not declaration.names and parameter.is_flag:
                raise _NotPlainError
            for each in declaration.names or [f"--{name.replace('_', '-')}"]:
                sets, _, clears = each.partition("/")
                self._options[sets] = parameter, True
                if clears:
                    self._options[clears] = parameter, False
        code = verb.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        having = names[code.co_argcount - len(verb.__defaults__ or ()) : code.co_argcount]
        self._needed = {*names} - {*having, *(verb.__kwdefaults__ or ())}

    def read(self, words: Sequence[str]) -> dict[str, Any]:
        rest, alone = iter(words), list[str]()
        for word in rest:
            if not word.startswith("-"):
                alone.append(word)
            elif not self._flags(word):
                self._option(word, rest)
        self._place(alone)
        self._look_at_variables()
        if not self._needed <= self._values.keys():
            raise _NotPlainError
        self._values.pop("log_format", None)  # read before any verb is
        return self._values

    def _flags(self, word: str) -> bool:
        """Set the flags of a word such as `--quiet` or `-qv`; whether it is one."""
        names = [word] if word.startswith("--") else [f"-{letter}" for letter in word[1:]]
        found = [self._options.get(name) for name in names]
        if not found or any(
            each is None or not (each[0].is_flag or each[0].is_count) for each in found
        ):
            return False
        for each in found:
            if each is not None:
                parameter, sets = each
                before = self._values.get(parameter.name, 0)
                self._values[parameter.name] = before + 1 if parameter.is_count else sets
        return True

    def _option(self, word: str, rest: Any) -> None:  # noqa: ANN401 - an iterator of words
        name, given, text = word.partition("=")
        if given and not name.startswith("--"):
            raise _NotPlainError
        parameter, _ = self._options.get(name, (None, True))
        if parameter is None or parameter.is_flag or parameter.is_count:
            raise _NotPlainError
        if not given:
            text = next(rest, "")
            if text.startswith("-"):
                raise _NotPlainError
        value = parameter.value(text)
        if parameter.is_list:
            self._values.setdefault(parameter.name, []).append(value)
        else:
            self._values[parameter.name] = value

    def _place(self, words: list[str]) -> None:
        """Give the words without a name to the arguments."""
        for place, parameter in enumerate(self._arguments):
            if parameter.is_list:
                if place + 1 < len(self._arguments):
                    raise _NotPlainError
                taken, words = words, []
                if taken:
                    self._values[parameter.name] = [parameter.value(word) for word in taken]
            elif words:
                self._values[parameter.name] = parameter.value(words[0])
                words = words[1:]
        if words:
            raise _NotPlainError

    def _look_at_variables(self) -> None:
        """Take values that are not given from the environment."""
        for parameter in self._all:
            text = self._environ.get(parameter.settings.get("envvar", ""))
            if not text or parameter.name in self._values:
                continue
            if parameter.is_list or parameter.is_flag or parameter.is_count:
                raise _NotPlainError
            self._values[parameter.name] = parameter.value(text)
