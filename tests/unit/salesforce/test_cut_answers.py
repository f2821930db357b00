"""Every kind of answer, cut at every kind of place: asked for again or reported, never taken."""

import gzip
import socket
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from runner.credentials import Secret, Token
from runner.errors import RunnerError
from runner.job.model import RetryPolicy, Verb
from runner.salesforce.bulk import ingest, query_jobs
from runner.salesforce.describe import describe
from runner.salesforce.http.retry import Retrier
from runner.salesforce.identity import identity_of
from runner.salesforce.rest.blobs import BlobFacts, BlobPlace, download_blob
from runner.salesforce.rest.query import pages
from runner.salesforce.rest.undelete import undelete
from runner.salesforce.rest.write import WriteRequest, write_batch
from runner.salesforce.session import Session
from runner.salesforce.versions import served
from tests.short_form import short_form
from tests.unit.salesforce.conftest import MemoryTokens

ID = "001000000000001AAA"
BASE = "/services/data/v66.0"


class Wire:
    """Answers each request with the bytes that `answer` gives, then closes the connection."""

    def __init__(self) -> None:
        self.answer = lambda _method, _path: b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # closed
            while True:
                link, _ = self._listener.accept()
                with link, link.makefile("rb") as stream, suppress(OSError):
                    method, path, _ = stream.readline().decode().split(" ")
                    headers = dict(iter(lambda: self._header(stream), ("", "")))
                    stream.read(int(headers.get("content-length") or 0))
                    link.sendall(self.answer(method, path))

    @staticmethod
    def _header(stream: Any) -> tuple[str, str]:
        name, _, value = stream.readline().decode().strip().partition(":")
        return name.lower(), value.strip()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@dataclass(frozen=True)
class Kind:
    """An answer, and who asks for it."""

    path: str
    """How the request's target ends."""
    body: bytes
    ask: Any
    """Called with a session and a folder; what it returns is what was understood."""
    headers: str = ""
    status: int = 200
    others: tuple[tuple[str, bytes], ...] = ()
    """Ends of other targets that are asked for, with whole answers."""
    by_count: bool = True
    """Whether the body or its caller says what is whole, besides HTTP."""
    again: bool = True
    """Whether the request may be sent again."""


def record(number: int) -> bytes:
    return b'{"attributes":{"type":"Account"},"Id":"%d","Name":"n %d"}' % (number, number)


def page(first: int, more: bytes) -> bytes:
    records = b",".join(record(first + each) for each in range(50))
    return b'{"totalSize":100,%b,"records":[%b]}' % (more, records)


def queried(session: Session, _folder: Path) -> Any:
    found = pages(session, "SELECT Id, Name FROM Account")
    return [each for one in found for each in one.records]


def saved(write: Any) -> Any:
    def ask(session: Session, folder: Path) -> bytes | None:
        to = folder / "rows"
        write(session, to)
        return to.read_bytes() if to.exists() else None

    return ask


def upserted(session: Session, _folder: Path) -> Any:
    write = WriteRequest(Verb.UPSERT, "Account", key="ERP_Id__c")
    return write_batch(session, write, [{"ERP_Id__c": str(each), "Name": "n"} for each in range(9)])


def created(session: Session, _folder: Path) -> Any:
    return write_batch(session, WriteRequest(Verb.CREATE, "Account"), [{"Name": "n"}] * 9)


def created_alone(session: Session, _folder: Path) -> Any:
    session.api_version = "41.0"
    return write_batch(session, WriteRequest(Verb.CREATE, "Account"), [{"Name": "n"}])


def renewed(session: Session, _folder: Path) -> Any:
    session._live.renew(session.token.access_token, session.retrier)  # noqa: SLF001
    return session.token.access_token.reveal()


RESULTS = b"[%b]" % b",".join(
    b'{"id":"%b","success":true,"errors":[],"created":true}' % ID.encode() for _ in range(9)
)
ROWS = b'"Id","Name"\n' + b"".join(b'"%d","n ""%d""\nx"\n' % (n, n) for n in range(60))
COUNT = "Sforce-NumberOfRecords: 60\r\nSforce-Locator: null\r\n"
PLACE = BlobPlace(f"{BASE}/sobjects/ContentVersion/{ID}/VersionData", "ContentVersion", ID)
BLOB = bytes(range(256)) * 8
JOB = b'{"id":"750q","state":"JobComplete","object":"Account","numberRecordsProcessed":60}'
FIELDS = b",".join(
    b'{"name":"F%d","label":"F","type":"string","length":9}' % each for each in range(20)
)
SOAP = (
    b'<?xml version="1.0"?><e:Envelope xmlns:e="e"><e:Body><undeleteResponse>'
    b"<result><id>%b</id><success>true</success></result>"
    b"</undeleteResponse></e:Body></e:Envelope>" % ID.encode()
)
CSV = "Content-Type: text/csv\r\n"
QUERY = "/jobs/query/750q/results"
INGEST = "/jobs/ingest/750q/failedResults/"


