import gzip
import inspect
import os
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from runner import __version__
from runner.credentials import Secret
from runner.errors import DamagedAnswerError, StateError, TransportError, UsageError
from runner.salesforce.http.failures import mapped_failures
from runner.salesforce.http.messages import FileBody, OrgRequest
from runner.salesforce.http.proxied import Proxied, as_ours
from runner.salesforce.http.transport import Transport
from runner.tables.staging.parts import FileSlice, PartContent

ASKED = OrgRequest("POST", "https://acme.my.salesforce.com/services/data")


def every_failure_of_httpx():
    kinds = [
        kind
        for _, kind in inspect.getmembers(httpx, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__.startswith("httpx")
    ]
    assert len(kinds) > 20
    return kinds


def made(kind):
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "https://x")
        return kind("boom", request=request, response=httpx.Response(500, request=request))
    try:
        return kind("boom")
    except TypeError:
        return kind()


@pytest.mark.parametrize("kind", every_failure_of_httpx())
def test_every_failure_of_httpx_becomes_a_transport_error(kind):
    with pytest.raises(TransportError), mapped_failures(ASKED), as_ours():
        raise made(kind)


@pytest.mark.parametrize(
    ("kind", "may_have_arrived"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.PoolTimeout, False),
        (httpx.ReadTimeout, True),
        (httpx.ReadError, True),
        (httpx.WriteError, True),
        (httpx.RemoteProtocolError, True),
        (httpx.DecodingError, True),
    ],
)
def test_only_a_request_that_never_left_is_known_not_to_have_arrived(kind, may_have_arrived):
    with pytest.raises(TransportError) as caught, mapped_failures(ASKED), as_ours():
        raise kind("boom")
    assert caught.value.may_have_arrived is may_have_arrived


def test_sends_and_reads(org, transport):
    org.say(201, b'{"id":"1"}', Sforce_Limit_Info="api-usage=1/5")
    response = transport.send(OrgRequest("POST", f"{org.url}/x", body=b"{}"))
    assert (response.status, response.body) == (201, b'{"id":"1"}')
    assert response.headers["sforce-limit-info"] == "api-usage=1/5"
    assert org.asked[0].headers["user-agent"] == f"sfrunner/{__version__}"
    assert org.asked[0].headers["accept-encoding"] == "gzip"


def test_an_encoded_path_arrives_as_it_was_encoded(org, transport):
    org.say(200)
    transport.send(OrgRequest("GET", f"{org.url}/a%2Fb/%2E%2E/%25/%C3%A9", params={"q": "a+b#c&d"}))
    assert org.asked[0].path == "/a%2Fb/%2E%2E/%25/%C3%A9?q=a%2Bb%23c%26d"


def test_a_compressed_answer_is_read(org, transport):
    org.say(200, gzip.compress(b"Id\n1\n"), Content_Encoding="gzip")
    assert transport.send(OrgRequest("GET", org.url)).body == b"Id\n1\n"


