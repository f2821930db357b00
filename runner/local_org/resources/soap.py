"""`/services/Soap/u/NN.0`: `undelete`, the one SOAP call without a REST counterpart.

Source: SOAP API developer guide, partner WSDL: `undelete()`, its limits and the form of faults.
Knows envelopes. Knows nothing of the recycle bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Never
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Org, User
from runner.local_org.records import RowOutcome, WriteCall, write
from runner.local_org.records.outcome import refused
from runner.local_org.records.refusals import malformed_id

_MOST_RECORDS = 200
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_FAULTS = "urn:fault.partner.soap.sforce.com"
_XML_TYPE = "text/xml;charset=UTF-8"


class _Fault(Exception):  # noqa: N818 - it is an answer, not a defect
    """A call refused as a whole."""

    def __init__(self, code: str, message: str, kind: str = "UnexpectedErrorFault") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.kind = kind

    def response(self) -> Response:
        """The response: always HTTP 500."""
        detail = (
            f"<detail><sf:{self.kind}>"
            f"<sf:exceptionCode>{escape(self.code)}</sf:exceptionCode>"
            f"<sf:exceptionMessage>{escape(self.message)}</sf:exceptionMessage>"
            f"</sf:{self.kind}></detail>"
        )
        return _enveloped(
            f"<soapenv:Fault><faultcode>sf:{escape(self.code)}</faultcode>"
            f"<faultstring>{escape(str(self))}</faultstring>{detail}</soapenv:Fault>",
            status=500,
        )


def _called(org: Org, request: Request) -> Response:
    try:
        return _answered(org, request)
    except _Fault as fault:
        return fault.response()


def _answered(org: Org, request: Request) -> Response:
    if float(request.params["version"]) not in org.settings.served_versions:
        raise _Fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")
    if "soapaction" not in request.headers:
        raise _Fault("CLIENT_ERROR", "SOAPAction HTTP header missing")
    envelope = _read(request.body)
    user = _user(org, envelope)
    call = envelope.find(f"{{{_ENVELOPE}}}Body/*")
    if call is None or call.tag != f"{{{_PARTNER}}}undelete":
        name = "nothing" if call is None else call.tag.rpartition("}")[2]
        raise _Fault("UNKNOWN_EXCEPTION", f"No operation available for request {name}")
    ids = [(each.text or "").strip() for each in call.findall(f"{{{_PARTNER}}}ids")]
    if len(ids) > _MOST_RECORDS:
        raise _Fault(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {_MOST_RECORDS} records into this call",
            "InvalidIdFault",
        )
    results = "".join(map(_result, _undeleted(org, user, ids)))
    return _enveloped(f'<undeleteResponse xmlns="{_PARTNER}">{results}</undeleteResponse>')


class _Builder(ET.TreeBuilder):
    def doctype(self, *_declared: object) -> Never:
        raise _malformed("DOCTYPE is not supported in SOAP messages")


def _read(body: bytes) -> ET.Element:
    try:
        envelope = ET.fromstring(body, parser=ET.XMLParser(target=_Builder()))  # noqa: S314 - no document type, so no entities
    except ET.ParseError as error:
        raise _malformed(str(error)) from error
    if envelope.tag != f"{{{_ENVELOPE}}}Envelope":
        raise _malformed(f"the root element is {envelope.tag.rpartition('}')[2]}, not Envelope")
    return envelope


def _malformed(what: str) -> _Fault:
    return _Fault("CLIENT_ERROR", f"the message is not a SOAP envelope: {what}")


def _user(org: Org, envelope: ET.Element) -> User:
    path = f"{{{_ENVELOPE}}}Header/{{{_PARTNER}}}SessionHeader/{{{_PARTNER}}}sessionId"
    session = org.part(Sessions).find((envelope.findtext(path) or "").strip())
    if session is None:
        raise _Fault(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found",
        )
    return session.user


def _undeleted(org: Org, user: User, ids: Sequence[str]) -> list[RowOutcome]:
    outcomes: list[RowOutcome] = []
    with org.store.writing() as conn:
        for prefix, members in groupby(ids, key=lambda each: each[:3]):
            rows = [{"Id": each} for each in members]
            sobject = org.catalog.of_id(prefix)
            if sobject is None:
                outcomes += [refused(malformed_id(row["Id"])) for row in rows]
                continue
            outcomes += write(org, conn, WriteCall("undelete", sobject, rows, user))
    return outcomes


def _result(outcome: RowOutcome) -> str:
    errors = "".join(
        "<errors>"
        + "".join(f"<fields>{escape(name)}</fields>" for name in error.fields)
        + f"<message>{escape(error.message)}</message>"
        + f"<statusCode>{escape(error.code)}</statusCode></errors>"
        for error in outcome.errors
    )
    id_element = f"<id>{escape(outcome.id)}</id>" if outcome.id else '<id xsi:nil="true"/>'
    return f"<result>{errors}{id_element}<success>{str(outcome.success).lower()}</success></result>"


def _enveloped(content: str, status: int = 200) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:sf="{_FAULTS}"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    )
    return Response(status, body.encode(), {"Content-Type": _XML_TYPE})


ROUTES = (
    Route(
        "POST",
        r"/services/Soap/u/(?P<version>\d{1,2}\.0)(?:/\w+)?",
        _called,
        versioned=False,
        signed_in=False,
    ),
)
"""The path may end in the org's Id, as clients send it after a login."""
