"""Why a text is not a query: where it is wrong, and what is expected there."""

from __future__ import annotations


class SoqlError(ValueError):
    """A text that is not SOQL."""

    def __init__(
        self,
        at: int,
        expected: tuple[str, ...] = (),
        *,
        words: str | None = None,
        help: str | None = None,  # noqa: A002 - as in diagnostics
        alias: str | None = None,
    ) -> None:
        super().__init__(at, expected)
        self.at = at
        """Where, in characters from 0: the end of the text if something is missing there."""
        self.expected = expected
        """What is expected there: words of SOQL in upper case, other things by description."""
        self.words = words
        """What is wrong, in Salesforce's words, if it is more than an unexpected word."""
        self.help = help
        """How to write it."""
        self.alias = alias
        """The word before it, if that was read as an alias; a misspelt keyword is."""


class TooDeepError(SoqlError):
    """A text that nests deeper than is read here. It may be SOQL."""
