"""How a verb declares its options and arguments: as data, from which a parser is made when needed.

    limit: Annotated[int, Option("--limit", "-n", min=1, help="Show at most N runs.")] = 20

Names and settings are Typer's. Typer is imported when it has to explain, complete or refuse
something; a command line in which everything is as declared is read without it (`plain_words`).
Knows nothing of any verb.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ParamSpec,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from typer.models import ParameterInfo

P = ParamSpec("P")


class Option:
    """An option of a verb."""

    __slots__ = ("names", "settings")

    def __init__(self, *names: str, **settings: Any) -> None:  # noqa: ANN401 - as Typer has them
        """Take the names, or none for that of the parameter, and settings of `typer.Option`."""
        self.names, self.settings = names, settings

    def for_typer(self) -> ParameterInfo:
        """The same for Typer."""
        import typer

        made: ParameterInfo = typer.Option(*self.names, **self.settings)
        return made


class Argument:
    """An argument of a verb: a word without a name, or several."""

    __slots__ = ("settings",)

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - as Typer has them
        """Take settings of `typer.Argument`."""
        self.settings = settings

    def for_typer(self) -> ParameterInfo:
        """The same for Typer."""
        import typer

        made: ParameterInfo = typer.Argument(**self.settings)
        return made


Verb = FunctionType


class Group:
    """A verb that has verbs of its own.

    Attributes:
        help: What it is for.
        verbs: Each by its name, with examples.
    """

    __slots__ = ("help", "verbs")

    def __init__(self, help: str) -> None:  # noqa: A002 - as Typer calls it
        self.help = help
        self.verbs: dict[str, tuple[Verb, str]] = {}

    def verb(self, name: str, examples: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
        """Add the decorated function as a verb."""

        def add(function: Callable[P, None]) -> Callable[P, None]:
            self.verbs[name] = cast("Verb", function), examples
            return function

        return add


def declared(verb: Verb) -> dict[str, tuple[Any, Option | Argument | None]]:
    """The type of each parameter of a verb, and what it is declared as."""
    hints = get_type_hints(verb, include_extras=True)
    hints.pop("return", None)
    return {name: _parted(hint) for name, hint in hints.items()}


def readable_by_typer(verb: Verb) -> Verb:
    """The same verb, its parameters annotated as Typer reads them."""
    copied = FunctionType(
        verb.__code__, verb.__globals__, verb.__name__, verb.__defaults__, verb.__closure__
    )
    copied.__doc__, copied.__kwdefaults__ = verb.__doc__, verb.__kwdefaults__
    copied.__annotations__ = {
        name: kind if parameter is None else Annotated[kind, parameter.for_typer()]
        for name, (kind, parameter) in declared(verb).items()
    }
    return copied


def _parted(hint: Any) -> tuple[Any, Option | Argument | None]:  # noqa: ANN401 - any annotation
    if get_origin(hint) is Annotated:
        kind, *added = get_args(hint)
        if len(added) == 1 and isinstance(added[0], Option | Argument):
            return kind, added[0]
    return hint, None
