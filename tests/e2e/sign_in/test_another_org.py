"""A token of another org than the job means: refused in every verb before a record is sent.

The org answers under a host name of Salesforce: a proxy ends the TLS of whatever host is asked for
and passes everything on to the local org.
"""

import json
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.short_form import short_form, slow

SANDBOX = "acme--uat.sandbox.my.salesforce.com"
LIVE = "acme.my.salesforce.com"
TASKS = "- name: load\n  create: Account\n  from: a.csv\n"
QUERY = "- name: list\n  query: SELECT Name FROM Account\n  to: out/list.csv\n"


def certificate(folder, hosts):
    """A certificate for these hosts that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "both.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return file


class TlsProxy:
    """Answers CONNECT for any host with the local org."""

    def __init__(self, pem, org_port):
        self.hosts = []
        self._org_port = org_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._server.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += client.recv(4096)
        self.hosts.append(asked.split()[1].decode().partition(":")[0])
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        org = socket.create_connection(("127.0.0.1", self._org_port))
        with org, self._context.wrap_socket(client, server_side=True) as outer:
            answers = threading.Thread(target=copy, args=(org, outer), daemon=True)
            answers.start()
            copy(outer, org)
            org.shutdown(socket.SHUT_WR)
            answers.join()


def copy(source, to):
    try:
        while piece := source.recv(65536):
            to.sendall(piece)
    except OSError:
        return


@pytest.fixture
def proxy(bench, org):
    pem = certificate(bench.folder, [SANDBOX, LIVE, "login.salesforce.com", "test.salesforce.com"])
    made = TlsProxy(pem, int(org.url.rpartition(":")[2]))
    bench.env |= {"HTTPS_PROXY": made.url, "SSL_CERT_FILE": str(pem)}
    bench.write("a.csv", "Name\nAcme\n")
    yield made
    made.close()


def token_file(bench, org, host):
    members = {"version": 1, "access_token": org.token, "instance_url": f"https://{host}"}
    bench.write("tokens/t.json", json.dumps(members)).chmod(0o600)


def accounts(org):
    return org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"]


def by_file(bench, org, host):
    token_file(bench, org, host)
    return "token: tokens/t.json"


def by_variable(bench, org, _host):
    bench.env["T"] = org.token
    return "token: {env: T}"


SIGN_INS = {"a file": by_file, "a variable": by_variable}


@pytest.mark.parametrize(
    ("verb", "sign_in"),
    short_form(
        [*product(["run", "query", "whoami"], SIGN_INS)],
        [("run", "a file"), ("query", "a variable"), ("whoami", "a file")],
    ),
)
def test_a_production_org_is_refused_where_the_job_says_sandbox(bench, org, proxy, sign_in, verb):
    token = SIGN_INS[sign_in](bench, org, SANDBOX)
    connection = f"{{environment: sandbox, domain: acme--uat, {token}}}"
    job = bench.job(QUERY if verb == "query" else TASKS, connection=connection)
    before = accounts(org)
    ended = bench.run("whoami" if verb == "whoami" else "run", job)
    assert ended.code == 4, ended.err + ended.out
    assert "a live org" in ended.err
    assert "the job's environment is sandbox" in ended.err
    assert "runner login" in ended.err
    assert SANDBOX in proxy.hosts, "it was asked what it is"
    assert accounts(org) == before
    assert not (bench.folder / "out").exists()


def test_retry_resume_and_undo_are_refused_too(bench, org, proxy):
    bench.env["T"] = org.token
    tasks = "- name: load\n  create: Account\n  from: a.csv\n  api: rest\n  undo: true\n"
    bench.write("a.csv", "Name,NumberOfEmployees\nAcme,1\nBad,x\n")
    connection = "{{environment: {}, domain: {}, token: {{env: T}}}}"
    assert (
        bench.run("run", bench.job(tasks, connection=connection.format("live", "acme"))).code == 3
    )
    bench.job(tasks, connection=connection.format("sandbox", "acme--uat"))
    before = accounts(org)
    for words in (("retry", "last"), ("undo", "last", "--yes")):
        ended = bench.run(*words)
        assert ended.code == 4, ended.err + ended.out
        assert "the job's environment is sandbox" in ended.err
    assert accounts(org) == before


def test_the_org_that_the_job_means_is_used(bench, org, proxy):
    token = by_file(bench, org, LIVE)
    job = bench.job(TASKS, connection=f"{{environment: live, domain: acme, {token}}}")
    before = accounts(org)
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err + ended.out
    assert accounts(org) == before + 1
    assert set(proxy.hosts) == {LIVE}


@pytest.mark.parametrize(
    ("environment", "domain", "host", "said"),
    [
        ("live", "acme", "other.my.salesforce.com", "the job's domain is acme"),
        ("sandbox", "acme--uat", "acme--qa.sandbox.my.salesforce.com", "domain is acme--uat"),
        ("live", "acme", SANDBOX, "the job's environment is live"),
        ("sandbox", "acme--uat", LIVE, "the job's environment is sandbox"),
    ],
)
@pytest.mark.parametrize("verb", ["run", *slow("whoami")])
def test_another_instance_is_refused_before_anything_is_sent(
    bench, org, proxy, verb, environment, domain, host, said
):
    token = by_file(bench, org, host)
    connection = f"{{environment: {environment}, domain: {domain}, {token}}}"
    ended = bench.run(verb, bench.job(TASKS, connection=connection))
    assert ended.code == 4, ended.err + ended.out
    assert said in ended.err
    assert proxy.hosts == []


def test_an_org_on_this_machine_is_no_sandbox(bench, org):
    bench.write("a.csv", "Name\nAcme\n")
    members = {"version": 1, "access_token": org.token, "instance_url": org.url}
    bench.write("tokens/t.json", json.dumps(members)).chmod(0o600)
    connection = "{environment: sandbox, domain: acme--uat, token: tokens/t.json}"
    ended = bench.run("run", bench.job(TASKS, connection=connection))
    assert ended.code == 4, ended.err
    assert "a local org" in ended.err


@pytest.mark.parametrize(
    ("environment", "domain"),
    [("sandbox", "acme"), ("sandbox", "acme.my.salesforce.com"), ("live", "acme--uat")],
)
def test_a_domain_that_contradicts_the_environment_is_a_problem_of_the_job(
    bench, environment, domain
):
    connection = f"{{environment: {environment}, domain: {domain}, token: t.json}}"
    job = bench.job(QUERY, connection=connection)
    for verb in ("validate", "run"):
        ended = bench.run(verb, job)
        assert ended.code == 2
        assert "job.yaml:3:" in ended.out + ended.err
