import ast
import html
import json
import subprocess
import sys
from base64 import b64encode, encodebytes, urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from runner.credentials import Secret
from runner.redaction import forget_secret, redacted, register_secret, secret_pattern, without

TEXT = "00D5g00000ABCDE!AQ.canary/form+0001"
HEADERS = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TEXT}\r\nAccept: */*\r\n\r\n"
PLACES = [HEADERS, HEADERS[1:], HEADERS[2:], TEXT]


@pytest.mark.parametrize(
    "form",
    [
        quote,
        lambda text: quote(text, safe=""),
        lambda text: quote(quote(text, safe=""), safe=""),
        lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
        json.dumps,
        lambda text: json.dumps(json.dumps(text)),
        lambda text: json.dumps(text).replace("/", "\\/"),
        html.escape,
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_a_secret_is_masked_however_it_is_encoded(form):
    register_secret(TEXT)
    assert "canary" in TEXT
    clean = redacted(f"before {form(TEXT)} after")
    assert clean.startswith("before ")
    assert "***" in clean
    assert form("canary").strip('"\\') not in clean


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode, encodebytes])
@pytest.mark.parametrize("place", range(len(PLACES)))
@pytest.mark.parametrize("wrap", [str, json.dumps])
def test_a_secret_is_masked_inside_a_dump_in_base64(encode, place, wrap):
    register_secret(TEXT)
    dump = wrap(encode(PLACES[place].encode()).decode())
    clean = redacted(dump)
    for offset in range(3):
        inner = b64encode(b"0" * offset + b"canary").decode()[2:-2]
        assert inner not in clean, clean
    assert "***" in clean


def test_a_long_text_of_beginnings_is_searched_in_time_that_grows_with_its_length():
    """With the square of it these would take minutes of CPU; the limit ends that."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (15, 15));"
        "from runner.redaction import redacted;"
        "texts = [each * 20_000 for each in ('://a:bc', 'eyJabcdefgh-', '-----BEGIN ', '://a')];"
        "assert [redacted(each, shapes=True) for each in texts] == texts"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_text_in_base64_without_the_secret_is_left_alone():
    register_secret(TEXT)
    dump = b64encode(HEADERS.replace(TEXT, "nothing").encode()).decode()
    assert redacted(dump) == dump


def test_a_secret_in_base64_is_masked_right_after_a_backslash():
    register_secret(TEXT)
    register_secret("\x9e" + TEXT)
    for text in (TEXT, "\x9e" + TEXT):
        for offset in range(3):
            content = b64encode(b"\x9e" * offset + text.encode()).decode()
            assert "***" in redacted(f"\\{content}")
            assert "***" in redacted(f"\\n{content}")


def test_each_of_many_secrets_is_masked():
    secrets = [f"00D5g00000ABCDE!{number:080}" for number in range(100)]
    for secret in secrets:
        register_secret(secret)
    assert redacted(" ".join(secrets)) == " ".join(["***"] * 100)


def test_the_pattern_is_the_same_to_the_database():
    duckdb = pytest.importorskip("duckdb")
    Secret('a "b"\\c/d|e\n(f)[g]{h}^$.*+?-_\'€ ü&<>#~')
    Secret(TEXT)
    for text in (
        f"x {TEXT} y",
        json.dumps('a "b"\\c/d|e\n(f)[g]{h}^$.*+?-_\'€ ü&<>#~'),
        b64encode(HEADERS.encode()).decode(),
    ):
        query = "SELECT regexp_replace($text, $secrets, '***', 'g')"
        values = {"text": text, "secrets": secret_pattern()}
        ((found,),) = duckdb.connect().execute(query, values).fetchall()
        assert found == redacted(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://ada:pa/ss@word@db.acme.example/crm",
        "mysql://:hunter2@db/x",
        "dsn: host=db user=ada password=hunter2",
        "Driver={x};UID=ada;PWD=hunter2;",
        "Authorization: Basic YWRhOmh1bnRlcjI=",
    ],
)
def test_passwords_of_connections_look_like_secrets(text):
    clean = redacted(text, shapes=True)
    for word in ("hunter2", "pa/ss", "ss@word", "YWRh"):
        assert word not in clean


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8123/services/data?username=ada@acme.example",
        "https://login.salesforce.com and ada@acme.example",
        "http://localhost:1717?x=a@b",
        "password = ?",
    ],
)
def test_addresses_are_not_taken_for_secrets(text):
    assert redacted(text, shapes=True) == text


def texts_of_the_product():
    for file in Path("runner").rglob("*.py"):
        if "local_org" in file.parts or file.name == "redaction.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file, node.lineno, node.value
            if isinstance(node, ast.JoinedStr):
                parts = (
                    each.value if isinstance(each, ast.Constant) else "x" for each in node.values
                )
                yield file, node.lineno, "".join(map(str, parts))


def test_no_message_of_the_product_is_masked_by_its_own_guard(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    masked = [
        (str(file), line, text)
        for file, line, text in texts_of_the_product()
        if redacted(text, shapes=True) != text and "(?P<" not in text and text != "Bearer x"
    ]
    assert masked == []


def test_a_secret_that_opens_nothing_any_more_is_forgotten_and_what_contains_it():
    gone, kept = "a-token-of-an-org-that-is-gone", "a-token-of-an-org-that-is-there"
    for each in (gone, f"Bearer {gone}", kept):
        register_secret(each)
    forget_secret(gone)
    forget_secret("")
    assert redacted(f"Bearer {gone} {kept}") == f"Bearer {gone} ***"


def test_a_value_is_found_in_lower_case_though_it_has_more_letters_there():
    assert without("duplicate: i̇stanbul, İSTANBUL", ["İstanbul"]) == "duplicate: ***, ***"