def query_rows(expected: int) -> Any:
    return saved(lambda session, to: query_jobs.download(session, "750q", to, expected=expected))


def failed_rows(expected: int | None) -> Any:
    kind = ingest.ResultSet.FAILED
    return saved(
        lambda session, to: ingest.download_results(session, "750q", kind, to, expected=expected)
    )


def blob(facts: BlobFacts) -> Any:
    return saved(lambda session, to: download_blob(session, PLACE, facts, to))


FIRST = (
    "/query?q=SELECT%20Id%2C%20Name%20FROM%20Account",
    page(0, b'"done":false,"nextRecordsUrl":"%b/query/01g-50"' % BASE.encode()),
)
KINDS = {
    "page": Kind("/query/01g-50", page(50, b'"done":true'), queried, others=(FIRST,)),
    "describe": Kind(
        "/describe",
        b'{"name":"Account","fields":[%b],"keyPrefix":"001"}' % FIELDS,
        lambda session, _: describe(session, "Account"),
    ),
    "versions": Kind(
        "/services/data", b'[{"version":"65.0"},{"version":"66.0"}]', lambda s, _: served(s)
    ),
    "identity": Kind(
        "/userinfo",
        b'{"user_id":"005000000000001AAA","organization_id":"00D000000000001AAA",'
        b'"preferred_username":"u@x","name":"U","urls":{}}',
        lambda session, _: identity_of(session),
        others=(("Organization", b'{"totalSize":0,"done":true,"records":[]}'),),
    ),
    "upsert": Kind("/composite/sobjects/Account/ERP_Id__c", RESULTS, upserted),
    "create": Kind("/composite/sobjects", RESULTS, created, again=False),
    "create alone": Kind(
        "/sobjects/Account",
        b'{"id":"%b","success":true,"errors":[]}' % ID.encode(),
        created_alone,
        status=201,
        again=False,
    ),
    "query result": Kind(QUERY, ROWS, query_rows(60), headers=CSV + COUNT),
    "query result, page count only": Kind(QUERY, ROWS, query_rows(0), headers=CSV + COUNT),
    "ingest result": Kind(INGEST, ROWS, failed_rows(60), headers=CSV),
    "ingest result, uncounted": Kind(INGEST, ROWS, failed_rows(None), headers=CSV, by_count=False),
    "job": Kind("/jobs/query/750q", JOB, lambda session, _: query_jobs.state(session, "750q")),
    "token": Kind(
        "/services/oauth2/token",
        b'{"access_token":"00D!new","instance_url":"https://x.my.salesforce.com"}',
        renewed,
        again=False,
    ),
    "file": Kind("/VersionData", BLOB, blob(BlobFacts(size=len(BLOB)))),
    "file, of no known size": Kind("/VersionData", BLOB, blob(BlobFacts()), by_count=False),
    "undelete": Kind("/Soap/u/66.0", SOAP, lambda session, _: undelete(session, [ID])),
}


def packed(body: bytes, packing: str) -> bytes:
    if packing == "plain":
        return body
    half = len(body) // 2
    parts = [body] if packing == "gzip" else [body[:half], body[half:]]
    return b"".join(gzip.compress(part, mtime=0) for part in parts)


