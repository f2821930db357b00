import pytest

from runner.errors import SignInError, UsageError
from runner.job.model import Connection, Environment
from runner.salesforce.http.hosts import (
    LIVE_LOGIN,
    SANDBOX_LOGIN,
    audience_of,
    check_may_have_secrets,
    environment_of,
    login_url,
    origin_of,
    refuse_common_host,
)

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
        (Connection(SANDBOX, domain="acme.my.salesforce.com"), "production org"),
        (Connection(LIVE, domain="acme.scratch"), "sandbox"),
        (Connection(LOCAL), "no sign-in"),
        (Connection(LOCAL, url="http://evil.example"), "must be https"),
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
        ("https://acme.develop.my.salesforce.com", LIVE),
        ("https://acme.scratch.my.salesforce.com", SANDBOX),
        ("https://acme.patch.my.salesforce.com", None),
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


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com/services/oauth2/token",
        "https://acme--uat.sandbox.my.salesforce.com",
        "https://ACME.my.salesforce.com",
        "https://acme.my.site.force.com",
        "https://acme.my.salesforce.mil",
        "http://127.0.0.1:8123/x",
        "http://[::1]:8123",
    ],
)
def test_salesforce_and_this_machine_may_have_secrets(url):
    check_may_have_secrets(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com",
        "https://evilsalesforce.com",
        "https://salesforce.com.evil.com",
        "https://login.salesforce.com@evil.com",
        "https://login.salesforce.com:x@evil.com",
        "https://evil.com\\.salesforce.com",
        "https://evil.com#.salesforce.com",
        "https://evil.com/.salesforce.com",
        "https://evil.com?.salesforce.com",
        "http://login.salesforce.com",
        "https://127.0.0.1.evil.com",
        "https://[::ffff:8.8.8.8]",
        "file:///etc/passwd",
        "https://",
        "//evil.com",
    ],
)
def test_nobody_else_may(url):
    with pytest.raises(UsageError):
        check_may_have_secrets(url)


def test_a_host_that_the_user_vouches_for_may():
    check_may_have_secrets("https://gateway.acme.example/x", {"gateway.acme.example"})
    with pytest.raises(UsageError, match="not a Salesforce host"):
        check_may_have_secrets("https://other.acme.example", {"gateway.acme.example"})


@pytest.mark.parametrize(
    ("url", "audience"),
    [
        ("https://login.salesforce.com", LIVE_LOGIN),
        ("https://acme.my.salesforce.com", LIVE_LOGIN),
        ("https://acme-dev-ed.develop.my.salesforce.com", LIVE_LOGIN),
        ("https://test.salesforce.com", SANDBOX_LOGIN),
        ("https://acme--uat.sandbox.my.salesforce.com", SANDBOX_LOGIN),
        ("https://brave-fox.scratch.my.salesforce.com", SANDBOX_LOGIN),
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
    ],
)
def test_an_assertion_is_addressed_to_the_kind_of_org(url, audience):
    assert audience_of(url) == audience


def test_client_credentials_do_not_go_to_a_host_that_all_orgs_share():
    refuse_common_host("https://acme.my.salesforce.com")
    with pytest.raises(SignInError, match="My Domain"):
        refuse_common_host(LIVE_LOGIN)
