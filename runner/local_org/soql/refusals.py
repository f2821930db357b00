"""Error messages for queries: the code, the excerpt, the caret.

Knows positions and messages. Knows nothing of grammar or catalog.

The excerpt is the row's text from 30 characters before the error to 31 after it, extended to whole
words, as in recorded responses of Salesforce.
"""

from __future__ import annotations

import re

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal

_BEFORE = 30
_AFTER = 31
_GAPS = frozenset(" \t\r,")
_NOT_THERE = "Please reference your WSDL or the describe call for the appropriate names."
_WORD = re.compile(r"\w+|\S")


class Statement(Struct, frozen=True):
    """The text of a query, for error messages."""

    text: str

    def refusal(self, code: str, at: int, words: str) -> ApiRefusal:
        """An error at the character with offset `at`."""
        row = self.text.count("\n", 0, at) + 1
        row_start = self.text.rfind("\n", 0, at) + 1
        row_end = self.text.find("\n", at)
        excerpt, caret = _excerpt(
            self.text[row_start : row_end if row_end >= 0 else len(self.text)], at - row_start
        )
        place = f"ERROR at Row:{row}:Column:{at - row_start + 1}"
        return ApiRefusal(400, code, f"\n{excerpt}\n{' ' * caret}^\n{place}\n{words}")

    def malformed(self, at: int, words: str) -> ApiRefusal:
        """An error in the syntax of the query."""
        return self.refusal("MALFORMED_QUERY", at, words)

    def unexpected(self, at: int) -> ApiRefusal:
        """An unexpected word at `at`.

        Salesforce points one character before such a word, and nowhere at the end of the text.
        """
        found = _WORD.search(self.text, at)
        if found is None:
            return ApiRefusal(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'")
        return self.malformed(max(found.start() - 1, 0), f"unexpected token: '{found[0]}'")

    def no_column(self, at: int, name: str, entity: str) -> ApiRefusal:
        """A field that the sObject does not have."""
        return self.refusal(
            "INVALID_FIELD",
            at,
            f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
            f"field, be sure to append the '__c' after the custom field name. {_NOT_THERE}",
        )

    def no_relationship(self, at: int, name: str, *, child: bool = False) -> ApiRefusal:
        """A relationship that the sObject does not have."""
        place = "FROM part of query call" if child else "field path"
        return self.refusal(
            "INVALID_TYPE" if child else "INVALID_FIELD",
            at,
            f"Didn't understand relationship '{name}' in {place}. If you are attempting to use a "
            "custom relationship, be sure to append the '__r' after the custom relationship name. "
            f"{_NOT_THERE}",
        )

    def no_sobject(self, at: int, name: str) -> ApiRefusal:
        """An sObject that the org does not have."""
        return self.refusal(
            "INVALID_TYPE",
            at,
            f"sObject type '{name}' is not supported. If you are attempting to use a custom "
            f"object, be sure to append the '__c' after the entity name. {_NOT_THERE}",
        )

    def cannot_be(self, action: str, at: int, name: str) -> ApiRefusal:
        """A field that describe says cannot be filtered, sorted or grouped."""
        code = "INVALID_FIELD" if action == "filtered" else "MALFORMED_QUERY"
        return self.refusal(code, at, f"field '{name}' can not be {action} in a query call")

    def wrong_literal(self, at: int, name: str, wanted: str, *, quoted: bool) -> ApiRefusal:
        """A literal of another type than the field's."""
        should = "should" if quoted else "should not"
        return self.refusal(
            "INVALID_FIELD",
            at,
            f"value of filter criterion for field '{name}' must be of type {wanted} and {should} "
            "be enclosed in quotes",
        )


def too_complicated() -> ApiRefusal:
    """A valid query that is too complicated."""
    return ApiRefusal(400, "QUERY_TOO_COMPLICATED", "Query is too complicated")


def _excerpt(row: str, place: int) -> tuple[str, int]:
    start = max(place - _BEFORE, 0)
    while start > 0 and row[start - 1] not in _GAPS:
        start -= 1
    end = min(place + _AFTER, len(row))
    while end < len(row) and row[end] not in _GAPS:
        end += 1
    return row[start:end], place - start
