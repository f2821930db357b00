"""TLS: whose certificate is trusted, and where a connection ends; directly and over httpx."""

import shutil
import ssl
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runner.errors import TransportError, UnexpectedAnswerError
from runner.salesforce.http.direct import Connections
from runner.salesforce.http.failures import mapped_failures
from runner.salesforce.http.messages import OrgRequest
from runner.salesforce.http.outgoing import Outgoing
from runner.salesforce.http.proxied import Proxied
from runner.salesforce.http.transport import Transport, trusted
from tests.unit.salesforce.http.wire import OK, server

NAMES = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
USAGE_OF_AUTHORITY = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
USAGE_OF_SERVER = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\nhello"


class Authority:
    """Signs certificates of servers."""

    def __init__(self, folder, has_identifiers=True):
        self.folder = folder
        self.has_identifiers = has_identifiers
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = self._named("authority")
        made = self._built(self._name, self._key, 1, True).sign(self._key, hashes.SHA256())
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def server(self, names=NAMES, days=1, versions=()):
        """The context of a server; with negative days its certificate has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = self._built(self._named("server"), key, days, False)
        built = built.add_extension(x509.SubjectAlternativeName(names), False)
        made = built.sign(self._key, hashes.SHA256())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file = self.folder / "server.pem"
        file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        if versions:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = versions
        return context

    def _built(self, name, key, days, is_authority):
        """With the identifiers and the usage that Python 3.13 and newer ask for."""
        ends = datetime.now(UTC) + timedelta(days=days)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(ends - timedelta(days=9))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(is_authority, None), True)
        )
        if not self.has_identifiers:
            return built
        own, issuer = key.public_key(), self._key.public_key()
        return (
            built.add_extension(x509.SubjectKeyIdentifier.from_public_key(own), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), False)
            .add_extension(USAGE_OF_AUTHORITY if is_authority else USAGE_OF_SERVER, True)
        )

    @staticmethod
    def _named(name):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture
def authority(tmp_path, monkeypatch):
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return made


@pytest.fixture(params=["direct", "proxied"])
def connect(request, monkeypatch):
    """Ask over connections of our own, or over httpx as it is used for proxies."""
    monkeypatch.setenv("NO_PROXY", "*")

    def ask(url, method="GET"):
        if request.param == "direct":
            connections = Connections(5.0, trusted)
        else:
            connections = Proxied(5.0, trusted())
        with closing(connections), mapped_failures(OrgRequest(method, url)):
            answer = connections.send(Outgoing(method, url, {}), 5.0)
            with closing(answer):
                return b"".join(answer.pieces())

    return ask


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_server_is_asked_whose_certificate_is_signed_by_an_authority(authority, connect, host):
    with server([OK], context=authority.server()) as (url, _):
        assert connect(url.replace("127.0.0.1", host)) == b"{}"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"names": [x509.DNSName("elsewhere.example")]}, "not valid for '127.0.0.1'"),
        ({"days": -1}, "expired"),
        ({"days": 20}, "not yet valid"),
    ],
    ids=["other host", "expired", "not yet"],
)
def test_another_certificate_is_refused_for_good(authority, connect, made, why):
    with (
        server([OK], context=authority.server(**made)) as (url, heads),
        pytest.raises(UnexpectedAnswerError, match=why),
    ):
        connect(url)
    assert heads.result() == []


def test_an_authority_that_nobody_named_is_not_trusted(authority, connect, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        server([OK], context=authority.server()) as (url, _),
        pytest.raises(UnexpectedAnswerError, match="is not trusted"),
    ):
        connect(url)


def test_a_certificate_of_an_old_form_is_refused_with_what_to_do(tmp_path, connect, monkeypatch):
    """By Python 3.13 and newer by themselves; here by all versions."""
    old = Authority(tmp_path, has_identifiers=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(old.file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    default_context = ssl.create_default_context

    def strict(**options):
        context = default_context(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    with (
        server([OK], context=old.server()) as (url, heads),
        pytest.raises(UnexpectedAnswerError, match="Missing Authority Key Identifier") as caught,
    ):
        connect(url)
    assert "RFC 5280" in caught.value.hint
    assert "unset SSL_CERT_FILE" in caught.value.hint
    assert heads.result() == []


def test_a_folder_of_certificates_is_trusted(authority, connect, monkeypatch, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    command = [openssl, "x509", "-hash", "-noout", "-in", str(authority.file)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / f"{name}.0").write_bytes(authority.file.read_bytes())
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    with server([OK], context=authority.server()) as (url, _):
        assert connect(url) == b"{}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_tls_is_not_spoken(authority, connect):
    old = authority.server(versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1))
    with server([OK], context=old) as (url, heads):
        with pytest.raises(TransportError, match=r"(?i)protocol") as caught:
            connect(url, "POST")
        assert heads.result() == []
    assert caught.value.may_have_arrived is False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("answer", "ends_in_order", "body"),
    [
        (OK, False, b"{}"),
        (OK[:-1], False, None),
        (OK[:-1], True, None),
        (ENDLESS, True, b"hello"),
        (ENDLESS, False, None),
        (b"", True, None),
        (b"", False, None),
    ],
)
def test_a_body_without_a_length_ends_only_as_tls_does(
    authority, connect, version, answer, ends_in_order, body
):
    context = authority.server(versions=(version, version))
    with server([answer], context=context, notify=ends_in_order) as (url, _):
        if body is not None:
            assert connect(url) == body
            return
        with pytest.raises(TransportError) as caught:
            connect(url, "POST")
    assert caught.value.may_have_arrived is True


def test_a_connection_is_used_again_and_not_after_its_end(authority):
    context = authority.server()
    with server([OK, OK], [OK], context=context) as (url, heads), Transport() as transport:
        for turn in range(3):
            assert turn < 2 or heads.hung_up.acquire(timeout=20)
            assert transport.send(OrgRequest("GET", url)).body == b"{}"
        assert len(heads.result()) == 3
