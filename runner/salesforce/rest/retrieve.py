"""Records as they are now, by Id or by a key, with their values as text.

Knows the requests and how many records fit in each. Knows nothing of why records are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from runner.errors import OrgError, UnexpectedAnswerError
from runner.job.binds import literal
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import segment
from runner.salesforce.rest.query import fits_url, found_records
from runner.salesforce.session import Session

MOST_IDS = 2_000
"""Records of one retrieval; sObject Collections, API version 42.0."""
_MOST_VALUES = 800
"""Values in one query, if the URL has room for so many."""
_OF_AN_ID = frozenset({"MALFORMED_ID", "INVALID_ID_FIELD", "INVALID_CROSS_REFERENCE_KEY"})
"""Codes of a refusal caused by one Id of many."""
_NO_ID = "INVALID_QUERY_FILTER_OPERATOR"
"""Code of a query that is refused because of a text that is no Id: `invalid ID field: 001…`."""


class _Record(msgspec.Struct):
    """A record, whatever its other fields."""

    id: str = msgspec.field(name="Id")


Texts = Mapping[str, str | None]
"""A record: field to text as the org writes it, None where the field is empty."""


def read_by_id(
    session: Session, sobject: str, ids: Sequence[str], fields: Sequence[str]
) -> list[Texts]:
    """Read records; `Id` comes first. Missing or deleted records are left out.

    One request per 2,000 Ids.

    Raises:
        OrgError: The org refused, for instance because of an unknown field.
    """
    wanted = ["Id", *(name for name in fields if name != "Id")]
    return [
        {name: _text(record.get(name)) for name in wanted}
        for start in range(0, len(ids), MOST_IDS)
        for record in _retrieved(session, sobject, ids[start : start + MOST_IDS], wanted)
    ]


def find_by_key(
    session: Session, sobject: str, field: str, values: Sequence[str], *, quoted: bool = True
) -> Iterator[tuple[str, str]]:
    """Find records by the values of one field.

    Args:
        session: The org.
        sobject: Their object.
        field: The field.
        values: Any number; each query asks for as many as fit in a URL.
        quoted: Whether they are texts; numbers are not quoted in a query.

    Yields:
        Id and the field's value, as the org has it.
    """
    for record in _among(session, sobject, field, values, also=(field,), quoted=quoted):
        yield record["Id"], str(record[field])


def read_by_key(  # noqa: PLR0913 - the parts of a query
    session: Session,
    sobject: str,
    field: str,
    values: Sequence[str],
    paths: Sequence[str],
    *,
    quoted: bool = True,
    condition: str = "",
) -> Iterator[list[str | None]]:
    """Read records by the values of one field.

    Args:
        session: The org.
        sobject: Their object.
        field: The field; it may be the Id.
        values: Any number; each query asks for as many as fit in a URL.
        paths: What to read of each record: fields, and fields of its parents by their paths.
        quoted: Whether the values are texts; numbers are not quoted in a query.
        condition: What else must be true of a record, in SOQL.

    Yields:
        Id, the field's value unless that is the Id, and the paths' values, as text; None for null.
    """
    wanted = dict.fromkeys(("Id", field, *paths))
    members = [path.split(".") for path in wanted]
    for record in _among(
        session, sobject, field, values, also=(field,), paths=paths, quoted=quoted,
        condition=condition,
    ):  # fmt: skip
        yield [_at(record, path) for path in members]


def find_deleted(session: Session, sobject: str, ids: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Find records, including those in the recycle bin; Id, and whether it is deleted."""
    for record in _among(session, sobject, "Id", ids, also=("IsDeleted",), deleted=True):
        yield record["Id"], bool(record["IsDeleted"])


def find_merged(session: Session, sobject: str, ids: Sequence[str]) -> Iterator[list[str | None]]:
    """Find records, including deleted ones; Id, `true` if deleted, the record it is merged into."""
    master = "MasterRecordId"
    for record in _among(
        session, sobject, "Id", ids, also=("IsDeleted",), paths=(master,), deleted=True
    ):
        yield [_text(record[name]) for name in ("Id", "IsDeleted", master)]


def _retrieved(
    session: Session, sobject: str, ids: Sequence[str], fields: Sequence[str]
) -> list[dict[str, Any]]:
    try:
        answer = session.request(
            "POST",
            f"/composite/sobjects/{segment(sobject)}",
            json={"ids": list(ids), "fields": list(fields)},
            idempotent=True,
        )
    except OrgError as error:
        if error.status != HTTPStatus.BAD_REQUEST or error.code not in _OF_AN_ID:
            raise
        half = len(ids) // 2
        if not half:
            return []  # no record has such an Id
        return [
            *_retrieved(session, sobject, ids[:half], fields),
            *_retrieved(session, sobject, ids[half:], fields),
        ]
    if len(read_json(answer, list[_Record | None])) != len(ids):
        raise UnexpectedAnswerError(
            f"The org did not return one entry for each of the {len(ids)} records asked for"
        )
    # Numbers stay text: a double would lose digits.
    records = json.loads(answer.body, parse_float=str, parse_int=str)
    return [record for record in records if record is not None]


def _among(  # noqa: PLR0913 - the parts of a query
    session: Session,
    sobject: str,
    field: str,
    values: Sequence[str],
    *,
    also: Sequence[str],
    paths: Sequence[str] = (),
    quoted: bool = True,
    condition: str = "",
    deleted: bool = False,
) -> Iterator[dict[str, Any]]:
    names = tuple(dict.fromkeys(("Id", *also)))
    selected = ", ".join(dict.fromkeys((*names, *paths)))
    nullable = [each for each in dict.fromkeys(p.split(".")[0] for p in paths) if each not in names]
    more = f" AND ({condition})" if condition else ""

    def soql(some: Sequence[str]) -> str:
        listed = ",".join(map(literal, some) if quoted else some)
        return f"SELECT {selected} FROM {sobject} WHERE {field} IN ({listed}){more}"  # noqa: S608 - names as describe has them, values as literals

    def found(some: Sequence[str]) -> list[dict[str, Any]]:
        try:
            return found_records(session, soql(some), names, nullable=nullable, deleted=deleted)
        except OrgError as error:
            if field != "Id" or error.code != _NO_ID:
                raise
            half = len(some) // 2
            # No record has such an Id; the others may have one.
            return [*found(some[:half]), *found(some[half:])] if half else []

    for some in _fitting(values, soql):
        yield from found(some)


def _fitting(
    values: Sequence[str], soql: Callable[[Sequence[str]], str]
) -> Iterator[Sequence[str]]:
    start = 0
    while start < len(values):
        size = min(_MOST_VALUES, len(values) - start)
        while size > 1 and not fits_url(soql(values[start : start + size])):
            size = size * 4 // 5
        yield values[start : start + size]
        start += size


def _at(record: dict[str, Any], path: Sequence[str]) -> str | None:
    """The text at a path; None where a parent or the value is null."""
    found: Any = record
    for member in path:
        found = found.get(member) if isinstance(found, dict) else None
    return _text(found)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value)
