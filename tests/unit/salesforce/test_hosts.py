import pytest

from runner.errors import UsageError
from runner.job.model import Connection, Environment
from runner.salesforce.hosts import environment_of, login_url, origin_of

LIVE, SANDBOX, LOCAL = Environment.LIVE, Environment.SANDBOX, Environment.LOCAL


@pytest.mark.parametrize(
    ("environment", "domain", "url"),
    [
        (LIVE, None, "https://login.salesforce.com"),
        (SANDBOX, None, "https://test.salesforce.com"),
        (LIVE, "acme", "https://acme.my.salesforce.com"),
        (SANDBOX, "acme--uat", "https://acme--uat.sandbox.my.salesforce.com"),
        (LIVE, "acme-dev-ed.develop", "https://acme-dev-ed.develop.my.salesforce.com"),
        (SANDBOX, "acme.scratch", "https://acme.scratch.my.salesforce.com"),
        (LIVE, "acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        (
            SANDBOX,
            "https://Acme--UAT.sandbox.my.salesforce.com/",
            "https://acme--uat.sandbox.my.salesforce.com",
        ),
        (LIVE, "login.acme.com", "https://login.acme.com"),
    ],
)
def test_where_a_connection_signs_in(environment, domain, url):
    assert login_url(Connection(environment, domain=domain)) == url


def test_a_local_connection_signs_in_where_it_says():
    assert login_url(Connection(LOCAL, url="http://127.0.0.1:8123/")) == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (Connection(LIVE, domain="acme--uat"), "sandbox"),
        (Connection(SANDBOX, domain="acme"), "which sandbox"),
        (Connection(LOCAL), "no sign-in"),
        (Connection(LOCAL, url="http://evil.example"), "https is needed"),
    ],
)
def test_a_domain_of_the_other_kind_is_refused(connection, said):
    with pytest.raises(UsageError, match=said) as caught:
        login_url(connection)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://login.salesforce.com/id/x/y", LIVE),
        ("https://test.salesforce.com/id/x/y", SANDBOX),
        ("https://acme.my.salesforce.com", LIVE),
        ("https://acme--uat.sandbox.my.salesforce.com", SANDBOX),
        ("https://acme--uat.cs101.my.salesforce.com", SANDBOX),
        ("https://acme.develop.my.salesforce.com", None),
        ("https://na1.salesforce.com", None),
        ("http://localhost:1", LOCAL),
        ("http://[::1]:1", LOCAL),
    ],
)
def test_what_a_host_tells_of_its_org(url, environment):
    assert environment_of(url) is environment


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "ftp://127.0.0.1",
        "https://",
        "acme",
        "https://a@evil.example",
        "",
    ],
)
def test_where_no_token_is_sent(url):
    with pytest.raises(UsageError):
        origin_of(url)
