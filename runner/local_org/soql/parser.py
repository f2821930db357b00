"""Parses the text of a request, and refuses what is no query as Salesforce does."""

from __future__ import annotations

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.soql.refusals import Statement, too_complicated
from runner.soql import parser
from runner.soql.errors import SoqlError, TooDeepError
from runner.soql.syntax import Query

_LONGEST_TEXT = 100_000


def parse(statement: Statement) -> Query:
    """The parts of a query; ApiRefusal MALFORMED_QUERY if it is invalid."""
    if len(statement.text) > _LONGEST_TEXT:
        raise ApiRefusal(400, "MALFORMED_QUERY", "SOQL statement exceeds the maximum length")
    try:
        return parser.parse(statement.text)
    except TooDeepError:
        raise too_complicated() from None
    except SoqlError as error:
        if error.words is None:
            raise statement.unexpected(error.at) from None
        raise statement.malformed(error.at, error.words) from None
