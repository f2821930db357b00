"""How the org words its refusal of a query: the code, the piece of text, the caret.

Knows positions and words. Knows nothing of grammar or catalog.

The piece shown is the row's text from 30 characters before the fault to 31 after it, widened to
whole words; that is what recorded answers of Salesforce have in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runner.local_org.api_errors import ApiRefusal

_BEFORE = 30
_AFTER = 31
_GAPS = frozenset(" \t\r,")
_NOT_THERE = "Please reference your WSDL or the describe call for the appropriate names."
_WORD = re.compile(r"\w+|\S")


@dataclass(frozen=True, slots=True)
class Statement:
    """The text of a query, to complain about."""

    text: str

    def refusal(self, code: str, at: int, words: str) -> ApiRefusal:
        """A refusal that points at the character at offset `at`."""
        row = self.text.count("\n", 0, at) + 1
        row_start = self.text.rfind("\n", 0, at) + 1
        row_end = self.text.find("\n", at)
        piece, caret = _piece(
            self.text[row_start : row_end if row_end >= 0 else len(self.text)], at - row_start
        )
        place = f"ERROR at Row:{row}:Column:{at - row_start + 1}"
        return ApiRefusal(400, code, f"\n{piece}\n{' ' * caret}^\n{place}\n{words}")

    def malformed(self, at: int, words: str) -> ApiRefusal:
        """A refusal for how the query is put."""
        return self.refusal("MALFORMED_QUERY", at, words)

    def unexpected(self, at: int) -> ApiRefusal:
        """A refusal of the word at `at`.

        Salesforce points one character before such a word, and nowhere when the text has ended.
        """
        found = _WORD.search(self.text, at)
        if found is None:
            return ApiRefusal(400, "MALFORMED_QUERY", "unexpected token: '<EOF>'")
        return self.malformed(max(found.start() - 1, 0), f"unexpected token: '{found[0]}'")

    def no_column(self, at: int, name: str, entity: str) -> ApiRefusal:
        """A refusal of a field that the sObject does not have."""
        return self.refusal(
            "INVALID_FIELD",
            at,
            f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
            f"field, be sure to append the '__c' after the custom field name. {_NOT_THERE}",
        )

    def no_relationship(self, at: int, name: str, *, child: bool = False) -> ApiRefusal:
        """A refusal of a relationship that the sObject does not have."""
        place = "FROM part of query call" if child else "field path"
        return self.refusal(
            "INVALID_TYPE" if child else "INVALID_FIELD",
            at,
            f"Didn't understand relationship '{name}' in {place}. If you are attempting to use a "
            "custom relationship, be sure to append the '__r' after the custom relationship name. "
            f"{_NOT_THERE}",
        )

    def no_sobject(self, at: int, name: str) -> ApiRefusal:
        """A refusal of an sObject that the org does not have."""
        return self.refusal(
            "INVALID_TYPE",
            at,
            f"sObject type '{name}' is not supported. If you are attempting to use a custom "
            f"object, be sure to append the '__c' after the entity name. {_NOT_THERE}",
        )

    def cannot_be(self, deed: str, at: int, name: str) -> ApiRefusal:
        """A refusal to filter, sort or group by a field that describe says cannot be."""
        code = "INVALID_FIELD" if deed == "filtered" else "MALFORMED_QUERY"
        return self.refusal(code, at, f"field '{name}' can not be {deed} in a query call")

    def wrong_literal(self, at: int, name: str, wanted: str, *, quoted: bool) -> ApiRefusal:
        """A refusal of a literal of another type than the field's."""
        should = "should" if quoted else "should not"
        return self.refusal(
            "INVALID_FIELD",
            at,
            f"value of filter criterion for field '{name}' must be of type {wanted} and {should} "
            "be enclosed in quotes",
        )


def too_complicated() -> ApiRefusal:
    """A refusal of a query that is well put but too much."""
    return ApiRefusal(400, "QUERY_TOO_COMPLICATED", "Query is too complicated")


def _piece(row: str, place: int) -> tuple[str, int]:
    start = max(place - _BEFORE, 0)
    while start > 0 and row[start - 1] not in _GAPS:
        start -= 1
    end = min(place + _AFTER, len(row))
    while end < len(row) and row[end] not in _GAPS:
        end += 1
    return row[start:end], place - start
