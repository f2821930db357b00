"""Refusals before the org's own: each has its own sentence and exit code, and none is retried."""

import json
import socket
import threading

import pytest

from tests.e2e.sign_in.test_another_org import LIVE, TlsProxy, certificate
from tests.short_form import slow

JOB = "- {name: list, query: SELECT Name FROM Account, to: out.csv}\n"


class RefusingProxy:
    """Answers every CONNECT with the same status."""

    def __init__(self, status):
        self.asked = 0
        self._status = status
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            connection, _ = self._server.accept()
            with connection:
                self.asked += 1
                connection.recv(65536)
                head = f"HTTP/1.1 {self._status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode())


def live_job(bench):
    members = {"version": 1, "access_token": "00D!x" * 5, "instance_url": f"https://{LIVE}"}
    bench.write("tokens/live.json", json.dumps(members)).chmod(0o600)
    connection = "{environment: live, domain: acme, token: tokens/live.json}"
    return bench.job(JOB, connection=connection)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        ("407 Proxy Authentication Required", "wants a user and a password"),
        ("403 Forbidden", "allow this host"),
    ],
)
@pytest.mark.parametrize("verb", ["whoami", "run"])
def test_a_proxy_that_refuses_is_named(bench, status, hint, verb):
    proxy = RefusingProxy(status)
    bench.env["HTTPS_PROXY"] = proxy.url
    ended = bench.run(verb, live_job(bench))
    assert ended.code == 1, ended.err
    assert f"The proxy does not connect to {LIVE}: {status}" in ended.err
    assert hint in ended.err
    assert "login" not in ended.err
    assert proxy.asked == 1, "it is not asked again"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_certificate_that_is_not_trusted_is_named(bench, org):
    proxy = TlsProxy(certificate(bench.folder, [LIVE]), int(org.url.rpartition(":")[2]))
    bench.env["HTTPS_PROXY"] = proxy.url
    ended = bench.run("whoami", live_job(bench))
    assert ended.code == 1, ended.err
    assert f"The certificate of {LIVE} is not trusted" in ended.err
    assert "SSL_CERT_FILE" in ended.err
    assert "retrying" not in ended.err


@pytest.mark.parametrize(
    ("code", "description", "hint"),
    [
        ("invalid_grant", "ip restricted", "login IP ranges"),
        ("invalid_grant", "invalid login hours", "login hours"),
        ("inactive_user", "user is inactive", "activate the user"),
        ("invalid_grant", "organization is inactive", "The org is not active"),
        *slow(
            ("invalid_grant", "user is inactive", "activate the user"),
            ("invalid_grant", "inactive user", "activate the user"),
            ("inactive_user", "inactive user", "activate the user"),
        ),
    ],
)
def test_a_refused_renewal_says_why(bench, org, code, description, hint):
    granted = org.grant()
    members = {
        "version": 1,
        "access_token": "00DLO0000000001!expired.expired.expired",
        "refresh_token": granted["refresh_token"],
        "instance_url": org.url,
        "login_url": org.url,
        "client_id": "app",
        "rotates": True,
        "renewal_began": "2026-11-01T00:00:00+00:00",
    }
    bench.write("tokens/t.json", json.dumps(members)).chmod(0o600)
    connection = f"{{environment: local, url: '{org.url}', token: tokens/t.json, client_id: app}}"
    body = json.dumps({"error": code, "error_description": description})
    org.fault(kind="status", path="oauth2/token", method="POST", status=400, body=body)
    ended = bench.run("run", bench.job(JOB, connection=connection))
    assert ended.code == 4, ended.err
    assert f"{code}: {description}" in ended.err
    assert hint in ended.err
    assert "Sign in again" not in ended.err


@pytest.mark.parametrize(("status", "hint"), [(403, "firewall"), (407, "HTTPS_PROXY=")])
def test_a_page_of_a_proxy_is_not_taken_for_the_org(bench, org, status, hint):
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    org.fault(kind="status", path="query|userinfo|sobjects", status=status, html=True)
    ended = bench.run("run", bench.job(JOB, connection=connection))
    assert ended.code == 1, ended.err + ended.out
    assert hint in ended.err + ended.out
    assert "login" not in ended.err