CSV = b"Id\n" + b"1\n" * 5000
WHOLE = gzip.compress(CSV, mtime=0)
HALF = WHOLE[: len(WHOLE) // 2]


def test_every_member_of_a_compressed_answer_is_read(org, transport):
    org.say(200, gzip.compress(CSV[:5000]) + gzip.compress(CSV[5000:]), Content_Encoding="gzip")
    assert transport.send(OrgRequest("GET", org.url)).body == CSV


@pytest.mark.parametrize(
    ("body", "encoding", "why"),
    [
        (HALF, "gzip", "ends in the middle of its gzip stream"),
        (WHOLE[:-1], "gzip", "ends in the middle of its gzip stream"),
        (WHOLE + HALF, "x-gzip", "ends in the middle of its gzip stream"),
        (WHOLE + b"more", "gzip", "not valid gzip"),
        (WHOLE[:-8] + bytes(8), "gzip", "not valid gzip"),
        (CSV, "gzip", "not valid gzip"),
        (CSV, "br", "has the encoding br, which was not asked for"),
        (gzip.compress(HALF, mtime=0), "gzip, gzip", "ends in the middle"),
    ],
    ids=range(8),
)
def test_an_answer_that_is_not_whole_is_damaged(org, transport, body, encoding, why):
    org.say(200, body, Content_Encoding=encoding)
    with pytest.raises(DamagedAnswerError, match=why) as caught:
        transport.send(OrgRequest("GET", f"{org.url}/x"))
    assert "GET /x" in caught.value.message
    assert caught.value.may_have_arrived is True


def test_a_refusal_counts_even_if_its_body_is_damaged(org, transport):
    org.say(400, HALF, Content_Encoding="gzip")
    assert transport.send(OrgRequest("GET", org.url)).status == 400


def test_slices_of_files_are_sent_from_their_start_each_time(org, transport, tmp_path):
    file = tmp_path / "chunk.csv"
    file.write_bytes(b"Name\n" + b"x\n" * 200_000 + b"others")
    part = PartContent(b"Id\n", (FileSlice(file, 5, 300_005), FileSlice(file, 0, 5)))
    request = OrgRequest("PUT", f"{org.url}/batches", body=part)
    org.say(503)
    org.say(201)
    transport.send(request)
    transport.send(request)
    assert [asked.body for asked in org.asked] == [b"Id\n" + b"x\n" * 150_000 + b"Name\n"] * 2
    assert org.asked[0].headers["content-length"] == str(part.length)


def test_a_part_that_is_gone_is_a_state_error(org, transport, tmp_path):
    gone = PartContent(b"Id\n", (FileSlice(tmp_path / "gone.csv", 0, 9),))
    with pytest.raises(StateError, match=r"gone\.csv"):
        transport.send(OrgRequest("PUT", org.url, body=gone))


def test_a_part_whose_file_has_become_shorter_is_a_state_error(org, transport, tmp_path):
    file = tmp_path / "chunk.csv"
    file.write_bytes(b"001A\n")
    cut = PartContent(b"Id\n", (FileSlice(file, 0, 9),))
    with pytest.raises(StateError, match=r"chunk\.csv cannot be read: it lacks its last 4 bytes"):
        transport.send(OrgRequest("PUT", org.url, body=cut))


def test_nobody_listening_means_nothing_was_sent(transport):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TransportError) as caught:
            transport.send(OrgRequest("GET", f"http://127.0.0.1:{port}/"))
    assert caught.value.may_have_arrived is False
    assert f"127.0.0.1:{port} cannot be reached" in caught.value.message


def test_a_lost_answer_may_have_arrived(org, transport):
    org.lose()
    with pytest.raises(TransportError) as caught:
        transport.send(OrgRequest("POST", f"{org.url}/x", body=b"{}"))
    assert caught.value.may_have_arrived is True


def test_no_answer_in_time_may_have_arrived():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Transport(read_timeout_seconds=0.05) as impatient,
    ):
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(TransportError) as caught:
            impatient.send(OrgRequest("POST", url))
    assert caught.value.may_have_arrived is True


def test_half_an_answer_is_none(org, transport):
    org.cut(b"half")
    with pytest.raises(TransportError):
        transport.send(OrgRequest("GET", org.url))


def test_an_answer_that_cannot_be_decompressed_is_none(org, transport):
    org.say(200, b"no gzip", Content_Encoding="gzip")
    with pytest.raises(TransportError):
        transport.send(OrgRequest("GET", org.url))


def test_a_body_that_breaks_off_while_it_is_streamed(org, transport):
    org.cut(b"half")
    received = []
    with pytest.raises(TransportError):
        transport.send(OrgRequest("GET", org.url), lambda _, body: received.extend(body))
    assert b"".join(received) == b"half"


def test_redirects_are_not_followed_and_cookies_not_kept(org, transport):
    org.say(302, Location="https://evil.example/", Set_Cookie="a=b")
    org.say(200)
    assert transport.send(OrgRequest("GET", org.url)).status == 302
    transport.send(OrgRequest("GET", org.url))
    assert "cookie" not in org.asked[1].headers


