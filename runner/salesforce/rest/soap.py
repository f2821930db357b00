"""SOAP calls, for what REST has none: the envelope, the answer and its faults.

Source: SOAP API developer guide, partner WSDL; the access token is the session Id. Knows nothing of
any one call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from xml.parsers import expat

from msgspec import Struct, field

from runner.errors import DamagedAnswerError, OrgError, UnexpectedAnswerError
from runner.salesforce.http.error_bodies import error_of, faults_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.rest.values import RecordResult
from runner.salesforce.session import Session

_PARTNER = "urn:partner.soap.sforce.com"
_SOBJECT = "urn:sobject.partner.soap.sforce.com"
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_STALE = "INVALID_SESSION_ID"
_DEEPEST = 20

Members = Mapping[str, list[str]]
"""Of one result, the texts of its members by name."""


class SoapResults(Struct, frozen=True):
    """The results of a call, in the order of what it was about."""

    members: list[dict[str, list[str]]]
    replayed: bool
    """Whether an earlier try may have been executed, its answer lost."""


def escaped(text: str) -> str:
    """A text as an element has it; a reader of XML would take a carriage return for a line feed."""
    # `xml.sax.saxutils` would import the mail and the HTTP of Python.
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;")):
        text = text.replace(sign, name)
    return text


def call(
    session: Session, name: str, arguments: str, results: int, *, idempotent: bool
) -> SoapResults:
    """Make a call.

    Args:
        session: The org.
        name: Of the call, such as `undelete`.
        arguments: Its XML; elements of the call have the prefix `urn`, those of records `sob`.
        results: How many results it must give.
        idempotent: Whether it may be sent again when its answer is lost.

    Raises:
        OrgError: The org refused the call; TransientError where it may work later.
        TransportError: No answer came; the call may have been executed all the same.
        DamagedAnswerError: However often it was asked for, the answer is not whole XML.
        UnexpectedAnswerError: The answer is not SOAP, or the number of results differs.
    """
    answer, found = _asked(session, name, arguments, idempotent=idempotent)
    if _is_stale(answer):
        # SOAP does not answer 401; a request that does gets the token renewed.
        session.request("GET", "/limits")
        answer, found = _asked(session, name, arguments, idempotent=idempotent)
    if not answer.ok:
        raise _refused(answer)
    if len(found) != results:
        raise UnexpectedAnswerError(
            f"The org returned {len(found)} results for the {results} of the call `{name}`"
        )
    return SoapResults(found, answer.replayed)


def result_of(members: Members) -> RecordResult:
    """A result as the other calls have it."""
    record_id = next(iter(members.get("id", ())), None) or None
    if members.get("success") == ["true"]:
        return RecordResult(record_id, success=True, created=False)
    return RecordResult(
        record_id,
        success=False,
        created=None,
        code=next(iter(members.get("statusCode", ())), None),
        message=next(iter(members.get("message", ())), None),
        fields=tuple(members.get("fields", ())),
    )


def envelope(session_id: str, name: str, arguments: str) -> bytes:
    """The body of a call."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:urn="{_PARTNER}"'
        f' xmlns:sob="{_SOBJECT}">'
        "<soapenv:Header><urn:SessionHeader>"
        f"<urn:sessionId>{escaped(session_id)}</urn:sessionId>"
        "</urn:SessionHeader></soapenv:Header>"
        f"<soapenv:Body><urn:{name}>{arguments}</urn:{name}></soapenv:Body>"
        "</soapenv:Envelope>"
    ).encode()


def results_in(body: bytes, name: str) -> list[dict[str, list[str]]]:
    """The members of each `result`, by name, including those of its `errors`.

    Args:
        body: The answer.
        name: Of the call, for the error.

    Raises:
        DamagedAnswerError: It is not whole XML.
        UnexpectedAnswerError: It declares entities, or is nested too deeply.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)  # noqa: FBT003 - expat takes no names
    except expat.ExpatError as error:
        raise DamagedAnswerError(
            f"The org's answer to the SOAP call `{name}`",
            f"it is not XML: {expat.ErrorString(error.code)}",
            hint="A proxy or login page may have answered; check the host and HTTPS_PROXY.",
        ) from error
    return reader.results


def _asked(
    session: Session, name: str, arguments: str, *, idempotent: bool
) -> tuple[OrgResponse, list[dict[str, list[str]]]]:
    """The answer, and what it says of each record; of a refusal, nothing."""
    found: list[dict[str, list[str]]] = []

    def receive(_headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        found[:] = results_in(b"".join(pieces), name)

    token = session.token.access_token.reveal()
    request = OrgRequest(
        "POST",
        f"/services/Soap/u/{session.api_version}",
        {
            "Content-Type": "text/xml; charset=UTF-8",
            "SOAPAction": '""',
            "Accept": "text/xml",
        },
        body=envelope(token, name, arguments),
        idempotent=idempotent,
    )
    return session.answer(request, receive), found


def _is_stale(answer: OrgResponse) -> bool:
    if answer.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    found = faults_of(answer)
    return bool(found) and found[0].code == _STALE


def _refused(answer: OrgResponse) -> OrgError:
    error = error_of(answer)
    if error.code == _STALE:
        error.hint = (
            "SOAP accepts JWT access tokens only from API version 68.0: leave `api_version` out, "
            "or have the app issue opaque tokens."
        )
    return error


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
