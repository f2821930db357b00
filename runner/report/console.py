"""A console of Rich that prints texts as they are. Knows nothing of what is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_WIDTH = 80


def console_for(stream: TextIO) -> Console:
    """A console without markup, highlighting or emoji codes.

    COLUMNS=0, as some containers have it, would leave out all that is printed.
    """
    from rich.console import Console  # noqa: PLC0415 - slow to import

    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    if console.width < 1:
        console.width = _WIDTH
    return console
