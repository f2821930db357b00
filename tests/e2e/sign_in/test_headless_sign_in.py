"""Signing in with nobody there: by a key, and by a secret of an app."""

import stat
from base64 import b64encode, encodebytes
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.e2e.conftest import USER
from tests.e2e.sign_in.conftest import job, kept
from tests.short_form import short_form, slow

SECRET = "C0FFEE" * 5 + "x"


@pytest.fixture(scope="module")
def pair():
    """A private key and its certificate, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def org(serve_org, pair):
    indented = pair[1].strip().replace("\n", "\n      ")
    apps = f"""\
version: 1
apps:
  - client_id: jwt-app
    certificate: |
      {indented}
    users_preauthorized: true
  - client_id: secret-app
    client_secret: {SECRET}
    client_credentials_user: {USER}
  - client_id: web-app
    callbacks: ["http://localhost:1717/OauthRedirect"]
  - client_id: closed-app
    client_secret: {SECRET}
"""
    return serve_org(org_file=apps)


@pytest.fixture
def key_file(bench, pair):
    file = bench.write("keys/acme.pem", pair[0])
    file.chmod(0o600)
    return file


def sign_ins(org):
    """How often the token endpoint was asked."""
    log = org.request("GET", "/__org/requests").json()
    requests = log["requests"] if isinstance(log, dict) else log
    return sum(each["path"].endswith("/oauth2/token") for each in requests)


def expire(org):
    assert org.request("POST", "/__org/sessions/expire").status_code < 300


def test_a_key_signs_in_once_and_then_runs_sign_anew_when_the_session_ends(bench, org, key_file):
    file = job(bench, org, "client_id: jwt-app, token: tokens/org.json")
    words = ("login", file, "--jwt", "--username", USER, "--key-file", key_file)
    ended = bench.run(*words, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["username"] == USER
    first = kept(bench)
    assert "refresh_token" not in first
    assert first["grant"] == {"kind": "jwt", "username": USER, "key": {"path": str(key_file)}}
    mode = stat.S_IMODE((bench.folder / "tokens/org.json").stat().st_mode)
    assert mode == 0o600

    assert bench.run("run", file).code == 0
    assert kept(bench) == first, "a session that lives is used"
    expire(org)
    ended = bench.run("run", file)
    assert ended.code == 0, ended.err
    assert kept(bench)["access_token"] != first["access_token"]

    ended = bench.run("logout", file)
    assert ended.code == 0
    assert "certificate" in ended.err, "what still signs in is told"


@pytest.mark.parametrize("place", ["key: keys/acme.pem", *slow("key: {env: ACME_KEY}")])
def test_a_connection_with_a_key_needs_no_login(bench, org, key_file, pair, place):
    bench.env["ACME_KEY"] = pair[0]
    more = f"client_id: jwt-app, auth: {{jwt: {{username: {USER}, {place}}}}}"
    file = job(bench, org, more)
    assert bench.run("validate", file).code == 0
    ended = bench.run("run", file)
    assert ended.code == 0, ended.err
    assert sign_ins(org) == 1
    ended = bench.run("login", file)
    assert ended.code == 0, ended.err
    assert "No token was stored" in ended.out


def test_a_connection_with_a_key_and_a_place_keeps_its_token_between_runs(bench, org, pair):
    bench.env["ACME_KEY"] = pair[0].replace("\n", "\\n")
    auth = f"auth: {{jwt: {{username: {USER}, key: {{env: ACME_KEY}}}}}}"
    file = job(bench, org, f"client_id: jwt-app, token: tokens/org.json, {auth}")
    for _ in range(2):
        ended = bench.run("run", file)
        assert ended.code == 0, ended.err
    assert sign_ins(org) == 1
    expire(org)
    assert bench.run("run", file).code == 0
    assert sign_ins(org) == 2


def test_an_app_signs_in_as_itself(bench, org):
    bench.env["ACME_SECRET"] = SECRET
    auth = "auth: {client_credentials: {secret: {env: ACME_SECRET}}}"
    ended = bench.run("run", job(bench, org, f"client_id: secret-app, {auth}"))
    assert ended.code == 0, ended.err

    file = job(bench, org, "client_id: secret-app, token: tokens/org.json")
    ended = bench.run("login", file, "--client-credentials", "--secret-env", "ACME_SECRET")
    assert ended.code == 0, ended.err
    assert SECRET not in (bench.folder / "tokens/org.json").read_text()
    expire(org)
    assert bench.run("whoami", file).code == 0
    del bench.env["ACME_SECRET"]
    expire(org)
    ended = bench.run("run", file)
    assert (ended.code, "ACME_SECRET" in ended.err) == (4, True)


@pytest.mark.parametrize(
    ("app", "username", "told"),
    [
        ("jwt-app", "nobody@local.example", "pre-authorise"),
        ("web-app", USER, "certificate"),
        ("no-such-app", USER, "consumer key"),
    ],
)
def test_a_key_that_the_org_does_not_take_is_told_with_what_to_do(
    bench, org, key_file, app, username, told
):
    file = job(bench, org, f"client_id: {app}, token: tokens/org.json")
    ended = bench.run("login", file, "--jwt", "--username", username, "--key-file", key_file)
    assert ended.code == 4
    assert told in ended.err
    assert not (bench.folder / "tokens/org.json").exists()


def test_an_app_without_a_run_as_user_is_told(bench, org):
    bench.env["ACME_SECRET"] = SECRET
    auth = "auth: {client_credentials: {secret: {env: ACME_SECRET}}}"
    ended = bench.run("run", job(bench, org, f"client_id: closed-app, {auth}"))
    assert ended.code == 4
    assert "run-as user" in ended.err


def test_a_key_that_others_may_read_is_refused(bench, org, key_file):
    key_file.chmod(0o644)
    file = job(bench, org, "client_id: jwt-app, token: tokens/org.json")
    ended = bench.run("login", file, "--jwt", "--username", USER, "--key-file", key_file)
    assert ended.code == 4
    assert f"chmod 600 {key_file}" in ended.err


@pytest.fixture
def forms(pair):
    """A key in the forms in which secret stores hold it."""
    key = serialization.load_pem_private_key(pair[0].encode(), None)
    word = serialization.BestAvailableEncryption(b"a pass phrase")
    none = serialization.NoEncryption()
    pem, der = serialization.Encoding.PEM, serialization.Encoding.DER
    pkcs8, old = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
    encrypted = key.private_bytes(pem, pkcs8, word)
    return {
        "base64": b64encode(pair[0].encode()).decode(),
        "base64 in lines": encodebytes(pair[0].encode()).decode(),
        "der in base64": b64encode(key.private_bytes(der, pkcs8, none)).decode(),
        "old": key.private_bytes(pem, old, none).decode(),
        "encrypted": encrypted.decode(),
        "old encrypted": key.private_bytes(pem, old, word).decode(),
        "encrypted in base64": b64encode(encrypted).decode(),
    }


FORMS = ["base64", "base64 in lines", "der in base64", "old"]
FORMS += ["encrypted", "old encrypted", "encrypted in base64"]


@pytest.mark.parametrize("form", short_form(FORMS, ["old encrypted", "der in base64"]))
def test_a_key_is_read_in_every_form(bench, org, forms, form):
    bench.env |= {"ACME_KEY": forms[form], "WORD": "a pass phrase"}
    jwt = f"jwt: {{username: {USER}, key: {{env: ACME_KEY}}, passphrase: {{env: WORD}}}}"
    file = job(bench, org, f"client_id: jwt-app, auth: {{{jwt}}}")
    assert bench.run("validate", file).code == 0
    ended = bench.run("run", file)
    assert ended.code == 0, ended.err
    place = job(bench, org, "client_id: jwt-app, token: tokens/org.json")
    words = ("login", place, "--jwt", "--username", USER, "--key-env", "ACME_KEY")
    ended = bench.run(*words, "--passphrase-env", "WORD")
    assert ended.code == 0, ended.err
    expire(org)
    assert bench.run("run", place).code == 0, "the token file says where the passphrase is"


def test_a_wrong_passphrase_is_named(bench, org, forms):
    bench.env |= {"ACME_KEY": forms["encrypted"], "WORD": "another word"}
    jwt = f"jwt: {{username: {USER}, key: {{env: ACME_KEY}}, passphrase: {{env: WORD}}}}"
    ended = bench.run("run", job(bench, org, f"client_id: jwt-app, auth: {{{jwt}}}"))
    assert ended.code == 4
    assert "cannot be decrypted" in ended.err
    jwt = f"jwt: {{username: {USER}, key: {{env: ACME_KEY}}}}"
    ended = bench.run("run", job(bench, org, f"client_id: jwt-app, auth: {{{jwt}}}"))
    assert ended.code == 4
    assert "passphrase: {env: NAME}" in ended.err


def test_two_flows_at_once_are_refused(bench):
    ended = bench.run("login", "job.yaml", "--jwt", "--from-sf", "acme")
    assert ended.code == 2
    assert "different ways to sign in" in ended.err
