"""What is an answer and where it ends: whatever is cut off or ambiguous is refused."""

import gzip
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.content_encoding import EncodingError, decode_body
from runner.salesforce.http.answer import body_of, read_head
from runner.salesforce.http.failures import ExchangeError

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\na:2\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"3\r\nhel\r\n2;note=x\r\nlo\r\n0\r\nTrailer: x\r\n\r\n"
)
ANNOUNCED = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + COUNTED


def read(content, method="GET"):
    stream = io.BufferedReader(io.BytesIO(content), 16)
    head = read_head(stream)
    body, ends = body_of(head, method, stream)
    return head, b"".join(body), ends


@pytest.mark.parametrize("content", [COUNTED, CHUNKED, ANNOUNCED, COUNTED.replace(b"\r", b"")])
def test_a_whole_answer_is_read(content):
    head, body, ends = read(content)
    assert (head.status, body, ends, head.keeps_alive) == (200, b"hello", True, True)


@pytest.mark.parametrize("content", [COUNTED, CHUNKED, ANNOUNCED])
def test_an_answer_that_is_cut_anywhere_is_refused(content):
    for length in range(len(content)):
        with pytest.raises(ExchangeError):
            read(content[:length])


PACKED = gzip.compress(b"Id", mtime=0) + gzip.compress(b"\n1\n", mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(PACKED), PACKED),
        b"HTTP/1.1 200 OK\r\n\r\n%b" % PACKED,
    ],
    ids=["length", "chunked", "end"],
)
def test_a_packed_answer_that_is_cut_anywhere_is_refused(content):
    assert b"".join(decode_body(iter([read(content)[1]]), "gzip")) == b"Id\n1\n"
    taken = []
    for length in range(len(content)):
        with suppress(ExchangeError, EncodingError):
            body = read(content[:length])[1]
            taken.append(b"".join(decode_body(iter([body]), "gzip")))
    # Nobody can tell that a member is missing which nothing has announced.
    assert taken == ([b"Id"] if content.endswith(PACKED) and b"Length" not in content else [])


def test_a_small_answer_is_not_a_large_piece():
    zeros = bytes(1 << 20)
    packed = gzip.compress(zeros * 8) + gzip.compress(b"end")
    pieces = list(decode_body(iter([packed, b"\0\0"]), "gzip"))
    assert max(map(len, pieces)) <= len(zeros)
    assert b"".join(pieces) == zeros * 8 + b"end"


def test_a_body_without_a_length_ends_with_the_connection():
    head, body, ends = read(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert (body, ends, head.keeps_alive) == (b"hello", False, False)


def test_headers_of_one_name_are_joined_and_folded_lines_too():
    head, _, _ = read(b"HTTP/1.1 204 No\r\nX: a \r\n\tb\r\nx: c\r\n\r\n")
    assert head.headers == {"x": "a b, c"}


@pytest.mark.parametrize(
    ("content", "method"),
    [
        (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", "GET"),
        (b"HTTP/1.1 304 No\r\n\r\n", "GET"),
        (COUNTED[:-5], "HEAD"),
    ],
)
def test_some_answers_have_no_body(content, method):
    assert read(content, method)[1] == b""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"HTTP/1.1 200", b"HTTP/2 200"),
        (b"HTTP/1.1 200", b"ICY 200"),
        (b"200 OK", b"2000 OK"),
        (b"Length: 5", b"Length: +5"),
        (b"Length: 5", b"Length: 5x"),
        (b"Length: 5", b"Length: -5"),
        (b"Length: 5", b"Length: \xb2"),
        (b"Length: 5", b"Length:"),
        (b"Length: 5", b"Length: 5\r\nContent-Length: 6"),
        (b"Length: 5", b"Length: 5\r\nTransfer-Encoding: gzip, chunked"),
        (b"A: 1", b"A 1"),
        (b"A: 1", b"A : 1"),
        (b"A: 1", b": 1"),
        (b"A: 1", b"A: \x001"),
        (b"A: 1", b"A: 1" + b"x" * 70_000),
        (b"A: 1", b"\r\n".join(b"A: " + b"x" * 60_000 for _ in range(6))),
    ],
)
def test_an_answer_that_could_be_read_in_two_ways_is_refused(before, after):
    assert before in COUNTED
    with pytest.raises(ExchangeError):
        read(COUNTED.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"3\r\nhel", b"0x3\r\nhel"),
        (b"3\r\nhel", b"-3\r\nhel"),
        (b"3\r\nhel", b"\r\nhel"),
        (b"3\r\nhel", b"2\r\nhel"),
        (b"3\r\nhel", b"4\r\nhel"),
        (b"3\r\nhel", b"1_0\r\nhel"),
    ],
)
def test_a_damaged_chunk_is_refused(before, after):
    with pytest.raises(ExchangeError):
        read(CHUNKED.replace(before, after))


def test_the_same_length_twice_is_one_length():
    assert read(COUNTED.replace(b"Length: 5", b"Length: 5\r\nContent-Length: 5"))[1] == b"hello"


@given(st.binary(max_size=60), st.integers(0, 60))
def test_whatever_comes_is_an_answer_or_refused(noise, at):
    content = CHUNKED[:at] + noise + CHUNKED[at:]
    try:
        _, body, _ = read(content)
    except ExchangeError:
        return
    assert isinstance(body, bytes)
