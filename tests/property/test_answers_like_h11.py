"""An answer is read as httpx's parser reads it, however it arrives; what that refuses is refused.

What is cut off is never taken for whole.
"""

import io
import re
from itertools import pairwise

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.salesforce.http.answer import body_of, read_head
from runner.salesforce.http.failures import ExchangeError

REFUSED = "refused"
METHODS = st.sampled_from(["GET", "POST", "HEAD"])


class Arriving(io.RawIOBase):
    """Bytes that arrive in pieces; the last of them is followed by the end of the connection."""

    def __init__(self, content, cuts):
        edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
        self.pieces = [content[a:b] for a, b in pairwise(edges)]

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.pieces:
            return 0
        piece = self.pieces[0][: len(buffer)]
        self.pieces[0] = self.pieces[0][len(piece) :]
        if not self.pieces[0]:
            del self.pieces[0]
        buffer[: len(piece)] = piece
        return len(piece)


def ours(content, method, cuts=()):
    stream = io.BufferedReader(Arriving(content, cuts), 64 * 1024)
    try:
        head = read_head(stream)
        body, ends = body_of(head, method, stream)
        body = b"".join(body)
    except ExchangeError:
        return REFUSED
    return head.status, normal(head.headers), body, ends and head.keeps_alive


def of_h11(content, method):
    """The same by h11, and the size that httpx gives it."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=100 * 1024)
    headers = [("Host", "x"), *([("Content-Length", "0")] if method == "POST" else [])]
    connection.send(h11.Request(method=method, target="/", headers=headers))
    connection.send(h11.EndOfMessage())
    status, body, found = None, b"", {}
    try:
        connection.receive_data(content)
        connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
                for name, value in event.headers:
                    found.setdefault(name.decode(), []).append(value)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                return REFUSED
    except h11.RemoteProtocolError:
        return REFUSED
    texts = {name: ", ".join(map(text, values)) for name, values in found.items()}
    return status, normal(texts), body


def normal(headers):
    """As h11 writes what it has understood."""
    # h11 keeps a tab before a folded line, though what is before one is of the fold.
    found = {name: re.sub("[ \t]* [ \t]*", " ", value) for name, value in headers.items()}
    for name in ("transfer-encoding", "content-length"):
        if name in found:
            found[name] = found[name].lower().partition(",")[0]
    return found


def text(value):
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


BODIES = st.sampled_from([b"", b"{}", b"hello", b"\r\n\r\n", b"0\r\n\r\n", b"x" * 3000])
NAMES = st.sampled_from(
    [b"A", b"a", b"X-Any", b"Sforce-Locator", b"SET-COOKIE", b"x!#$%&'*+.^_`|~"]
)
VALUES = st.sampled_from(
    [b"", b"1", b"a b", b"a\tb", b"a,b", b":", b"\xe9", "é".encode(), b"x" * 9000, b"\x01"]
)
FOLDS = st.sampled_from([b"", b"", b"", b"\r\n b", b"\r\n\t", b"\r\n  c d "])


@st.composite
def answers(draw):
    """An answer that a server may give, as bytes."""
    status = draw(st.sampled_from([200, 200, 201, 204, 205, 301, 304, 400, 404, 503]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    reason = draw(st.sampled_from([b" OK", b" ", b"", b" Not  found\t!", b" \xe9"]))
    lines = [
        draw(NAMES) + b":" + draw(st.sampled_from([b"", b" ", b"\t "])) + draw(VALUES) + draw(FOLDS)
        for _ in range(draw(st.integers(0, 3)))
    ]
    if draw(st.booleans()):
        value = draw(st.sampled_from([b"close", b"Close", b"keep-alive", b"Keep-Alive, x", b"x"]))
        lines.append(b"Connection: " + value)
    body = draw(BODIES)
    frame = draw(st.sampled_from(["length", "length", "twice", "chunked", "chunked", "end"]))
    if frame in {"length", "twice"}:
        lines.append(
            b"%b: %d" % (draw(st.sampled_from([b"Content-Length", b"CONTENT-LENGTH"])), len(body))
        )
        lines += [b"content-length: %d" % len(body)] * (frame == "twice")
    if frame == "chunked":
        lines.append(b"Transfer-Encoding: " + draw(st.sampled_from([b"chunked", b"Chunked"])))
        body = draw(chunks(body))
    early = draw(
        st.lists(st.sampled_from([b"100 Continue", b"103 Early\r\nLink: </>"]), max_size=2)
    )
    head = b"".join(b"HTTP/1.1 " + each + b"\r\n\r\n" for each in early)
    lines = draw(st.permutations(lines))
    head += b"\r\n".join([b"HTTP/%b %d%b" % (version, status, reason), *lines, b"", b""])
    return head + body


@st.composite
def chunks(draw, body):
    """A body in chunks, with extensions and trailers."""
    cuts = draw(st.lists(st.integers(1, max(1, len(body))), max_size=3))
    edges = sorted({0, len(body), *cuts})
    pieces = [body[a:b] for a, b in pairwise(edges)]
    extensions = st.sampled_from([b"", b";a=b", b';q="x;y"', b" "])
    sizes = st.sampled_from([b"%x", b"%X", b"0%x"])
    packed = b"".join(
        draw(sizes) % len(piece) + draw(extensions) + b"\r\n" + piece + b"\r\n" for piece in pieces
    )
    return packed + b"0\r\n" + draw(st.sampled_from([b"", b"Checksum: 1\r\nA: b\r\n"])) + b"\r\n"


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(answers(), METHODS, CUTS)
def test_an_answer_is_read_as_h11_reads_it(content, method, cuts):
    expected = of_h11(content, method)
    assert expected is not REFUSED
    assert ours(content, method, cuts)[:3] == expected
    assert ours(content, method, range(len(content))) == ours(content, method)


@given(answers(), METHODS, st.data())
def test_a_cut_answer_is_never_whole(content, method, data):
    whole = ours(content, method)
    cut = content[: data.draw(st.integers(0, len(content)))]
    found = ours(cut, method)
    if found is not REFUSED:
        assert found[:3] == of_h11(cut, method)
    if found not in (REFUSED, whole):  # only a body that ends with its connection
        assert not {"content-length", "transfer-encoding"} & found[1].keys()
        assert found[3] is False


NOISE = st.sampled_from([bytes([each]) for each in b"\r\n\t\0\f :,;09-+_\xff"] + [b"\r\n"])
_HEAD = b"HTTP/1.1 200 OK\r\n"


@given(answers(), METHODS, st.integers(0, 10_000), NOISE, st.integers(0, 2))
@example(_HEAD + b"A: x\r\n b\0\r\nContent-Length: 0\r\n\r\n", "GET", 0, b"", 0)
@example(_HEAD + b"A: x\r\n b\rc: d\r\nContent-Length: 0\r\n\r\n", "GET", 0, b"", 0)
@example(_HEAD + b"A: x\t\r\n b\r\nContent-Length: 0\r\n\r\n", "GET", 0, b"", 0)
@example(_HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", "GET", 0, b"", 0)
def test_what_h11_refuses_is_refused(content, method, at, noise, dropped):
    at %= len(content)
    damaged = content[:at] + noise + content[at + dropped :]
    expected, found = of_h11(damaged, method), ours(damaged, method)
    if expected is REFUSED:
        assert found is REFUSED
    elif found is not REFUSED:
        assert found[:3] == expected


@pytest.mark.parametrize("size", [60_000, 65_520])
def test_long_headers_are_read(size):
    content = _HEAD + b"A: " + b"x" * (size - 10) + b"\r\nContent-Length: 0\r\n\r\n"
    assert ours(content, "GET")[:3] == of_h11(content, "GET")