def places(body: bytes, packing: str) -> dict[str, int]:
    """Lengths of what is left of a body."""
    found = {"after the headers": 0, "first byte": 1, "middle": len(body) // 2}
    found["last byte"] = len(body) - 1
    if packing == "gzip":
        found |= {"before the trailer": len(body) - 8, "in the trailer": len(body) - 3}
    elif packing == "members":
        border = body.index(b"\x1f\x8b\x08", 1)
        found |= {"before a member": border, "in a member": border + 5}
    else:
        for mark in (b",", b"\n", b"}", b'"', b">"):  # where half a body may look whole
            at = body.rfind(mark, 0, len(body) - 1)
            if at > 0:
                found[f"before {mark!r}"], found[f"after {mark!r}"] = at, at + 1
    return found


def message(kind: Kind, framing: str, packing: str, body: bytes, sent: int | None = None) -> bytes:
    """The bytes of an answer, of which `sent` bytes of the body are sent."""
    left = body if sent is None else body[:sent]
    head = f"HTTP/1.1 {kind.status} OK\r\nConnection: close\r\n{kind.headers}"
    if packing != "plain":
        head += "Content-Encoding: gzip\r\n"
    if framing == "length":
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + left
    if framing == "changed length":
        return f"{head}Content-Length: {len(left)}\r\n\r\n".encode() + left
    if framing == "chunked":
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (left[:20], left[20:]) if p)
        end = b"0\r\n\r\n" if sent is None else b""
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + end
    return f"{head}\r\n".encode() + left


@pytest.fixture
def wire():
    opened = Wire()
    yield opened
    opened.close()


def session_of(wire: Wire, transport: Any, attempts: int) -> Session:
    token = Token(
        Secret("00D!old"),
        wire.url,
        refresh_token=Secret("refresh"),
        client_id="3MVG9",
        login_url=wire.url,
    )
    retrier = Retrier(RetryPolicy(attempts, 1, 60), sleep=lambda _: None, random=lambda: 0.0)
    session = Session(transport, MemoryTokens(token), retrier, login_command="runner login")
    session.api_version = "66.0"
    return session


def understood(kind: Kind, session: Session, folder: Path) -> Any:
    """What was read; an error of the product where that was nothing."""
    try:
        return kind.ask(session, folder)
    except RunnerError as error:
        return error


FRAMINGS = ["length", "chunked", "until closed", "changed length"]


@pytest.mark.parametrize(
    ("name", "framing"),
    short_form(
        [*product(KINDS, FRAMINGS)],
        # Two for each kind, in turn.
        [(kind, FRAMINGS[at % 2 + each]) for at, kind in enumerate(KINDS) for each in (0, 2)],
    ),
)
def test_an_answer_that_is_cut_is_never_taken(wire, transport, tmp_path, name, framing):
    kind = KINDS[name]
    if framing == "changed length" and not kind.by_count:
        pytest.skip("nothing says what is missing")
    wrong = []
    for packing in ("plain", "gzip", "members"):
        body = packed(kind.body, packing)
        whole = message(kind, framing, packing, body)
        head = whole[: whole.index(b"\r\n\r\n") + 4]
        cuts = {
            where: message(kind, framing, packing, body, n)
            for where, n in places(body, packing).items()
        }
        cuts |= {
            "at once": b"",
            "status": head[:9],
            "headers": head[: len(head) // 2],
            "last of headers": head[:-2],
        }
        expected = answered(wire, transport, tmp_path, kind, [whole])
        if isinstance(expected, RunnerError):
            assert (framing, kind.by_count) == ("until closed", False), expected
        for where, cut in cuts.items():
            found = answered(wire, transport, tmp_path, kind, [cut, whole])
            is_error = isinstance(found, RunnerError)
            # A cut that takes nothing away, such as a last line end, may be taken.
            if (kind.again and kind.by_count) if is_error else found != expected:
                wrong.append((packing, where, found))
    assert not wrong


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_that_is_a_part_is_never_taken(wire, transport, tmp_path, name):
    kind = KINDS[name]
    whole = message(kind, "length", "plain", kind.body)
    status = b"HTTP/1.1 %d " % kind.status
    part = whole.replace(status, b"HTTP/1.1 206 ", 1)
    found = answered(wire, transport, tmp_path, kind, [part, whole])
    if kind.again:
        assert found == answered(wire, transport, tmp_path, kind, [whole])
    assert isinstance(answered(wire, transport, tmp_path, kind, [part]), RunnerError)


def answered(wire, transport, folder, kind, script):
    left = list(script)

    def answer(_method: str, path: str) -> bytes:
        if path.endswith(kind.path):
            return left.pop(0) if len(left) > 1 else left[0]
        body = next(body for end, body in kind.others if end in path)
        return message(Kind("", body, None), "length", "plain", body)

    wire.answer = answer
    (folder / "rows").unlink(missing_ok=True)
    return understood(kind, session_of(wire, transport, attempts=2), folder)
