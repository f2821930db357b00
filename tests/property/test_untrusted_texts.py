"""Whatever comes from outside is read or refused, in good time, and never breaks the program."""

import contextlib
import http.client
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.credentials import Secret
from runner.errors import SignInError
from runner.job.yaml.document import read_document
from runner.login.callback import PATH, callback_of, pasted_callback
from runner.login.listener import listening
from runner.state.tokens.encryption import decrypt
from runner.state.tokens.file import TokenFile
from runner.state.tokens.format import DecryptionError, TokenFormatError, token_from_json
from runner.state.tokens.parsing import parse_token

QUICK, LONG = 60, 5_000
CALM = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
quick = settings(max_examples=QUICK, **CALM)
long = settings(max_examples=LONG, **CALM)

YAML_PARTS = st.sampled_from(
    [
        "version: 1",
        "connection:",
        "tasks:",
        "- ",
        "  ",
        "\n",
        "\t",
        "&a",
        "*a",
        "<<: *a",
        "!!int ",
        "!python/object/apply:os.system ",
        "{",
        "}",
        "[",
        "]",
        "?",
        ": ",
        "|",
        ">-",
        '"',
        "'",
        "\\x",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "1e999",
        "0x" + "f" * 50,
        "9" * 400,
        "\u2028",
        "\x00",
        "\ufeff",
        "key",
        "null",
        "~",
        "-.inf",
        "2001-02-30",
    ]
)
YAML = st.lists(YAML_PARTS | st.text(max_size=5), max_size=40).map("".join)
JSON_PARTS = st.sampled_from(
    [
        '{"version": 1',
        '"access_token": ',
        '"instance_url": ',
        '"grant": ',
        '"sealed": ',
        ", ",
        "}",
        "{",
        "[",
        "]",
        '"https://a"',
        '"x"',
        "1e999",
        "null",
        "true",
        '"\\ud800"',
        "-",
        '"kind": "jwt"',
        '"key": {"path": "/etc/passwd"}',
        '"cipher": "AES-256-GCM"',
        '"issued_at": "9999-12-31T23:59"',
    ]
)
TOKENS = st.lists(JSON_PARTS | st.text(max_size=4), max_size=25).map("".join)
REQUESTS = st.lists(
    st.sampled_from(
        [
            b"GET ",
            b"POST ",
            PATH.encode(),
            b"/done",
            b"?code=a&state=b",
            b" HTTP/1.1\r\n",
            b"\r\n",
            b"Host: localhost:1717\r\n",
            b"Host: evil\r\n",
            b"Content-Length: -1\r\n",
            b"\x00",
            b"%",
            b"Transfer-Encoding: chunked\r\n",
            b"A: " + b"x" * 70_000,
            b"?" + b"a=b&" * 5_000,
            b"://",
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)


@contextlib.contextmanager
def refused_with_a_hint():
    """What is refused is refused with what to do; anything else raised is a defect."""
    refused = None
    try:
        yield
    except SignInError as error:
        refused = error
    assert refused is None or refused.hint


def read_yaml(folder, content):
    file = folder / "job.yaml"
    file.write_bytes(content)
    document = read_document(file)
    assert document.problems or isinstance(document.values, dict)


def read_token(folder, content):
    file = folder / "token.json"
    file.write_bytes(content)
    file.chmod(0o600)
    with refused_with_a_hint():
        assert TokenFile(file, login_command="runner login").load().access_token


def send(port, content):
    """Send bytes as they are, hang up, and see that the listener still answers others."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(content)
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    asked.request("GET", "/elsewhere")
    assert asked.getresponse().status == 404
    asked.close()


@quick
@given(YAML.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_any_yaml_is_read_or_refused(tmp_path, content):
    read_yaml(tmp_path, content)


@quick
@given(TOKENS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=200))
def test_any_token_file_is_read_or_refused(tmp_path, content):
    read_token(tmp_path, content)


@quick
@given(REQUESTS)
def test_the_listener_outlives_any_request(content):
    with listening(0) as listener:
        send(listener.port, content)
        taken = listener.wait(0)
    assert taken is None or PATH.encode() in content


@pytest.mark.slow
@long
@given(YAML.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=2_000))
def test_any_yaml_is_read_or_refused_for_long(tmp_path, content):
    read_yaml(tmp_path, content)


@pytest.mark.slow
@long
@given(TOKENS.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=2_000))
def test_any_token_file_is_read_or_refused_for_long(tmp_path, content):
    read_token(tmp_path, content)


@pytest.mark.slow
@settings(max_examples=300, **CALM)
@given(REQUESTS)
def test_the_listener_outlives_any_request_for_long(content):
    with listening(0) as listener:
        send(listener.port, content)


@given(st.text() | st.from_regex(r"https?://localhost[^ ]*\?code=.*"))
def test_any_pasted_address_is_understood_or_refused(text):
    with refused_with_a_hint():
        pasted_callback(text)
    callback_of(text)


@given(TOKENS)
def test_any_text_of_a_token_is_understood_or_refused(text):
    with contextlib.suppress(TokenFormatError):
        token_from_json(text)


@given(st.text() | st.from_regex(r"force://[\w:.=-]*@[\w.:-]*"))
def test_any_given_token_is_understood_or_refused_and_goes_to_one_host(text):
    where = "https://a.salesforce.com"
    with refused_with_a_hint():
        token = parse_token(text, origin="stdin", login_command="runner login", instance_url=where)
        assert token.access_token or token.refresh_token
        assert "@" not in token.instance_url


@settings(deadline=None, max_examples=10)
@given(TOKENS)
def test_any_envelope_opens_or_is_refused(text):
    with contextlib.suppress(DecryptionError):
        decrypt(text, Secret("a passphrase"))
