"""Restores records from the recycle bin: SOAP `undelete`, for REST has no such call.

Source: SOAP API developer guide, `undelete()`: at most 200 Ids per call; the access token is the
session Id. Knows the envelope, its answer and its faults. Knows nothing of why records come back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from xml.parsers import expat
from xml.sax.saxutils import escape

from msgspec import Struct, field

from runner.errors import DamagedAnswerError, OrgError, UnexpectedAnswerError
from runner.salesforce.http.error_bodies import error_of, faults_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.rest.values import RecordResult
from runner.salesforce.session import Session

MOST_RECORDS = 200
_PARTNER = "urn:partner.soap.sforce.com"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_STALE = "INVALID_SESSION_ID"
_NOT_DELETED = "UNDELETE_FAILED"
_DEEPEST = 20


def undelete(session: Session, ids: Sequence[str]) -> list[RecordResult]:
    """Restore records and return the result of each, in their order.

    Args:
        session: The org.
        ids: At most 200.

    Raises:
        OrgError: The org refused the call; TransientError where it may work later.
        TransportError: No answer came; the records may be restored all the same.
        DamagedAnswerError: However often it was asked for, the answer is not whole XML.
        UnexpectedAnswerError: The answer is not SOAP, or the number of results differs.
    """
    answer, found = _asked(session, ids)
    if _is_stale(answer):
        # SOAP does not answer 401; a request that does gets the token renewed.
        session.request("GET", "/limits")
        answer, found = _asked(session, ids)
    if not answer.ok:
        raise _refused(answer)
    results = list(_results(found, replayed=answer.replayed))
    if len(results) != len(ids):
        raise UnexpectedAnswerError(
            f"The org returned {len(results)} results for {len(ids)} records to restore"
        )
    return results


def _refused(answer: OrgResponse) -> OrgError:
    error = error_of(answer)
    if error.code == _STALE:
        error.hint = (
            "SOAP accepts JWT access tokens only from API version 68.0: leave `api_version` out, "
            "or have the app issue opaque tokens."
        )
    return error


def undelete_envelope(session_id: str, ids: Sequence[str]) -> bytes:
    """The body of a call."""
    listed = "".join(f"<urn:ids>{escape(each)}</urn:ids>" for each in ids)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:urn="{_PARTNER}">'
        "<soapenv:Header><urn:SessionHeader>"
        f"<urn:sessionId>{escape(session_id)}</urn:sessionId>"
        "</urn:SessionHeader></soapenv:Header>"
        f"<soapenv:Body><urn:undelete>{listed}</urn:undelete></soapenv:Body>"
        "</soapenv:Envelope>"
    ).encode()


_Members = list[dict[str, list[str]]]
"""Of each result, the texts of its members by name."""


def undelete_results(body: bytes) -> _Members:
    """The members of each `result`, by name, including those of its `errors`.

    Raises:
        DamagedAnswerError: It is not whole XML.
        UnexpectedAnswerError: It declares entities, or is nested too deeply.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)  # noqa: FBT003 - expat takes no names
    except expat.ExpatError as error:
        raise DamagedAnswerError(
            "The org's answer to an undelete",
            f"it is not XML: {expat.ErrorString(error.code)}",
            hint="A proxy or login page may have answered; check the host and HTTPS_PROXY.",
        ) from error
    return reader.results


def _asked(session: Session, ids: Sequence[str]) -> tuple[OrgResponse, _Members]:
    """The answer, and what it says of each record; of a refusal, nothing."""
    found: _Members = []

    def receive(_headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        found[:] = undelete_results(b"".join(pieces))

    token = session.token.access_token.reveal()
    request = OrgRequest(
        "POST",
        f"/services/Soap/u/{session.api_version}",
        {
            "Content-Type": "text/xml; charset=UTF-8",
            "SOAPAction": '""',
            "Accept": "text/xml",
        },
        body=undelete_envelope(token, ids),
        idempotent=True,
    )
    return session.answer(request, receive), found


def _is_stale(answer: OrgResponse) -> bool:
    if answer.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    found = faults_of(answer)
    return bool(found) and found[0].code == _STALE


def _results(found: _Members, *, replayed: bool) -> Iterator[RecordResult]:
    for result in found:
        record_id = next(iter(result.get("id", ())), None) or None
        code = next(iter(result.get("statusCode", ())), None)
        if result.get("success") == ["true"]:
            yield RecordResult(record_id, success=True, created=False)
        else:
            yield RecordResult(
                record_id,
                success=False,
                created=None,
                code=code,
                message=next(iter(result.get("message", ())), None),
                fields=tuple(result.get("fields", ())),
                may_be_own=replayed and code == _NOT_DELETED,
            )


class _Reader(Struct):
    """What the XML parser calls; document types are refused, and entities with them."""

    results: list[dict[str, list[str]]] = field(default_factory=list)
    parser: expat.XMLParserType = field(default_factory=expat.ParserCreate)
    _open: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _start(self, tag: str, _attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEEPEST:
            self._refuse()
        name = tag.rpartition(":")[2]
        self._open.append(name)
        self._text.clear()
        if name == "result":
            self.results.append({})

    def _end(self, _tag: str) -> None:
        name = self._open.pop()
        if "result" in self._open and self._text:
            self.results[-1].setdefault(name, []).append("".join(self._text).strip())
        self._text.clear()

    def _refuse(self, *_declared: object) -> None:
        raise UnexpectedAnswerError(
            "The org's answer is not the XML of a Salesforce API",
            hint="A proxy may have answered; check the host and HTTPS_PROXY.",
        )
