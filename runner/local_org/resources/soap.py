"""`/services/Soap/u/NN.0`: `undelete` and `merge`, which have no REST counterpart.

Source: SOAP API developer guide, partner WSDL: `undelete()`, `merge()`, their limits and the form
of faults. Knows envelopes. Knows nothing of the recycle bin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Never
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from runner.local_org.api_errors import ApiError
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Org, User
from runner.local_org.records import RowOutcome, WriteCall, write
from runner.local_org.records.merging import MergeCall, MergeOutcome, merge
from runner.local_org.records.outcome import refused
from runner.local_org.records.refusals import malformed_id

_MOST_RECORDS = 200
"""Of an undelete; and merges of one call."""
_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"
_FAULTS = "urn:fault.partner.soap.sforce.com"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSI_TYPE = f"{{{_XSI}}}type"
_NULL = "#N/A"
"""A null, as rows of text have it."""
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
    name = "nothing" if call is None else _name(call)
    if call is None or call.tag != f"{{{_PARTNER}}}{name}" or name not in _CALLS:
        raise _Fault("UNKNOWN_EXCEPTION", f"No operation available for request {name}")
    if len(call) > _MOST_RECORDS:
        raise _Fault(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {_MOST_RECORDS} records into this call",
            "InvalidIdFault",
        )
    results = "".join(_CALLS[name](org, user, call))
    return _enveloped(f'<{name}Response xmlns="{_PARTNER}">{results}</{name}Response>')


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


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element) -> str:
    return (element.text or "").strip()


def _undelete(org: Org, user: User, call: ET.Element) -> Iterator[str]:
    ids = [_text(each) for each in call.findall(f"{{{_PARTNER}}}ids")]
    return map(_result, _undeleted(org, user, ids))


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


def _merge(org: Org, user: User, call: ET.Element) -> list[str]:
    """Each request by itself, whatever its element is called: clients name it differently."""
    calls = [_merge_call(org, user, each) for each in call]
    with org.store.writing() as conn:
        return [_merge_result(merge(org, conn, each)) for each in calls]


def _merge_call(org: Org, user: User, request: ET.Element) -> MergeCall:
    master = next((each for each in request if _name(each) == "masterRecord"), ET.Element("none"))
    fields = {_name(each): each.text or "" for each in master}
    named = fields.pop("type", "") or master.get(_XSI_TYPE, "").rpartition(":")[2]
    sobject = org.catalog.sobject(named.strip())
    if sobject is None:
        message = f"sObject type '{named}' is not supported."
        raise _Fault("INVALID_TYPE", message, "InvalidSObjectFault")
    if not sobject.flags.get("mergeable", False):
        raise _Fault("INVALID_TYPE_FOR_OPERATION", "entity type does not support merge")
    emptied = {_text(each): _NULL for each in master if _name(each) == "fieldsToNull"}
    fields.pop("fieldsToNull", None)
    losers = [_text(each) for each in request if _name(each) == "recordToMergeIds"]
    return MergeCall(sobject, fields | emptied, losers, user)


def _merge_result(outcome: MergeOutcome) -> str:
    merged = "".join(f"<mergedRecordIds>{each}</mergedRecordIds>" for each in outcome.merged)
    moved = "".join(f"<updatedRelatedIds>{each}</updatedRelatedIds>" for each in outcome.moved)
    return (
        f"<result>{_errors(outcome.errors)}{_id(outcome.id)}{merged}"
        f"<success>{str(outcome.success).lower()}</success>{moved}</result>"
    )


_CALLS: Mapping[str, Callable[[Org, User, ET.Element], Iterator[str] | list[str]]] = {
    "undelete": _undelete,
    "merge": _merge,
}
"""What answers each call: the XML of its results."""


def _result(outcome: RowOutcome) -> str:
    success = str(outcome.success).lower()
    return (
        f"<result>{_errors(outcome.errors)}{_id(outcome.id)}<success>{success}</success></result>"
    )


def _errors(errors: Sequence[ApiError]) -> str:
    return "".join(
        "<errors>"
        + "".join(f"<fields>{escape(name)}</fields>" for name in error.fields)
        + f"<message>{escape(error.message)}</message>"
        + f"<statusCode>{escape(error.code)}</statusCode></errors>"
        for error in errors
    )


def _id(record_id: str | None) -> str:
    return f"<id>{escape(record_id)}</id>" if record_id else '<id xsi:nil="true"/>'


def _enveloped(content: str, status: int = 200) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" xmlns:sf="{_FAULTS}"'
        f' xmlns:xsi="{_XSI}">'
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