def test_a_form_goes_out_encoded(org, transport):
    org.say(200)
    transport.send(OrgRequest("POST", org.url, form={"code": "aPrx==", "x": "a b"}))
    assert org.asked[0].body == b"code=aPrx%3D%3D&x=a+b"
    assert org.asked[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_certificate_file_that_is_not_there_is_told_where_it_is_needed(org, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    org.say(200)
    with Transport() as transport:
        assert transport.send(OrgRequest("GET", org.url)).ok
        with pytest.raises(UsageError) as caught:
            transport.send(OrgRequest("GET", "https://127.0.0.1:9/"))
    assert "SSL_CERT_FILE" in (caught.value.hint or "")


def test_a_proxy_is_used_but_never_for_loopback(org, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", org.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    org.say(200)
    org.say(200)
    with Transport() as proxied:
        proxied.send(OrgRequest("GET", f"{org.url}/direct"))
        proxied.send(OrgRequest("GET", "http://acme.example/through"))
    assert [asked.path for asked in org.asked] == ["/direct", "http://acme.example/through"]


@pytest.mark.parametrize(
    "carrying",
    [
        {"headers": {"Authorization": Secret("Bearer pretended")}},
        {"form": {"token": Secret("pretended.token")}},
    ],
)
def test_what_holds_a_secret_leaves_for_no_foreign_host(transport, carrying):
    request = OrgRequest("POST", "https://evil.example.com/services", **carrying)
    with pytest.raises(UsageError, match=r"evil\.example\.com is not a Salesforce host"):
        transport.send(request)


def test_a_host_that_was_allowed_over_https_gets_no_secret_over_http(org, transport):
    org.say(200)
    secret = {"Authorization": Secret("Bearer pretended")}
    transport.send(OrgRequest("GET", org.url, secret))
    for url in (org.url.replace("127.0.0.1", "evil.example.com"), "http://acme.my.salesforce.com"):
        with pytest.raises(UsageError):
            transport.send(OrgRequest("GET", url, secret))
    assert len(org.asked) == 1


def test_a_large_answer_is_handed_on_piece_by_piece_and_a_refusal_is_not(org, transport):
    org.say(200, b"Id\n1\n")
    org.say(400, b"[]")
    received = []
    answers = [
        transport.send(OrgRequest("GET", org.url), lambda _, body: received.append(b"".join(body)))
        for _ in range(2)
    ]
    assert received == [b"Id\n1\n"]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b""), (400, b"[]")]


def test_a_redirect_is_not_followed_with_a_token(org, transport):
    org.say(302, b"", Location="https://evil.example.com/")
    request = OrgRequest("GET", org.url + "/x", {"Authorization": Secret("Bearer pretended")})
    assert transport.send(request).status == 302
    assert len(org.asked) == 1


def hang_up(listener):
    connection, _ = listener.accept()
    connection.close()


def test_an_upload_that_breaks_off_has_not_arrived(transport, tmp_path):
    """Without its end, the org has no request that it could execute."""
    file = tmp_path / "large"
    file.write_bytes(b"x" * 20_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        closed = pool.submit(hang_up, listener)
        body = FileBody(b"before", file, 20_000_000, "", b"after")
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(TransportError) as caught:
            transport.send(OrgRequest("POST", url, body=body))
        closed.result()
    assert caught.value.may_have_arrived is False


@pytest.mark.parametrize("url", ["http://a.example", "https://b.example:8443", "http://127.0.0.1"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"HTTPS_PROXY": ""},
        {"http_proxy": "http://p:1"},
        {"HTTPS_PROXY": "http://p:1"},
        {"All_Proxy": "p:1"},
        {"ALL_PROXY": "http://p:1", "NO_PROXY": "*"},
        {"ALL_PROXY": "http://p:1", "no_proxy": "a.example, b.example:8443"},
        {"ALL_PROXY": "http://p:1", "NO_PROXY": ".example"},
        {"HTTP_PROXY": "http://p:1", "NO_PROXY": "127.0.0.0/8"},
        {"NO_PROXY": "a.example"},
        {"FTP_PROXY": "http://p:1"},
        {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"},
    ],
)
def test_a_proxy_is_used_where_httpx_uses_one(monkeypatch, settings, url):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def proxy_of(client):
        pool = client._transport_for_url(httpx.URL(url))._pool  # noqa: SLF001 - httpx does not say
        return getattr(pool, "_proxy_url", None)

    with httpx.Client() as plain, Transport() as transport:
        expected = None if "127.0.0.1" in url else proxy_of(plain)
        chosen = transport._connections(url)  # noqa: SLF001 - nothing listens there
        found = proxy_of(chosen._client) if isinstance(chosen, Proxied) else None  # noqa: SLF001
        assert found == expected
